//! A link as the application sees it.

use std::time::Instant;

use tcpshm_protocol::{
    Batch, CloseReason, Committed, Delivered, Held, Kind, Name, Received, Refused, RefusedReason, SendError,
    Session, SessionId, Slot, Undelivered,
};
use tcpshm_shm::Mapped;

use crate::connection::Connection;

/// One link: what its application may do with it, whichever carrier it has, and whether it has one at
/// the moment or not. What is committed without a connection goes out on the next one.
///
/// Bytes are written to the connection when the handler that was given the link returns, or when a
/// link that the host asked for is dropped: replies to one event leave together.
pub struct Link<'l> {
    session: &'l mut Session<Mapped>,
    /// Where to write when the host is done; a handler's link is written by the driver.
    outlet: Option<(&'l mut Connection, Instant)>,
}

impl<'l> Link<'l> {
    pub(crate) fn new(session: &'l mut Session<Mapped>) -> Self {
        Self { session, outlet: None }
    }

    pub(crate) fn for_host(
        session: &'l mut Session<Mapped>,
        connection: Option<&'l mut Connection>,
        now: Instant,
    ) -> Self {
        Self { session, outlet: connection.map(|connection| (connection, now)) }
    }

    /// Room for one message of `len` bytes in the link file; see [`Slot`].
    pub fn claim(&mut self, kind: Kind, len: usize) -> Result<Slot<'_, Mapped>, SendError> {
        self.session.claim(kind, len)
    }

    /// Commits one message. From here on it is kept until the peer has consumed it.
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError> {
        self.session.send(kind, payload)
    }

    /// Starts a batch: messages that become visible whole or not at all.
    pub fn batch(&mut self) -> Batch<'_, Mapped> {
        self.session.batch()
    }

    /// Consumes the oldest unconsumed message. Any other is handed back.
    pub fn consume<'r>(&mut self, received: Received<'r>) -> Result<Delivered, Refused<'r>> {
        self.session.consume(received)
    }

    /// Consumes every message up to and including the one that ends at `upto`, in one store; not while
    /// messages are held.
    pub fn consume_through(&mut self, upto: Delivered) -> Result<(), RefusedReason> {
        self.session.consume_through(upto)
    }

    /// Keeps a message for later; it stays unconsumed.
    pub fn hold<'r>(&mut self, received: Received<'r>) -> Result<Held, Refused<'r>> {
        self.session.hold(received)
    }

    /// Turns a held message back into one that can be consumed.
    pub fn redeem(&mut self, held: Held) -> Result<Received<'static>, (Held, RefusedReason)> {
        self.session.redeem(held)
    }

    /// Ends the connection, not the session. Returns what the peer is not known to have consumed; it
    /// is kept, and goes out on the next connection.
    pub fn close(&mut self) -> Undelivered {
        self.session.close(CloseReason::Application)
    }

    /// The other side's name.
    pub fn peer(&self) -> &Name {
        self.session.peer()
    }

    /// The session, which a reset replaces by another.
    pub fn session(&self) -> SessionId {
        self.session.id()
    }

    /// Whether a connection carries the link now.
    pub fn is_connected(&self) -> bool {
        self.session.is_attached()
    }

    /// The end of the last committed message.
    pub fn committed(&self) -> Committed {
        self.session.committed()
    }

    /// The end of the last consumed message.
    pub fn consumed(&self) -> Delivered {
        self.session.consumed()
    }

    /// How many messages are held.
    pub fn held(&self) -> u64 {
        self.session.held()
    }

    /// Bytes that messages can still take; each takes its payload and 16 bytes, rounded up to 8.
    pub fn space(&self) -> u64 {
        self.session.space()
    }

    /// What the peer is not known to have consumed. Counts messages: not for every one of them.
    pub fn undelivered(&self) -> Undelivered {
        self.session.undelivered()
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        if let Some((connection, now)) = &mut self.outlet {
            connection.flush_later_if_broken(*now, self.session);
        }
    }
}
