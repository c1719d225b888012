//! A client: connects, logs in, carries its link, and comes back when the connection is lost.

mod live;
mod login;
mod mail;
mod reply;
mod turns;

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

pub(crate) use mail::open_post;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tcpshm_protocol::login::CarrierWish;
use tcpshm_protocol::{Name, ResetToken, Role, Undelivered};
use tcpshm_shm::{FileError, LinkDirectory, MappedSession};

use crate::config::ClientConfig;
use crate::connection::Connection;
use crate::disconnected::Disconnected;
use crate::error::SetupError;
use crate::files::Files;
use crate::handler::Handler;
use crate::handshake::Handshake;
use crate::intake::Scratch;
use crate::link::{Again, Link, Outlet};
use crate::mailbox::Ended;
use crate::post::Post;
use crate::random;
use crate::socket;
use crate::watch;
use login::Login;

/// A client in somebody's event loop; see [`Driver`](crate::Driver).
///
/// It carries one link at a time: the one with the server it meets. It owns its socket, its link
/// directory and its session; token, registry and clock are the host's.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    directory: LinkDirectory,
    registry: Option<Registry>,
    token: Option<Token>,
    /// What wakes the loop for senders, once there is one.
    post: Option<Box<Post>>,
    state: State,
    /// The link, open from the first time its server is known.
    session: Option<Box<MappedSession>>,
    /// A fresh session that the server has not confirmed.
    proposed: Option<Box<MappedSession>>,
    /// A server's leave to reset, for the next login with it.
    reset_token: Option<(Name, ResetToken)>,
    /// What the server said a reset gives up on its side.
    peer_undelivered: Option<Undelivered>,
    /// The server's positions did not fit ours: the next login says so.
    disputed: bool,
    /// The server whose coming was reported on; the links with others are looked at once for each.
    met: Option<Name>,
    /// The address to try next.
    address: usize,
    /// Rounds in a row in which no address led to a link that lasted.
    failures: u32,
    /// Logins in a row that were tried again at once, each for a reason that takes one step less.
    retries: u32,
    /// Whether the connection is to be visited although no event may come.
    touched: bool,
    /// Whether a handler has control because of shared memory. Found set afterwards, it has panicked.
    telling: bool,
    /// The server granted shared memory and does not share it: TCP, if the wish allows it.
    not_shared: bool,
    /// Whether the next login follows the end of this connection at once.
    at_once: bool,
    /// Whether the host may sleep while the link is on shared memory.
    may_sleep: bool,
    /// Whether the host tries the connection in each of its turns.
    spinning: bool,
    scratch: Scratch,
}

/// Where it stands with its server.
#[derive(Debug)]
enum State {
    Waiting { until: Option<Instant> },
    Connecting(Box<Handshake>),
    LoggingIn(Box<Login>),
    Live(Box<Live>),
    Stopped,
}

/// A connection that carries the link.
#[derive(Debug)]
struct Live {
    connection: Connection,
    since: Instant,
    /// Why it is over, found while there was no time to end it.
    ended: Option<Disconnected>,
    /// When to see again whether the link's files are still there.
    next_check: Instant,
}

/// Logins that may follow each other without a wait: a dead proposal, a void token, a reset, each once,
/// and one to spare.
const RETRIES: u32 = 4;

impl Client {
    /// Opens the link directory and takes the name's lock there. If the server's name is set, or there is
    /// one link only, its file is opened too, so that messages can be committed before any connection.
    ///
    /// It connects when it is in a loop.
    pub fn new(config: ClientConfig) -> Result<Self, SetupError> {
        if config.addresses.is_empty() {
            return Err(SetupError::NoAddress);
        }
        let directory = LinkDirectory::open(&config.link.directory, Role::Client, &config.link.name)?;
        let mut client = Self {
            directory,
            registry: None,
            token: None,
            post: None,
            state: State::Waiting { until: None },
            session: None,
            proposed: None,
            reset_token: None,
            peer_undelivered: None,
            disputed: false,
            met: None,
            address: 0,
            failures: 0,
            retries: 0,
            touched: false,
            telling: false,
            not_shared: false,
            at_once: false,
            may_sleep: false,
            spinning: false,
            scratch: Scratch::new(),
            config,
        };
        let links = client.directory.links()?;
        let only = || if links.len() == 1 { links.first() } else { None };
        if let Some(server) = client.config.server.as_ref().or_else(only).cloned() {
            client.open_link(&server)?;
        }
        Ok(client)
    }

    /// The link, connected or not, once its server is known.
    pub fn link(&mut self, now: Instant) -> Option<Link<'_>> {
        let outlet = match &mut self.state {
            State::Live(live) => {
                let connection = &mut live.connection;
                Some(Outlet { connection, now, again: Again::Flag(&mut self.touched) })
            }
            _ => None,
        };
        self.session.as_deref_mut().map(|session| Link::for_host(session, outlet))
    }

    /// Moves the link to another carrier, with everything that is in it: ends the connection and logs in again
    /// at once. A login in progress is begun anew; without a connection the next login wishes so.
    pub fn change_carrier(&mut self, now: Instant, wish: CarrierWish, app: &mut impl Handler) {
        self.config.carrier = wish;
        self.not_shared = false;
        match std::mem::replace(&mut self.state, State::Waiting { until: Some(now) }) {
            State::Connecting(mut handshake) => self.close(&mut handshake.stream),
            State::LoggingIn(mut login) => self.close(&mut login.handshake.stream),
            other => {
                self.state = other;
                self.at_once = self.is_connected();
                self.end_live(now, &Disconnected::Closed, app);
            }
        }
    }

    /// Whether the link has a connection.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// The link files, for those kept aside.
    pub fn files(&self) -> Files<'_> {
        Files::new(&self.directory)
    }

    /// Opens the files of the link with `server`, if there are any.
    fn open_link(&mut self, server: &Name) -> Result<(), FileError> {
        // Nothing of this link may be open while its files are put in order.
        if let Some(session) = self.session.take() {
            watch::leave(&self.directory, session);
        }
        self.proposed = None;
        self.directory.settle(server)?;
        let link = &self.config.link;
        let configured = (!link.adopt_geometry).then_some(link.limits.send);
        let opened = self.directory.open_link(server, configured, random::nonce())?;
        self.session = opened.map(|link| Box::new(MappedSession::new(link)));
        if let Some(survey) = self.directory.look_proposed(server)?.first() {
            let session = survey.header().session;
            let opened = self.directory.open_proposed(server, session, random::nonce())?;
            self.proposed = opened.map(|link| Box::new(MappedSession::new(link)));
        }
        Ok(())
    }

    /// Reads so many bytes at once: with few, every read is one that may have left some.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn read_at_most(&mut self, bytes: usize) {
        self.scratch = Scratch::with_size(bytes);
    }

    // ---- connecting ----

    fn connect(&mut self, now: Instant, app: &mut impl Handler) {
        let (Some(registry), Some(token)) = (&self.registry, self.token) else {
            return;
        };
        let address = self.config.addresses[self.address];
        let started = TcpStream::connect(address).and_then(|mut stream| {
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            socket::configure(&stream, &self.config.link.socket)?;
            Ok(stream)
        });
        match started {
            Ok(stream) => {
                let deadline = now + self.config.connect_deadline;
                self.state = State::Connecting(Box::new(Handshake::new(stream, address, deadline)));
            }
            Err(error) => self.give_way(now, error, app),
        }
    }

    /// Whether the connection that was begun is made: the procedure that mio's `TcpStream::connect`
    /// documents.
    fn is_made(stream: &TcpStream) -> io::Result<bool> {
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            // A free local port can be given to the very socket that dials it, which then meets itself.
            Ok(peer) if stream.local_addr()? == peer => Err(io::ErrorKind::ConnectionRefused.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// This address led nowhere.
    fn give_way(&mut self, now: Instant, error: io::Error, app: &mut impl Handler) {
        app.unreachable(self.config.addresses[self.address], &error);
        self.next_address(now);
    }

    /// The next address, or after the last one a pause.
    fn next_address(&mut self, now: Instant) {
        self.address += 1;
        if self.address < self.config.addresses.len() {
            self.state = State::Waiting { until: Some(now) };
        } else {
            self.pause(now);
        }
    }

    fn pause(&mut self, now: Instant) {
        self.address = 0;
        self.retries = 0;
        // What was not to be seen this time may be there the next.
        self.not_shared = false;
        let delay = self.config.back_off.delay(self.failures, random::bits());
        self.failures = self.failures.saturating_add(1);
        // A delay beyond the end of time is one without an end.
        self.state = State::Waiting { until: now.checked_add(delay) };
    }

    /// The same address again, at once, for a reason that can only come so often.
    fn try_again(&mut self, now: Instant) {
        self.retries += 1;
        if self.retries > RETRIES {
            self.pause(now);
        } else {
            self.state = State::Waiting { until: Some(now) };
        }
    }

    fn close(&self, stream: &mut TcpStream) {
        if let Some(registry) = &self.registry {
            // It is about to be closed, which ends its registration too.
            let _ = registry.deregister(stream);
        }
        let _ = stream.shutdown(Shutdown::Write);
    }

    /// Closes whatever there is, for good.
    fn stop(&mut self) {
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Connecting(mut handshake) => self.close(&mut handshake.stream),
            State::LoggingIn(mut login) => self.close(&mut login.handshake.stream),
            State::Live(mut live) => self.close(&mut live.connection.stream),
            State::Waiting { .. } | State::Stopped => {}
        }
    }

    // ---- the link ----

    fn visit(&mut self, now: Instant, app: &mut impl Handler) {
        if self.is_connected() {
            self.visit_live(now, app);
            return;
        }
        // A handler that panics meanwhile leaves a client that tries again.
        match std::mem::replace(&mut self.state, State::Waiting { until: Some(now) }) {
            State::Connecting(handshake) => self.visit_connecting(now, handshake, app),
            State::LoggingIn(login) => self.visit_login(now, login, app),
            other => self.state = other,
        }
    }

    fn visit_connecting(&mut self, now: Instant, mut handshake: Box<Handshake>, app: &mut impl Handler) {
        match Self::is_made(&handshake.stream) {
            Ok(true) => self.begin_login(now, *handshake, app),
            Ok(false) => self.state = State::Connecting(handshake),
            Err(error) => {
                self.close(&mut handshake.stream);
                self.give_way(now, error, app);
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close_post(Ended::Dropped);
        self.stop();
    }
}

fn address_of(login: &Login) -> SocketAddr {
    login.handshake.address
}
