//! Where outcomes wait for whoever has the ticket.

use super::outcome::SendOutcome;
use crate::sync::Thread;

/// One place for each message without an outcome, and for each outcome whose ticket is still there. Places are
/// used again, so that a steady stream allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

/// Taken from [`Slots::open`] until it has an outcome and no ticket.
#[derive(Debug)]
struct Slot {
    outcome: Option<SendOutcome>,
    /// Who sleeps until there is one.
    waiter: Option<Thread>,
    has_ticket: bool,
}

impl Slots {
    /// A place with a ticket and without an outcome.
    pub(crate) fn open(&mut self) -> usize {
        let slot = Slot { outcome: None, waiter: None, has_ticket: true };
        match self.free.pop() {
            Some(index) => {
                self.slots[index] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        }
    }

    /// The outcome, once. Returns who waits for it.
    pub(crate) fn settle(&mut self, index: usize, outcome: SendOutcome) -> Option<Thread> {
        let slot = &mut self.slots[index];
        debug_assert!(slot.outcome.is_none(), "a second outcome");
        slot.outcome = Some(outcome);
        if !slot.has_ticket {
            self.free.push(index);
            return None;
        }
        slot.waiter.take()
    }

    pub(crate) fn outcome(&self, index: usize) -> Option<SendOutcome> {
        self.slots[index].outcome
    }

    /// Somebody sleeps until there is an outcome, or does not any more.
    pub(crate) fn set_waiter(&mut self, index: usize, waiter: Option<Thread>) {
        self.slots[index].waiter = waiter;
    }

    /// The ticket is gone; its message is not.
    pub(crate) fn release(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.has_ticket = false;
        slot.waiter = None;
        if slot.outcome.is_some() {
            self.free.push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Ended, NotAccepted};
    use super::*;

    #[test]
    fn a_place_is_used_again_when_it_has_an_outcome_and_no_ticket() {
        let ended = SendOutcome::NotAccepted(NotAccepted::Ended(Ended::Dropped));
        let mut slots = Slots::default();
        let [first, second] = [slots.open(), slots.open()];
        assert!(slots.settle(first, ended).is_none());
        assert_eq!((slots.outcome(first), slots.outcome(second)), (Some(ended), None));
        slots.release(second);
        assert_eq!(slots.open(), 2, "neither is free");
        slots.release(first);
        slots.settle(second, ended);
        assert_eq!([slots.open(), slots.open(), slots.open()], [second, first, 3]);
        assert_eq!(slots.outcome(first), None);
    }
}
