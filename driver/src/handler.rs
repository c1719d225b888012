//! What an application is told, and what it decides.

use std::io;
use std::net::SocketAddr;

use tcpshm_protocol::login::{Carrier, CarrierWish, Outcome, Refusal, UserData};
use tcpshm_protocol::{Delivered, Name, Received, SessionId, Stalled, Undelivered};
use tcpshm_shm::{FileError, Kept, ViewError};

use crate::disconnected::Disconnected;
use crate::handover::GroupId;
use crate::link::Link;

/// The application behind a server or a client. The same handler serves both carriers.
///
/// Only [`Handler::message`] is required; every other method has a default that is safe to keep.
/// Handlers must not block: one slow handler delays every link of its driver.
pub trait Handler {
    /// A message came. Consume it, reply with a consuming commit, or hold it for later; what is merely
    /// dropped blocks the consumption of all later messages and comes again after a restart.
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>);

    /// A server decides whether a client may log in, before anything is looked up or stored for it.
    ///
    /// A name proves nothing: whoever reaches the port can say it. Check the address, or a credential
    /// in the user data.
    fn login(&mut self, attempt: &LoginAttempt<'_>) -> Admission {
        let _ = attempt;
        Admission::Admit(UserData::default())
    }

    /// A server asks which [`Group`](crate::Group) shall carry a link whose login it accepts. That group's handler is
    /// told all about the link, on its thread, from [`Handler::reset`] and [`Handler::connected`] on. One that does not
    /// exist, or of which [`Handler::group_gone`] was told, is taken for the server's own, [`GroupId::SERVER`].
    fn choose_group(&mut self, attempt: &LoginAttempt<'_>) -> GroupId {
        let _ = attempt;
        GroupId::SERVER
    }

    /// A server's group takes no more links: it was shut down or dropped, or its thread has panicked. Those that it had
    /// have ended or are about to, and their clients come back; name another one for them.
    fn group_gone(&mut self, group: GroupId) {
        let _ = group;
    }

    /// A link has a connection.
    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        let _ = (link, connected);
    }

    /// A link has lost its connection. The session and its messages stay.
    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        let _ = (link, reason);
    }

    /// A link is about to leave this handler's group for another one, with its connection and all that is in it; see
    /// [`Server::move_link`](crate::Server::move_link). What the application keeps of it, such as messages held, stays
    /// good, and is the application's to pass on. Nothing more is told of the link here unless it comes back.
    fn departing(&mut self, link: &mut Link<'_>, to: GroupId) {
        let _ = (link, to);
    }

    /// A link has come from another group, with its connection.
    fn arrived(&mut self, link: &mut Link<'_>, from: GroupId) {
        let _ = (link, from);
    }

    /// A server closed the session of a link that has no connection, to stay within `max_detached`, or because the group
    /// of the link is gone. What the application holds of it is void and comes again; forget it.
    fn closed(&mut self, peer: &Name, session: SessionId) {
        let _ = (peer, session);
    }

    /// There is room again after a message was refused as full, or one of a [`Sender`](crate::Sender) found none.
    fn writable(&mut self, link: &mut Link<'_>) {
        let _ = link;
    }

    /// This side cannot send because the peer consumes nothing, and keeps messages of the peer's while
    /// it waits: if the other side does the same, neither will ever move. Consume something, or make
    /// the rings larger than what is in flight.
    ///
    /// Over shared memory it is noticed at the next heartbeat, so up to a third of the silence later.
    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        let _ = (link, stalled);
    }

    /// [`Handler::message`] returned without having consumed or held its message, which ends at
    /// `position`. Unless [`Link::consume_through`] is to cover it later, this is a fault of the handler.
    fn unconsumed(&mut self, link: &mut Link<'_>, position: Delivered) {
        let _ = (link, position);
    }

    /// The two sides of a link do not hold the same history: one of them lost its file, or runs on an
    /// older copy. The default starts a fresh session and keeps the old link file aside. Both sides
    /// must agree; [`Policy::Refuse`] keeps everything as it is until a person has decided.
    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        let _ = dispute;
        Policy::Reset
    }

    /// A fresh session took the place of another one. Called before [`Handler::connected`].
    fn reset(&mut self, link: &mut Link<'_>, report: &ResetReport) {
        let _ = (link, report);
    }

    /// A login ended in a refusal. A client goes on trying, a server goes on serving others.
    fn refused(&mut self, refused: &LoginRefused) {
        let _ = refused;
    }

    /// A client could not connect to an address, or its connection ended before the login did. It goes on
    /// trying; this may come often while a server is away.
    fn unreachable(&mut self, address: SocketAddr, error: &io::Error) {
        let _ = (address, error);
    }

    /// A link with another server than the one now met still holds messages. They stay, and go out
    /// when that server is met again.
    fn left_behind(&mut self, peer: &Name, undelivered: &Undelivered) {
        let _ = (peer, undelivered);
    }

    /// Shared memory was wished for and is not possible: the peer's link file cannot be read here. The link
    /// goes on over TCP if the wish allows it, and is refused otherwise.
    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        let _ = (peer, error);
    }

    /// A link file could not be used, so a login was refused or put off. The file was not changed.
    fn failed(&mut self, peer: &Name, error: &FileError) {
        let _ = (peer, error);
    }
}

/// Somebody wants to log in.
#[derive(Clone, Copy, Debug)]
pub struct LoginAttempt<'a> {
    /// The name that was said.
    pub client: &'a Name,
    /// Where it came from.
    pub address: SocketAddr,
    /// The carrier wished.
    pub wish: CarrierWish,
    /// What came with it.
    pub user_data: &'a UserData,
}

/// Whether a client may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may; the data goes to its `connected`.
    Admit(UserData),
    /// It may not; the text is for people, and cut after 200 bytes.
    Deny(String),
}

/// How a link got its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Whether the session goes on or is new.
    pub outcome: Outcome,
    /// The peer's address.
    pub address: SocketAddr,
    /// What carries the messages.
    pub carrier: Carrier,
    /// What the other side's application sent with the login.
    pub user_data: UserData,
    /// This side's machine was started anew since the link was last connected, or its file came from another
    /// machine. If that did not go down in order, the last messages that were committed or consumed here may
    /// be lost, and nothing else need say so. Said once; `false` too where the kernel does not tell one boot
    /// from another.
    pub machine_restarted: bool,
}

/// Which histories do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quarrel {
    /// The client has nothing, the server has a session.
    ClientLost,
    /// The server has nothing, the client has a session.
    ServerLost,
    /// Both have something, and not two ends of one history.
    Diverged,
}

/// A decision to take: begin anew, or refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// The other side.
    pub peer: Name,
    /// What does not fit.
    pub quarrel: Quarrel,
    /// What a reset would give up here.
    pub undelivered: Option<Undelivered>,
    /// What it would give up at the peer, as far as the peer said.
    pub peer_undelivered: Option<Undelivered>,
}

/// What to do about a [`Dispute`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Start a fresh session; the old link file is kept aside.
    Reset,
    /// Refuse the login and change nothing.
    Refuse,
}

/// What a reset gave up.
#[derive(Debug)]
pub struct ResetReport {
    /// The other side.
    pub peer: Name,
    /// The session that ended; `None` where this side had none.
    pub ended: Option<SessionId>,
    /// What this side had committed and the peer is not known to have consumed.
    pub undelivered: Option<Undelivered>,
    /// The same of the peer, as far as it said.
    pub peer_undelivered: Option<Undelivered>,
    /// The old link file, which still holds those messages.
    pub kept: Option<Kept>,
}

/// A login that ended in a refusal.
#[derive(Clone, Debug)]
pub struct LoginRefused {
    /// The other side's name, if it had said it.
    pub peer: Option<Name>,
    /// The other side's address.
    pub address: SocketAddr,
    /// Whether this side refused, or was refused.
    pub by_us: bool,
    /// Why.
    pub refusal: Refusal,
}
