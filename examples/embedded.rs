//! Two servers, two clients, a UDP socket and a timer in one loop that belongs to the host.
//!
//! ```text
//! cargo run --example embedded -- --carrier shm
//! ```
//!
//! Every tick the host sends itself a datagram, and whatever comes by datagram it sends over both links. The
//! servers answer. After five ticks and all answers it stops. A driver needs from the loop what any socket
//! needs: a range of tokens, its events, and to be woken in time. A link on shared memory is polled, and how
//! the loop idles when nothing comes is the host's choice, in [`Host::pause`]: here it parks the links and sleeps.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{hint, thread};

use clap::Parser;
use examples::choices::CarrierChoice;
use tcpshm_driver::mio::event::Event;
use tcpshm_driver::mio::net::UdpSocket;
use tcpshm_driver::mio::{Events, Interest, Poll, Registry, Token};
use tcpshm_driver::{
    Client, ClientConfig, Connected, Driver, Handler, Idle, IdleStrategy, Kind, Link, Pause, Received,
    Server, ServerConfig,
};

const QUESTION: Kind = Kind::new(1).expect("not 0");
const ANSWER: Kind = Kind::new(2).expect("not 0");
const DATAGRAM: Token = Token(0);
const TICKS: usize = 5;
const INTERVAL: Duration = Duration::from_millis(20);

/// Polls of shared memory between two visits to the poll, which costs as much as some tens of them.
const POLLS: u32 = 1024;
/// What the loop does when nothing comes. The peers are told at login.
const IDLE: IdleStrategy = IdleStrategy::SLEEP;

/// Runs servers and clients in an event loop of its own.
#[derive(Parser)]
struct Arguments {
    /// What shall carry the links
    #[arg(long, value_enum, value_name = "CARRIER", default_value_t)]
    carrier: CarrierChoice,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { carrier } = Arguments::parse();
    let home = tempfile::tempdir()?;
    let poll = Poll::new()?;
    let mut host = Host::new(home.path(), carrier, poll.registry())?;
    let mut app = App { answers: 0 };
    let (mut poll, mut events) = (poll, Events::with_capacity(64));
    while app.answers < host.clients.len() * TICKS {
        let pause = host.pause(&mut app);
        poll.poll(&mut events, pause)?;
        let now = Instant::now();
        for event in &events {
            match event.token() {
                DATAGRAM => host.forward_datagrams(now)?,
                _ => host.handle_event(now, event, &mut app)?,
            }
        }
        host.handle_timeout(now, &mut app)?;
    }
    host.shut_down(Instant::now(), &mut app);
    println!("{} answers", app.answers);
    Ok(())
}

/// The application: the same on both sides of every link here.
struct App {
    answers: usize,
}

impl Handler for App {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        println!("from {}: {}", link.peer(), received.payload().escape_ascii());
        if received.kind() == QUESTION {
            let answer = [b"seen ", received.payload()].concat();
            let mut slot = link.claim(ANSWER, answer.len()).expect("a few small messages fit any ring");
            slot.copy_from_slice(&answer);
            slot.commit_consuming(received).expect("no message is kept back");
        } else {
            link.consume(received).expect("no message is kept back");
            self.answers += 1;
        }
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        let Connected { outcome, carrier, .. } = connected;
        println!("connected with {} over {carrier:?}: {outcome:?}", link.peer());
    }
}

/// Everything that the loop serves.
struct Host {
    servers: [Server; 2],
    clients: [Client; 2],
    datagrams: UdpSocket,
    idle: Idle,
    ticks: usize,
    /// Set once both links are up, until the last tick.
    next_tick: Option<Instant>,
}

impl Host {
    fn new(home: &Path, carrier: CarrierChoice, registry: &Registry) -> Result<Self, Box<dyn Error>> {
        let mut servers = [server(home, "orders")?, server(home, "quotes")?];
        let client = |name, server| client(home, name, server, carrier);
        let mut clients = [client("trader", &servers[0])?, client("watcher", &servers[1])?];
        // A server needs a token per connection, a client two.
        let mut free = 1..;
        let mut tokens = |count: usize| -> Range<usize> {
            let start = free.start;
            free = start + count..;
            start..start + count
        };
        for server in &mut servers {
            server.register(registry, tokens(1000))?;
            server.set_may_sleep(IDLE.may_sleep());
        }
        for client in &mut clients {
            client.register(registry, tokens(2))?;
            client.set_may_sleep(IDLE.may_sleep());
        }
        let mut datagrams = UdpSocket::bind(local())?;
        registry.register(&mut datagrams, DATAGRAM, Interest::READABLE)?;
        Ok(Self { servers, clients, datagrams, idle: Idle::new(IDLE), ticks: 0, next_tick: None })
    }

    /// Polls shared memory until it is time for the poll, and says how long that may sleep.
    fn pause(&mut self, app: &mut App) -> Option<Duration> {
        if !self.is_polling() {
            return self.timeout(Instant::now());
        }
        for _ in 0..POLLS {
            if self.has_work() {
                return Some(Duration::ZERO);
            }
            match self.poll_memory(app) {
                Pause::None => hint::spin_loop(),
                Pause::Yield => {
                    thread::yield_now();
                    break;
                }
                Pause::Park => {
                    // Whatever comes on a link that parks is an event; a driver of which one does not has a
                    // timeout of zero.
                    self.servers.iter_mut().for_each(|server| _ = server.park());
                    self.clients.iter_mut().for_each(|client| _ = client.park());
                    return self.timeout(Instant::now());
                }
                // The poll rounds up to milliseconds. `EventLoop` sleeps shorter ones in its thread.
                Pause::Sleep(pause) => return Some(pause),
            }
        }
        Some(Duration::ZERO)
    }

    /// Looks at the links on shared memory, if there are any. No system call.
    fn poll_memory(&mut self, app: &mut App) -> Pause {
        let found = self.servers.iter_mut().fold(false, |found, server| found | server.poll(app));
        let found = self.clients.iter_mut().fold(found, |found, client| found | client.poll(app));
        self.idle.after(found)
    }

    /// Somebody has to be woken, say, or a budget was spent.
    fn has_work(&self) -> bool {
        self.servers.iter().any(Driver::has_work) || self.clients.iter().any(Driver::has_work)
    }

    fn is_polling(&self) -> bool {
        self.servers.iter().any(Driver::is_polling) || self.clients.iter().any(Driver::is_polling)
    }

    /// How long the poll may sleep with nothing to poll or all of it parked: as long as nobody has to be woken.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        let tick = self.next_tick.map(|tick| tick.saturating_duration_since(now));
        let servers = self.servers.iter().filter_map(|server| server.timeout(now));
        let clients = self.clients.iter().filter_map(|client| client.timeout(now));
        servers.chain(clients).chain(tick).min()
    }

    fn handle_event(&mut self, now: Instant, event: &Event, app: &mut App) -> io::Result<()> {
        for server in self.servers.iter_mut().filter(|server| server.owns(event.token())) {
            server.handle_event(now, event, app)?;
        }
        for client in self.clients.iter_mut().filter(|client| client.owns(event.token())) {
            client.handle_event(now, event, app)?;
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now: Instant, app: &mut App) -> io::Result<()> {
        // What came while the poll slept ends the idling.
        self.poll_memory(app);
        self.servers.iter_mut().for_each(|server| server.handle_timeout(now, app));
        self.clients.iter_mut().for_each(|client| client.handle_timeout(now, app));
        if self.ticks == 0 && self.clients.iter().all(Client::is_connected) {
            self.next_tick.get_or_insert(now);
        }
        if self.next_tick.is_some_and(|tick| tick <= now) {
            self.ticks += 1;
            self.datagrams
                .send_to(format!("tick {}", self.ticks).as_bytes(), self.datagrams.local_addr()?)?;
            self.next_tick = (self.ticks < TICKS).then_some(now + INTERVAL);
        }
        Ok(())
    }

    /// Readiness is told once, so everything that waits is taken.
    fn forward_datagrams(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        let mut buffer = [0; 512];
        loop {
            let count = match self.datagrams.recv(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            for client in &mut self.clients {
                // What is sent goes out when the link is dropped.
                if let Some(mut link) = client.link(now) {
                    link.send(QUESTION, &buffer[..count])?;
                }
            }
        }
    }

    fn shut_down(&mut self, now: Instant, app: &mut App) {
        self.clients.iter_mut().for_each(|client| client.shut_down(now, app));
        self.servers.iter_mut().for_each(|server| server.shut_down(now, app));
    }
}

fn server(home: &Path, name: &str) -> Result<Server, Box<dyn Error>> {
    Ok(Server::bind(ServerConfig::new(name.parse()?, home, local()))?)
}

fn client(
    home: &Path,
    name: &str,
    server: &Server,
    carrier: CarrierChoice,
) -> Result<Client, Box<dyn Error>> {
    let address = *server.local_addresses()?.first().ok_or("the server does not listen")?;
    let mut config = ClientConfig::new(name.parse()?, home, address);
    config.carrier = carrier.wish();
    Ok(Client::new(config)?)
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
