//! The connections of one loop: what a server and a group have in common.
//!
//! A hall has places, and at each place a connection; those of links have a session at the same place among the
//! rings. It knows no files, decides about no login and has no session without a connection: that is its
//! [`Keeper`]'s part, a server's or a group's.

mod mail;
mod turns;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tcpshm_protocol::Name;
use tcpshm_shm::{MappedSession, Rings};

use crate::config::ServerConfig;
use crate::disconnected::Disconnected;
use crate::handshake::Handshake;
use crate::intake::Scratch;
use crate::link::{Again, Link, Outlet};
use crate::places::{Live, Place, Places};
use crate::post::Post;
use crate::random;
use crate::timers::Timers;

pub(crate) use turns::Keeper;

/// How long a connection that is over may take to fetch the reason.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// Connections, their sessions, and when to look at which.
#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) registry: Option<Registry>,
    /// Those of its places, and the waker's, which is the last.
    tokens: Range<usize>,
    pub(crate) places: Places,
    pub(crate) timers: Timers,
    /// Live places to visit although no event will come for them.
    pub(crate) queue: VecDeque<usize>,
    /// The sessions of links, at the same places.
    pub(crate) links: Rings,
    /// Where the links are.
    pub(crate) live: HashMap<Name, usize>,
    /// Connections that are over and still there; no more than logins in progress may be.
    pub(crate) farewells: usize,
    /// The place of a link whose handler has control, on shared memory or in a greeting. Found set afterwards, it
    /// has panicked.
    pub(crate) telling: Option<usize>,
    /// The mailboxes of its links, and of a server's that have no connection, once one has any.
    pub(crate) post: Option<Box<Post>>,
    /// Whether the host tries live connections in each of its turns.
    spinning: bool,
    scratch: Scratch,
    read_budget: usize,
    check_every: Duration,
    max_farewells: usize,
}

impl Hall {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Self {
            registry: None,
            tokens: 0..0,
            places: Places::default(),
            timers: Timers::default(),
            queue: VecDeque::new(),
            links: Rings::default(),
            live: HashMap::new(),
            farewells: 0,
            telling: None,
            post: None,
            spinning: false,
            scratch: Scratch::new(),
            read_budget: config.link.read_budget,
            check_every: config.link.check_every(),
            max_farewells: config.max_pending,
        }
    }

    /// Reads so many bytes at once: with few, every read is one that may have left some.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn read_at_most(&mut self, bytes: usize) {
        self.scratch = Scratch::with_size(bytes);
    }

    /// The link with `peer`, if it is here.
    pub(crate) fn link(&mut self, now: Instant, peer: &Name) -> Option<Link<'_>> {
        let index = *self.live.get(peer)?;
        let Some(Place::Live(live)) = self.places.get_mut(index) else {
            return None;
        };
        let session = self.links.get_mut(index)?;
        let Live { connection, queued, .. } = &mut **live;
        let again = Again::Queue { queue: &mut self.queue, queued, index };
        Some(Link::for_host(session, Some(Outlet { connection, now, again })))
    }

    /// Its session, whether the link is its own or lent.
    pub(crate) fn session(&self, peer: &Name) -> Option<&MappedSession> {
        self.links.get(*self.live.get(peer)?)
    }

    // ---- tokens ----

    /// Its part in the host's poll from here on.
    pub(crate) fn open(&mut self, registry: &Registry, tokens: Range<usize>) -> io::Result<()> {
        self.registry = Some(registry.try_clone()?);
        self.tokens = tokens;
        Ok(())
    }

    pub(crate) fn owns(&self, token: Token) -> bool {
        self.tokens.contains(&token.0)
    }

    /// Once it has any.
    pub(crate) fn waker_token(&self) -> Option<Token> {
        self.tokens.end.checked_sub(1).filter(|_| !self.tokens.is_empty()).map(Token)
    }

    /// The place that a token is for.
    pub(crate) fn index_of(&self, token: Token) -> Option<usize> {
        token.0.checked_sub(self.tokens.start)
    }

    pub(crate) fn register_stream(&self, stream: &mut TcpStream, index: usize) -> io::Result<()> {
        let registry = self.registry.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let token = self.token_of(index);
        if self.waker_token().is_none_or(|waker| token.0 >= waker.0) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(crate) fn deregister(&self, stream: &mut TcpStream) {
        if let Some(registry) = &self.registry {
            // It is about to be closed, or to go; one that is not registered is what is wanted.
            let _ = registry.deregister(stream);
        }
    }

    fn token_of(&self, index: usize) -> Token {
        Token(self.tokens.start + index)
    }

    // ---- links ----

    /// Puts a link in a place of its own. One that cannot be registered ends at its first visit.
    pub(crate) fn install(&mut self, session: Box<MappedSession>, mut live: Box<Live>) -> usize {
        let index = self.places.reserve();
        if let Err(error) = self.register_stream(&mut live.connection.stream, index) {
            live.ended.get_or_insert(Disconnected::Io(error));
        }
        // Whatever the events said is another poll's.
        live.connection.set_moved();
        live.queued = false;
        self.put_live(index, session, live);
        index
    }

    /// Puts a link in a place that it has already, and where its connection is registered.
    pub(crate) fn put_live(&mut self, index: usize, session: Box<MappedSession>, live: Box<Live>) {
        self.live.insert(session.peer().clone(), index);
        self.places.put(index, Place::Live(live));
        self.links.put(index, session);
        self.follow_spinning(index);
    }

    /// A link out of its place, with nothing left of it here but, at most, its registration.
    pub(crate) fn take_out(&mut self, index: usize) -> Option<(Box<MappedSession>, Box<Live>)> {
        let live = self.places.take_live(index).or_else(|| self.places.take_lent(index))?;
        let session = self.take_session(index)?;
        self.places.vacate(index);
        Some((session, live))
    }

    /// Ends a connection. What is left is the session, which its application has not been told of.
    pub(crate) fn end(
        &mut self,
        now: Instant,
        index: usize,
        reason: &Disconnected,
    ) -> Option<Box<MappedSession>> {
        let live = self.places.take_live(index)?;
        let mut session = self.take_session(index)?;
        let mut connection = live.connection;
        connection.say_farewell(now, &mut session, reason);
        session.detach(random::nonce());
        self.scratch.shrink();
        if reason.farewell().is_some() {
            // From here on only events tell of it.
            let token = self.token_of(index);
            if let Some(registry) = &self.registry {
                connection.set_in_poll(true, registry, token);
            }
            self.put_farewell(index, Handshake::new(connection.stream, connection.address, now + FAREWELL));
        } else {
            self.deregister(&mut connection.stream);
            self.places.vacate(index);
        }
        Some(session)
    }

    fn take_session(&mut self, index: usize) -> Option<Box<MappedSession>> {
        let session = self.links.take(index)?;
        self.telling = self.telling.filter(|telling| *telling != index);
        self.live.remove(session.peer());
        self.timers.cancel(index);
        Some(session)
    }

    // ---- farewells ----

    /// The last bytes are out or given up; only their arrival is still waited for.
    pub(crate) fn put_farewell(&mut self, index: usize, mut handshake: Handshake) {
        if self.farewells >= self.max_farewells && !zoo!(FarewellsUnbounded) {
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
    pub(crate) fn visit_farewell(&mut self, index: usize, mut handshake: Box<Handshake>) {
        let gone = handshake.fill().is_err() || handshake.has_ended();
        handshake.discard_input();
        if gone {
            self.drop_farewell(index, *handshake);
        } else {
            self.places.put(index, Place::Farewell(handshake));
        }
    }

    /// It was at this place, and nothing is there from here on.
    pub(crate) fn drop_farewell(&mut self, index: usize, mut handshake: Handshake) {
        self.farewells -= 1;
        self.timers.cancel(index);
        self.deregister(&mut handshake.stream);
        self.places.vacate(index);
    }
}
