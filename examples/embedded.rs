//! Two servers, two clients, a UDP socket and a timer in one loop that belongs to the host.
//!
//! ```text
//! cargo run --example embedded
//! ```
//!
//! Every tick the host sends itself a datagram, and whatever comes by datagram it sends over both links. The
//! servers answer. After five ticks and all answers it stops. A driver needs from the loop what any socket
//! needs: a range of tokens, its events, and to be woken in time.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use tcpshm_driver::mio::event::Event;
use tcpshm_driver::mio::net::UdpSocket;
use tcpshm_driver::mio::{Events, Interest, Poll, Registry, Token};
use tcpshm_driver::{
    Client, ClientConfig, Connected, Driver, Handler, Kind, Link, Received, Server, ServerConfig,
};

const QUESTION: Kind = Kind::new(1).expect("not 0");
const ANSWER: Kind = Kind::new(2).expect("not 0");
const DATAGRAM: Token = Token(0);
const TICKS: usize = 5;
const INTERVAL: Duration = Duration::from_millis(20);

fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let poll = Poll::new()?;
    let mut host = Host::new(home.path(), poll.registry())?;
    let mut app = App { answers: 0 };
    let (mut poll, mut events) = (poll, Events::with_capacity(64));
    while app.answers < host.clients.len() * TICKS {
        poll.poll(&mut events, host.timeout(Instant::now()))?;
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
        println!("connected with {}: {:?}", link.peer(), connected.outcome);
    }
}

/// Everything that the loop serves.
struct Host {
    servers: [Server; 2],
    clients: [Client; 2],
    datagrams: UdpSocket,
    ticks: usize,
    /// Set once both links are up, until the last tick.
    next_tick: Option<Instant>,
}

impl Host {
    fn new(home: &Path, registry: &Registry) -> Result<Self, Box<dyn Error>> {
        let mut servers = [server(home, "orders")?, server(home, "quotes")?];
        let mut clients = [client(home, "trader", &servers[0])?, client(home, "watcher", &servers[1])?];
        // A server needs a token per connection, a client one.
        let mut free = 1..;
        let mut tokens = |count: usize| -> Range<usize> {
            let start = free.start;
            free = start + count..;
            start..start + count
        };
        for server in &mut servers {
            server.register(registry, tokens(1000))?;
        }
        for client in &mut clients {
            client.register(registry, tokens(1))?;
        }
        let mut datagrams = UdpSocket::bind(local())?;
        registry.register(&mut datagrams, DATAGRAM, Interest::READABLE)?;
        Ok(Self { servers, clients, datagrams, ticks: 0, next_tick: None })
    }

    /// How long the poll may sleep: as long as nobody has to be woken.
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
    Ok(Server::bind(ServerConfig::new(name.parse()?, home.join(name), local()))?)
}

fn client(home: &Path, name: &str, server: &Server) -> Result<Client, Box<dyn Error>> {
    let address = *server.local_addresses()?.first().ok_or("the server does not listen")?;
    Ok(Client::new(ClientConfig::new(name.parse()?, home.join(name), address))?)
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
