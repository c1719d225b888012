//! What one side really did in a session, kept where no crash reaches.

use tcpshm_protocol::Session;

use crate::violation::{Invariant, ensure};
use crate::world::journal::Journal;
use crate::world::message::Message;

/// The messages one side committed and the ones it consumed, each with the position where it ends.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// What it sent.
    pub committed: Vec<(u64, Message)>,
    /// What it received and consumed, in the order in which it did.
    pub consumed: Vec<(u64, Message)>,
    /// How many messages the last commit made.
    pub last_commit: usize,
}

impl Truth {
    /// It committed messages, each with its end, as one.
    pub(crate) fn commit(&mut self, messages: impl IntoIterator<Item = (u64, Message)>) {
        let before = self.committed.len();
        self.committed.extend(messages);
        self.last_commit = self.committed.len() - before;
    }

    /// The owner was killed, perhaps in the middle of an operation, and this is what it finds again.
    /// `uncertain`: whether the last thing that it did may not have happened.
    pub(crate) fn reconcile(&mut self, session: &Session<Journal>, uncertain: bool) {
        let committed = session.committed().position().get();
        let consumed = session.consumed().position().get();
        let lost = |list: &mut Vec<(u64, Message)>, found: u64| {
            let before = list.len();
            list.retain(|(end, _)| *end <= found);
            before - list.len()
        };
        let lost = (lost(&mut self.committed, committed), lost(&mut self.consumed, consumed));
        // A commit is there whole or not at all.
        let whole = lost.0 == 0 || uncertain && lost.0 == self.last_commit;
        ensure(whole && lost.1 <= usize::from(uncertain), Invariant::CrashAtomic, || {
            format!("lost {lost:?} committed and consumed messages")
        });
        self.check_ends(session);
    }

    /// The session stands exactly where the last committed and the last consumed message end.
    pub(crate) fn check_ends(&self, session: &Session<Journal>) {
        let last = |list: &[(u64, Message)]| list.last().map(|(end, _)| *end);
        let (committed, consumed) = (session.committed().position(), session.consumed().position());
        ensure(
            last(&self.committed).is_none_or(|end| end == committed.get()),
            Invariant::NothingLost,
            || format!("committed up to {committed}"),
        );
        ensure(last(&self.consumed).is_none_or(|end| end == consumed.get()), Invariant::ExactlyOnce, || {
            format!("consumed up to {consumed}")
        });
    }
}

/// What one side consumed is, from the first on and without a gap, what the other committed.
#[track_caller]
pub(crate) fn exactly_once_in_order(receiver: &Truth, sender: &Truth) {
    let consumed = &receiver.consumed;
    let committed = &sender.committed;
    let once = Invariant::ExactlyOnce;
    ensure(consumed.len() <= committed.len(), once, || {
        format!("{} consumed of {}", consumed.len(), committed.len())
    });
    for (number, (found, sent)) in consumed.iter().zip(committed).enumerate() {
        ensure(found == sent, once, || format!("message {number}: {found:?} instead of {sent:?}"));
    }
}
