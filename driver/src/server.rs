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

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::Registry;
use mio::net::{TcpListener, TcpStream};
use tcpshm_protocol::{Name, Role};
use tcpshm_shm::{FileError, LinkDirectory, MappedSession, Rings};

use crate::attended::Attended;
use crate::config::ServerConfig;
use crate::connection::{SCRATCH, Visit, drain, tell};
use crate::disconnected::Disconnected;
use crate::error::SetupError;
use crate::files::Files;
use crate::handler::Handler;
use crate::handshake::Handshake;
use crate::link::{Again, Link, Outlet};
use crate::places::{Live, Place, Places};
use crate::post::Post;
use crate::random;
use crate::socket;
use crate::sync::Arc;
use crate::timers::Timers;
use crate::watch;
pub use counters::ServerCounters;
use groups::Groups;
pub use groups::MoveError;
use logins::Logins;
use tokens::ResetTokens;

/// How long a refused connection may take to fetch the refusal.
const FAREWELL: Duration = Duration::from_secs(1);

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
    registry: Option<Registry>,
    tokens: Range<usize>,
    places: Places,
    timers: Timers,
    /// Live places to visit although no event will come for them.
    queue: VecDeque<usize>,
    logins: Logins,
    /// The sessions of live places, at the same places.
    links: Rings,
    live: HashMap<Name, usize>,
    /// Refused connections that are still there; no more than logins in progress may be.
    farewells: usize,
    /// Sessions without a connection, the one that lost it last at the back.
    detached: VecDeque<Box<MappedSession>>,
    /// Links whose files an interrupted login left to be put in order.
    unsettled: HashSet<Name>,
    reset_tokens: ResetTokens,
    /// The place of a link on shared memory whose handler has control. Found set afterwards, it has panicked.
    telling: Option<usize>,
    /// What wakes the loop for senders, once there is one.
    post: Option<Box<Post>>,
    /// Its groups, once there is one.
    groups: Option<Box<Groups>>,
    /// Whether it was shut down.
    is_stopped: bool,
    /// Whether the host may sleep while links are on shared memory.
    may_sleep: bool,
    /// Whether the host tries live connections in each of its turns.
    spinning: bool,
    /// What is counted as it happens.
    counters: ServerCounters,
    scratch: Box<[u8]>,
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
            registry: None,
            tokens: 0..0,
            places: Places::default(),
            timers: Timers::default(),
            queue: VecDeque::new(),
            logins: Logins::default(),
            links: Rings::default(),
            live: HashMap::new(),
            farewells: 0,
            detached: VecDeque::new(),
            reset_tokens: ResetTokens::default(),
            telling: None,
            post: None,
            groups: None,
            is_stopped: false,
            may_sleep: false,
            spinning: false,
            counters: ServerCounters::default(),
            scratch: vec![0; SCRATCH].into(),
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
        self.live.len() + self.connections_away()
    }

    /// The link with `client`, if it is connected, or lost its connection and is still open. `None` if it is in a
    /// [`Group`](crate::Group), which has it to itself: see [`Server::group_of`].
    pub fn link(&mut self, now: Instant, client: &Name) -> Option<Link<'_>> {
        if let Some(index) = self.live.get(client).copied() {
            let Some(Place::Live(live)) = self.places.get_mut(index) else {
                return None;
            };
            let session = self.links.get_mut(index)?;
            let Live { connection, queued, .. } = &mut **live;
            let again = Again::Queue { queue: &mut self.queue, queued, index };
            return Some(Link::for_host(session, Some(Outlet { connection, now, again })));
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
        let open =
            self.live.contains_key(client) || self.detached.iter().any(|session| session.peer() == client);
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
        self.scratch = vec![0; bytes].into();
    }

    // ---- connections ----

    /// Looks at a place, whatever stands there.
    fn visit(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        if let Some(Place::Live(_)) = self.places.get_mut(index) {
            self.visit_live(now, index, app);
            return;
        }
        match self.places.take(index) {
            Some(Place::Pending(pending)) => self.visit_pending(now, index, pending, app),
            Some(Place::Farewell(handshake)) => self.visit_farewell(index, handshake),
            Some(other) => self.places.put(index, other),
            None => {}
        }
    }

    /// The link stays in its place meanwhile: a handler that panics takes nothing with it.
    fn visit_live(&mut self, now: Instant, index: usize, app: &mut impl Handler) -> Visit {
        let (Some(Place::Live(live)), Some(session)) =
            (self.places.get_mut(index), self.links.get_mut(index))
        else {
            return Visit::Nothing;
        };
        let budget = self.config.link.read_budget;
        let mut attended = Attended { app: &mut *app, post: self.post.as_deref_mut() };
        if let Some(reason) = live.ended.take() {
            let connection = &mut live.connection;
            let reason = connection.hear_out(reason, now, session, &mut self.scratch, budget, &mut attended);
            self.end_live(now, index, &reason, app);
            return Visit::Idle;
        }
        match live.connection.visit(now, session, &mut self.scratch, budget, &mut attended) {
            Ok(Visit::Nothing) => Visit::Nothing,
            Ok(visit) => {
                let deadline = session.poll_timeout().into_iter().chain([live.next_check]).min();
                if let Some(deadline) = deadline {
                    self.timers.schedule(index, deadline);
                }
                if visit == Visit::More {
                    self.enqueue(index);
                }
                visit
            }
            Err(reason) => {
                // Another link's handler may have panicked, and nobody has seen to it yet.
                let before = self.telling.replace(index);
                drain(session, &reason, |polled| {
                    tell(polled, &mut attended);
                });
                self.telling = before;
                self.end_live(now, index, &reason, app);
                Visit::Idle
            }
        }
    }

    /// Ends a connection. Its session stays open, so that held messages stay redeemable.
    fn end_live(&mut self, now: Instant, index: usize, reason: &Disconnected, app: &mut impl Handler) {
        let Some(live) = self.places.take_live(index) else {
            return;
        };
        let Some(mut session) = self.links.take(index) else {
            return;
        };
        let mut connection = live.connection;
        self.telling = self.telling.filter(|telling| *telling != index);
        connection.say_farewell(now, &mut session, reason);
        session.detach(random::nonce());
        self.live.remove(session.peer());
        self.timers.cancel(index);
        if reason.farewell().is_some() {
            // From here on only events tell of it.
            let token = self.token_of(index);
            if let Some(registry) = &self.registry {
                connection.set_in_poll(true, registry, token);
            }
            let handshake = Handshake::new(connection.stream, connection.address, now + FAREWELL);
            self.put_farewell(index, handshake);
        } else {
            self.deregister(&mut connection.stream);
            self.places.vacate(index);
        }
        // Last: a handler that panics takes no place with it.
        app.disconnected(&mut Link::new(session.outbox()), reason);
        self.keep_detached(session);
        self.bound_detached(app);
    }

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

    /// The last bytes are out or given up; only their arrival is still waited for.
    fn put_farewell(&mut self, index: usize, mut handshake: Handshake) {
        if self.farewells >= self.config.max_pending && !zoo!(FarewellsUnbounded) {
            // Too many to be polite to.
            self.deregister(&mut handshake.stream);
            self.timers.cancel(index);
            return self.places.vacate(index);
        }
        self.farewells += 1;
        self.timers.schedule(index, handshake.deadline);
        self.places.put(index, Place::Farewell(Box::new(handshake)));
    }

    /// Closing a socket with unread bytes would make the kernel throw away what the peer has not fetched.
    fn visit_farewell(&mut self, index: usize, mut handshake: Box<Handshake>) {
        let gone = handshake.fill().is_err() || handshake.has_ended();
        handshake.discard_input();
        if gone {
            self.farewells -= 1;
            self.timers.cancel(index);
            self.deregister(&mut handshake.stream);
            self.places.vacate(index);
        } else {
            self.places.put(index, Place::Farewell(handshake));
        }
    }

    /// Forgets a connection that is not live.
    fn drop_place(&mut self, index: usize) {
        match self.places.take(index) {
            Some(Place::Pending(mut pending)) => {
                self.logins.leave(pending.arrival, pending.name());
                self.deregister(&mut pending.handshake.stream);
            }
            Some(Place::Farewell(mut handshake)) => {
                self.farewells -= 1;
                self.deregister(&mut handshake.stream);
            }
            Some(link @ (Place::Live(_) | Place::Lent(_))) => return self.places.put(index, link),
            // Free, or lost to a handler that panicked while it logged in.
            None => {
                if !self.logins.forget(index) {
                    return;
                }
            }
        }
        self.timers.cancel(index);
        self.places.vacate(index);
    }

    fn deregister(&self, stream: &mut TcpStream) {
        if let Some(registry) = &self.registry {
            // It is about to be closed, which ends its registration too.
            let _ = registry.deregister(stream);
        }
    }
}
