//! What of the client's account is written down.

use tcpshm_driver::{Committed, Delivered, Position, SessionId};

/// A place in one of the two streams of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which session.
    pub session: SessionId,
    /// Where in it.
    pub position: Position,
}

impl From<Committed> for Place {
    fn from(committed: Committed) -> Self {
        Self { session: committed.session(), position: committed.position() }
    }
}

impl From<Delivered> for Place {
    fn from(delivered: Delivered) -> Self {
        Self { session: delivered.session(), position: delivered.position() }
    }
}

/// A commit that is about to happen, written down before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The message's number.
    pub number: u64,
    /// Where the stream ends before it.
    pub from: Position,
    /// Where the stream ends with it.
    pub upto: Position,
    /// In which session.
    pub session: SessionId,
}

/// The part of a [`Ledger`](crate::ledger::Ledger) that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The last commit that was about to happen. Every number before it was committed.
    pub intent: Option<Intent>,
    /// The last answer that was about to be consumed.
    pub answer: Option<Place>,
    /// Up to and including this number every message was answered, or is counted as lost.
    pub done: u64,
    /// Numbers that were answered.
    pub received: u64,
    /// Numbers that were passed over by the answer to a later one, or given up by a reset.
    pub lost: u64,
    /// Answers to numbers that had been answered.
    pub duplicated: u64,
    /// Answers that came after the answer to a later number.
    pub reordered: u64,
    /// Answers that are not what was sent.
    pub damaged: u64,
}
