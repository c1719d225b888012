//! Where something stands in a stream of frames.

use std::fmt;

use crate::id::{Role, SessionId};

/// Bytes of frames since the session began: sequence number, acknowledgement, ring cursor and file
/// cursor at once. A multiple of 8; never wraps and never rebases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// The start of a session's stream.
    pub const ZERO: Position = Position(0);

    /// The position `bytes` bytes into the stream, or `None` where no frame can start or end there
    /// because it is not a multiple of 8.
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes.is_multiple_of(8) { Some(Self(bytes)) } else { None }
    }

    /// Bytes since the session began.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position `size` bytes further on, or `None` past the last representable position.
    /// `size` is a padded frame size, so a multiple of 8.
    pub(crate) fn checked_add(self, size: u64) -> Option<Self> {
        debug_assert!(size.is_multiple_of(8));
        self.0.checked_add(size).map(Self)
    }

    /// The position `size` bytes further on, or the last one there is.
    pub(crate) fn saturating_add(self, size: u64) -> Self {
        debug_assert!(size.is_multiple_of(8));
        Self(self.0.saturating_add(size) & !7)
    }

    /// Bytes from `earlier` to here; 0 if `earlier` is in fact later.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The end of a frame that this side committed, in the session it was committed to.
///
/// It carries its session, so that one kept from before a reset cannot be mistaken for a place in the
/// stream that came after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Committed {
    pub(crate) session: SessionId,
    pub(crate) end: Position,
}

impl Committed {
    /// The session whose stream this is a place in.
    pub fn session(self) -> SessionId {
        self.session
    }

    /// Where the frame ends in this side's stream.
    pub fn position(self) -> Position {
        self.end
    }
}

/// The end of a message that the peer sent and this side was given, in the session it came with.
///
/// It carries the side it was given to as well: a process may hold both ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delivered {
    pub(crate) session: SessionId,
    pub(crate) to: Role,
    pub(crate) end: Position,
}

impl Delivered {
    /// The session whose stream this is a place in.
    pub fn session(self) -> SessionId {
        self.session
    }

    /// Where the message ends in the peer's stream.
    pub fn position(self) -> Position {
        self.end
    }
}

/// The three numbers that say how far a side has come; exchanged at every login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How much of its own stream it knows the peer to have consumed.
    pub acked: Position,
    /// How much of its own stream it may have handed to a carrier: the bound for what a peer can have
    /// consumed.
    pub sent: Position,
    /// How much of the peer's stream it has consumed.
    pub consumed: Position,
}

impl Standing {
    /// Where both sides of a fresh session stand.
    pub const START: Standing =
        Standing { acked: Position::ZERO, sent: Position::ZERO, consumed: Position::ZERO };

    /// Whether two sides can be the two ends of one history: each has consumed at least what the other
    /// knows of, and at most what the other can have sent.
    pub fn agrees_with(&self, other: &Standing) -> bool {
        self.acked <= other.consumed
            && other.consumed <= self.sent
            && other.acked <= self.consumed
            && self.consumed <= other.sent
    }
}

/// A stretch of one side's stream that is not known to have been consumed by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// How many messages it holds.
    pub messages: u64,
    /// Where the first of them starts.
    pub from: Position,
    /// Where the last of them ends.
    pub upto: Position,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.messages == 1 { "" } else { "s" };
        write!(f, "{} undelivered message{plural} (positions {} to {})", self.messages, self.from, self.upto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: u64) -> Position {
        Position::new(bytes).unwrap()
    }

    #[test]
    fn what_is_undelivered_is_said_with_its_number_and_place() {
        let said = |messages| Undelivered { messages, from: at(8), upto: at(64) }.to_string();
        assert_eq!(said(1), "1 undelivered message (positions 8 to 64)");
        assert_eq!(said(2), "2 undelivered messages (positions 8 to 64)");
    }

    #[test]
    fn a_position_is_a_multiple_of_eight() {
        assert_eq!(Position::new(7), None);
        assert_eq!(Position::new(u64::MAX), None);
        assert_eq!(at(u64::MAX - 7).get(), u64::MAX - 7);
    }

    #[test]
    fn positions_do_not_wrap_at_the_end_of_u64() {
        assert_eq!(at(u64::MAX - 15).checked_add(8), Some(at(u64::MAX - 7)));
        assert_eq!(at(u64::MAX - 7).checked_add(8), None);
        assert_eq!(at(8).since(at(16)), 0);
    }

    #[test]
    fn standings_agree_only_when_each_bound_holds() {
        let mine = Standing { acked: at(16), sent: at(64), consumed: at(32) };
        let yours = Standing { acked: at(24), sent: at(40), consumed: at(48) };
        assert!(mine.agrees_with(&yours) && yours.agrees_with(&mine));
        for off in [
            Standing { consumed: at(8), ..yours },
            Standing { consumed: at(72), ..yours },
            Standing { acked: at(40), ..yours },
            Standing { sent: at(24), ..yours },
        ] {
            assert!(!mine.agrees_with(&off), "{off:?}");
            assert!(!off.agrees_with(&mine), "{off:?}");
        }
    }
}
