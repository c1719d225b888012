//! Messages that were handed to the application and not yet consumed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::id::{Kind, Role, SessionId};
use crate::position::{Delivered, Position};

/// What ties a received message to the opening of the link file it came from.
///
/// Positions and even random ids of two links can coincide, so within a process a counter tells
/// openings apart. It influences nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brand(u64);

impl Brand {
    pub(crate) fn fresh() -> Self {
        static OPENINGS: AtomicU64 = AtomicU64::new(1);
        Self(OPENINGS.fetch_add(1, Ordering::Relaxed))
    }
}

/// Which opening it is makes no difference to what can follow.
#[cfg(feature = "explore")]
impl std::hash::Hash for Brand {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// A message from the peer, lent until it is given back: to be consumed, by
/// [`Session::consume`](crate::Session::consume) or
/// [`Slot::commit_consuming`](crate::Slot::commit_consuming), or to be kept, by
/// [`Session::hold`](crate::Session::hold).
///
/// It is not `Clone`, and its payload lives as long as the value: once consumption is stored there is
/// no way left to read bytes that the peer may already be reusing.
///
/// Messages are consumed in order. One that is dropped is neither consumed nor lost: it stays in
/// front of all later ones, whose consumption is refused as
/// [waiting](crate::RefusedReason::Waiting), until
/// [`Session::consume_through`](crate::Session::consume_through) steps over it or the process restarts
/// and is given it again.
///
/// ```compile_fail
/// # use tcpshm_protocol::*;
/// fn twice(session: &mut Session<Memory>, received: Received<'_>) {
///     session.consume(received).unwrap();
///     session.consume(received).unwrap(); // it was given back
/// }
/// ```
/// ```compile_fail
/// # use tcpshm_protocol::*;
/// fn kept<'a>(session: &mut Session<Memory>, received: Received<'a>) -> u8 {
///     let payload = received.payload();
///     session.consume(received).unwrap();
///     payload[0] // the peer may be writing here by now
/// }
/// ```
/// ```compile_fail
/// # use tcpshm_protocol::*;
/// fn copy(received: &Received<'_>) -> Received<'static> {
///     received.clone()
/// }
/// ```
/// What does compile:
/// ```
/// # use tcpshm_protocol::*;
/// fn first_byte<'a>(session: &mut Session<Memory>, received: Received<'a>) -> Option<u8> {
///     let first = received.payload().first().copied();
///     session.consume(received).ok()?;
///     first
/// }
/// ```
#[must_use = "a dropped message blocks the consumption of all later ones"]
pub struct Received<'a> {
    pub(crate) ticket: Ticket,
    payload: Payload<'a>,
}

/// A message kept for later: `'static`, not `Clone`, redeemed through
/// [`Session::redeem`](crate::Session::redeem).
///
/// It survives a reconnect and a change of carrier within the process. It is void after a reset, and when
/// its session was closed and opened again; in the second case the message comes again. One
/// that is dropped blocks all consumption behind its message, [`Session::consume_through`] included,
/// until the process restarts and is given the message again.
///
/// [`Session::consume_through`]: crate::Session::consume_through
#[must_use = "a dropped message blocks the consumption of all later ones"]
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone, Hash))]
pub struct Held {
    pub(crate) ticket: Ticket,
    bytes: Box<[u8]>,
}

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "explore", derive(Hash))]
pub(crate) struct Ticket {
    pub(crate) brand: Brand,
    pub(crate) session: SessionId,
    pub(crate) to: Role,
    pub(crate) start: Position,
    pub(crate) end: Position,
    pub(crate) kind: Kind,
}

enum Payload<'a> {
    Lent(&'a [u8]),
    Kept(Box<[u8]>),
}

impl<'a> Received<'a> {
    pub(crate) fn new(ticket: Ticket, payload: &'a [u8]) -> Self {
        Self { ticket, payload: Payload::Lent(payload) }
    }

    /// What the sender wrote.
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            Payload::Lent(bytes) => bytes,
            Payload::Kept(bytes) => bytes,
        }
    }

    /// The type the sender gave it.
    pub fn kind(&self) -> Kind {
        self.ticket.kind
    }

    /// Where it ends in the peer's stream. The same message has the same position however often it is
    /// delivered, so an application can tell a repetition by it.
    pub fn position(&self) -> Delivered {
        self.ticket.position()
    }

    /// Copies the payload, unless it already was a held message.
    pub(crate) fn into_held(self) -> Held {
        let bytes = match self.payload {
            Payload::Lent(bytes) => bytes.into(),
            Payload::Kept(bytes) => bytes,
        };
        Held { ticket: self.ticket, bytes }
    }
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("kind", &self.ticket.kind)
            .field("end", &self.ticket.end)
            .field("bytes", &self.payload().len())
            .finish()
    }
}

impl Held {
    /// The type the sender gave it.
    pub fn kind(&self) -> Kind {
        self.ticket.kind
    }

    /// Where it ends in the peer's stream.
    pub fn position(&self) -> Delivered {
        self.ticket.position()
    }

    pub(crate) fn into_received(self) -> Received<'static> {
        Received { ticket: self.ticket, payload: Payload::Kept(self.bytes) }
    }
}

impl Ticket {
    fn position(&self) -> Delivered {
        Delivered { session: self.session, to: self.to, end: self.end }
    }
}

/// A message that could not be consumed, handed back with the reason.
#[derive(Debug)]
pub struct Refused<'a> {
    /// The message; it is as good as before.
    pub received: Received<'a>,
    /// Why it was not consumed.
    pub reason: RefusedReason,
}

/// Why a message could not be consumed, held or redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedReason {
    /// An earlier message has not been consumed. Consumption goes in order.
    #[error("the message that starts at position {oldest} has to be consumed first")]
    Waiting {
        /// Where the oldest unconsumed message starts.
        oldest: Position,
    },
    /// It was already consumed, by [`Session::consume_through`](crate::Session::consume_through).
    #[error("the message was already consumed")]
    AlreadyConsumed,
    /// It came from another link, or from this one before a reset.
    #[error("the message belongs to another link, or to this one before a reset")]
    Foreign,
    /// A message of this link is held; cumulative consumption would pass over it.
    #[error("{held} messages are held: redeem and consume them first")]
    MessagesHeld {
        /// How many.
        held: u64,
    },
    /// It would pass over a message that is still lent to the application.
    #[error(
        "the message that ends at position {end} is still lent: consume it, hold it, or return without it"
    )]
    MessageLent {
        /// Where the message ends.
        end: Position,
    },
    /// That far nothing was delivered.
    #[error("only messages up to position {delivered} were delivered")]
    NotDelivered {
        /// Where the last delivered message ends.
        delivered: Position,
    },
}

/// What the application has been lent of the peer's stream.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone, Hash))]
pub(crate) struct Lending {
    pub(crate) brand: Brand,
    /// Up to here messages were handed out; never below `consumed`. Kept over reconnects within a
    /// process, so that held messages do not arrive twice.
    pub(crate) delivered: Position,
    /// Tickets out.
    pub(crate) held: u64,
    /// The end of the last message handed out, until it is given back in one way or another.
    pub(crate) out: Option<Position>,
    /// Whether that message may still be alive: then nothing may free its bytes.
    pub(crate) lent: bool,
}

impl Lending {
    /// Whether `ticket` is the message that may be consumed next.
    pub(crate) fn check(&self, ticket: &Ticket, consumed: Position) -> Result<(), RefusedReason> {
        if !self.owns(ticket) {
            return Err(RefusedReason::Foreign);
        }
        if ticket.end <= consumed {
            return Err(RefusedReason::AlreadyConsumed);
        }
        if ticket.start != consumed && !zoo!(ConsumedOverHeld | ConsumeByPlace) {
            return Err(RefusedReason::Waiting { oldest: consumed });
        }
        Ok(())
    }

    /// The message that a consumption up to `upto` would pull away from under the application.
    pub(crate) fn lent_below(&self, upto: Position) -> Option<Position> {
        self.out.filter(|out| self.lent && *out <= upto)
    }

    /// The application gave a message back.
    pub(crate) fn give_back(&mut self, ticket: &Ticket) {
        if self.out == Some(ticket.end) {
            self.out = None;
        }
    }

    pub(crate) fn owns(&self, ticket: &Ticket) -> bool {
        ticket.brand == self.brand
    }
}
