//! A host that sleeps: it looks after its driver when its own poll has an event or a timer is due, and at no
//! other time. Sockets and files are real; time stands still unless a test moves it, so that no heartbeat
//! makes up for a wake that was forgotten.

use std::ops::Range;
use std::time::{Duration, Instant};

use tcpshm_driver::mio::{Events, Poll};
use tcpshm_driver::{Carrier, Client, ClientConfig, Driver, Server, ServerConfig};

use super::app::App;
use super::files::Home;
use super::{client, name, reserved, server, wish};

const TOKENS: Range<usize> = 0..1000;
/// Rounds in which both sides sleep, each with a moment for the kernel, before nothing more is expected.
const QUIET: u32 = 10;
const ROUNDS: usize = 20_000;

/// A driver in a loop of its own.
pub(crate) struct Host<D> {
    poll: Poll,
    events: Events,
    pub(crate) driver: D,
    pub(crate) app: App,
    pub(crate) asleep: bool,
    /// How often it was awake.
    pub(crate) turns: u64,
    /// How often an event ended its sleep.
    pub(crate) woken: u64,
    may_sleep: bool,
}

impl<D: Driver> Host<D> {
    fn new(mut driver: D, app: App, may_sleep: bool) -> Self {
        let poll = Poll::new().unwrap();
        driver.register(poll.registry(), TOKENS).unwrap();
        driver.set_may_sleep(may_sleep);
        let events = Events::with_capacity(64);
        Host { poll, events, driver, app, asleep: false, turns: 0, woken: 0, may_sleep }
    }

    /// What its loop does once. Returns whether it was awake.
    pub(crate) fn turn(&mut self, now: Instant, wait: Duration) -> bool {
        // The host may have used a link.
        self.asleep &= self.driver.timeout(now) != Some(Duration::ZERO);
        if !self.asleep {
            self.asleep = self.may_sleep && self.driver.park();
        }
        let wait = if self.asleep { wait } else { Duration::ZERO };
        self.poll.poll(&mut self.events, Some(wait)).unwrap();
        let due = self.driver.deadline().is_some_and(|deadline| deadline <= now);
        if self.asleep && self.events.is_empty() && !due {
            return false;
        }
        self.woken += u64::from(self.asleep && !self.events.is_empty());
        self.turns += 1;
        for event in &self.events {
            self.driver.handle_event(now, event, &mut self.app).unwrap();
        }
        self.driver.handle_timeout(now, &mut self.app);
        while self.driver.poll(&mut self.app) {}
        self.asleep = false;
        self.may_sleep
    }
}

/// A server and a client on one directory, each in its own loop.
pub(crate) struct Sleepers {
    pub(crate) server: Option<Host<Server>>,
    pub(crate) client: Host<Client>,
    pub(crate) now: Instant,
    pub(crate) server_config: ServerConfig,
    _homes: [Home; 2],
    _port: socket2::Socket,
}

impl Sleepers {
    /// The two are connected over shared memory, and whoever may sleep does.
    #[track_caller]
    pub(crate) fn new([client_sleeps, server_sleeps]: [bool; 2]) -> Self {
        let homes = Home::pair(Carrier::Shm);
        let mut server_config = server(homes[1].path());
        let (port, address) = reserved(server_config.listen[0]);
        server_config.listen = vec![address];
        let mut config: ClientConfig = client(homes[0].path(), address);
        config.carrier = wish(Carrier::Shm);
        let server = Server::bind(server_config.clone()).unwrap();
        let mut sleepers = Sleepers {
            server: Some(Host::new(server, App::default(), server_sleeps)),
            client: Host::new(Client::new(config).unwrap(), App::default(), client_sleeps),
            now: Instant::now(),
            server_config,
            _homes: homes,
            _port: port,
        };
        sleepers.until("a link", |sleepers| sleepers.client.driver.is_connected());
        sleepers.calm();
        assert_eq!(sleepers.carriers().last(), Some(&Carrier::Shm));
        sleepers
    }

    pub(crate) fn carriers(&self) -> Vec<Carrier> {
        self.client.app.carriers()
    }

    pub(crate) fn server(&mut self) -> &mut Host<Server> {
        self.server.as_mut().unwrap()
    }

    /// Starts the server again.
    pub(crate) fn start_server(&mut self) {
        let server = Server::bind(self.server_config.clone()).unwrap();
        self.server = Some(Host::new(server, App::default(), true));
    }

    /// Both loops once. Returns whether either was awake for a reason.
    pub(crate) fn turn(&mut self, wait: Duration) -> bool {
        let mut awake = self.client.turn(self.now, wait);
        if let Some(server) = &mut self.server {
            awake |= server.turn(self.now, wait);
        }
        awake
    }

    /// Turns until `done`, or until both sleep and nothing happens any more.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            if done(self) {
                return;
            }
            let wait = Duration::from_millis(u64::from(quiet > 0));
            quiet = if self.turn(wait) { 0 } else { quiet + 1 };
            assert!(quiet < QUIET, "slept over {what}");
        }
        panic!("never came: {what}");
    }

    /// Turns until nothing happens any more.
    #[track_caller]
    pub(crate) fn calm(&mut self) {
        let mut quiet = 0;
        self.until("quiet", |sleepers| {
            quiet = if sleepers.turn(Duration::from_millis(1)) { 0 } else { quiet + 1 };
            quiet >= 3
        });
    }

    /// Time passes, and both do what is due meanwhile.
    #[track_caller]
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.calm();
            let server = self.server.as_ref().and_then(|server| server.driver.deadline());
            let next = self.client.driver.deadline().into_iter().chain(server).min();
            self.now = next.unwrap_or(end).clamp(self.now, end);
        }
        self.calm();
    }

    /// Commits a message on the client's link, as a host does that is awake for another reason.
    #[track_caller]
    pub(crate) fn send(&mut self, payload: &[u8]) {
        let mut link = self.client.driver.link(self.now).expect("a link");
        link.send(super::kind(1), payload).unwrap();
    }

    /// The same on the server's.
    #[track_caller]
    pub(crate) fn answer(&mut self, payload: &[u8]) {
        let now = self.now;
        let mut link = self.server().driver.link(now, &name("client")).expect("a link");
        link.send(super::kind(2), payload).unwrap();
    }
}
