//! Several messages that become visible together.

use crate::frame::FrameHeader;
use crate::id::Kind;
use crate::position::{Committed, Position};
use crate::queue::{Queue, SendError, Zeroed};
use crate::received::{Lending, Received, Refused};
use crate::storage::Storage;

/// Messages that are sent whole or not at all: to the peer and to recovery they appear in one store.
/// Dropping the batch abandons it.
///
/// Frames are laid out behind the tail as they are added. All but the first get their headers at once,
/// which shows nothing: the word at the tail stays 0 until [`Batch::commit`] stores it last, and
/// neither a reader nor recovery looks past a 0. What an abandoned batch leaves behind the tail is
/// overwritten, place by place, before it could be reached.
#[must_use = "a batch that is dropped sends nothing"]
#[derive(Debug)]
pub struct Batch<'s, S: Storage> {
    queue: &'s mut Queue<S>,
    lending: &'s mut Lending,
    first: Option<FrameHeader>,
    end: Position,
    consumed: Position,
    ahead: Zeroed,
}

impl<'s, S: Storage> Batch<'s, S> {
    pub(crate) fn new(queue: &'s mut Queue<S>, lending: &'s mut Lending) -> Self {
        let end = queue.tail();
        let consumed = queue.consumed();
        let ahead = queue.take_zeroed();
        Self { queue, lending, first: None, end, consumed, ahead }
    }

    /// Adds a message of `len` bytes, to be written into the slice that is returned. On an error the
    /// batch is as before.
    pub fn claim(&mut self, kind: Kind, len: usize) -> Result<&mut [u8], SendError> {
        let start = self.end;
        let (header, end) = self.queue.reserve(start, kind, len)?;
        if self.first.is_none() {
            self.first = Some(header);
        }
        if start > self.queue.tail() || zoo!(HeadersAscending) {
            self.queue.stage(start, header);
        }
        self.end = end;
        Ok(self.queue.payload_mut(start, header))
    }

    /// Adds a message with this payload. On an error the batch is as before.
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<(), SendError> {
        self.claim(kind, payload.len())?.copy_from_slice(payload);
        Ok(())
    }

    /// Makes the consumption of `received` part of the batch.
    ///
    /// Messages are consumed in order, as with [`Slot::commit_consuming`](crate::Slot::commit_consuming).
    /// If the batch is abandoned they stay unconsumed, as if they had been dropped.
    pub fn consume<'r>(&mut self, received: Received<'r>) -> Result<(), Refused<'r>> {
        if let Err(reason) = self.lending.check(&received.ticket, self.consumed) {
            return Err(Refused { received, reason });
        }
        self.consumed = received.ticket.end;
        self.lending.out = self.lending.out.filter(|_| !zoo!(DroppedBatchConsumes));
        Ok(())
    }

    /// Makes all of it part of the stream in one store. An empty batch only consumes.
    pub fn commit(self) -> Committed {
        let Self { queue, lending, first, end, consumed, ahead } = self;
        // Only now: what an abandoned batch was given is as good as dropped.
        lending.out = lending.out.filter(|out| *out > consumed);
        if let Some(first) = first {
            // Each frame tells the consumption of the whole batch: acks never decrease along a stream.
            let mut start = queue.tail();
            let mut header = first;
            while start < end {
                let older = zoo!(OlderAckInBatch) && start > queue.tail();
                queue.finish(start, if older { queue.consumed() } else { consumed });
                start = start.checked_add(header.size()).expect("within what was reserved");
                if start < end {
                    header = queue.header_at(start);
                }
            }
            queue.publish(first, end, consumed, ahead);
        } else {
            queue.give_back(ahead);
            queue.consume_to(consumed);
        }
        Committed { session: queue.session, end }
    }
}
