use super::*;

const MESSAGES: Messages = Messages::new(7);

/// Where message `number` ends, and its answer too.
fn end(number: u64) -> Position {
    (1..=number).fold(Position::ZERO, |from, number| MESSAGES.end(number, from))
}

fn at(session: u128, position: Position) -> Place {
    Place { session: SessionId::new(session).unwrap(), position }
}

/// Sends what is next, as the first of `count` that are intended.
fn send(ledger: &mut Ledger, session: u128, from: Position, count: u64) {
    ledger.intend(at(session, from), count);
    ledger.committed(at(session, MESSAGES.end(ledger.next(), from))).unwrap();
}

fn ledger(entry: Entry) -> Ledger {
    Ledger::new(entry, MESSAGES)
}

fn sent(count: u64) -> Ledger {
    let mut ledger = ledger(Entry::default());
    ledger.settle(at(1, Position::ZERO)).unwrap();
    (0..count).for_each(|number| send(&mut ledger, 1, end(number), 1));
    ledger
}

fn answer(ledger: &mut Ledger, number: u64) -> Answer {
    ledger.answer(number, at(1, end(number)))
}

fn restarted(of: &Ledger) -> Ledger {
    ledger(of.entry().clone())
}

#[test]
fn messages_that_are_answered_once_and_in_order_are_flawless() {
    let mut ledger = sent(3);
    assert!((1..=3).all(|number| answer(&mut ledger, number) == Answer::Due));
    assert!(ledger.is_complete(3) && ledger.counts().are_flawless(3));
    assert_eq!(ledger.counts().to_string(), "sent=3 received=3 lost=0 duplicated=0 reordered=0");
}

#[test]
fn killed_among_commits_the_link_says_which_happened() {
    let mut ledger = sent(2);
    ledger.intend(at(1, end(2)), 3);
    for happened in 2..=5 {
        let mut restarted = restarted(&ledger);
        assert!(!restarted.is_complete(2));
        restarted.settle(at(1, end(happened))).unwrap();
        assert_eq!(restarted.next(), happened + 1);
    }
    let inside = Position::new(end(2).get() + 8).unwrap();
    for elsewhere in [Position::ZERO, end(1), inside, end(6)] {
        assert!(restarted(&ledger).settle(at(1, elsewhere)).is_err(), "{elsewhere}");
    }
}

#[test]
fn what_was_answered_cannot_have_been_left_uncommitted() {
    let mut ledger = sent(0);
    ledger.intend(at(1, Position::ZERO), 2);
    ledger.committed(at(1, end(1))).unwrap();
    ledger.committed(at(1, end(2))).unwrap();
    assert!((1..=2).all(|number| answer(&mut ledger, number) == Answer::Due));
    assert!(restarted(&ledger).settle(at(1, end(1))).is_err());
}

#[test]
fn a_commit_that_was_not_intended_is_a_contradiction() {
    let mut ledger = sent(0);
    ledger.intend(at(1, Position::ZERO), 1);
    assert!(ledger.committed(at(1, end(2))).is_err());
    ledger.committed(at(1, end(1))).unwrap();
    assert!(ledger.committed(at(1, end(2))).is_err());
}

#[test]
fn fewer_commits_than_were_intended_are_followed_by_the_next() {
    let mut ledger = sent(0);
    send(&mut ledger, 1, Position::ZERO, 5);
    send(&mut ledger, 1, end(1), 2);
    let mut restarted = restarted(&ledger);
    restarted.settle(at(1, end(2))).unwrap();
    assert_eq!(restarted.next(), 3);
}

/// Five were sent; 1 was consumed, 2 to 4 were about to be.
fn about_to_consume() -> Ledger {
    let mut ledger = sent(5);
    answer(&mut ledger, 1);
    ledger.consumed();
    assert!((2..=4).all(|number| answer(&mut ledger, number) == Answer::Due));
    let mut restarted = restarted(&ledger);
    restarted.settle(at(1, end(5))).unwrap();
    restarted
}

#[test]
fn killed_before_a_consumption_the_same_answers_are_no_duplicates() {
    let mut again = about_to_consume();
    assert!((2..=4).all(|number| answer(&mut again, number) == Answer::Again));
    // Killed once more before they are consumed, together with another one.
    assert_eq!(answer(&mut again, 5), Answer::Due);
    let mut once_more = restarted(&again);
    assert!((2..=5).all(|number| answer(&mut once_more, number) == Answer::Again));
    assert_eq!(answer(&mut once_more, 5), Answer::Duplicate);
    assert_eq!((once_more.counts().received, once_more.counts().duplicated), (5, 1));
}

#[test]
fn killed_after_a_consumption_the_same_answers_are_duplicates() {
    let mut onwards = about_to_consume();
    assert_eq!(answer(&mut onwards, 5), Answer::Due);
    assert!((2..=4).all(|number| answer(&mut onwards, number) == Answer::Duplicate));
}

#[test]
fn only_all_of_them_from_the_first_on_come_again() {
    let mut consumed_before = about_to_consume();
    assert_eq!(answer(&mut consumed_before, 1), Answer::Duplicate);
    let mut in_the_middle = about_to_consume();
    assert_eq!(answer(&mut in_the_middle, 3), Answer::Duplicate);
    assert_eq!(answer(&mut in_the_middle, 4), Answer::Duplicate);
    let mut one_missing = about_to_consume();
    assert_eq!(answer(&mut one_missing, 2), Answer::Again);
    assert_eq!(answer(&mut one_missing, 4), Answer::Duplicate);
    let mut elsewhere = about_to_consume();
    assert_eq!(elsewhere.answer(2, at(1, end(3))), Answer::Duplicate);
    let mut another = about_to_consume();
    assert_eq!(another.answer(3, at(1, end(2))), Answer::Duplicate);
    let mut in_another_session = about_to_consume();
    assert_eq!(in_another_session.answer(2, at(2, end(2))), Answer::Duplicate);
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
    ledger.damaged(at(1, end(3)));
    assert_eq!(ledger.counts().damaged, 3);
}

#[test]
fn a_reset_loses_what_was_in_flight_and_goes_on() {
    let mut ledger = sent(3);
    answer(&mut ledger, 1);
    ledger.reset(at(1, end(0)).session, Some(end(3)));
    ledger.settle(at(2, Position::ZERO)).unwrap();
    assert_eq!((ledger.counts().lost, ledger.next(), ledger.in_flight()), (2, 4, 0));
    send(&mut ledger, 2, Position::ZERO, 1);
    assert_eq!(ledger.answer(4, at(2, MESSAGES.end(4, Position::ZERO))), Answer::Due);
    assert!(ledger.is_complete(4));
}

#[test]
fn a_reset_between_two_runs_is_noticed_by_the_session() {
    let mut ledger = sent(2);
    ledger.intend(at(1, end(2)), 2);
    let mut unknown = restarted(&ledger);
    unknown.settle(at(2, Position::ZERO)).unwrap();
    // Nobody can say whether 3 and 4 were committed, so they are sent again.
    assert_eq!((unknown.counts().lost, unknown.next()), (2, 3));
    let mut known = restarted(&ledger);
    known.reset(at(1, end(0)).session, Some(end(3)));
    known.settle(at(2, Position::ZERO)).unwrap();
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
