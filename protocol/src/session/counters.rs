//! How a session stands, in numbers.

use std::time::Instant;

use super::Session;
use crate::login::Carrier;
use crate::position::Position;
use crate::storage::Storage;

/// What a session has done and has to do. Nothing is counted for it on the way of a message: positions count bytes,
/// and logins are seldom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Bytes of frames that were committed since the session began.
    pub committed: Position,
    /// How many of them the peer is known to have consumed.
    pub acked: Position,
    /// Bytes of the peer's frames that were consumed since the session began.
    pub consumed: Position,
    /// Up to where the peer's messages were delivered in this process: what lies between is unconsumed.
    pub delivered: Position,
    /// Bytes of the ring.
    pub capacity: u64,
    /// Bytes of frames that can still be committed.
    pub space: u64,
    /// Messages that are held.
    pub held: u64,
    /// Logins since the link file was opened.
    pub logins: u64,
    /// What carries the session now; `None` without a connection.
    pub carrier: Option<Carrier>,
    /// When the connection last gave a sign of life. Over shared memory that is a heartbeat, not a message.
    pub heard: Option<Instant>,
}

impl Counters {
    /// Bytes of frames that are not known to have been consumed.
    pub fn unacked(&self) -> u64 {
        self.committed.since(self.acked)
    }
}

impl<S: Storage> Session<S> {
    /// How it stands. Costs some loads of what this side has at hand, whatever there is in the ring.
    pub fn counters(&self) -> Counters {
        let attached = self.attached.as_ref();
        let carrier = |on_memory| if on_memory { Carrier::Shm } else { Carrier::Tcp };
        Counters {
            committed: self.queue.tail(),
            acked: self.queue.acked(),
            consumed: self.queue.consumed(),
            delivered: self.lending.delivered,
            capacity: self.header.outgoing.capacity(),
            space: self.queue.space(),
            held: self.lending.held,
            logins: self.logins,
            carrier: attached.map(|attached| carrier(attached.reader.is_some())),
            heard: attached.map(|attached| attached.heard()),
        }
    }
}
