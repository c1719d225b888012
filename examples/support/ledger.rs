//! The client's own account of what it sent and what came back.

use std::collections::BTreeSet;
use std::fmt;

use tcpshm_driver::{Carrier, Position, SessionId};

use crate::entry::{Answers, Entry, Intent, Place};
use crate::message::Messages;

/// What was committed and what was answered, over all runs of the client.
///
/// Numbers go up from 1 and are committed in order. `entry.done <= sent`, and what lies between is in
/// flight. The entry is to be written down after [`Ledger::intend`] and before the first of those commits,
/// and after [`Ledger::answer`] and before those answers are consumed, in one store; then a process that is
/// killed anywhere leaves one open question each, and both have an answer:
///
/// * which of the commits happened? Where each would end follows from the numbers, and the end of the
///   stream, as the link has it, must be one of those places: [`Ledger::settle`];
/// * were the answers consumed? If not they come again, first of all, every one, at the same places.
#[derive(Debug)]
pub struct Ledger {
    entry: Entry,
    messages: Messages,
    /// The last committed number.
    sent: u64,
    /// Where the stream ends after that, while an intent is carried out.
    end: Position,
    /// The session the link is in, once it was asked which of the intended commits happened.
    settled: Option<SessionId>,
    /// Numbers counted as lost that may still come late. Forgotten with the process: a later answer to
    /// one is then a duplicate, which is no better.
    missing: BTreeSet<u64>,
    /// Answers of an earlier run that may not have been consumed.
    again: Option<Repeat>,
    /// The last answers were consumed: the next one begins a group of its own.
    consumed: bool,
}

/// Answers that come once more, in order and without a gap.
#[derive(Clone, Copy, Debug)]
struct Repeat {
    answers: Answers,
    /// How many of them are still to come. All: whether they come at all is not known.
    left: u64,
}

impl Ledger {
    /// Goes on from what was written down.
    pub fn new(entry: Entry, messages: Messages) -> Self {
        let before = entry.intent.map_or(0, |intent| intent.first - 1);
        // What was answered was committed.
        let sent = before.max(entry.done);
        let again = entry.answers.map(|answers| Repeat { answers, left: answers.count });
        Self {
            entry,
            messages,
            sent,
            end: Position::ZERO,
            settled: None,
            missing: BTreeSet::new(),
            again,
            consumed: true,
        }
    }

    /// The link is connected.
    pub fn connected(&mut self, carrier: Carrier) {
        self.entry.connections.count(carrier);
    }

    // ---- sending ----

    /// The link is in `session`, and its stream ends at `committed`. Finds out, once in a run, which of the
    /// last intended commits happened. If they happened in another session, which was reset meanwhile,
    /// what is in flight is lost.
    pub fn settle(&mut self, committed: Place) -> Result<(), Contradiction> {
        if self.settled == Some(committed.session) {
            return Ok(());
        }
        match self.entry.intent {
            Some(intent) if intent.session != committed.session => self.give_up(),
            Some(intent) => {
                let happened = self.ends(intent).find(|(_, end)| *end == committed.position);
                match happened {
                    // What was answered cannot be uncommitted.
                    Some((number, _)) if number >= self.sent => self.sent = number,
                    _ => return Err(Contradiction { intent, committed: committed.position }),
                }
            }
            None => {}
        }
        self.settled = Some(committed.session);
        Ok(())
    }

    /// The session `ended`, and everything in it that was not answered is lost. Its stream ended at
    /// `upto`, if that is known.
    pub fn reset(&mut self, ended: SessionId, upto: Option<Position>) {
        let intent = self.entry.intent.filter(|intent| intent.session == ended);
        if let (Some(intent), Some(upto)) = (intent, upto) {
            let happened = self.ends(intent).take_while(|(_, end)| *end <= upto).last();
            self.sent = self.sent.max(happened.map_or(0, |(number, _)| number));
        }
        self.give_up();
        self.settled = None;
    }

    /// The next number to send.
    pub fn next(&self) -> u64 {
        self.sent + 1
    }

    /// The next `count` numbers, at least one, are about to be committed, from a place on.
    pub fn intend(&mut self, committed: Place, count: u64) {
        let Place { session, position: from } = committed;
        self.end = from;
        self.entry.intent = Some(Intent { first: self.next(), last: self.sent + count, from, session });
    }

    /// The next of them was committed.
    pub fn committed(&mut self, committed: Place) -> Result<(), Contradiction> {
        let intent = self.entry.intent.expect("a commit is intended first");
        let end = self.messages.end(self.next(), self.end);
        if committed.position != end || self.sent == intent.last {
            return Err(Contradiction { intent, committed: committed.position });
        }
        (self.sent, self.end) = (self.sent + 1, end);
        Ok(())
    }

    /// Where the stream may end because of an intent, and the last number committed then.
    fn ends(&self, intent: Intent) -> impl Iterator<Item = (u64, Position)> {
        let messages = self.messages;
        let before = (intent.first - 1, intent.from);
        let after = (intent.first..=intent.last).scan(intent.from, move |end, number| {
            *end = messages.end(number, *end);
            Some((number, *end))
        });
        std::iter::once(before).chain(after)
    }

    fn give_up(&mut self) {
        self.entry.lost += self.in_flight();
        self.entry.done = self.sent;
        // They cannot come any more.
        self.missing.clear();
    }

    // ---- receiving ----

    /// Judges an answer, before it is consumed.
    pub fn answer(&mut self, number: u64, place: Place) -> Answer {
        let again = self.comes_again(place).is_some_and(|left| number + left == self.entry.done + 1);
        self.note(place);
        if again {
            return Answer::Again;
        }
        // From here on nothing can.
        self.again = None;
        let answer = self.judge(number);
        match answer {
            Answer::Due => self.entry.received += 1,
            Answer::Early { passed } => {
                self.missing.extend(self.entry.done + 1..number);
                self.entry.lost += passed;
                self.entry.received += 1;
            }
            Answer::Late => {
                self.missing.remove(&number);
                self.entry.lost -= 1;
                self.entry.reordered += 1;
                self.entry.received += 1;
            }
            Answer::Duplicate => self.entry.duplicated += 1,
            Answer::NeverSent => self.entry.damaged += 1,
            Answer::Again => {}
        }
        if matches!(answer, Answer::Due | Answer::Early { .. }) {
            self.entry.done = number;
        }
        answer
    }

    fn judge(&self, number: u64) -> Answer {
        if number == 0 || number > self.sent {
            Answer::NeverSent
        } else if self.missing.contains(&number) {
            Answer::Late
        } else if number <= self.entry.done {
            Answer::Duplicate
        } else if number == self.entry.done + 1 {
            Answer::Due
        } else {
            Answer::Early { passed: number - self.entry.done - 1 }
        }
    }

    /// An answer came whose content is wrong, so that its number says nothing.
    pub fn damaged(&mut self, place: Place) {
        self.comes_again(place);
        self.note(place);
        self.entry.damaged += 1;
    }

    /// All answers up to here were consumed.
    pub fn consumed(&mut self) {
        self.consumed = true;
    }

    /// Whether the answer at `place` is one of an earlier run that was not consumed; if so, how many were
    /// still to come before it.
    fn comes_again(&mut self, place: Place) -> Option<u64> {
        let Repeat { answers, left } = self.again.take()?;
        let Answers { count, first, last, session } = answers;
        let begins = left < count || place.position == first;
        let ends = (left == 1) == (place.position == last);
        if place.session != session || !begins || !ends {
            return None;
        }
        self.again = Some(Repeat { answers, left: left - 1 }).filter(|again| again.left > 0);
        Some(left)
    }

    /// One more answer is about to be consumed.
    fn note(&mut self, Place { session, position: last }: Place) {
        let begins = std::mem::take(&mut self.consumed);
        let group = self.entry.answers.filter(|group| !begins && group.session == session);
        self.entry.answers = Some(match group {
            Some(group) => Answers { count: group.count + 1, last, ..group },
            None => Answers { count: 1, first: last, last, session },
        });
    }

    // ---- the account ----

    /// Messages that were committed and not answered.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.entry.done
    }

    /// Whether `count` messages were committed, none is in flight, and none may be without our knowing.
    pub fn is_complete(&self, count: u64) -> bool {
        let in_question = self.settled.is_none() && self.entry.intent.is_some_and(|i| i.last > self.sent);
        self.sent >= count && self.in_flight() == 0 && !in_question
    }

    /// What to write down.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The counts over all runs.
    pub fn counts(&self) -> Counts {
        let Entry { received, lost, duplicated, reordered, damaged, .. } = self.entry;
        Counts { sent: self.sent, received, lost, duplicated, reordered, damaged }
    }
}

/// What an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The one that was due.
    Due,
    /// One of the last ones of an earlier run, which had not consumed them.
    Again,
    /// One that passed over others.
    Early {
        /// How many.
        passed: u64,
    },
    /// One that had been passed over.
    Late,
    /// One that had been answered, or given up.
    Duplicate,
    /// One to a number that was never sent.
    NeverSent,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Due => f.write_str("was due"),
            Answer::Again => f.write_str("comes again after a restart"),
            Answer::Early { passed } => write!(f, "comes before that to {passed} earlier messages"),
            Answer::Late => f.write_str("comes after that to a later message"),
            Answer::Duplicate => f.write_str("had come before"),
            Answer::NeverSent => f.write_str("is one to nothing that was sent"),
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Numbers that were committed.
    pub sent: u64,
    /// Numbers that were answered.
    pub received: u64,
    /// Numbers that were passed over or given up.
    pub lost: u64,
    /// Answers too many.
    pub duplicated: u64,
    /// Answers too late.
    pub reordered: u64,
    /// Answers that are not what was sent. Not in the line of counts, but a deviation too.
    pub damaged: u64,
}

impl Counts {
    /// Whether `count` numbers or more were each answered once, in order, with what was sent.
    pub fn are_flawless(&self, count: u64) -> bool {
        let Self { sent, received, lost, duplicated, reordered, damaged } = *self;
        sent >= count && received == sent && [lost, duplicated, reordered, damaged] == [0; 4]
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, received, lost, duplicated, reordered, .. } = self;
        write!(f, "sent={sent} received={received} lost={lost} duplicated={duplicated} reordered={reordered}")
    }
}

/// The link says something else of what was committed than the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the link's stream ends at position {committed}, where none of the messages {} to {} ends that were to start at {}",
    intent.first, intent.last, intent.from
)]
pub struct Contradiction {
    /// The commits that were written down.
    pub intent: Intent,
    /// Where the stream ends.
    pub committed: Position,
}

#[cfg(test)]
mod tests;
