//! What of the client's account is written down.

use tcpshm_driver::{Carrier, Committed, Delivered, Position, SessionId};

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

/// Commits that are about to happen, one after the other, written down before the first of them does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The number of the first message.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
    /// Where the stream ends before the first.
    pub from: Position,
    /// In which session.
    pub session: SessionId,
}

/// Answers that are about to be consumed, all in one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// How many.
    pub count: u64,
    /// Where the first of them ends.
    pub first: Position,
    /// Where the last of them ends.
    pub last: Position,
    /// In which session.
    pub session: SessionId,
}

/// How often the client was connected over which carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Over TCP.
    pub tcp: u64,
    /// Over shared memory.
    pub shm: u64,
}

impl Connections {
    /// There is one more.
    pub fn count(&mut self, carrier: Carrier) {
        match carrier {
            Carrier::Tcp => self.tcp += 1,
            Carrier::Shm => self.shm += 1,
        }
    }

    /// Whether there were any over `carrier`, and none over the other.
    pub fn are_all_over(self, carrier: Carrier) -> bool {
        match carrier {
            Carrier::Tcp => self.tcp > 0 && self.shm == 0,
            Carrier::Shm => self.shm > 0 && self.tcp == 0,
        }
    }
}

/// The part of a [`Ledger`](crate::ledger::Ledger) that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The last commits that were about to happen. Every number before them was committed.
    pub intent: Option<Intent>,
    /// The last answers that were about to be consumed.
    pub answers: Option<Answers>,
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
    /// What the client was connected over.
    pub connections: Connections,
}
