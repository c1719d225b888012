//! Many clients in one process, and the server that they are clients of.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use serde::{Deserialize, Serialize};
use tcpshm_driver::{
    Client, ClientConfig, Driver, EventLoop, Geometry, LinkConfig, Server, ServerConfig, Silence, mio,
};

use crate::echo::{Echo, name_of};
use crate::helper::say_line;
use crate::watching::Watching;

/// Logins of one crowd in progress at once. Servers take 512 from one address.
const AT_ONCE: usize = 64;
/// The smallest ring that a round trip of the benches needs.
const RING: u64 = 4096;

/// Small rings, and heartbeats that are far between: with the default a crowd of ten thousand would send ten
/// thousand of them a second each way.
fn economise(link: &mut LinkConfig, silence: Duration) {
    let ring = Geometry::new(RING, 1024).expect("a power of two, and four messages");
    (link.limits.send, link.limits.accept) = (ring, ring);
    link.silence = Silence::new(silence).unwrap_or(Silence::MAX);
}

/// The whole life of a server of crowds: says where it listens, and echoes until its input ends.
pub fn serve_crowd(
    home: &Path,
    listen: SocketAddr,
    silence: Duration,
    pending: Option<usize>,
) -> io::Result<()> {
    let name = name_of(tcpshm_driver::Carrier::Tcp).parse().map_err(io::Error::other)?;
    let mut config = ServerConfig::new(name, home, listen);
    economise(&mut config.link, silence);
    if let Some(pending) = pending {
        (config.max_pending, config.max_pending_per_address) = (pending, pending);
    }
    let server = Server::bind(config).map_err(io::Error::other)?;
    let mut server = EventLoop::new(server, Instant::now)?;
    say_line(&server.driver().local_addresses()?[0])?;
    // It sleeps as a server does, without looking up; the process goes when its parent does.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let mut app = Echo::default();
    loop {
        server.turn(&mut app, None)?;
    }
}

/// What a crowd says when all of its links have a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Returned {
    /// For each client, from the loss of its connection, or from its first attempt.
    pub times: Vec<Duration>,
    /// Attempts that led nowhere, because the server was away or busy.
    pub unreachable: u64,
    /// Logins that ended in a refusal.
    pub refused: u64,
}

/// Clients that share a loop: each a driver with two tokens.
pub struct Crowd {
    poll: Poll,
    orders: Receiver<()>,
    clients: Vec<Member>,
    /// When each is to be looked at, if no event comes.
    due: BTreeSet<(Instant, usize)>,
    /// How many have begun to connect.
    begun: usize,
    /// How many have come to a connection since the last order.
    back: usize,
}

struct Member {
    client: Client,
    app: Watching,
    due: Option<Instant>,
    /// When it tried for the first time.
    began: Option<Instant>,
    /// How long the connection took that was asked for last.
    took: Option<Duration>,
}

impl Crowd {
    /// Opens the files of clients with numbers from `first`, each with a directory of its own: a client looks
    /// through its directory when it starts, which among ten thousand would take long.
    pub fn new(
        home: &Path,
        address: SocketAddr,
        silence: Duration,
        first: usize,
        count: usize,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), Token(2 * count))?;
        let (tell, orders) = mpsc::channel();
        thread::spawn(move || {
            while io::stdin().read(&mut [0]).is_ok_and(|count| count > 0) {
                if tell.send(()).is_err() || waker.wake().is_err() {
                    return;
                }
            }
            // Whoever gave orders is gone.
            std::process::exit(0);
        });
        let member = |number: usize| {
            let name = format!("member-{number}");
            let directory = home.join(&name);
            let mut config = ClientConfig::new(name.parse().map_err(io::Error::other)?, directory, address);
            config.server = Some(name_of(tcpshm_driver::Carrier::Tcp).parse().map_err(io::Error::other)?);
            economise(&mut config.link, silence);
            let client = Client::new(config).map_err(io::Error::other)?;
            let app = Watching::default();
            Ok(Member { client, app, due: None, began: None, took: None })
        };
        let clients = (first..first + count).map(member).collect::<io::Result<_>>()?;
        Ok(Self { poll, orders, clients, due: BTreeSet::new(), begun: 0, back: 0 })
    }

    /// The whole life of a crowd. At the first order it connects, some clients at once; at each further one
    /// it waits until all are back that will have lost their connections. It says so each time, and when
    /// it is ready for the first.
    pub fn run(mut self) -> io::Result<()> {
        say_line(&self.clients.len())?;
        let mut events = Events::with_capacity(1024);
        let mut ordered = false;
        loop {
            if self.orders.try_recv().is_ok() {
                ordered = true;
                self.forget();
                say_line(&())?;
            }
            self.begin(ordered)?;
            let now = Instant::now();
            let first = self.due.first().map(|(due, _)| due.saturating_duration_since(now));
            self.poll.poll(&mut events, first)?;
            let now = Instant::now();
            for event in &events {
                let index = event.token().0 / 2;
                if let Some(Member { client, app, .. }) = self.clients.get_mut(index) {
                    client.handle_event(now, event, app)?;
                    self.look_after(now, index);
                }
            }
            while let Some((due, index)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
                self.due.remove(&(due, index));
                self.clients[index].due = None;
                self.look_after(now, index);
            }
            if ordered && self.back == self.clients.len() {
                ordered = false;
                say_line(&self.returned())?;
            }
        }
    }

    /// Forgets what came of the last order.
    fn forget(&mut self) {
        self.back = 0;
        for Member { app, took, .. } in &mut self.clients {
            *took = None;
            (app.lost, app.unreachable, app.refused) = (None, 0, 0);
        }
    }

    /// Has the next ones begin while few are in progress.
    fn begin(&mut self, ordered: bool) -> io::Result<()> {
        while ordered && self.begun < self.clients.len() && self.begun - self.back < AT_ONCE {
            let (index, now) = (self.begun, Instant::now());
            self.begun += 1;
            self.clients[index].client.register(self.poll.registry(), 2 * index..2 * index + 2)?;
            self.clients[index].began = Some(now);
            self.look_after(now, index);
        }
        Ok(())
    }

    /// Does what is due for one, and notes when that is so again.
    fn look_after(&mut self, now: Instant, index: usize) {
        let member = &mut self.clients[index];
        member.client.handle_timeout(now, &mut member.app);
        if member.took.is_none()
            && let Some((at, _)) = member.app.connected
            && let Some(since) = member.app.lost.or_else(|| member.began.take())
        {
            member.took = Some(at - since);
            self.back += 1;
        }
        if let Some(due) = member.due.take() {
            self.due.remove(&(due, index));
        }
        if let Some(wait) = member.client.timeout(now) {
            let due = now + wait;
            member.due = Some(due);
            self.due.insert((due, index));
        }
    }

    fn returned(&self) -> Returned {
        let all = || self.clients.iter();
        Returned {
            times: all().filter_map(|member| member.took).collect(),
            unreachable: all().map(|member| member.app.unreachable).sum(),
            refused: all().map(|member| member.app.refused).sum(),
        }
    }
}
