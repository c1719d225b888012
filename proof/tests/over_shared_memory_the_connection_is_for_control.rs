//! While shared memory carries the messages, the connection carries control frames and nothing else: signs of
//! life, and the end. A message on it is a fault, and what is acknowledged there is judged as anywhere.

use std::time::Duration;

use proof::{Message, Solo, wire};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{CloseReason, Event, Geometry, InboundFault, Role, TimedOut};

const SECOND: Duration = Duration::from_secs(1);

fn solo(role: Role) -> Solo {
    let mut solo = Solo::over(Carrier::Shm, role, Geometry::new(256, 64).expect("a geometry"));
    solo.transmit();
    solo
}

#[test]
fn a_message_on_it_is_refused_and_stores_nothing() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        solo.send(8).expect("room");
        let message = Message::numbered(role.other(), 0, 8);
        let frame = solo.peer().message(0, 24, &message);
        let before = solo.image();
        for cut in 8..=frame.len() {
            let mut input = &frame[..cut];
            let fault = solo.session.handle_input(solo.clock.now(), &mut input).expect_err("not here");
            assert_eq!((fault, input.len()), (InboundFault::MessageOnControl.into(), cut));
        }
        assert_eq!(solo.image(), before);
        solo.peer_sends(8, 0);
        solo.check();
    }
}

#[test]
fn nothing_of_the_ring_goes_out_on_it() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        for len in [0, 8, 64] {
            solo.send(len).expect("room");
            assert!(solo.transmit().is_empty());
        }
        solo.peer_sends(64, 1);
        solo.consume();
        solo.clock.advance(SECOND);
        assert_eq!(solo.transmit(), wire::control(wire::HEARTBEAT, 80), "a sign of life, and no message");
        solo.session.close(CloseReason::Application);
        assert_eq!(solo.transmit(), wire::close(1, 80));
        solo.check();
    }
}

#[test]
fn what_is_acknowledged_on_it_frees_nothing() {
    let mut solo = solo(Role::Server);
    solo.send(8).expect("room");
    let before = solo.image();
    for ack in [24, 16, 48, u64::MAX] {
        assert!(solo.input(wire::control(wire::HEARTBEAT, ack)).expect("a sign of life").is_none());
    }
    assert_eq!(solo.image(), before);
    assert_eq!(solo.session.undelivered().messages, 1, "the peer may be reading it");
    solo.check();
}

#[test]
fn nothing_is_read_behind_a_close() {
    let mut solo = solo(Role::Client);
    let closed = solo.input(wire::close(1, 0)).expect("a sound frame");
    assert!(matches!(closed, Some(Event::Closed(CloseReason::Application))));
    solo.file.publish(0, &solo.peer().message(0, 0, &Message::numbered(Role::Server, 0, 8)));
    assert!(solo.session.receive(solo.file).expect("it is not looked at").is_none());
    assert!(solo.session.is_closed());
}

#[test]
fn its_silence_ends_the_connection_however_many_messages_come() {
    let mut solo = solo(Role::Server);
    for _ in 0..2 {
        solo.clock.advance(SECOND);
        solo.peer_sends(8, 0);
        solo.consume();
        assert_eq!(solo.session.handle_timeout(solo.clock.now()), Ok(None));
    }
    solo.clock.advance(SECOND);
    let timed_out = TimedOut { silent: 3 * SECOND, allowed: 3 * SECOND };
    assert_eq!(solo.session.handle_timeout(solo.clock.now()), Err(timed_out));
}
