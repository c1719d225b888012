//! How links go from one loop to another.
//!
//! ```text
//!   the server's loop                                     a group's loop
//!   Roster: who is where,        ── Take, Lend, Depart, ──>  Desk: what to do next
//!   and who waits for whom           End, Mail, Stop
//!                                <── Lent, Departed, ─────
//!                                    Ended, Left, Mail, Leaving, Gone
//! ```
//!
//! A link is a value that is in one place: in a loop, or in a message. Two queues, each in order, are all that is
//! shared. So a word about a link can only be late, never about another one: one that asks for it back and finds it gone
//! was crossed by the message that brings it, and is dropped.
//!
//! This directory names threads and locks through `crate::sync` only and knows nothing of sockets and files, so that a
//! model can run it under many interleavings.

mod desk;
mod inbox;
mod roster;

use std::fmt::{self, Debug};

use tcpshm_protocol::Name;

use crate::mailbox::Ended;
use crate::sync::AtomicBool;

pub(crate) use desk::Desk;
pub(crate) use inbox::Inbox;
pub(crate) use roster::{About, Away, Roster, Task};

/// A group of links with a loop of its own; see [`Group`](crate::Group). It is one of one server only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(u32);

impl GroupId {
    /// The server's own loop, which is a group, too: the only one as long as nobody makes another.
    pub const SERVER: Self = GroupId(0);

    /// The place of its line.
    fn line(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SERVER => f.write_str("the server's own group"),
            Self(number) => write!(f, "group {number}"),
        }
    }
}

/// Something that belongs to the link with one peer.
pub(crate) trait Peer {
    fn peer(&self) -> &Name;
}

/// What is handed over.
pub(crate) trait Cargo: Debug {
    /// A link with a connection.
    type Link: Peer + Debug;
    /// One that has lost it.
    type Session: Peer + Debug;
    /// A mailbox that comes after its link.
    type Mail: Peer + Debug;
    /// How a new connection came about.
    type News: Debug;
}

/// What a loop that takes a link has to tell first.
#[derive(Debug)]
pub(crate) enum Greeting<N> {
    /// It has a new connection.
    Connected(N),
    /// It has moved here, from there.
    Arrived(GroupId),
    /// It was here before, and nobody has noticed that it was away.
    Back,
}

/// What the server tells a group.
#[derive(Debug)]
pub(crate) enum Order<C: Cargo> {
    /// Here is a link.
    Take(C::Link, Greeting<C::News>),
    /// Here is one that was lent. A newer login takes its place: end its connection and give up its session.
    End(C::Link),
    /// Give up a link for a moment, as it is.
    Lend(Name),
    /// Take leave of a link that moves.
    Depart(Name, GroupId),
    /// The mailbox of a link that is there.
    Mail(C::Mail),
    /// The server has ended.
    Stop(Ended),
}

/// What a group tells the server.
#[derive(Debug)]
pub(crate) enum Report<C: Cargo> {
    /// What was to be lent.
    Lent(C::Link),
    /// What was to move.
    Departed(C::Link),
    /// The connection is over, and its application was told.
    Ended(C::Session),
    /// The group is gone, and its application with it; `Some` if that was not told how the link came.
    Left(C::Link, Option<Greeting<C::News>>),
    /// There is no such link here.
    Mail(C::Mail),
    /// It takes no more links: what it has follows.
    Leaving(GroupId),
    /// Nothing more comes from it.
    Gone(GroupId),
}

/// What the server and one group share besides their inboxes.
#[derive(Debug)]
pub(crate) struct Line<C: Cargo> {
    orders: Inbox<Order<C>>,
    /// Whether the group's loop may sleep, as it said last.
    may_sleep: AtomicBool,
}
