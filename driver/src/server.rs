//! A server: listens, lets clients log in, and carries their links.

mod accept;
mod confirm;
mod counters;
mod groups;
mod logins;
mod mail;
mod pending;
mod tokens;
mod turns;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Instant;

use mio::net::TcpListener;
use tcpshm_protocol::{Name, Role};
use tcpshm_shm::{FileError, LinkDirectory, MappedSession};

use crate::config::ServerConfig;
use crate::error::SetupError;
use crate::files::Files;
use crate::hall::Hall;
use crate::handler::Handler;
use crate::link::Link;
use crate::random;
use crate::socket;
use crate::sync::Arc;
use crate::watch;
pub use counters::ServerCounters;
use groups::Groups;
pub use groups::MoveError;
use logins::Logins;
use tokens::ResetTokens;

/// A server in somebody's event loop; see [`Driver`](crate::Driver).
///
/// It owns its sockets, its link directory and the sessions of the links it carries. Tokens, registry
/// and clock are the host's.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    directory: Arc<LinkDirectory>,
    listeners: Vec<TcpListener>,
    /// Listeners that may have more connections waiting, by index.
    accepting: Vec<bool>,
    accept_after: Option<Instant>,
    tokens: Range<usize>,
    /// Connections: logins, links, and those that are over.
    hall: Hall,
    logins: Logins,
    /// Sessions without a connection, the one that lost it last at the back.
    detached: VecDeque<Box<MappedSession>>,
    /// Links whose files an interrupted login left to be put in order.
    unsettled: HashSet<Name>,
    reset_tokens: ResetTokens,
    /// Its groups, once there is one.
    groups: Option<Box<Groups>>,
    /// Whether it was shut down.
    is_stopped: bool,
    /// Whether the host may sleep while links are on shared memory.
    may_sleep: bool,
    /// What is counted as it happens.
    counters: ServerCounters,
}

impl Server {
    /// Opens the link directory, takes the name's lock there, and starts to listen.
    pub fn bind(config: ServerConfig) -> Result<Self, SetupError> {
        let link = &config.link;
        let directory = LinkDirectory::open(&link.directory, Role::Server, &link.name)?;
        let listen = |address: &SocketAddr| {
            let listener = socket::listen(*address, config.backlog);
            listener.map_err(|source| SetupError::Listen { address: *address, source })
        };
        let listeners = config.listen.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            unsettled: directory.interrupted()?.into_iter().collect(),
            directory: Arc::new(directory),
            accepting: vec![false; listeners.len()],
            listeners,
            accept_after: None,
            tokens: 0..0,
            hall: Hall::new(&config),
            logins: Logins::default(),
            detached: VecDeque::new(),
            reset_tokens: ResetTokens::default(),
            groups: None,
            is_stopped: false,
            may_sleep: false,
            counters: ServerCounters::default(),
            config,
        })
    }

    /// Where it listens, with the ports that the system chose.
    pub fn local_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// The link files, for those kept aside and those of earlier names.
    pub fn files(&self) -> Files<'_> {
        Files::new(&self.directory)
    }

    /// How many links have a connection, here and in its groups.
    pub fn connections(&self) -> usize {
        self.hall.live.len() + self.connections_away()
    }

    /// The link with `client`, if it is connected, or lost its connection and is still open. `None` if it is in a
    /// [`Group`](crate::Group), which has it to itself: see [`Server::group_of`].
    pub fn link(&mut self, now: Instant, client: &Name) -> Option<Link<'_>> {
        if self.hall.live.contains_key(client) {
            return self.hall.link(now, client);
        }
        let session = self.detached.iter_mut().find(|session| session.peer() == client)?;
        Some(Link::for_host(session, None))
    }

    /// The link with `client`, opened from its file if need be; `None` if there never was one, or if it is in a
    /// [`Group`](crate::Group).
    pub fn open_link(&mut self, now: Instant, client: &Name) -> Result<Option<Link<'_>>, FileError> {
        if self.is_away(client) {
            return Ok(None);
        }
        let open = self.hall.live.contains_key(client)
            || self.detached.iter().any(|session| session.peer() == client);
        if !open {
            self.settle(client)?;
            let configured = self.configured_geometry();
            let Some(link) = self.directory.open_link(client, configured, random::nonce())? else {
                return Ok(None);
            };
            self.keep_detached(Box::new(MappedSession::new(link)));
        }
        Ok(self.link(now, client))
    }

    /// Finishes what a kill or a failure interrupted in the files of one link.
    fn settle(&mut self, client: &Name) -> Result<(), FileError> {
        if self.unsettled.contains(client) {
            self.directory.settle(client)?;
            self.unsettled.remove(client);
        }
        Ok(())
    }

    fn configured_geometry(&self) -> Option<tcpshm_protocol::Geometry> {
        let link = &self.config.link;
        (!link.adopt_geometry).then_some(link.limits.send)
    }

    /// Reads so many bytes at once: with few, every read is one that may have left some.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn read_at_most(&mut self, bytes: usize) {
        self.hall.read_at_most(bytes);
    }

    // ---- sessions without a connection ----

    /// Keeps a session open, and closes older ones that nothing would miss if there are too many.
    fn keep_detached(&mut self, session: Box<MappedSession>) {
        self.detached.push_back(session);
        while self.detached.len() > self.config.max_detached {
            // Not the newest: somebody is about to use it.
            let newest = usize::from(!zoo!(NewestClosedFirst));
            let mut older = self.detached.iter().take(self.detached.len() - newest);
            let Some(oldest) = older.position(|session| session.held() == 0) else {
                return;
            };
            if let Some(oldest) = self.detached.remove(oldest) {
                watch::leave(&self.directory, oldest);
            }
        }
    }

    /// Closes older ones even if messages of theirs are held: peers decide how many there are, so their
    /// number has to end somewhere. What was held comes again.
    fn bound_detached(&mut self, app: &mut impl Handler) {
        while self.detached.len() > self.config.max_detached.max(1) && !zoo!(DetachedUnbounded) {
            let Some(session) = self.detached.pop_front() else {
                return;
            };
            let (peer, id) = (session.peer().clone(), session.id());
            watch::leave(&self.directory, session);
            app.closed(&peer, id);
        }
    }

    fn take_detached(&mut self, client: &Name) -> Option<Box<MappedSession>> {
        let index = self.detached.iter().position(|session| session.peer() == client)?;
        self.detached.remove(index)
    }
}
