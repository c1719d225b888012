//! A message that was held over a reconnect does not arrive twice, can be consumed on the new
//! connection, and comes again only when the process starts again.

use std::time::Duration;

use proof::endpoint::App;
use proof::{CARRIERS, Pair, Setup, Solo, over_both};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{Event, Geometry, Nonce, Position, Received, RefusedReason, Role};

fn holding(carrier: Carrier) -> Pair {
    let mut pair = Pair::connected(Setup::over(carrier));
    pair.server.app = App::Hold;
    pair.client.app = App::Hold;
    for len in [8, 0, 31] {
        pair.client.send(len).expect("room");
        pair.server.send(len).expect("room");
    }
    pair.elapse(Duration::from_secs(1));
    assert_eq!((pair.client.held(), pair.server.held()), (3, 3));
    pair
}

fn release(pair: &mut Pair) {
    pair.client.app = App::Consume;
    pair.server.app = App::Consume;
    pair.client.release();
    pair.server.release();
}

#[test]
fn over_a_reconnect() {
    over_both(|carrier| {
        let mut pair = holding(carrier);
        for _ in 0..3 {
            pair.cut();
            pair.login();
            pair.elapse(Duration::from_secs(5));
        }
        assert_eq!((pair.client.delivered.len(), pair.server.delivered.len()), (3, 3));
        release(&mut pair);
        pair.elapse(Duration::from_millis(50));
        pair.check_complete();
    });
}

#[test]
fn over_a_takeover_and_consumed_while_nothing_is_connected() {
    over_both(|carrier| {
        let mut pair = holding(carrier);
        pair.abandon();
        pair.client.app = App::Consume;
        pair.client.release();
        pair.login();
        pair.cut();
        pair.server.app = App::Echo;
        pair.server.release();
        pair.login();
        pair.elapse(Duration::from_millis(50));
        pair.check_complete();
        assert_eq!((pair.client.delivered.len(), pair.server.delivered.len()), (6, 3));
    });
}

#[test]
fn over_a_change_of_carrier_to_and_fro() {
    over_both(|carrier| {
        let mut pair = holding(carrier);
        for next in [CARRIERS, CARRIERS].as_flattened() {
            pair.carrier = *next;
            pair.login();
            assert_eq!(pair.server.is_shared(), *next == Carrier::Shm);
            pair.client.send(5).expect("room");
            pair.server.send(24).expect("room");
            pair.elapse(Duration::from_secs(1));
        }
        assert_eq!((pair.client.delivered.len(), pair.server.delivered.len()), (7, 7));
        release(&mut pair);
        pair.elapse(Duration::from_millis(50));
        pair.check_complete();
    });
}

#[test]
fn consumed_between_confirm_and_ready() {
    over_both(|carrier| {
        for moment in 0..4 {
            let mut pair = holding(carrier);
            pair.cut();
            let due = |at: usize, pair: &mut Pair| {
                if at == moment {
                    release(pair);
                }
            };
            pair.connect();
            due(0, &mut pair);
            pair.connect_up_to_confirm();
            due(1, &mut pair);
            pair.up_to_ready();
            due(2, &mut pair);
            pair.settle();
            due(3, &mut pair);
            pair.elapse(Duration::from_secs(2));
            assert!(pair.is_connected(), "{moment}: {:?} {:?}", pair.client.notes, pair.server.notes);
            assert_eq!((pair.client.delivered.len(), pair.server.delivered.len()), (3, 3));
            pair.check_complete();
        }
    });
}

#[test]
fn they_come_again_to_a_new_process() {
    over_both(|carrier| {
        let mut pair = holding(carrier);
        pair.restart_server();
        pair.server.app = App::Consume;
        pair.login();
        pair.elapse(Duration::from_secs(1));
        assert_eq!(pair.server.delivered.len(), 3);
        release(&mut pair);
        pair.elapse(Duration::from_millis(50));
        pair.check_complete();
    });
}

// ---- what an application may and may not do with what it was lent ----

fn solo() -> Solo {
    Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"))
}

fn receive(solo: &mut Solo, at: u64, number: u64) -> Received<'static> {
    let message = proof::Message::numbered(Role::Client, number, 8);
    let event = solo.input(solo.peer().message(at, 0, &message)).expect("a sound frame");
    let Some(Event::Message(received)) = event else { panic!("no message") };
    received
}

#[test]
fn a_later_message_waits_for_the_oldest_and_is_handed_back() {
    let mut solo = solo();
    let [first, second] = [0, 1].map(|number| receive(&mut solo, number * 24, number));
    let before = solo.image();
    let refused = solo.session.consume(second).expect_err("not the oldest");
    let oldest = first.position().position();
    assert_eq!(refused.reason, RefusedReason::Waiting { oldest: Position::ZERO });
    let slot = solo.session.claim(refused.received.kind(), 3).expect("room");
    let refused = slot.commit_consuming(refused.received).expect_err("not the oldest");
    assert!(matches!(refused.reason, RefusedReason::Waiting { .. }));
    let mut batch = solo.session.batch();
    let refused = batch.consume(refused.received).expect_err("not the oldest");
    assert!(matches!(refused.reason, RefusedReason::Waiting { .. }));
    assert_eq!(solo.image(), before, "nothing is stored");
    assert_eq!(solo.session.consume(first).expect("the oldest").position(), oldest);
    solo.session.consume(refused.received).expect("now the oldest");
}

#[test]
fn a_message_that_was_stepped_over_is_already_consumed() {
    let mut solo = solo();
    let [first, second] = [0, 1].map(|number| receive(&mut solo, number * 24, number));
    let end = second.position();
    drop(second);
    solo.session.reclaim();
    solo.session.consume_through(end).expect("nothing is held");
    solo.session.consume_through(first.position()).expect("a repetition is harmless");
    let before = solo.image();
    let refused = solo.session.consume(first).expect_err("consumed");
    assert_eq!(refused.reason, RefusedReason::AlreadyConsumed);
    assert_eq!(solo.image(), before);
}

#[test]
fn a_dropped_message_blocks_later_ones_until_it_is_stepped_over() {
    let mut solo = solo();
    drop(receive(&mut solo, 0, 0));
    let second = receive(&mut solo, 24, 1);
    let refused = solo.session.consume(second).expect_err("the dropped one is older");
    let end = refused.received.position();
    drop(refused);
    solo.session.reclaim();
    solo.session.consume_through(end).expect("nothing is held");
    assert_eq!(solo.session.consumed().position().get(), 48);
}

#[test]
fn a_message_is_not_stepped_over_before_the_host_says_that_it_is_gone() {
    let mut solo = solo();
    drop(receive(&mut solo, 0, 0));
    let second = receive(&mut solo, 24, 1);
    let (first, end) = (Position::new(24).expect("a multiple of 8"), second.position());
    let before = solo.image();
    let lent = RefusedReason::MessageLent { end: end.position() };
    assert_eq!(solo.session.consume_through(end), Err(lent), "its bytes would be free");
    assert_eq!(solo.image(), before, "nothing is stored");
    assert_eq!(second.payload().len(), 8, "and it is as good as before");
    let refused = solo.session.consume(second).expect_err("the first is older");
    assert_eq!(solo.session.consume_through(end), Err(lent), "handed back, it is lent as before");
    drop(refused);
    assert_eq!(solo.session.reclaim(), Some(end), "dropped: neither consumed nor held");
    assert_eq!(solo.session.consume_through(end), Ok(()));
    assert_eq!(solo.session.reclaim(), None);
    assert!(solo.session.consumed().position() > first);
}

#[test]
fn a_host_that_takes_the_next_message_has_let_go_of_the_last() {
    over_both(|carrier| {
        let mut solo = Solo::over(carrier, Role::Server, Geometry::new(256, 64).expect("a geometry"));
        let frame = solo.peer().message(0, 0, &proof::Message::numbered(Role::Client, 0, 8));
        let Ok(Some(Event::Message(received))) = solo.peer_says(0, frame) else { panic!("no message") };
        let end = received.position();
        drop(received);
        let lent = RefusedReason::MessageLent { end: end.position() };
        assert_eq!(solo.session.consume_through(end), Err(lent));
        match carrier {
            Carrier::Tcp => assert!(solo.input(Vec::new()).expect("nothing new").is_none()),
            Carrier::Shm => solo.look(),
        }
        assert_eq!(solo.session.consume_through(end), Ok(()));
    });
}

#[test]
fn a_message_that_was_given_back_is_in_nobodys_way() {
    let mut solo = solo();
    let [first, second] = [0, 1].map(|number| receive(&mut solo, number * 24, number));
    let [end, later] = [first.position(), second.position()];
    assert_eq!(solo.session.consume_through(end), Ok(()), "only the last that was handed out is in the way");
    solo.session.consume(second).expect("now the oldest");
    assert_eq!(solo.session.consume_through(later), Ok(()), "it is consumed already");
    let third = receive(&mut solo, 48, 2);
    let third_end = third.position();
    let held = solo.session.hold(third).expect("ours");
    assert_eq!(solo.session.consume_through(third_end), Err(RefusedReason::MessagesHeld { held: 1 }));
    let third = solo.session.redeem(held).expect("ours");
    assert_eq!(solo.session.consume_through(third_end), Ok(()), "its bytes are its own by now");
    assert_eq!(third.payload().len(), 8);
}

#[test]
fn nothing_is_stepped_over_while_a_message_is_held() {
    let mut solo = solo();
    let first = receive(&mut solo, 0, 0);
    let held = solo.session.hold(first).expect("ours");
    let second = receive(&mut solo, 24, 1);
    let upto = second.position();
    drop(second);
    assert_eq!(solo.session.consume_through(upto), Err(RefusedReason::MessagesHeld { held: 1 }));
    let first = solo.session.redeem(held).expect("ours");
    solo.session.reclaim();
    assert_eq!(solo.session.consume_through(upto), Ok(()));
    assert_eq!(solo.session.consume(first).expect_err("over").reason, RefusedReason::AlreadyConsumed);
}

#[test]
fn a_message_of_another_link_or_of_an_earlier_opening_is_foreign() {
    let [mut mine, mut other] = [solo(), solo()];
    let before = mine.image();
    let foreign = receive(&mut other, 0, 0);
    let refused = mine.session.consume(foreign).expect_err("not ours");
    assert_eq!(refused.reason, RefusedReason::Foreign);
    let refused = mine.session.hold(refused.received).expect_err("not ours");
    let held = other.session.hold(refused.received).expect("theirs");
    let (held, reason) = mine.session.redeem(held).expect_err("not ours");
    assert_eq!(reason, RefusedReason::Foreign);
    other.session.detach(Nonce::new(1));
    other.restart().expect("a sound file");
    let (_, reason) = other.session.redeem(held).expect_err("of an earlier opening");
    assert_eq!(reason, RefusedReason::Foreign);
    assert_eq!(mine.image(), before);
}

#[test]
fn a_position_of_another_session_or_one_that_was_not_delivered_is_refused() {
    let mut solo = solo();
    let upto = receive(&mut solo, 0, 0).position();
    let mut restarted = self::solo();
    let before = restarted.image();
    let nothing = Position::ZERO;
    assert_eq!(
        restarted.session.consume_through(upto),
        Err(RefusedReason::NotDelivered { delivered: nothing }),
        "the same session, and nothing was delivered to this process"
    );
    let mut pair = Pair::connected(Setup::default());
    assert_eq!(pair.server.session().consume_through(upto), Err(RefusedReason::Foreign));
    assert_eq!(restarted.image(), before);
}
