//! A server, clients and their loop in one thread, with a clock that the test moves.
//!
//! Sockets are real, time is not: when nothing has happened for a while the clock jumps to the next
//! deadline. So a test of a five-second timeout takes no five seconds, and nothing sleeps to be in time.
//! Over shared memory a driver does not say when its next deadline is, so the clock moves in small strides.
#![expect(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

pub(crate) mod app;
pub(crate) mod bell;
pub(crate) mod cable;
pub(crate) mod camp;
pub(crate) mod files;
pub(crate) mod process;
pub(crate) mod quarrel;
pub(crate) mod raw;
pub(crate) mod siege;
pub(crate) mod sleeper;
pub(crate) mod stage;

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tcpshm_driver::mio::{Events, Poll};
use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_driver::{
    Carrier, Client, ClientConfig, Driver, Geometry, Group, GroupId, Handler, Kind, Limits, LinkConfig, Name,
    Server, ServerConfig, SetupError,
};

use bell::Bell;
use cable::Cable;

/// How often the loop may turn before a test has failed: far more than any needs.
const TURNS: usize = 50_000;
/// Turns without an event before the clock moves. After the first of them the bell is rung, once for each of
/// the packets that open a connection, of which every one is sent in answer to the one before.
const QUIET: u32 = 4;
/// How long a quiet turn waits for threads and processes that have a part in a world.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1);
const SERVER_TOKENS: Range<usize> = 0..100_000;
/// Tokens of each group.
const GROUP_TOKENS: usize = 1000;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn kind(number: u16) -> Kind {
    Kind::new(number).unwrap()
}

pub(crate) fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Binds a port and does not listen on it. A server may, since both allow the address to be used again.
pub(crate) fn reserved(address: SocketAddr) -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    let reserved = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, reserved)
}

/// The same sizes in both directions.
pub(crate) fn limits(capacity: u64, largest: u32) -> Limits {
    let geometry = Geometry::new(capacity, largest).unwrap();
    Limits { send: geometry, accept: geometry }
}

/// The wish for this carrier and no other.
pub(crate) fn wish(carrier: Carrier) -> CarrierWish {
    match carrier {
        Carrier::Tcp => CarrierWish::Tcp,
        Carrier::Shm => CarrierWish::Shm,
    }
}

pub(crate) fn server(directory: &Path) -> ServerConfig {
    let mut config = ServerConfig::new(name("server"), directory, loopback());
    small(&mut config.link);
    config
}

pub(crate) fn client(directory: &Path, address: SocketAddr) -> ClientConfig {
    let mut config = ClientConfig::new(name("client"), directory, address);
    small(&mut config.link);
    config
}

/// Files of two pages, which tests make, copy and compare by the dozen.
fn small(link: &mut LinkConfig) {
    link.limits = limits(4096, 512);
}

/// A driver with the application behind it.
pub(crate) struct Seat<D, A> {
    pub(crate) driver: D,
    pub(crate) app: A,
}

/// The loop.
pub(crate) struct World<A, B> {
    pub(crate) poll: Poll,
    events: Events,
    /// Events of the turn before, if they are to come again, and for everybody.
    ghosts: Option<Events>,
    pub(crate) now: Instant,
    pub(crate) server: Option<Seat<Server, A>>,
    /// The server's groups; `None` for one that is gone, or does not turn now.
    pub(crate) groups: Vec<Option<Seat<Group, A>>>,
    pub(crate) clients: Vec<Seat<Client, B>>,
    pub(crate) cables: Vec<Cable>,
    /// One socket for each port that a server listens on, so that nobody takes it while the server is away.
    ports: Vec<Socket>,
    bell: Bell,
    next_token: usize,
    quiet: u32,
    /// Turns so far.
    pub(crate) turns: usize,
    /// How much time every turn takes, for a world that is never quiet.
    pub(crate) tick: Duration,
    /// Whether drivers are spun in place of being told of the time only.
    pub(crate) spins: bool,
    /// How far the clock jumps at most while a link is polled: then nobody says when the next deadline is.
    pub(crate) stride: Duration,
    /// How long a quiet turn waits: not at all, or for others that have a part, see [`PATIENCE`].
    pub(crate) patience: Duration,
    /// The clock does not jump past this.
    halt: Option<Instant>,
}

impl<A: Handler, B: Handler> World<A, B> {
    pub(crate) fn new() -> Self {
        World {
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(256),
            ghosts: None,
            now: Instant::now(),
            server: None,
            groups: Vec::new(),
            clients: Vec::new(),
            cables: Vec::new(),
            ports: Vec::new(),
            bell: Bell::new(),
            next_token: SERVER_TOKENS.end,
            quiet: 0,
            turns: 0,
            tick: Duration::ZERO,
            spins: false,
            stride: Duration::from_millis(20),
            patience: Duration::ZERO,
            halt: None,
        }
    }

    /// Starts the server. Returns where it listens.
    #[track_caller]
    pub(crate) fn serve(&mut self, mut config: ServerConfig, app: A) -> SocketAddr {
        for address in config.listen.iter_mut().filter(|address| address.port() == 0) {
            *address = self.reserve(*address);
        }
        self.try_serve(config, app).unwrap()
    }

    /// Starts the server, if it can be set up.
    pub(crate) fn try_serve(&mut self, config: ServerConfig, app: A) -> Result<SocketAddr, SetupError> {
        let mut driver = Server::bind(config)?;
        driver.register(self.poll.registry(), SERVER_TOKENS).unwrap();
        let address = driver.local_addresses().unwrap()[0];
        self.server = Some(Seat { driver, app });
        Ok(address)
    }

    /// Makes one more group, with an application of its own.
    pub(crate) fn group(&mut self, app: A) -> GroupId {
        let mut driver = self.at_server().driver.group().unwrap();
        let token = self.next_token;
        self.next_token += GROUP_TOKENS;
        driver.register(self.poll.registry(), token..token + GROUP_TOKENS).unwrap();
        let id = driver.id();
        self.groups.push(Some(Seat { driver, app }));
        id
    }

    /// The group that was made as number `index`.
    pub(crate) fn at_group(&mut self, index: usize) -> &mut Seat<Group, A> {
        self.groups[index].as_mut().unwrap()
    }

    fn reserve(&mut self, address: SocketAddr) -> SocketAddr {
        let (socket, reserved) = reserved(address);
        self.ports.push(socket);
        reserved
    }

    /// Starts one more client.
    #[track_caller]
    pub(crate) fn connect(&mut self, config: ClientConfig, app: B) {
        let mut driver = Client::new(config).unwrap();
        let token = self.next_token;
        self.next_token += 2;
        driver.register(self.poll.registry(), token..token + 2).unwrap();
        self.clients.push(Seat { driver, app });
    }

    /// Lays a cable to `target`. Returns where its near end is.
    pub(crate) fn lay_cable(&mut self, target: SocketAddr) -> SocketAddr {
        let cable = Cable::new(target);
        let address = cable.address();
        self.cables.push(cable);
        address
    }

    /// The server and the first client, when both are there.
    pub(crate) fn both(&mut self) -> (&mut Seat<Server, A>, &mut Seat<Client, B>) {
        (self.server.as_mut().unwrap(), &mut self.clients[0])
    }

    pub(crate) fn at_server(&mut self) -> &mut Seat<Server, A> {
        self.server.as_mut().unwrap()
    }

    /// Commits a message on the link of client `index`, connected or not.
    #[track_caller]
    pub(crate) fn send(&mut self, index: usize, payload: &[u8]) {
        let mut link = self.clients[index].driver.link(self.now).expect("a link");
        link.send(kind(1), payload).unwrap();
    }

    /// Commits a message on the server's link with "client", connected or not.
    #[track_caller]
    pub(crate) fn answer(&mut self, payload: &[u8]) {
        let now = self.now;
        let server = &mut self.at_server().driver;
        server.open_link(now, &name("client")).unwrap().expect("a link").send(kind(2), payload).unwrap();
    }

    /// One turn of the loop.
    pub(crate) fn turn(&mut self) {
        self.turns += 1;
        self.now += self.tick;
        // Before the clock moves, everything has arrived that was sent.
        let sure = self.quiet == 0 || self.bell.ring();
        let wait = if self.quiet == 0 { Duration::ZERO } else { self.patience };
        self.poll.poll(&mut self.events, Some(wait)).unwrap();
        let mut carried = false;
        for cable in &mut self.cables {
            carried |= cable.turn();
        }
        self.quiet = if self.events.is_empty() && !carried && sure { self.quiet + 1 } else { 0 };
        for event in &self.events {
            if let Some(seat) = self.server.as_mut().filter(|seat| seat.driver.owns(event.token())) {
                seat.driver.handle_event(self.now, event, &mut seat.app).unwrap();
            }
            for seat in self.groups.iter_mut().flatten().filter(|seat| seat.driver.owns(event.token())) {
                seat.driver.handle_event(self.now, event, &mut seat.app).unwrap();
            }
            for seat in self.clients.iter_mut().filter(|seat| seat.driver.owns(event.token())) {
                seat.driver.handle_event(self.now, event, &mut seat.app).unwrap();
            }
        }
        self.haunt();
        let mut found = false;
        if let Some(seat) = &mut self.server {
            found |= look_after(seat, self.spins, self.now);
        }
        for seat in self.groups.iter_mut().flatten() {
            found |= look_after(seat, self.spins, self.now);
        }
        for seat in &mut self.clients {
            found |= look_after(seat, self.spins, self.now);
        }
        if found {
            self.quiet = 0;
        }
        self.move_clock();
    }

    /// From here on every event comes once more in the turn after, when its token may be somebody else's,
    /// and is given to all drivers.
    pub(crate) fn be_haunted(&mut self) {
        self.ghosts = Some(Events::with_capacity(256));
    }

    fn haunt(&mut self) {
        let Some(ghosts) = &mut self.ghosts else {
            return;
        };
        for event in &*ghosts {
            if let Some(seat) = &mut self.server {
                seat.driver.handle_event(self.now, event, &mut seat.app).unwrap();
            }
            for seat in &mut self.clients {
                seat.driver.handle_event(self.now, event, &mut seat.app).unwrap();
            }
        }
        std::mem::swap(ghosts, &mut self.events);
    }

    fn move_clock(&mut self) {
        let next = if self.is_polling() { Some(self.stride) } else { self.timeout() };
        if next == Some(Duration::ZERO) {
            self.quiet = 0;
        } else if self.quiet >= QUIET {
            let next = self.now + next.unwrap_or(Duration::from_secs(1));
            self.now = self.halt.map_or(next, |halt| next.min(halt));
            self.quiet = 0;
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let server = self.server.as_ref().and_then(|seat| seat.driver.timeout(self.now));
        let clients = self.clients.iter().filter_map(|seat| seat.driver.timeout(self.now));
        let groups = self.groups.iter().flatten().filter_map(|seat| seat.driver.timeout(self.now));
        clients.chain(server).chain(groups).min()
    }

    /// Whether a link is on shared memory: then deadlines are not known, and polls tell whether it is quiet.
    fn is_polling(&self) -> bool {
        let clients = self.clients.iter().any(|seat| seat.driver.is_polling());
        let groups = self.groups.iter().flatten().any(|seat| seat.driver.is_polling());
        clients || groups || self.server.as_ref().is_some_and(|seat| seat.driver.is_polling())
    }

    /// Turns until `done`.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..TURNS {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("never came: {what}");
    }

    /// Turns until this much of the test's own time has passed.
    #[track_caller]
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.halt = Some(end);
        self.until("the end of a pause", |world| world.now >= end);
        self.halt = None;
    }

    /// From here on time stands still.
    pub(crate) fn stop_clock(&mut self) {
        self.halt = Some(self.now);
    }

    /// Turns until everything that is under way has arrived and is acknowledged.
    #[track_caller]
    pub(crate) fn calm(&mut self) {
        self.pass(Duration::from_millis(20));
        // Over shared memory nobody tells what was consumed: one looks, now and then or when asked.
        let now = self.now;
        for seat in &mut self.clients {
            let _ = seat.driver.link(now);
        }
        if let Some(seat) = &mut self.server {
            let _ = seat.driver.link(now, &name("client"));
        }
        for seat in self.groups.iter_mut().flatten() {
            let _ = seat.driver.link(now, &name("client"));
        }
    }
}

/// Returns whether shared memory had anything.
fn look_after<D: Driver, A: Handler>(seat: &mut Seat<D, A>, spins: bool, now: Instant) -> bool {
    let found = seat.driver.poll(&mut seat.app);
    if spins {
        seat.driver.spin(now, &mut seat.app);
    } else {
        seat.driver.handle_timeout(now, &mut seat.app);
    }
    found
}
