//! The client's own account of what it sent and what came back.

use std::collections::BTreeSet;
use std::fmt;

use tcpshm_driver::{Position, SessionId};

use crate::entry::{Entry, Intent, Place};

/// What was committed and what was answered, over all runs of the client.
///
/// Numbers go up from 1 and are committed in order. `entry.done <= sent`, and what lies between is in
/// flight. The entry is to be written down after [`Ledger::intend`] and before the commit, and after
/// [`Ledger::answer`] and before the answer is consumed; then a process that is killed anywhere leaves
/// one open question each, and both have an answer:
///
/// * did the commit happen? The end of the stream, as the link has it, says so: [`Ledger::settle`];
/// * was the answer consumed? If not it comes again, first of all and at the same place.
#[derive(Debug)]
pub struct Ledger {
    entry: Entry,
    /// The last committed number.
    sent: u64,
    /// The session the link is in, once it was asked whether the last intended commit happened.
    settled: Option<SessionId>,
    /// Numbers counted as lost that may still come late. Forgotten with the process: a later answer to
    /// one is then a duplicate, which is no better.
    missing: BTreeSet<u64>,
    /// No answer has come in this run, so the first may be the one that was not consumed.
    first: bool,
}

impl Ledger {
    /// Goes on from what was written down.
    pub fn new(entry: Entry) -> Self {
        let before = entry.intent.map_or(0, |intent| intent.number - 1);
        // What was answered was committed.
        let sent = before.max(entry.done);
        Self { entry, sent, settled: None, missing: BTreeSet::new(), first: true }
    }

    // ---- sending ----

    /// The link is in `session`, and its stream ends at `committed`. Finds out, once in a run, whether the
    /// last intended commit happened. If it happened in another session, which was reset meanwhile, what
    /// is in flight is lost.
    pub fn settle(&mut self, committed: Place) -> Result<(), Contradiction> {
        if self.settled == Some(committed.session) {
            return Ok(());
        }
        match self.entry.intent {
            Some(intent) if intent.session != committed.session => self.give_up(),
            Some(intent) => {
                if committed.position == intent.upto {
                    self.sent = intent.number;
                } else if committed.position != intent.from || self.sent == intent.number {
                    return Err(Contradiction { intent, committed: committed.position });
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
        if let Some(intent) = intent.filter(|intent| upto.is_some_and(|upto| upto >= intent.upto)) {
            self.sent = self.sent.max(intent.number);
        }
        self.give_up();
        self.settled = None;
    }

    /// The next number to send.
    pub fn next(&self) -> u64 {
        self.sent + 1
    }

    /// The next number is about to be committed, from one place to another.
    pub fn intend(&mut self, committed: Place, upto: Position) {
        let Place { session, position: from } = committed;
        self.entry.intent = Some(Intent { number: self.next(), from, upto, session });
    }

    /// It was committed.
    pub fn committed(&mut self, committed: Place) -> Result<(), Contradiction> {
        let intent = self.entry.intent.expect("a commit is intended first");
        if committed.position != intent.upto {
            return Err(Contradiction { intent, committed: committed.position });
        }
        self.sent = intent.number;
        Ok(())
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
        let again = std::mem::take(&mut self.first) && self.entry.answer == Some(place);
        if again {
            return Answer::Again;
        }
        self.entry.answer = Some(place);
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
        self.first = false;
        self.entry.answer = Some(place);
        self.entry.damaged += 1;
    }

    // ---- the account ----

    /// Messages that were committed and not answered.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.entry.done
    }

    /// Whether `count` messages were committed, none is in flight, and none may be without our knowing.
    pub fn is_complete(&self, count: u64) -> bool {
        let in_question = self.settled.is_none() && self.entry.intent.is_some_and(|i| i.number > self.sent);
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
    /// The last one of an earlier run, which had not consumed it.
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
    "the link's stream ends at position {committed}, but message {} was to end at {} and to start at {}",
    intent.number, intent.upto, intent.from
)]
pub struct Contradiction {
    /// The commit that was written down.
    pub intent: Intent,
    /// Where the stream ends.
    pub committed: Position,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(session: u128, position: u64) -> Place {
        Place { session: SessionId::new(session).unwrap(), position: Position::new(position).unwrap() }
    }

    /// Message n ends at 32 n, and so does its answer.
    fn send(ledger: &mut Ledger, session: u128) {
        let from = (ledger.next() - 1) * 32;
        ledger.intend(at(session, from), at(session, from + 32).position);
        ledger.committed(at(session, from + 32)).unwrap();
    }

    fn sent(count: u64) -> Ledger {
        let mut ledger = Ledger::new(Entry::default());
        ledger.settle(at(1, 0)).unwrap();
        (0..count).for_each(|_| send(&mut ledger, 1));
        ledger
    }

    fn answer(ledger: &mut Ledger, number: u64) -> Answer {
        ledger.answer(number, at(1, number * 32))
    }

    fn restarted(ledger: &Ledger) -> Ledger {
        Ledger::new(ledger.entry().clone())
    }

    #[test]
    fn messages_that_are_answered_once_and_in_order_are_flawless() {
        let mut ledger = sent(3);
        assert!((1..=3).all(|number| answer(&mut ledger, number) == Answer::Due));
        assert!(ledger.is_complete(3) && ledger.counts().are_flawless(3));
        assert_eq!(ledger.counts().to_string(), "sent=3 received=3 lost=0 duplicated=0 reordered=0");
    }

    #[test]
    fn killed_around_a_commit_the_link_says_whether_it_happened() {
        let mut ledger = sent(2);
        ledger.intend(at(1, 64), at(1, 96).position);
        for (committed, next) in [(64, 3), (96, 4)] {
            let mut restarted = restarted(&ledger);
            restarted.settle(at(1, committed)).unwrap();
            assert_eq!(restarted.next(), next);
        }
        for elsewhere in [0, 32, 128] {
            assert!(restarted(&ledger).settle(at(1, elsewhere)).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn killed_around_a_consumption_the_same_answer_is_no_duplicate() {
        let mut ledger = sent(3);
        answer(&mut ledger, 1);
        answer(&mut ledger, 2);
        let mut again = restarted(&ledger);
        again.settle(at(1, 96)).unwrap();
        assert_eq!(answer(&mut again, 2), Answer::Again);
        assert_eq!(answer(&mut again, 2), Answer::Duplicate);
        let mut onwards = restarted(&ledger);
        onwards.settle(at(1, 96)).unwrap();
        assert_eq!(answer(&mut onwards, 3), Answer::Due);
        assert_eq!(answer(&mut onwards, 2), Answer::Duplicate);
    }

    #[test]
    fn an_answer_that_overtakes_is_first_a_loss_and_then_a_reordering() {
        let mut ledger = sent(4);
        assert_eq!(answer(&mut ledger, 3), Answer::Early { passed: 2 });
        assert_eq!(ledger.counts().lost, 2);
        assert_eq!(answer(&mut ledger, 1), Answer::Late);
        assert_eq!(answer(&mut ledger, 1), Answer::Duplicate);
        assert_eq!(answer(&mut ledger, 4), Answer::Due);
        let counts = Counts { sent: 4, received: 3, lost: 1, duplicated: 1, reordered: 1, damaged: 0 };
        assert_eq!(ledger.counts(), counts);
        assert!(!counts.are_flawless(4));
    }

    #[test]
    fn an_answer_to_nothing_is_damage() {
        let mut ledger = sent(1);
        assert_eq!(answer(&mut ledger, 2), Answer::NeverSent);
        assert_eq!(answer(&mut ledger, 0), Answer::NeverSent);
        ledger.damaged(at(1, 96));
        assert_eq!(ledger.counts().damaged, 3);
    }

    #[test]
    fn a_reset_loses_what_was_in_flight_and_goes_on() {
        let mut ledger = sent(3);
        answer(&mut ledger, 1);
        ledger.reset(at(1, 0).session, Some(at(1, 96).position));
        ledger.settle(at(2, 0)).unwrap();
        assert_eq!((ledger.counts().lost, ledger.next(), ledger.in_flight()), (2, 4, 0));
        send(&mut ledger, 2);
        assert_eq!(ledger.answer(4, at(2, 32)), Answer::Due);
        assert!(ledger.is_complete(4));
    }

    #[test]
    fn a_reset_between_two_runs_is_noticed_by_the_session() {
        let mut ledger = sent(2);
        ledger.intend(at(1, 64), at(1, 96).position);
        let mut unknown = restarted(&ledger);
        unknown.settle(at(2, 0)).unwrap();
        // Nobody can say whether 3 was committed, so it is sent again.
        assert_eq!((unknown.counts().lost, unknown.next()), (2, 3));
        let mut known = restarted(&ledger);
        known.reset(at(1, 0).session, Some(at(1, 96).position));
        known.settle(at(2, 0)).unwrap();
        assert_eq!((known.counts().lost, known.next()), (3, 4));
    }

    #[test]
    fn a_complete_count_is_known_without_the_link() {
        let mut ledger = sent(2);
        answer(&mut ledger, 1);
        assert!(!restarted(&ledger).is_complete(2));
        answer(&mut ledger, 2);
        assert!(restarted(&ledger).is_complete(2));
    }
}
