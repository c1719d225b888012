//! A claimed place for one message.

use std::ops::{Deref, DerefMut};

use crate::frame::FrameHeader;
use crate::id::Kind;
use crate::position::{Committed, Position};
use crate::queue::{Queue, SendError, Zeroed};
use crate::received::{Lending, Received, Refused};
use crate::storage::Storage;

/// Room for one message in the link file: write the payload, then commit. Dropping it abandons the
/// claim and leaves no trace.
///
/// The bytes are what an earlier lap left there; write all of them. A slot borrows its session, so
/// nothing can happen to the session between claim and commit.
///
/// ```compile_fail
/// # use tcpshm_protocol::*;
/// fn poll_in_between(session: &mut Session<Memory>, now: std::time::Instant) {
///     let slot = session.claim(Kind::new(1).unwrap(), 8).unwrap();
///     session.handle_input(now, &mut &[0_u8; 16][..]).unwrap();
///     slot.commit();
/// }
/// ```
#[must_use = "a slot that is dropped sends nothing"]
#[derive(Debug)]
pub struct Slot<'s, S: Storage> {
    queue: &'s mut Queue<S>,
    lending: &'s mut Lending,
    header: FrameHeader,
    end: Position,
    ahead: Zeroed,
}

impl<'s, S: Storage> Slot<'s, S> {
    #[inline]
    pub(crate) fn claim(
        queue: &'s mut Queue<S>,
        lending: &'s mut Lending,
        kind: Kind,
        len: usize,
    ) -> Result<Self, SendError> {
        let (header, end) = queue.reserve(queue.tail(), kind, len)?;
        let ahead = queue.take_zeroed();
        Ok(Self { queue, lending, header, end, ahead })
    }

    /// Makes the message part of the stream: from here on it is kept until the peer has consumed it.
    #[inline]
    pub fn commit(self) -> Committed {
        let consumed = self.queue.consumed();
        self.publish(consumed)
    }

    /// Commits the message and consumes `request`, both in one store: whenever either is killed,
    /// afterwards both are true or neither.
    ///
    /// If `request` is not the oldest unconsumed message it is handed back, and the slot is abandoned.
    #[inline]
    pub fn commit_consuming<'r>(self, request: Received<'r>) -> Result<Committed, Refused<'r>> {
        if let Err(reason) = self.lending.check(&request.ticket, self.queue.consumed()) {
            return Err(Refused { received: request, reason });
        }
        self.lending.give_back(&request.ticket);
        if zoo!(ConsumeBeforeReply) {
            self.queue.consume_to(request.ticket.end);
        }
        Ok(self.publish(request.ticket.end))
    }

    #[inline]
    fn publish(self, consumed: Position) -> Committed {
        let start = self.queue.tail();
        self.queue.finish(start, consumed);
        self.queue.publish(self.header, self.end, consumed, self.ahead);
        Committed { session: self.queue.session, end: self.end }
    }
}

impl<S: Storage> Deref for Slot<'_, S> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.queue.payload(self.queue.tail(), self.header)
    }
}

impl<S: Storage> DerefMut for Slot<'_, S> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.queue.payload_mut(self.queue.tail(), self.header)
    }
}
