//! One direction of one session, as both of its ends wrote it down.

use std::collections::VecDeque;
use std::fmt;

use super::wrong;
use crate::kill::record::Record;
use crate::{Invariant, Violation};

/// What the sender committed and what took effect at the receiver.
///
/// The logs of the two are read at different times, so either account may be ahead of the other; what both
/// have told is compared and forgotten. `number >= received`, and `waiting` is empty, once both were read.
#[derive(Default)]
pub(super) struct Stream {
    /// The sender's last committed number, its hash, and where it ends.
    number: u64,
    hash: u64,
    end: u64,
    /// What it was about to commit.
    open: Option<Record>,
    /// Commits whose effects were not told yet.
    sent: VecDeque<Record>,

    /// The receiver's last number that took effect, and its hash.
    received: u64,
    last_hash: u64,
    /// Up to where it is known to have consumed.
    consumed: u64,
    /// Effects whose consumption is not known.
    group: VecDeque<Record>,
    /// How many of them the present life has had, for the first time or again.
    replayed: usize,
    /// Effects whose commits were not told yet.
    waiting: VecDeque<Record>,
}

impl fmt::Debug for Stream {
    /// The ends only: there may be thousands in between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, end, open, received, consumed, replayed, .. } = self;
        write!(f, "[sent to {number} @{end}, open {open:?}; taken to {received} @{consumed}, ")?;
        write!(f, "{} open effects, {replayed} of this life; ", self.group.len())?;
        write!(
            f,
            "{} commits without effect, {} effects without commit]",
            self.sent.len(),
            self.waiting.len()
        )
    }
}

/// What became of something that a killed process had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It had begun nothing.
    Nothing,
    /// It happened.
    Happened,
    /// It did not.
    DidNot,
}

/// Whether an effect is told for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// It is.
    First,
    /// It was told by a life that did not come to consume it.
    Again,
}

impl Stream {
    // ---- the sender ----

    /// Some messages are about to be committed.
    pub(super) fn intend(&mut self, intent: Record) -> Result<(), Violation> {
        if self.open.is_some() || intent.number != self.number + 1 || intent.previous != self.hash {
            return wrong(Invariant::CrashAtomic, format!("{intent:?} does not follow what {self:?} sent"));
        }
        if intent.start != self.end {
            let end = self.end;
            return wrong(
                Invariant::Monotonic,
                format!("{intent:?} starts where the stream, of {end}, is not"),
            );
        }
        self.open = Some(intent);
        Ok(())
    }

    /// They were committed, and end here.
    pub(super) fn committed(&mut self, end: u64) -> Result<Record, Violation> {
        match self.open.take() {
            Some(intent) if intent.end == end => {
                self.close(intent)?;
                Ok(intent)
            }
            open => wrong(Invariant::CrashAtomic, format!("{open:?} was committed up to {end}")),
        }
    }

    /// The sender's next life finds its stream ending here.
    pub(super) fn found(&mut self, end: u64) -> Result<(Fate, Option<Record>), Violation> {
        match self.open.take() {
            None if end == self.end => Ok((Fate::Nothing, None)),
            Some(intent) if end == intent.end => {
                self.close(intent)?;
                Ok((Fate::Happened, Some(intent)))
            }
            Some(intent) if end == intent.start => Ok((Fate::DidNot, Some(intent))),
            open => {
                let text = format!("a stream ends at {end} after a kill, which is neither before nor after");
                wrong(Invariant::CrashAtomic, format!("{text} {open:?} of {self:?}"))
            }
        }
    }

    fn close(&mut self, intent: Record) -> Result<(), Violation> {
        (self.number, self.hash, self.end) = (intent.last(), intent.hash, intent.end);
        self.sent.push_back(intent);
        self.compare()
    }

    // ---- the receiver ----

    /// A message takes effect.
    pub(super) fn effect(&mut self, effect: Record) -> Result<Telling, Violation> {
        if let Some(told) = self.group.get(self.replayed) {
            if *told != effect {
                let text = format!("{effect:?} came in place of {told:?}, which was not consumed");
                return wrong(Invariant::ExactlyOnce, text);
            }
            self.replayed += 1;
            return Ok(Telling::Again);
        }
        if effect.number != self.received + 1 || effect.previous != self.last_hash {
            let (number, hash) = (self.received, self.last_hash);
            let text = format!("{effect:?} took effect after number {number} with hash {hash:#x}");
            return wrong(Invariant::ExactlyOnce, text);
        }
        (self.received, self.last_hash) = (effect.number, effect.hash);
        self.group.push_back(effect);
        self.replayed += 1;
        self.waiting.push_back(effect);
        self.compare()?;
        Ok(Telling::First)
    }

    /// The effects of this life that are not consumed.
    pub(super) fn effects(&self) -> impl Iterator<Item = &Record> {
        self.group.iter().take(self.replayed)
    }

    /// The effects so far are consumed, up to here.
    pub(super) fn consumed(&mut self, end: u64) -> Result<(), Violation> {
        if self.effects().last().is_none_or(|last| last.end != end) {
            return wrong(Invariant::CrashAtomic, format!("consumed up to {end} in {self:?}"));
        }
        self.group.drain(..self.replayed);
        (self.consumed, self.replayed) = (end, 0);
        Ok(())
    }

    /// The receiver's next life finds that it has consumed up to here.
    pub(super) fn found_consumed(&mut self, end: u64) -> Result<Fate, Violation> {
        let fate = match self.effects().last() {
            None => Fate::Nothing,
            Some(last) if last.end == end => Fate::Happened,
            Some(_) => Fate::DidNot,
        };
        if fate == Fate::Happened {
            self.consumed(end)?;
        } else if self.consumed != end {
            let text = format!("consumed up to {end} after a kill, neither before nor after the effects");
            return wrong(Invariant::CrashAtomic, format!("{text} in {self:?}"));
        }
        self.replayed = 0;
        Ok(fate)
    }

    // ---- both ----

    /// Compares what both have told by now.
    fn compare(&mut self) -> Result<(), Violation> {
        while let (Some(commit), Some(effect)) = (self.sent.front(), self.waiting.front()) {
            let last = effect.number == commit.last();
            let fits = if last {
                effect.hash == commit.hash && effect.end == commit.end
            } else {
                effect.number >= commit.number && effect.number < commit.last()
            };
            if !fits {
                let text = format!("{effect:?} took effect where {commit:?} was committed");
                return wrong(Invariant::ExactlyOnce, text);
            }
            if last {
                self.sent.pop_front();
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Messages that were committed and did not take effect.
    pub(super) fn outstanding(&self) -> u64 {
        self.number.saturating_sub(self.received)
    }

    /// Whether everything that was committed took effect, once, and was consumed.
    pub(super) fn is_settled(&self) -> bool {
        self.open.is_none() && self.sent.is_empty() && self.waiting.is_empty() && self.group.is_empty()
    }

    /// When all that there is was read: nothing may have taken effect that nobody committed.
    pub(super) fn conclude(&self) -> Result<(), Violation> {
        let possible = |effect: &Record| self.open.is_some_and(|open| effect.number <= open.last());
        match self.waiting.iter().find(|effect| !possible(effect)) {
            None => Ok(()),
            Some(effect) => wrong(Invariant::ExactlyOnce, format!("{effect:?} was never committed")),
        }
    }
}
