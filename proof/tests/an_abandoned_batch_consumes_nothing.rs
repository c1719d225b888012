//! A message that was given to a batch which is then dropped is as good as dropped itself: unconsumed, told
//! to whoever asks, and in front of all later ones until it is stepped over.

use proof::{Message, Solo};
use tcpshm_protocol::{Event, Geometry, Received, RefusedReason, Role};

fn receive(solo: &mut Solo, at: u64, number: u64) -> Received<'static> {
    let message = Message::numbered(Role::Client, number, 8);
    let event = solo.input(solo.peer().message(at, 0, &message)).expect("a sound frame");
    let Some(Event::Message(received)) = event else { panic!("no message") };
    received
}

#[test]
fn and_says_so() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    let before = solo.image();
    let first = receive(&mut solo, 0, 0);
    let position = first.position();
    let mut batch = solo.session.batch();
    batch.send(first.kind(), b"an answer").expect("room");
    batch.consume(first).expect("the oldest");
    drop(batch);
    assert_eq!(solo.session.reclaim(), Some(position));
    assert_eq!(solo.session.consumed().position().get(), 0);
    let second = receive(&mut solo, 24, 1);
    let refused = solo.session.consume(second).expect_err("the first is older");
    assert!(matches!(refused.reason, RefusedReason::Waiting { .. }));
    solo.session.consume_through(position).expect("nothing is held");
    solo.session.consume(refused.received).expect("now the oldest");
    assert_ne!(solo.image(), before);
}

#[test]
fn while_one_that_is_committed_consumes_what_it_was_given() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    let received = receive(&mut solo, 0, 0);
    let mut batch = solo.session.batch();
    batch.consume(received).expect("the oldest");
    batch.commit();
    assert_eq!((solo.session.reclaim(), solo.session.consumed().position().get()), (None, 24));
}
