//! A full ring says so with numbers and once says when there is room; two applications that starve each
//! other are told, once; and a close says what is owed.

use std::time::Duration;

use proof::endpoint::{App, Note};
use proof::{Pair, Setup, Solo, over_both, wire};
use tcpshm_protocol::{CloseReason, Event, Geometry, Role, SendError};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn full_tells_the_numbers_and_writable_comes_once_when_there_is_room() {
    let mut solo = Solo::new(Role::Server, Geometry::new(128, 40).expect("a geometry"));
    for len in [40, 8, 8] {
        solo.send(len).expect("room");
    }
    assert_eq!(solo.send(8), Err(SendError::Full { needed: 24, free: 16, unconsumed: 104 }));
    assert_eq!(solo.send(40), Err(SendError::Full { needed: 56, free: 16, unconsumed: 104 }));
    solo.send(0).expect("exactly the room that is left");
    solo.transmit();
    assert_eq!(solo.send(24), Err(SendError::Full { needed: 40, free: 0, unconsumed: 120 }));
    let ack = |solo: &mut Solo, count: usize| {
        let event = solo.input(wire::control(wire::ACK, solo.ends()[count])).expect("a true ack");
        solo.model.learn(count);
        matches!(event, Some(Event::Writable))
    };
    assert!(ack(&mut solo, 1), "56 bytes are enough for 40");
    assert!(!ack(&mut solo, 2), "once");
    solo.send(24).expect("as was promised");
    solo.check();
}

#[test]
fn a_claim_that_is_too_large_for_the_link_or_a_batch_for_the_ring_is_told_apart_from_full() {
    let mut solo = Solo::new(Role::Server, Geometry::new(128, 40).expect("a geometry"));
    solo.send(40).expect("room");
    assert_eq!(solo.send(41), Err(SendError::TooLarge { len: 41, most: 40 }));
    let error = solo.batch(&[40, 40, 40], 0).expect_err("more than the ring");
    assert!(matches!(error, SendError::Full { .. }), "the first that does not fit says so: {error:?}");
    let mut empty = Solo::new(Role::Server, Geometry::new(128, 40).expect("a geometry"));
    let error = empty.batch(&[40, 40, 40], 0).expect_err("more than the ring");
    assert_eq!(error, SendError::BatchTooLarge { needed: 168, capacity: 128 });
    empty.check();
}

#[test]
fn a_batch_that_found_no_room_is_told_when_the_whole_of_it_fits() {
    let mut solo = Solo::new(Role::Server, Geometry::new(128, 40).expect("a geometry"));
    for _ in 0..4 {
        solo.send(8).expect("room");
    }
    let full = SendError::Full { needed: 48, free: 24, unconsumed: 96 };
    assert_eq!(solo.batch(&[8, 8], 0), Err(full));
    solo.transmit();
    let told = |solo: &mut Solo, count: usize| {
        let event = solo.input(wire::control(wire::ACK, solo.ends()[count])).expect("a true ack");
        solo.model.learn(count);
        matches!(event, Some(Event::Writable))
    };
    solo.send(8).expect("one alone has room");
    solo.transmit();
    assert!(!told(&mut solo, 1), "24 bytes take one of the two");
    assert!(told(&mut solo, 2));
    solo.batch(&[8, 8], 0).expect("as was promised");
    solo.check();
}

#[test]
fn nothing_is_claimed_before_the_first_login() {
    over_both(|carrier| {
        let mut pair = Pair::new(Setup::over(carrier));
        assert_eq!(pair.client.send(1), Err(SendError::NotEstablished));
        pair.connect_up_to_confirm();
        let image = pair.client.disk.content();
        let file = image.fresh().expect("proposed");
        let memory = tcpshm_protocol::Memory::from_image(file);
        let mut session =
            tcpshm_protocol::Session::open(memory, tcpshm_protocol::Nonce::new(1)).expect("sound");
        let kind = tcpshm_protocol::Kind::new(1).expect("not 0");
        assert_eq!(session.send(kind, b"early"), Err(SendError::NotEstablished));
    });
}

fn stalled(note: &Note) -> bool {
    matches!(note, Note::Stalled(_))
}

#[test]
fn two_full_rings_of_requests_are_called_stalled_once_on_each_side() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        (pair.client.app, pair.server.app) = (App::Echo, App::Echo);
        pair.client.fill(8);
        pair.server.fill(8);
        pair.settle();
        pair.elapse(60 * SECOND);
        assert!(pair.is_connected(), "it is the application's deadlock and no fault of the link");
        assert_eq!((pair.client.count(stalled), pair.server.count(stalled)), (1, 1));
        let Some(Note::Stalled(report)) = pair.client.notes.iter().find(|note| stalled(note)) else {
            panic!()
        };
        assert_eq!((report.undelivered.messages, report.unconsumed, report.lasted), (10, 240, SECOND));
    });
}

#[test]
fn a_stall_that_ends_and_comes_again_is_told_again() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        (pair.client.app, pair.server.app) = (App::Hold, App::Hold);
        for round in 1..=3 {
            pair.client.fill(8);
            pair.server.fill(8);
            pair.elapse(10 * SECOND);
            assert_eq!((pair.client.count(stalled), pair.server.count(stalled)), (round, round));
            (pair.client.app, pair.server.app) = (App::Consume, App::Consume);
            pair.client.release();
            pair.server.release();
            pair.elapse(SECOND);
            pair.check_complete();
            (pair.client.app, pair.server.app) = (App::Hold, App::Hold);
        }
    });
}

#[test]
fn a_full_ring_alone_is_back_pressure_and_no_stall() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.server.app = App::Hold;
        pair.client.fill(8);
        pair.elapse(60 * SECOND);
        assert_eq!((pair.client.count(stalled), pair.server.count(stalled)), (0, 0));
        pair.server.app = App::Consume;
        pair.server.release();
        pair.elapse(SECOND);
        assert_eq!(pair.client.count(|note| *note == Note::Writable), 1);
        pair.check_complete();
    });
}

#[test]
fn a_close_is_told_after_what_is_half_written_and_says_what_is_owed() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.server.app = App::Hold;
        pair.client.send(8).expect("room");
        pair.client.send(9).expect("room");
        let owed = pair.client.session().close(CloseReason::ShuttingDown);
        assert_eq!(owed.messages, 2);
        pair.settle();
        assert_eq!(pair.server.notes.last(), Some(&Note::Closed(CloseReason::ShuttingDown)));
        assert!(pair.client.session().is_closed() && pair.server.session().is_closed());
        pair.cut();
        assert_eq!(pair.login(), 1);
        pair.server.app = App::Consume;
        pair.server.release();
        pair.elapse(SECOND);
        pair.check_complete();
    });
}

#[test]
fn a_session_says_since_when_its_peer_is_behind() {
    let mut solo = Solo::new(Role::Server, Geometry::new(128, 40).expect("a geometry"));
    let since = |solo: &mut Solo| {
        solo.transmit();
        solo.session.behind_since()
    };
    assert_eq!(since(&mut solo), None);
    let first = solo.clock.now();
    for _ in 0..2 {
        solo.send(8).expect("room");
    }
    assert_eq!(since(&mut solo), Some(first));
    solo.clock.advance(SECOND);
    assert_eq!(since(&mut solo), Some(first), "nothing was consumed");
    solo.input(wire::control(wire::ACK, solo.ends()[1])).expect("a true ack");
    let second = solo.clock.now();
    assert_eq!(since(&mut solo), Some(second), "one of two was");
    solo.input(wire::control(wire::ACK, solo.ends()[2])).expect("a true ack");
    assert_eq!(since(&mut solo), None, "it has caught up");
}
