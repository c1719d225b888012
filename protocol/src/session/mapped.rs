//! A session on shared memory: messages are read where the peer wrote them.

use super::Session;
use super::carrier::{Attached, Closing, Event, ProtocolError};
use crate::inbound::InboundFault;
use crate::layout;
use crate::position::Position;
use crate::reader::Message;
use crate::storage::{Published, Storage};

impl<S: Storage> Session<S> {
    /// Takes the next message from `view`, the peer's link file, which [`prove`](crate::prove) has let pass for
    /// this login. `None` if none has come; then the time is used to prepare the next commit.
    ///
    /// It knows no time and costs a few loads. Like [`Session::handle_input`] it tells of room again after a
    /// claim was refused; to learn of it, the peer's progress is loaded at some of the calls while one waits.
    ///
    /// The bytes of the message are the peer's, who may write there once the consumption of the message is
    /// stored. That nothing is left to read them with is why a [`Received`](crate::Received) is given back to
    /// be consumed, and why [`Session::consume_through`] refuses while one is lent.
    // NB: always, and so is the reader's part: a message that is returned through memory costs some tens of
    // nanoseconds in a round trip of two hundred, see `benches/rtt.rs`.
    #[inline(always)]
    pub fn receive<'v, V: Published>(&mut self, view: &'v V) -> Result<Option<Event<'v>>, ProtocolError> {
        self.lending.lent = false;
        self.unpark();
        let on_memory =
            |attached: &&mut Attached| attached.reader.is_some() && attached.closing != Closing::Heard;
        let Some(attached) = self.attached.as_mut().filter(on_memory) else {
            return Ok(None);
        };
        if let Some(fault) = attached.fault {
            return Err(fault);
        }
        if attached.unproven && !self.ends_doubt(view) {
            return Ok(None);
        }
        if self.queue.is_wanted() && self.queue.is_time_to_look() {
            self.load_ack(view)?;
            if self.queue.take_roomy() {
                return Ok(Some(Event::Writable));
            }
        }
        let consumed = self.queue.consumed();
        let Some(reader) = self.attached.as_mut().and_then(|attached| attached.reader.as_mut()) else {
            return Ok(None);
        };
        match reader.take(view, consumed)? {
            Some(Message { start, end, kind, payload }) => {
                Ok(Some(Event::Message(self.lend(start, end, kind, payload))))
            }
            None => {
                self.queue.zero_ahead();
                Ok(None)
            }
        }
    }

    /// Whether a message of `len` bytes fits, as far as this side knows what the peer has consumed. Over
    /// shared memory [`Session::observe`] finds out more.
    #[inline]
    pub fn has_room(&self, len: usize) -> bool {
        self.queue.has_room(len)
    }

    /// Looks in the peer's link file how much the peer has consumed. What cannot be true is told by the next
    /// [`Session::receive`].
    pub fn observe<V: Published>(&mut self, view: &V) {
        let Some(attached) = self.attached.as_ref().filter(|attached| attached.reader.is_some()) else {
            return;
        };
        if attached.unproven && !self.ends_doubt(view) {
            return;
        }
        if let Err(fault) = self.load_ack(view)
            && let Some(attached) = &mut self.attached
        {
            attached.fault.get_or_insert(fault);
        }
    }

    /// Until the client's own file shows that it has this attachment, nothing of it counts: cut before,
    /// it would come back with the login before, and with what it had then.
    pub(super) fn ends_doubt<V: Published>(&mut self, view: &V) -> bool {
        let proven = self.is_of_this_login(view) || zoo!(PreviousClearedBeforeReady);
        if proven && let Some(attached) = &mut self.attached {
            attached.unproven = false;
            self.queue.end_doubt();
        }
        proven
    }

    /// Whether the file shows the attachment that this side has.
    fn is_of_this_login<V: Published>(&self, view: &V) -> bool {
        let current = self.queue.current().map(|current| current.get());
        Some(view.load(layout::CURRENT)) == current
    }

    /// The peer's `consumed` word is its acknowledgement. It pairs with the release of the peer's store: what
    /// the peer read of the frames that are freed here, it has read.
    ///
    /// The nonce is looked at behind it: what the peer consumes once it has shown its next Confirm, which
    /// tells less, must not be learned here, or the two would not fit. And so is the attachment: a client that shows
    /// two sessions has one nonce in the files of both, and the file of a session that was reset must free nothing of
    /// the next one.
    pub(super) fn load_ack<V: Published>(&mut self, view: &V) -> Result<(), ProtocolError> {
        let found = view.load(layout::CONSUMED);
        let reader = self.attached.as_ref().and_then(|attached| attached.reader.as_ref());
        let gone = reader.is_some_and(|reader| !reader.is_present(view)) && !zoo!(ConsumptionPastConfirm);
        if gone || !self.is_of_this_login(view) && !zoo!(OldFileFrees) {
            return Err(InboundFault::Left.into());
        }
        Position::new(found).ok_or(ProtocolError::Consumed { found })?;
        if let Some(position) = self.queue.check_ack(found)? {
            self.queue.acknowledge(position);
        }
        Ok(())
    }
}
