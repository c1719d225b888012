//! A server: listens, lets clients log in, and carries their links.

mod accept;
mod confirm;
mod logins;
mod pending;
mod places;
mod tokens;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use tcpshm_protocol::{Name, Role, Session};
use tcpshm_shm::{FileError, LinkDirectory, Mapped};

use crate::config::ServerConfig;
use crate::connection::{SCRATCH, Visit};
use crate::disconnected::Disconnected;
use crate::driver::Driver;
use crate::error::SetupError;
use crate::files::Files;
use crate::handler::Handler;
use crate::handshake::Handshake;
use crate::link::{Again, Link, Outlet};
use crate::random;
use crate::socket;
use crate::timers::Timers;
use logins::Logins;
use places::{Live, Place, Places};
use tokens::ResetTokens;

/// How long a refused connection may take to fetch the refusal.
const FAREWELL: Duration = Duration::from_secs(1);

/// A server in somebody's event loop; see [`Driver`].
///
/// It owns its sockets, its link directory and the sessions of the links it carries. Tokens, registry
/// and clock are the host's.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    directory: LinkDirectory,
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
    live: HashMap<Name, usize>,
    /// Refused connections that are still there; no more than logins in progress may be.
    farewells: usize,
    /// Sessions without a connection, the one that lost it last at the back.
    detached: VecDeque<Session<Mapped>>,
    /// Links whose files an interrupted login left to be put in order.
    unsettled: HashSet<Name>,
    reset_tokens: ResetTokens,
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
            directory,
            accepting: vec![false; listeners.len()],
            listeners,
            accept_after: None,
            registry: None,
            tokens: 0..0,
            places: Places::default(),
            timers: Timers::default(),
            queue: VecDeque::new(),
            logins: Logins::default(),
            live: HashMap::new(),
            farewells: 0,
            detached: VecDeque::new(),
            reset_tokens: ResetTokens::default(),
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

    /// How many links have a connection.
    pub fn connections(&self) -> usize {
        self.live.len()
    }

    /// The link with `client`, if it is connected, or lost its connection and is still open.
    pub fn link(&mut self, now: Instant, client: &Name) -> Option<Link<'_>> {
        if let Some(index) = self.live.get(client).copied() {
            let Some(Place::Live(live)) = self.places.get_mut(index) else {
                return None;
            };
            let Live { connection, session, queued } = &mut **live;
            let again = Again::Queue { queue: &mut self.queue, queued, index };
            return Some(Link::for_host(session, Some(Outlet { connection, now, again })));
        }
        let session = self.detached.iter_mut().find(|session| session.peer() == client)?;
        Some(Link::for_host(session, None))
    }

    /// The link with `client`, opened from its file if need be; `None` if there never was one.
    pub fn open_link(&mut self, now: Instant, client: &Name) -> Result<Option<Link<'_>>, FileError> {
        let open =
            self.live.contains_key(client) || self.detached.iter().any(|session| session.peer() == client);
        if !open {
            self.settle(client)?;
            let configured = self.configured_geometry();
            let Some(link) = self.directory.open_link(client, configured, random::nonce())? else {
                return Ok(None);
            };
            self.keep_detached(link.session);
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

    // ---- connections ----

    /// Looks at a place, whatever stands there.
    fn visit(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        if let Some(Place::Live(_)) = self.places.get_mut(index) {
            return self.visit_live(now, index, app);
        }
        match self.places.take(index) {
            Some(Place::Pending(pending)) => self.visit_pending(now, index, pending, app),
            Some(Place::Farewell(handshake)) => self.visit_farewell(index, handshake),
            Some(live @ Place::Live(_)) => self.places.put(index, live),
            None => {}
        }
    }

    /// The link stays in its place meanwhile: a handler that panics takes nothing with it.
    fn visit_live(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        let Some(Place::Live(live)) = self.places.get_mut(index) else {
            return;
        };
        let Live { connection, session, .. } = &mut **live;
        match connection.visit(now, session, &mut self.scratch, self.config.link.read_budget, app) {
            Ok(visit) => {
                if let Some(deadline) = session.poll_timeout() {
                    self.timers.schedule(index, deadline);
                }
                if visit == Visit::More {
                    self.enqueue(index);
                }
            }
            Err(reason) => self.end_live(now, index, &reason, app),
        }
    }

    /// Ends a connection. Its session stays open, so that held messages stay redeemable.
    fn end_live(&mut self, now: Instant, index: usize, reason: &Disconnected, app: &mut impl Handler) {
        let Some(live) = self.places.take_live(index) else {
            return;
        };
        let Live { mut connection, mut session, .. } = *live;
        connection.say_farewell(now, &mut session, reason);
        session.detach(random::nonce());
        self.live.remove(session.peer());
        self.timers.cancel(index);
        if reason.farewell().is_some() {
            let handshake = Handshake::new(connection.stream, connection.address, now + FAREWELL);
            self.put_farewell(index, handshake);
        } else {
            self.deregister(&mut connection.stream);
            self.places.vacate(index);
        }
        // Last: a handler that panics takes no place with it.
        app.disconnected(&mut Link::new(&mut session), reason);
        self.keep_detached(session);
        self.bound_detached(app);
    }

    /// Keeps a session open, and closes older ones that nothing would miss if there are too many.
    fn keep_detached(&mut self, session: Session<Mapped>) {
        self.detached.push_back(session);
        while self.detached.len() > self.config.max_detached {
            // Not the newest: somebody is about to use it.
            let mut older = self.detached.iter().take(self.detached.len() - 1);
            let Some(oldest) = older.position(|session| session.held() == 0) else {
                return;
            };
            self.detached.remove(oldest);
        }
    }

    /// Closes older ones even if messages of theirs are held: peers decide how many there are, so their
    /// number has to end somewhere. What was held comes again.
    fn bound_detached(&mut self, app: &mut impl Handler) {
        while self.detached.len() > self.config.max_detached.max(1) {
            let Some(session) = self.detached.pop_front() else {
                return;
            };
            let (peer, id) = (session.peer().clone(), session.id());
            drop(session);
            app.closed(&peer, id);
        }
    }

    fn take_detached(&mut self, client: &Name) -> Option<Session<Mapped>> {
        let index = self.detached.iter().position(|session| session.peer() == client)?;
        self.detached.remove(index)
    }

    /// The last bytes are out or given up; only their arrival is still waited for.
    fn put_farewell(&mut self, index: usize, mut handshake: Handshake) {
        if self.farewells >= self.config.max_pending {
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
            Some(live @ Place::Live(_)) => return self.places.put(index, live),
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

    /// Arranges a visit without an event.
    fn enqueue(&mut self, index: usize) {
        if let Some(Place::Live(live)) = self.places.get_mut(index)
            && !std::mem::replace(&mut live.queued, true)
        {
            self.queue.push_back(index);
        }
    }

    fn visit_queued(&mut self, now: Instant, app: &mut impl Handler) {
        // Those that are queued meanwhile have their turn next time.
        for _ in 0..self.queue.len() {
            let Some(index) = self.queue.pop_front() else {
                return;
            };
            if let Some(Place::Live(live)) = self.places.get_mut(index) {
                live.queued = false;
                self.visit(now, index, app);
            }
        }
    }

    fn handle_due(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        let Some(Place::Live(live)) = self.places.get_mut(index) else {
            // Whatever it was waiting for, its time is over.
            return self.drop_place(index);
        };
        let silent = match live.session.handle_timeout(now) {
            Ok(stalled) => {
                stalled.inspect(|stalled| app.stalled(&mut Link::new(&mut live.session), stalled));
                false
            }
            Err(_) => true,
        };
        if silent {
            // After a long pause of this process the peer's bytes may be waiting: they count.
            live.connection.set_maybe_readable();
        }
        self.visit_live(now, index, app);
        if let Some(Place::Live(live)) = self.places.get_mut(index)
            && silent
            && let Err(timed_out) = live.session.handle_timeout(now)
        {
            self.end_live(now, index, &timed_out.into(), app);
        }
    }
}

impl Driver for Server {
    fn register(&mut self, registry: &Registry, tokens: Range<usize>) -> io::Result<()> {
        if tokens.len() <= self.listeners.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too few tokens for the listeners"));
        }
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            registry.register(listener, Token(tokens.start + index), Interest::READABLE)?;
        }
        self.registry = Some(registry.try_clone()?);
        self.tokens = tokens;
        self.accepting.fill(true);
        Ok(())
    }

    fn owns(&self, token: Token) -> bool {
        self.tokens.contains(&token.0)
    }

    fn handle_event(&mut self, now: Instant, event: &Event, app: &mut impl Handler) -> io::Result<()> {
        if !self.owns(event.token()) {
            return Ok(());
        }
        let index = event.token().0 - self.tokens.start;
        if index < self.listeners.len() {
            self.accepting[index] = true;
            self.accept(now, index, app);
            return Ok(());
        }
        let index = index - self.listeners.len();
        match self.places.get_mut(index) {
            Some(Place::Live(live)) => live.connection.set_ready(event),
            Some(Place::Pending(pending)) => pending.handshake.set_ready(event),
            Some(Place::Farewell(handshake)) => handshake.set_ready(event),
            None => return Ok(()),
        }
        self.visit(now, index, app);
        Ok(())
    }

    fn handle_timeout(&mut self, now: Instant, app: &mut impl Handler) {
        if self.accept_after.is_some_and(|after| after <= now) {
            self.accept_after = None;
        }
        for index in 0..self.listeners.len() {
            self.accept(now, index, app);
        }
        self.visit_queued(now, app);
        // Each place once, whatever deadline it sets itself meanwhile.
        for _ in 0..self.timers.len() {
            let Some(index) = self.timers.take_due(now) else {
                return;
            };
            self.handle_due(now, index, app);
        }
    }

    fn timeout(&self, now: Instant) -> Option<Duration> {
        let accepting = self.accepting.iter().any(|accepting| *accepting);
        if !self.queue.is_empty() || (accepting && self.accept_after.is_none()) {
            return Some(Duration::ZERO);
        }
        let next = self.timers.next().into_iter().chain(self.accept_after.filter(|_| accepting)).min()?;
        Some(next.saturating_duration_since(now))
    }

    fn spin(&mut self, now: Instant, app: &mut impl Handler) {
        for index in 0..self.places.len() {
            if let Some(Place::Live(live)) = self.places.get_mut(index) {
                live.connection.set_maybe_readable();
                self.visit(now, index, app);
            }
        }
        self.handle_timeout(now, app);
    }

    fn shut_down(&mut self, now: Instant, app: &mut impl Handler) {
        for index in 0..self.places.len() {
            self.end_live(now, index, &Disconnected::ShutDown, app);
            self.drop_place(index);
        }
        if let Some(registry) = self.registry.take() {
            for mut listener in self.listeners.drain(..) {
                // It is closed here, which ends its registration too.
                let _ = registry.deregister(&mut listener);
            }
        }
        self.accepting.clear();
        self.queue.clear();
        self.detached.clear();
    }
}
