//! The side of a link that is killed again and again, and the one that stays.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tcpshm_driver::protocol::Role;
use tcpshm_driver::{
    Carrier, Client, ClientConfig, Connected, Delivered, Disconnected, EventLoop, Geometry, Handler,
    IdleStrategy, Link, LinkConfig, Received, Server, ServerConfig, ViewError,
};

use crate::echo::kind;
use crate::helper::say_line;
use crate::link_client::wish;

const FILLING: u16 = 1;
const NEW: u16 = 2;
/// A payload that makes many messages of a full ring.
const PAYLOAD: usize = 64;

/// What a victim says, each once in its life and in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// It runs: a server listens there, a client is about to connect.
    Up(Option<SocketAddr>),
    /// Its link has a connection.
    Connected,
    /// Its ring is full of messages that nobody will consume while it lives.
    Full,
}

/// A side of the link.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Which.
    pub role: Role,
    /// Where both have their files.
    pub home: &'a Path,
    /// What carries the link.
    pub carrier: Carrier,
    /// Bytes of both rings.
    pub ring: u64,
    /// Where a server listens, or a client connects.
    pub address: SocketAddr,
}

impl Side<'_> {
    /// An event loop of this side.
    pub fn server(&self) -> io::Result<EventLoop<Server>> {
        let mut config = ServerConfig::new(name("back-server"), self.home, self.address);
        self.configure(&mut config.link);
        let server = Server::bind(config).map_err(io::Error::other)?;
        Ok(EventLoop::new(server, Instant::now)?.with_idle(IdleStrategy::Spin))
    }

    /// An event loop of this side.
    pub fn client(&self) -> io::Result<EventLoop<Client>> {
        let mut config = ClientConfig::new(name("back-client"), self.home, self.address);
        (config.server, config.carrier) = (Some(name("back-server")), wish(self.carrier));
        self.configure(&mut config.link);
        let client = Client::new(config).map_err(io::Error::other)?;
        Ok(EventLoop::new(client, Instant::now)?.with_idle(IdleStrategy::Spin))
    }

    fn configure(&self, link: &mut LinkConfig) {
        let ring = Geometry::new(self.ring, 1024).expect("a power of two from 4 KiB");
        (link.limits.send, link.limits.accept) = (ring, ring);
    }

    /// The whole life of a victim. It consumes all it gets until it has sent something new, which its full ring
    /// may make it wait for; from then on it fills its ring, and consumes nothing. A first one only fills.
    pub fn live(&self, first: bool) -> io::Result<()> {
        thread::spawn(|| {
            let _ = io::stdin().read(&mut [0]);
            std::process::exit(0);
        });
        let mut app = Victim { owes: !first, full: false };
        if self.role == Role::Server {
            let mut server = self.server()?;
            say_line(&Word::Up(server.driver().local_addresses()?.first().copied()))?;
            loop {
                server.turn(&mut app, None)?;
            }
        }
        let mut client = self.client()?;
        say_line(&Word::Up(None))?;
        loop {
            client.turn(&mut app, None)?;
        }
    }
}

fn name(text: &str) -> tcpshm_driver::Name {
    text.parse().expect("it is a name")
}

/// Sends until there is no room.
fn stuff(link: &mut Link<'_>) {
    while link.send(kind(FILLING), &[1; PAYLOAD]).is_ok() {}
}

struct Victim {
    /// Something new, before anything else.
    owes: bool,
    full: bool,
}

impl Victim {
    fn send(&mut self, link: &mut Link<'_>) {
        if self.owes && link.send(kind(NEW), &[2; PAYLOAD]).is_err() {
            return;
        }
        self.owes = false;
        stuff(link);
        if !self.full {
            self.full = true;
            say_line(&Word::Full).expect("whoever started it listens");
        }
    }
}

impl Handler for Victim {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if self.owes {
            link.consume(received).expect("it is the oldest");
        }
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        say_line(&Word::Connected).expect("whoever started it listens");
        self.send(link);
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.send(link);
    }
}

/// The side that stays. While it waits for something new it consumes all it gets; otherwise it keeps its own
/// ring full and consumes nothing.
#[derive(Debug, Default)]
pub struct Survivor {
    waiting: bool,
    /// When something new came.
    pub came: Option<Instant>,
    /// What happened that should not.
    pub trouble: Option<String>,
    last: Option<Delivered>,
}

impl Survivor {
    /// The other side is about to be killed: what comes next is new.
    pub fn wait(&mut self) {
        (self.waiting, self.came) = (true, None);
    }
}

impl Handler for Survivor {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if self.waiting && received.kind().get() == NEW {
            (self.waiting, self.came) = (false, Some(Instant::now()));
            link.consume(received).expect("it is the oldest");
            return stuff(link);
        }
        if self.waiting {
            link.consume(received).expect("it is the oldest");
        } else {
            self.last = Some(received.position());
        }
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        if connected.outcome != tcpshm_driver::Outcome::Resumed && self.waiting {
            self.trouble = Some(format!("{:?}", connected.outcome));
        }
        // What came before the kill was delivered here, and does not come again.
        if let Some(last) = self.last.take() {
            link.consume_through(last).expect("nothing is held");
        }
        if !self.waiting {
            stuff(link);
        }
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        if !self.waiting {
            stuff(link);
        }
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        if !self.waiting {
            self.trouble = Some(reason.to_string());
        }
    }

    fn not_shared(&mut self, _: &tcpshm_driver::Name, error: &ViewError) {
        self.trouble = Some(error.to_string());
    }
}
