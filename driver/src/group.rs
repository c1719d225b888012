//! A group: links of a server that have a loop, and mostly a thread, of their own.

mod mail;
mod orders;
mod turns;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tcpshm_protocol::Name;
use tcpshm_shm::{LinkDirectory, MappedSession, Rings};

use crate::attended::Attended;
use crate::config::ServerConfig;
use crate::connection::{SCRATCH, Visit, drain, tell};
use crate::disconnected::Disconnected;
use crate::freight::{Freight, Migrant, Parted};
use crate::handler::Handler;
use crate::handover::{Desk, GroupId};
use crate::handshake::Handshake;
use crate::link::{Again, Link, Outlet};
use crate::places::{Live, Place, Places};
use crate::post::Post;
use crate::random;
use crate::sync::Arc;
use crate::timers::Timers;
use crate::wake::EventFd;
use crate::watch;

/// How long a connection that was ended may take to fetch the reason.
const FAREWELL: Duration = Duration::from_secs(1);

/// Links of a [`Server`](crate::Server) in somebody's event loop: a [`Driver`](crate::Driver) that neither listens nor lets
/// anybody log in. It can be sent to another thread, sleep there in a poll of its own, or spin.
///
/// The server makes it, with [`Server::group`](crate::Server::group), and decides about logins, files and names; its handler
/// [names the group](Handler::choose_group) of each link. Everything else about the links is told to the handler that the group
/// is used with. A connection that ends leaves its session to the server; the next login brings it back.
///
/// * **Its loop** is best made before the server turns, since peers are told at login whether it may sleep. A link that was
///   told no, here or in a group that it has moved from, is polled with short naps until its next login; see
///   [`Driver::set_may_sleep`](crate::Driver::set_may_sleep).
/// * **A link that is here** is reached with [`Group::link`] and not through the server, which has no access to it.
/// * **The server** asks for a link now and then, when a login comes under its name, and has it back if that is
///   refused, which nobody notices. So a group whose loop does not turn delays logins of its own clients, and no others.
/// * **Dropping it**, as a thread does that panics, gives its links to the server, which ends their connections:
///   [`Disconnected::GroupGone`]. Clients that come back are taken into whatever group is named then.
/// * **When the server ends**, shut down or dropped, the group ends its connections in its next turn, and does nothing
///   from there on: see [`Group::is_stopped`]. The server's name is free again when its groups have done so.
#[derive(Debug)]
pub struct Group {
    desk: Desk<Freight>,
    config: ServerConfig,
    /// Until the server has ended.
    directory: Option<Arc<LinkDirectory>>,
    registry: Option<Registry>,
    tokens: Range<usize>,
    /// Live ones, and those that were refused further service.
    places: Places,
    timers: Timers,
    /// Live places to visit although no event will come for them.
    queue: VecDeque<usize>,
    /// The sessions of live places, at the same places.
    links: Rings,
    live: HashMap<Name, usize>,
    farewells: usize,
    /// The place of a link whose handler has control, on shared memory or in a greeting. Found set afterwards, it has
    /// panicked.
    telling: Option<usize>,
    /// What wakes the loop.
    wake: Arc<EventFd>,
    /// The mailboxes of its links, once one has any.
    post: Option<Box<Post>>,
    /// Whether the host tries live connections in each of its turns.
    spinning: bool,
    scratch: Box<[u8]>,
}

impl Group {
    pub(crate) fn new(
        desk: Desk<Freight>,
        wake: Arc<EventFd>,
        config: ServerConfig,
        directory: Arc<LinkDirectory>,
    ) -> Self {
        Self {
            desk,
            config,
            directory: Some(directory),
            registry: None,
            tokens: 0..0,
            places: Places::default(),
            timers: Timers::default(),
            queue: VecDeque::new(),
            links: Rings::default(),
            live: HashMap::new(),
            farewells: 0,
            telling: None,
            wake,
            post: None,
            spinning: false,
            scratch: vec![0; SCRATCH].into(),
        }
    }

    /// What [`Handler::choose_group`] and [`Server::move_link`](crate::Server::move_link) name it by.
    pub fn id(&self) -> GroupId {
        self.desk.id()
    }

    /// How many links it has.
    pub fn connections(&self) -> usize {
        self.live.len()
    }

    /// The link with `client`, if it is here, so connected.
    pub fn link(&mut self, now: Instant, client: &Name) -> Option<Link<'_>> {
        let index = *self.live.get(client)?;
        let Some(Place::Live(live)) = self.places.get_mut(index) else {
            return None;
        };
        let session = self.links.get_mut(index)?;
        let Live { connection, queued, .. } = &mut **live;
        let again = Again::Queue { queue: &mut self.queue, queued, index };
        Some(Link::for_host(session, Some(Outlet { connection, now, again })))
    }

    /// Whether it was shut down, or its server has ended: its loop may end, too.
    pub fn is_stopped(&self) -> bool {
        self.directory.is_none()
    }

    // ---- connections ----

    /// Looks at a place, whatever stands there.
    fn visit(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        if let Some(Place::Live(_)) = self.places.get_mut(index) {
            self.visit_live(now, index, app);
        } else if let Some(Place::Farewell(handshake)) = self.places.take(index) {
            self.visit_farewell(index, handshake);
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

    /// Ends a connection. Its session goes to the server when the application was told, and also when that panics.
    fn end_live(&mut self, now: Instant, index: usize, reason: &Disconnected, app: &mut impl Handler) {
        let Some((mut session, live)) = self.take_out(index) else {
            return;
        };
        let Live { mut connection, .. } = *live;
        connection.say_farewell(now, &mut session, reason);
        session.detach(random::nonce());
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
        let mail = self.post.as_mut().and_then(|post| post.lend(session.peer()));
        let mut parting = Parting { group: self, parted: Some(Parted { session, mail }) };
        if let Some(parted) = &mut parting.parted {
            app.disconnected(&mut Link::new(parted.session.outbox()), reason);
        }
    }

    /// A link out of its place, which is to be vacated or filled again.
    fn take_out(&mut self, index: usize) -> Option<(Box<MappedSession>, Box<Live>)> {
        let live = self.places.take_live(index)?;
        let session = self.links.take(index)?;
        self.telling = self.telling.filter(|telling| *telling != index);
        self.live.remove(session.peer());
        self.timers.cancel(index);
        Some((session, live))
    }

    fn put_farewell(&mut self, index: usize, mut handshake: Handshake) {
        if self.farewells >= self.config.max_pending {
            self.deregister(&mut handshake.stream);
            return self.places.vacate(index);
        }
        self.farewells += 1;
        self.timers.schedule(index, handshake.deadline);
        self.places.put(index, Place::Farewell(Box::new(handshake)));
    }

    fn visit_farewell(&mut self, index: usize, mut handshake: Box<Handshake>) {
        let gone = handshake.fill().is_err() || handshake.has_ended();
        handshake.discard_input();
        self.places.put(index, Place::Farewell(handshake));
        if gone {
            self.drop_farewell(index);
        }
    }

    fn drop_farewell(&mut self, index: usize) {
        match self.places.take(index) {
            Some(Place::Farewell(mut handshake)) => {
                self.farewells -= 1;
                self.timers.cancel(index);
                self.deregister(&mut handshake.stream);
                self.places.vacate(index);
            }
            Some(other) => self.places.put(index, other),
            None => {}
        }
    }

    fn register_stream(&self, stream: &mut TcpStream, index: usize) -> std::io::Result<()> {
        let registry = self.registry.as_ref().ok_or(std::io::ErrorKind::NotConnected)?;
        let token = self.token_of(index);
        // The last one is the waker's.
        if token.0 + 1 >= self.tokens.end {
            return Err(std::io::ErrorKind::OutOfMemory.into());
        }
        registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn token_of(&self, index: usize) -> Token {
        Token(self.tokens.start + index)
    }

    /// A live connection stands in the poll unless the host tries it all the time, which it does not on shared memory.
    pub(super) fn follow_spinning(&mut self, index: usize) {
        let mapped = self.links.get(index).is_some_and(|session| session.peer_file().is_some());
        let (in_poll, token) = (!self.spinning || mapped, self.token_of(index));
        if let (Some(Place::Live(live)), Some(registry)) = (self.places.get_mut(index), &self.registry) {
            live.connection.set_in_poll(in_poll, registry, token);
        }
    }

    fn deregister(&self, stream: &mut TcpStream) {
        if let Some(registry) = &self.registry {
            // It is about to be closed, or to go; one that is not registered is what is wanted.
            let _ = registry.deregister(stream);
        }
    }
}

/// A session on its way to the server while the application is told that its connection is over: it gets there, also
/// when that panics.
struct Parting<'g> {
    group: &'g Group,
    parted: Option<Parted>,
}

impl Drop for Parting<'_> {
    fn drop(&mut self) {
        let Some(Err(Parted { mut session, mail })) = self.parted.take().map(|it| self.group.desk.end(it))
        else {
            return;
        };
        // The server has ended: all that stays of the link is its file.
        if let Some(mail) = mail {
            mail.end(crate::mailbox::Ended::ShutDown, &mut session.outbox());
        }
        if let Some(directory) = &self.group.directory {
            watch::leave(directory, session);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let here: Vec<usize> = self.live.values().copied().collect();
        let links: Vec<_> = here.into_iter().filter_map(|index| self.remove(index)).collect();
        let left = self.desk.leave(links);
        self.let_sleep();
        // The server has ended, so all that stays of these is their files.
        if let Some(directory) = self.directory.as_ref().filter(|_| !zoo!(LeftWithoutFile)) {
            for (Migrant { mut session, .. }, _) in left {
                session.detach(random::nonce());
                watch::leave(directory, session);
            }
        }
    }
}
