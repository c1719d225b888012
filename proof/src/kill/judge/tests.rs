//! The judge is shown logs that are right, and each kind of log that is wrong.

use super::*;
use crate::kill::record::class;

/// Sizes do not matter to a judge.
const FRAME: u64 = 40;
const SESSION: u64 = 77;

/// Message `number` of a stream, alone: its hash is its number times ten.
fn message(act: Act, number: u64) -> Record {
    Record {
        flag: class::ONE_WAY,
        count: 1,
        number,
        start: (number - 1) * FRAME,
        end: number * FRAME,
        hash: number * 10,
        previous: (number - 1) * 10,
        ..Record::new(act, 0, SESSION)
    }
}

fn intend(number: u64) -> Record {
    message(Act::Intend, number)
}

/// Intended as a request.
fn ask(number: u64) -> Record {
    Record { extra: 1, ..intend(number) }
}

fn effect(number: u64) -> Record {
    Record { start: 0, ..message(Act::Effect, number) }
}

fn request(number: u64) -> Record {
    Record { flag: class::REQUEST, ..effect(number) }
}

fn reply(number: u64, answers: u64) -> Record {
    Record { flag: class::REPLY, extra: answers, ..effect(number) }
}

fn committed(number: u64) -> Record {
    Record { end: number * FRAME, ..Record::new(Act::Committed, 0, SESSION) }
}

fn consumed(number: u64) -> Record {
    Record { end: number * FRAME, ..Record::new(Act::Consumed, 0, SESSION) }
}

fn answered(number: u64, request: u64) -> Record {
    Record { end: number * FRAME, start: request * FRAME, ..Record::new(Act::Answered, 0, SESSION) }
}

fn found(sent: u64, taken: u64) -> Record {
    Record { start: sent * FRAME, end: taken * FRAME, ..Record::new(Act::Found, 0, SESSION) }
}

use Side::{Client, Server};

/// Judges these, after both sides have met.
fn judge(records: &[(Side, Record)]) -> Result<Judge, Violation> {
    let mut judge = Judge::new(1, false);
    for side in Side::BOTH {
        judge.record(side, found(0, 0))?;
    }
    records.iter().try_for_each(|(side, record)| judge.record(*side, *record))?;
    judge.conclude()?;
    Ok(judge)
}

#[track_caller]
fn breaks(invariant: Invariant, records: &[(Side, Record)]) {
    let found = judge(records).map(|judge| judge.judged()).map_err(|violation| violation.invariant);
    assert_eq!(found, Err(invariant));
}

#[test]
fn a_request_and_its_reply_are_settled() {
    let judge = judge(&[
        (Client, ask(1)),
        (Client, committed(1)),
        (Server, request(1)),
        (Server, message(Act::Answer, 1)),
        (Server, answered(1, 1)),
        (Client, reply(1, 1)),
        (Client, consumed(1)),
    ]);
    let judge = judge.unwrap();
    assert_eq!(judge.unsettled(), [0; 0]);
    assert_eq!((judge.judged().committed, judge.judged().replies), (2, 1));
}

#[test]
fn a_log_may_be_read_before_that_of_its_sender() {
    let judge =
        judge(&[(Server, effect(1)), (Server, consumed(1)), (Client, intend(1)), (Client, committed(1))]);
    assert_eq!(judge.unwrap().unsettled(), [0; 0]);
}

#[test]
fn what_nobody_is_known_to_have_committed_is_noticed() {
    breaks(Invariant::ExactlyOnce, &[(Server, effect(1))]);
    let other = Record { hash: 9, ..effect(1) };
    breaks(Invariant::ExactlyOnce, &[(Client, intend(1)), (Client, committed(1)), (Server, other)]);
}

#[test]
fn a_message_that_is_skipped_or_repeated_is_noticed() {
    breaks(Invariant::ExactlyOnce, &[(Server, effect(2))]);
    breaks(Invariant::ExactlyOnce, &[(Server, effect(1)), (Server, consumed(1)), (Server, effect(1))]);
    let killed = [(Server, effect(1)), (Server, found(0, 1)), (Server, effect(1))];
    breaks(Invariant::ExactlyOnce, &killed);
}

#[test]
fn only_what_was_not_consumed_comes_again_and_is_the_same() {
    let start = [(Client, intend(1)), (Client, committed(1)), (Server, effect(1)), (Server, found(0, 0))];
    let again = judge(&[&start[..], &[(Server, effect(1)), (Server, consumed(1))]].concat()).unwrap();
    assert_eq!((again.judged().repeated, again.judged().did_not), (1, 1));
    assert_eq!(again.unsettled(), [0; 0]);
    let other = Record { hash: 11, ..effect(1) };
    breaks(Invariant::ExactlyOnce, &[&start[..], &[(Server, other)]].concat());
}

#[test]
fn a_commit_happens_wholly_or_not() {
    let two = Record { count: 2, end: 2 * FRAME, ..intend(1) };
    for end in [0, 2] {
        judge(&[(Client, two), (Client, found(end, 0))]).unwrap();
    }
    breaks(Invariant::CrashAtomic, &[(Client, two), (Client, found(1, 0))]);
    breaks(Invariant::CrashAtomic, &[(Client, intend(1)), (Client, committed(1)), (Client, found(0, 0))]);
}

#[test]
fn a_reply_and_the_consumption_of_its_request_happen_together() {
    let start =
        [(Client, ask(1)), (Client, committed(1)), (Server, request(1)), (Server, message(Act::Answer, 1))];
    for (sent, taken) in [(0, 0), (1, 1)] {
        judge(&[&start[..], &[(Server, found(sent, taken))]].concat()).unwrap();
    }
    for (sent, taken) in [(0, 1), (1, 0)] {
        breaks(Invariant::CrashAtomic, &[&start[..], &[(Server, found(sent, taken))]].concat());
    }
}

#[test]
fn a_reply_to_another_request_is_noticed() {
    let start = [(Client, ask(1)), (Client, committed(1))];
    breaks(Invariant::ExactlyOnce, &[&start[..], &[(Client, reply(1, 2))]].concat());
}

#[test]
fn a_session_ends_only_where_a_file_was_gone() {
    let other = Record { session: 78, ..found(0, 0) };
    let sent = [(Client, intend(1)), (Client, committed(1))];
    breaks(Invariant::NothingLost, &[&sent[..], &[(Server, other)]].concat());
    let mut judge = judge(&sent).unwrap();
    judge.bereave(&BTreeSet::from([0]));
    judge.record(Client, Record { number: 1, ..Record::new(Act::Reset, 0, SESSION) }).unwrap();
    for side in Side::BOTH {
        judge.record(side, other).unwrap();
    }
    assert_eq!((judge.judged().resets, judge.judged().lost), (1, 1));
    assert!(judge.record(Server, found(0, 0)).is_err(), "once is enough");
}

#[test]
fn a_loss_that_is_reported_too_small_is_noticed() {
    let mut judge = judge(&[(Client, intend(1)), (Client, committed(1))]).unwrap();
    judge.bereave(&BTreeSet::from([0]));
    judge.record(Client, Record::new(Act::Reset, 0, SESSION)).unwrap();
    let other = Record { session: 78, ..found(0, 0) };
    judge.record(Server, other).unwrap();
    let violation = judge.record(Client, other).unwrap_err();
    assert_eq!(violation.invariant, Invariant::NothingLost);
}

#[test]
fn trouble_with_files_needs_a_cause() {
    for act in [Act::Failed, Act::Dispute] {
        breaks(Invariant::Decided, &[(Server, Record::new(act, 0, 0))]);
    }
}
