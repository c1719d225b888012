//! What one side really did in a session, kept where no crash reaches.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tcpshm_protocol::Session;

use crate::violation::{Invariant, ensure, violate};
use crate::world::journal::Journal;
use crate::world::message::Message;

/// A message with the position where it ends.
pub type Placed = (u64, Message);

/// The messages one side committed and the ones it consumed.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// What it sent.
    pub committed: Vec<Placed>,
    /// What it received and consumed, in the order in which it did.
    pub consumed: Vec<Placed>,
    /// Where its stream started, and where the peer's did.
    pub base: [u64; 2],
    /// What it is about to do. Killed meanwhile, it did all of it or nothing.
    pub intent: Option<Intent>,
}

/// An operation under way.
#[derive(Clone, Debug, Default)]
pub struct Intent {
    /// What it commits.
    pub committed: Vec<Placed>,
    /// What it consumes.
    pub consumed: Vec<Placed>,
}

impl Truth {
    /// Where the last committed and the last consumed message end.
    pub fn ends(&self) -> [u64; 2] {
        let last = |list: &[Placed], base| list.last().map_or(base, |(end, _)| *end);
        [last(&self.committed, self.base[0]), last(&self.consumed, self.base[1])]
    }

    /// The same, when what is under way is done.
    pub fn ends_after(&self) -> [u64; 2] {
        let [committed, consumed] = self.ends();
        let Some(intent) = &self.intent else { return [committed, consumed] };
        let last = |list: &[Placed], now| list.last().map_or(now, |(end, _)| *end);
        [last(&intent.committed, committed), last(&intent.consumed, consumed)]
    }

    /// The messages it committed or is about to, from `number` on.
    pub fn committed_from(&self, number: usize) -> impl Iterator<Item = &Placed> {
        let intent = self.intent.as_ref().map_or(&[][..], |intent| &intent.committed);
        let known = self.committed.get(number..).unwrap_or_default();
        let beyond = number.saturating_sub(self.committed.len()).min(intent.len());
        known.iter().chain(&intent[beyond..])
    }

    /// How many of the messages it committed end at or before `position`.
    pub fn committed_below(&self, position: u64) -> usize {
        self.committed.partition_point(|(end, _)| *end <= position)
    }

    /// Where the first `number` messages that it committed end.
    pub fn end(&self, number: usize) -> u64 {
        number.checked_sub(1).map_or(self.base[0], |last| self.committed[last].0)
    }

    /// What was under way is done.
    pub(crate) fn finish(&mut self) {
        if let Some(Intent { committed, consumed }) = self.intent.take() {
            self.committed.extend(committed);
            self.consumed.extend(consumed);
        }
    }

    /// The owner was killed, perhaps in the middle of an operation, and this is what it finds again.
    pub(crate) fn reconcile(&mut self, session: &Session<Journal>) {
        let found = [session.committed().position().get(), session.consumed().position().get()];
        let (before, after) = (self.ends(), self.ends_after());
        if found == after {
            self.finish();
        } else if found == before {
            self.intent = None;
        } else {
            violate(Invariant::CrashAtomic, format!("found {found:?}, before {before:?}, after {after:?}"));
        }
    }

    /// The session stands exactly where the last committed and the last consumed message end.
    pub(crate) fn check_ends(&self, session: &Session<Journal>) {
        let found = [session.committed().position().get(), session.consumed().position().get()];
        let [committed, consumed] = self.ends();
        ensure(found[0] == committed, Invariant::NothingLost, || {
            format!("the session's stream ends at {}, and {committed} was committed", found[0])
        });
        ensure(found[1] == consumed, Invariant::ExactlyOnce, || {
            format!("the session has consumed up to {}, and the application up to {consumed}", found[1])
        });
    }
}

/// What one side did in all its sessions. A handle: clones are the same history.
#[derive(Clone, Debug, Default)]
pub struct History(Rc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    truths: RefCell<BTreeMap<u128, Truth>>,
    /// How often its past was exchanged for another.
    past: Cell<u32>,
}

impl History {
    /// All of it, as it is now.
    pub fn copy(&self) -> BTreeMap<u128, Truth> {
        self.0.truths.borrow().clone()
    }

    /// Another past takes its place, with the files that go with it.
    pub fn replace(&self, truths: BTreeMap<u128, Truth>) {
        *self.0.truths.borrow_mut() = truths;
        self.0.past.set(self.0.past.get() + 1);
    }

    /// Which past this is.
    pub fn past(&self) -> u32 {
        self.0.past.get()
    }

    /// Looks at what it did in `session`.
    pub fn read<R>(&self, session: u128, look: impl FnOnce(&Truth) -> R) -> Option<R> {
        self.0.truths.borrow().get(&session).map(look)
    }

    /// Writes down what it does in `session`.
    pub fn change<R>(&self, session: u128, change: impl FnOnce(&mut Truth) -> R) -> R {
        change(self.0.truths.borrow_mut().entry(session).or_default())
    }

    /// How many messages it consumed in all its sessions.
    pub fn consumed(&self) -> usize {
        self.0.truths.borrow().values().map(|truth| truth.consumed.len()).sum()
    }
}

/// What one side consumed is, from the first on and without a gap, what the other committed.
#[track_caller]
pub(crate) fn exactly_once_in_order(receiver: &Truth, sender: &Truth) {
    let mut sent = sender.committed_from(0);
    for (number, found) in receiver.consumed.iter().enumerate() {
        let sent = sent.next();
        ensure(Some(found) == sent, Invariant::ExactlyOnce, || {
            format!("message {number}: consumed {found:?}, committed {sent:?}")
        });
    }
}
