//! The owner's end of a mailbox: from there into the link file.

use tcpshm_protocol::{Committed, Kind, SendError};

use super::batch::Batch;
use super::bell::patiently;
use super::{Ended, Mailbox, NotAccepted, SendOutcome, Settled, State};
use crate::sync::{Arc, Thread};

/// A session that messages are committed to.
pub(crate) trait Sink {
    /// Whether a claim was refused as full, and there was no word of room since: then it is not this mailbox's turn.
    fn is_waiting_for_room(&self) -> bool;

    /// Bytes of the largest payload, once that is agreed.
    fn largest(&self) -> Option<u32>;

    /// Commits one message.
    fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError>;
}

/// What the owner of a link has of its mailbox. Dropping it ends the mailbox: whatever has no outcome then gets
/// one, also when its thread panics.
#[derive(Debug)]
pub(crate) struct Delivery {
    mailbox: Arc<Mailbox>,
    taken: Batch,
    /// Outcomes that no ticket was told yet.
    settled: Vec<Settled>,
    /// Whom to wake for them; empty but for a moment.
    woken: Vec<Thread>,
    /// Whether its loop is over, and may be kept waiting.
    is_last: bool,
    /// What its senders are told when it is dropped.
    pub(crate) end: Ended,
}

/// How things stand after a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Everything is in the link file. The bell tells of more.
    Empty,
    /// There may be more to do at once.
    More,
    /// What is left waits for the link: for room, or for its first login.
    Waiting,
}

impl Delivery {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        let (taken, settled, woken) = (Batch::default(), Vec::new(), Vec::new());
        Self { mailbox, taken, settled, woken, is_last: false, end: Ended::Dropped }
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Commits up to `budget` messages, in order.
    pub(crate) fn deliver(&mut self, sink: &mut impl Sink, budget: usize) -> Standing {
        let mut left = budget;
        loop {
            if !self.meet(sink.largest()) {
                return Standing::More;
            }
            if self.taken.is_empty() {
                return Standing::Empty;
            }
            if left == 0 {
                return if zoo!(MailForgottenAfterBudget) { Standing::Empty } else { Standing::More };
            }
            if !self.commit(sink, &mut left) {
                // What was committed is told before anybody goes to sleep.
                return if self.meet(sink.largest()) { Standing::Waiting } else { Standing::More };
            }
        }
    }

    /// Commits as much as there is room for, before the end.
    pub(crate) fn deliver_last(&mut self, sink: &mut impl Sink) {
        self.is_last = true;
        self.deliver(sink, self.mailbox.bounds.messages.max(1));
    }

    /// Nothing that waits can be committed, for this reason. What comes later may be.
    pub(crate) fn refuse_all(&mut self, reason: NotAccepted) -> Standing {
        if !self.meet(None) {
            return Standing::More;
        }
        if self.taken.is_empty() {
            return Standing::Empty;
        }
        while !self.taken.is_empty() {
            self.settle_front(SendOutcome::NotAccepted(reason));
        }
        // Senders may have filled it again meanwhile, and the loop has other things to do.
        Standing::More
    }

    /// Commits what was taken, as far as `left` goes. Returns whether the link would take more.
    fn commit(&mut self, sink: &mut impl Sink, left: &mut usize) -> bool {
        while let Some((letter, payload)) = self.taken.front().filter(|_| *left > 0) {
            if sink.is_waiting_for_room() {
                return false;
            }
            let outcome = match sink.send(letter.kind, payload) {
                Ok(committed) => SendOutcome::Committed(committed),
                Err(SendError::Full { .. } | SendError::NotEstablished) => return false,
                Err(refused) => SendOutcome::NotAccepted(NotAccepted::Refused(refused)),
            };
            self.settle_front(outcome);
            *left -= 1;
        }
        true
    }

    /// The oldest one that was taken has this outcome. Noted at once, so that it stays true whatever panics next.
    fn settle_front(&mut self, outcome: SendOutcome) {
        if let Some(letter) = self.taken.pop() {
            self.settled.push(Settled { slot: letter.slot, len: letter.len, outcome });
        }
    }

    /// Tells the outcomes, and takes what has come if nothing is left of what was taken before; if there is nothing
    /// either, the next sender has to ring. Returns `false` if a sender has the lock, and nothing was done.
    fn meet(&mut self, largest: Option<u32>) -> bool {
        let Self { mailbox, taken, settled, woken, is_last, .. } = self;
        let lock = if *is_last { Some(mailbox.lock()) } else { patiently(&mailbox.state) };
        let Some(mut state) = lock else {
            return false;
        };
        let has_room = state.waiting > 0 && !settled.is_empty();
        tell(&mut state, settled, woken);
        state.largest = largest.unwrap_or(state.largest);
        if taken.is_empty() {
            std::mem::swap(&mut state.incoming, taken);
            state.is_awaited = !taken.is_empty();
        }
        drop(state);
        if has_room {
            mailbox.room.notify_all();
        }
        woken.drain(..).for_each(|thread| thread.unpark());
        true
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let reason = SendOutcome::NotAccepted(NotAccepted::Ended(self.end));
        let mut state = self.mailbox.lock();
        state.ended = Some(self.end);
        // The bell's descriptor is closed with its last owner.
        state.owner = None;
        tell(&mut state, &mut self.settled, &mut self.woken);
        let mut incoming = std::mem::take(&mut state.incoming);
        for batch in [&mut self.taken, &mut incoming] {
            while let Some(letter) = batch.pop() {
                self.settled.push(Settled { slot: letter.slot, len: letter.len, outcome: reason });
            }
        }
        if !zoo!(TicketsForgottenAtEnd) {
            tell(&mut state, &mut self.settled, &mut self.woken);
        }
        drop(state);
        self.mailbox.room.notify_all();
        self.woken.drain(..).for_each(|thread| thread.unpark());
    }
}

fn tell(state: &mut State, settled: &mut Vec<Settled>, woken: &mut Vec<Thread>) {
    for settled in settled.drain(..) {
        woken.extend(state.settle(&settled));
    }
}
