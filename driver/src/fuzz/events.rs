//! Events that come late, early, twice, or for a socket that had the token before.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use tcpshm_protocol::login::CarrierWish;
use tcpshm_protocol::{Geometry, Limits, Name};

use super::app::App;
use crate::client::Client;
use crate::config::{ClientConfig, LinkConfig, ServerConfig};
use crate::driver::Driver;
use crate::ready::Ready;
use crate::server::Server;

/// Steps taken of one input: enough for several logins of each client.
const STEPS: usize = 300;
/// Turns in which the links must be done after the last step, when every event is delivered.
const TURNS: usize = 5_000;
/// Turns in a row without an event after which nothing is under way any more: loopback delivers within
/// microseconds, a busy machine within milliseconds.
const QUIET: u32 = 500;
/// Calls after which work left over must be done: a few for each read of what both rings hold.
const CALLS: usize = 4 * 2 * 2 * CAPACITY / READ;
const CAPACITY: usize = 4096;
/// Few bytes, so that reads leave some and messages come in pieces.
const READ: usize = 256;
const CLIENTS: [&str; 2] = ["a", "b"];
/// The listener's token, those of a few connections, which are used again soon, and the waker's.
const TOKENS: usize = 10;

/// A server and two clients over real sockets in one thread. The input decides which events they are told of,
/// when, how often, and of which nothing is true; it also sends, ends connections, and lets strangers connect.
///
/// At every moment each message comes on its own link, once and in order, and what a driver leaves over it does
/// in a bounded number of calls. At the end, when what was withheld is delivered and while time stands still,
/// everything arrives: no wake-up was lost. Writes do not block here: with buffers so small that they would, the
/// kernel itself waits for its timers. The directory is the caller's, and empty.
pub fn driver_events(directory: &Path, bytes: &[u8]) {
    run(directory, bytes);
}

/// What an input led to.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(not(test), expect(dead_code, reason = "the test of the corpus looks at all of it"))]
pub(super) struct Tally {
    /// Events told in turn after a while, out of turn, again, and invented.
    pub(super) late: u32,
    pub(super) early: u32,
    pub(super) again: u32,
    pub(super) invented: u32,
    /// Connections that were made to end.
    pub(super) renewed: u32,
    pub(super) strangers: u32,
    /// Messages that came, in all.
    pub(super) received: u32,
}

pub(super) fn run(directory: &Path, bytes: &[u8]) -> Tally {
    let mut bytes = bytes.iter().copied();
    let mut trial = Trial::new(directory);
    if bytes.next().is_some_and(|first| first.is_multiple_of(2)) {
        // Else the logins, too, are told of their events by the input only.
        trial.settle();
    }
    for _ in 0..STEPS {
        let Some(step) = bytes.next() else { break };
        trial.step(step, bytes.next().unwrap_or(0));
    }
    trial.strangers.clear();
    trial.settle();
    trial.check_endings();
    trial.tally()
}

struct Trial {
    poll: Poll,
    events: Events,
    now: Instant,
    address: SocketAddr,
    server: (Server, App),
    clients: Vec<(Client, App)>,
    /// Events that were not yet told.
    withheld: VecDeque<(Token, Ready)>,
    /// The last ones that were told.
    past: VecDeque<(Token, Ready)>,
    strangers: VecDeque<TcpStream>,
    /// How often each client was made to connect anew.
    renewed: [u32; 2],
    tally: Tally,
}

impl Trial {
    fn new(directory: &Path) -> Self {
        let poll = Poll::new().expect("an epoll");
        let loopback = "127.0.0.1:0".parse().expect("an address");
        let mut config = ServerConfig::new(name("server"), directory.join("s"), loopback);
        small(&mut config.link);
        config.accept_budget = 1;
        let mut server = Server::bind(config).expect("a port");
        server.read_at_most(READ);
        server.register(poll.registry(), 0..TOKENS).expect("tokens");
        let address = server.local_addresses().expect("it listens")[0];
        let client = |number: usize| {
            let name = name(CLIENTS[number]);
            let mut config = ClientConfig::new(name, directory.join(CLIENTS[number]), address);
            small(&mut config.link);
            let mut client = Client::new(config).expect("a directory");
            client.read_at_most(READ);
            let token = TOKENS + 2 * number;
            client.register(poll.registry(), token..token + 2).expect("a token");
            (client, App::default())
        };
        Self {
            clients: (0..CLIENTS.len()).map(client).collect(),
            server: (server, App { replies: true, ..App::default() }),
            poll,
            events: Events::with_capacity(64),
            now: Instant::now(),
            address,
            withheld: VecDeque::new(),
            past: VecDeque::new(),
            strangers: VecDeque::new(),
            renewed: [0; 2],
            tally: Tally::default(),
        }
    }

    fn step(&mut self, step: u8, argument: u8) {
        let which = usize::from(argument) % CLIENTS.len();
        match step % 16 {
            0..3 => self.look(Duration::ZERO),
            3..6 => {
                self.tally.late += u32::from(!self.withheld.is_empty());
                self.tell_next();
            }
            6 => {
                self.tally.early += u32::from(self.withheld.len() > 1);
                self.withheld.rotate_left(usize::from(argument) % self.withheld.len().max(1));
                self.tell_next();
            }
            7 => self.tell_again(usize::from(argument)),
            8 => {
                let [readable, writable, ended] = [1, 2, 4].map(|bit| argument & bit != 0);
                // The listener, the first connections, which are used most, and the clients.
                let token = Token([0, 1, 2, 3, 4, 5, TOKENS, TOKENS + 2][usize::from(argument / 8 % 8)]);
                self.tally.invented += 1;
                self.tell(token, Ready { readable: readable || ended, writable: writable || ended, ended });
            }
            9 | 10 => self.send(which, 2 * usize::from(argument)),
            11 => self.answer(which, 2 * usize::from(argument)),
            12 | 13 => self.call(argument),
            14 => self.renew(which),
            _ => self.stranger(argument),
        }
    }

    /// Fetches the events that have come about; nobody is told of them yet.
    fn look(&mut self, wait: Duration) {
        self.poll.poll(&mut self.events, Some(wait)).expect("no signal comes");
        self.withheld.extend(self.events.iter().map(|event| (event.token(), Ready::of(event))));
    }

    fn tell_next(&mut self) {
        if let Some((token, ready)) = self.withheld.pop_front() {
            self.past.push_front((token, ready));
            self.past.truncate(16);
            self.tell(token, ready);
        }
    }

    fn tell_again(&mut self, index: usize) {
        if let Some((token, ready)) = self.past.get(index % self.past.len().max(1)).copied() {
            self.tally.again += 1;
            self.tell(token, ready);
        }
    }

    /// As in a host that hands every event to all its drivers.
    fn tell(&mut self, token: Token, ready: Ready) {
        let (server, app) = &mut self.server;
        server.handle_ready(self.now, token, ready, app);
        for (client, app) in &mut self.clients {
            client.handle_ready(self.now, token, ready, app);
        }
    }

    fn send(&mut self, which: usize, len: usize) {
        let (client, app) = &mut self.clients[which];
        if let Some(mut link) = client.link(self.now) {
            app.send(&mut link, CLIENTS[which], len);
        }
    }

    fn answer(&mut self, which: usize, len: usize) {
        let (server, app) = &mut self.server;
        if let Some(mut link) = server.link(self.now, &name(CLIENTS[which])) {
            app.send(&mut link, CLIENTS[which], len);
        }
    }

    /// What a host calls after the events of a turn, or in another order.
    fn call(&mut self, which: u8) {
        let (server, app) = &mut self.server;
        match which % 4 {
            0 => {
                server.spin(self.now, app);
            }
            1 => server.handle_timeout(self.now, app),
            _ => {
                let (client, app) = &mut self.clients[usize::from(which) / 4 % CLIENTS.len()];
                client.handle_timeout(self.now, app);
            }
        }
    }

    /// Ends a client's connection: the next has its token, and another one the token at the server.
    fn renew(&mut self, which: usize) {
        let (client, app) = &mut self.clients[which];
        self.renewed[which] += 1;
        client.change_carrier(self.now, CarrierWish::Tcp, app);
    }

    /// Somebody who says nothing, or nonsense, and goes when another two have come.
    fn stranger(&mut self, says: u8) {
        // The backlog may be full of others: then he does not come.
        let Ok(mut stream) = TcpStream::connect(self.address) else { return };
        if says.is_multiple_of(2) {
            // What becomes of it is his business.
            let _ = stream.write(&[says; 40][..usize::from(says) % 40]);
        }
        self.tally.strangers += 1;
        self.strangers.push_back(stream);
        if self.strangers.len() > 2 {
            self.strangers.pop_front();
        }
    }

    /// Everything that was withheld is told, and what was sent has to arrive: nothing else will wake anybody.
    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..TURNS {
            self.look(if quiet > 0 { Duration::from_millis(1) } else { Duration::ZERO });
            quiet = if self.withheld.is_empty() { quiet + 1 } else { 0 };
            while !self.withheld.is_empty() {
                self.tell_next();
            }
            self.do_what_is_left();
            if self.is_done() {
                return;
            }
            if quiet > 2 && self.let_clients_wait() {
                quiet = 0;
            }
            assert!(quiet < QUIET, "a wake-up was lost: {}", self.standing());
        }
        panic!("it does not come to an end: {}", self.standing());
    }

    /// As a host does that sleeps when nothing is left over: until an event comes, or a time that stands still.
    fn do_what_is_left(&mut self) {
        for _ in 0..CALLS {
            let (server, app) = &mut self.server;
            let mut busy = server.has_work();
            if busy {
                server.handle_timeout(self.now, app);
            }
            for (client, app) in &mut self.clients {
                let waited = client.waits_until().is_some_and(|until| until <= self.now);
                if client.has_work() || waited {
                    client.handle_timeout(self.now, app);
                    busy = true;
                }
            }
            if !busy {
                return;
            }
        }
        panic!("it spins: {}", self.standing());
    }

    /// Time passes for clients that wait for it, and for nobody else. Returns whether any did.
    fn let_clients_wait(&mut self) -> bool {
        let waits = self.clients.iter().filter_map(|(client, _)| client.waits_until()).max();
        let passes = waits.filter(|until| *until > self.now);
        self.now = passes.unwrap_or(self.now);
        passes.is_some()
    }

    fn is_done(&self) -> bool {
        let server = &self.server.1.links;
        self.clients.iter().zip(CLIENTS).all(|((client, app), name)| {
            let (ours, theirs) = (app.links.get("server").copied(), server.get(name).copied());
            let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
            client.is_connected() && ours.sent == theirs.received && theirs.sent == ours.received
        })
    }

    /// No connection ended but those that were made to, on either side.
    fn check_endings(&self) {
        for (((_, app), name), renewed) in self.clients.iter().zip(CLIENTS).zip(self.renewed) {
            for (side, links, peer) in
                [("client", &app.links, "server"), ("server", &self.server.1.links, name)]
            {
                let ended = links.get(peer).map_or(0, |counts| counts.ended);
                assert!(ended <= renewed, "{side} {name}: {ended} ended, {renewed} were to");
            }
        }
    }

    fn tally(&self) -> Tally {
        let apps = self.clients.iter().map(|(_, app)| app).chain([&self.server.1]);
        let received = apps.flat_map(|app| app.links.values()).map(|counts| counts.received).sum();
        Tally { received, renewed: self.renewed.iter().sum(), ..self.tally }
    }

    fn standing(&self) -> String {
        let links = self.clients.iter().map(|(client, app)| (client.is_connected(), &app.links));
        format!("server {:?}, clients {:?}", self.server.1.links, links.collect::<Vec<_>>())
    }
}

fn small(link: &mut LinkConfig) {
    let geometry = Geometry::new(CAPACITY as u64, 512).expect("it fits");
    link.limits = Limits { send: geometry, accept: geometry };
    // One read, then the others have their turn: so work is left over all the time.
    link.read_budget = 1;
}

fn name(text: &str) -> Name {
    text.parse().expect("a valid name")
}
