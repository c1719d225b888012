//! Whatever a peer sends that it may not: a typed error with the numbers, and not a byte of the link
//! file is different.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proof::image::{at, load};
use proof::wire::{self, control, frame, word};
use proof::{Message, Solo};
use tcpshm_protocol::{
    AckFault, ControlFault, FrameFault, Geometry, InboundFault, Kind, Position, ProtocolError, Role,
};

const LARGEST: u32 = 40;
const MOST: u32 = 56;

fn position(position: u64) -> Position {
    Position::new(position).expect("a multiple of 8")
}

/// A session with two messages of 24 bytes out and one of the peer's delivered.
fn solo(role: Role) -> Solo {
    let mut solo = Solo::new(role, Geometry::new(128, LARGEST).expect("a geometry"));
    solo.send(8).expect("room");
    solo.send(3).expect("room");
    solo.transmit();
    solo.peer_sends(8, 0);
    solo
}

/// Every prefix of the bytes does nothing or fails as the whole does.
#[track_caller]
fn refused(make: impl Fn(&Solo) -> Vec<u8>, expected: ProtocolError) {
    for role in [Role::Client, Role::Server] {
        let bytes = make(&solo(role));
        for cut in 0..=bytes.len() {
            let mut solo = solo(role);
            let before = solo.image();
            let mut input = &bytes[..cut];
            let result = solo.session.handle_input(solo.clock.now(), &mut input);
            match result {
                Err(fault) => assert_eq!(fault, expected, "after {cut} bytes"),
                Ok(event) => assert!(event.is_none() && cut < bytes.len(), "{event:?} after {cut} bytes"),
            }
            assert_eq!(solo.image(), before, "something was stored");
            solo.check();
        }
    }
}

fn in_frame(fault: FrameFault) -> ProtocolError {
    InboundFault::Frame { at: position(24), fault }.into()
}

#[test]
fn of_a_length_of_0_without_a_hang() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut solo = solo(Role::Client);
        let endless = frame(0, 0, &[0; 48]);
        let result = solo.session.handle_input(solo.clock.now(), &mut &endless[..]);
        sender.send(result.is_err()).expect("somebody waits for it");
    });
    assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(true), "it goes round in circles");
}

#[test]
fn of_every_wrong_length() {
    for len in [0, 1, 7, 8, 15, MOST + 1, MOST + 8, 0x7fff_ffff, 0xffff_ffff] {
        let fault = FrameFault::Length { len, least: 16, most: MOST };
        refused(|solo| frame(word(len, 9, solo.peer().mark(24)), 0, &[0; 48]), in_frame(fault));
    }
}

#[test]
fn of_every_wrong_mark() {
    // The mark of another place, lap, direction, and any single bit.
    for wrong in [32, 0, 24 + 128, 24 + (1 << 40)] {
        let expected = solo(Role::Server).peer().mark(24);
        assert_ne!(solo(Role::Server).peer().mark(wrong), expected);
    }
    for bit in 0..16 {
        for role in [Role::Client, Role::Server] {
            let mut solo = solo(role);
            let before = solo.image();
            let expected = solo.peer().mark(24);
            let found = expected ^ 1 << bit;
            let fault = solo.input(frame(word(24, 9, found), 0, &[1; 8])).expect_err("a wrong mark");
            assert_eq!(fault, in_frame(FrameFault::Mark { found, expected }));
            assert_eq!(solo.image(), before);
        }
    }
}

#[test]
fn of_the_other_direction_or_another_session() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        let mut echoed = solo.peer();
        echoed.sender = role;
        let message = Message::numbered(role, 1, 8);
        let fault = solo.input(echoed.message(24, 0, &message)).expect_err("our own frame");
        assert!(matches!(fault, ProtocolError::Inbound(InboundFault::Frame { .. })), "{fault}");
        let mut foreign = solo.peer();
        foreign.session = tcpshm_protocol::SessionId::new(1 << 112).expect("not 0");
        assert!(solo.input(foreign.message(24, 0, &message)).is_err());
    }
}

#[test]
fn of_padding_that_is_not_zero() {
    for byte in [21, 22, 23] {
        refused(
            |solo| {
                let mut bytes = solo.peer().message(24, 0, &Message::numbered(Role::Client, 1, 5));
                bytes[byte] = 1;
                bytes
            },
            in_frame(FrameFault::Padding),
        );
    }
}

#[test]
fn of_an_ack_beyond_what_was_sent() {
    for ack in [56, 64, 128, 1 << 40, u64::MAX - 7] {
        let fault = AckFault::BeyondSent { ack, sent: position(48) };
        refused(|_| control(wire::ACK, ack), fault.into());
        refused(|_| control(wire::HEARTBEAT, ack), fault.into());
        refused(|_| wire::close(1, ack), fault.into());
        refused(|solo| solo.peer().message(24, ack, &Message::numbered(Role::Client, 1, 5)), fault.into());
    }
}

#[test]
fn of_an_ack_of_what_was_committed_and_not_sent() {
    let mut solo = solo(Role::Server);
    solo.send(16).expect("room");
    let before = solo.image();
    let fault = solo.input(control(wire::ACK, solo.committed())).expect_err("not sent yet");
    assert_eq!(fault, AckFault::BeyondSent { ack: 80, sent: position(48) }.into());
    assert_eq!(solo.image(), before);
    solo.transmit();
    solo.peer_consumes(3);
}

#[test]
fn of_an_ack_inside_a_frame() {
    for ack in (0..48).filter(|ack| ![0, 24].contains(ack)) {
        let fault = AckFault::InsideFrame { ack };
        refused(|_| control(wire::ACK, ack), fault.into());
        refused(|solo| solo.peer().message(24, ack, &Message::numbered(Role::Client, 1, 0)), fault.into());
    }
}

#[test]
fn of_an_ack_that_points_at_payload_which_looks_like_a_frame() {
    // The payload at offset 16 of our first message is what a frame there would start with.
    let mut solo = Solo::new(Role::Server, Geometry::new(128, LARGEST).expect("a geometry"));
    let mut ours = solo.peer();
    ours.sender = Role::Server;
    let kind = Kind::new(7).expect("not 0");
    let mut payload = ours.word(16, kind, 0).to_le_bytes().to_vec();
    payload.extend([0; 8]);
    solo.session.send(kind, &payload).expect("room");
    solo.transmit();
    let before = solo.image();
    let fault = solo.input(control(wire::ACK, 16)).expect_err("inside");
    assert_eq!(fault, AckFault::InsideFrame { ack: 16 }.into());
    assert_eq!(solo.image(), before);
}

#[test]
fn of_an_unknown_control_code() {
    for code in [0, 4, 5, 0x8000, 0xffff] {
        refused(
            |_| frame(word(16, 0, code), 0, &[]),
            InboundFault::Control(ControlFault::Unknown { code }).into(),
        );
    }
}

#[test]
fn of_a_control_frame_of_a_wrong_length() {
    for (code, expected) in [(wire::ACK, 16), (wire::HEARTBEAT, 16), (wire::CLOSE, 24)] {
        for len in [0, 1, 7, 15, 17, 23, 25, 32, 0xffff_ffff] {
            let fault = ControlFault::Length { code, len, expected };
            refused(|_| frame(word(len, 0, code), 0, &[0; 32]), InboundFault::Control(fault).into());
        }
    }
}

#[test]
fn of_a_message_of_kind_0() {
    // On the wire kind 0 is a control frame, and the mark its code.
    for len in [0, 8, 40] {
        let mut solo = solo(Role::Server);
        let before = solo.image();
        let code = solo.peer().mark(24);
        let fault =
            solo.input(frame(word(16 + len, 0, code), 0, &vec![1; len as usize])).expect_err("kind 0");
        assert_eq!(fault, InboundFault::Control(ControlFault::Unknown { code }).into());
        assert_eq!(solo.image(), before);
    }
}

#[test]
fn of_a_message_that_reaches_over_one_that_was_delivered() {
    // After a reconnect the peer sends again, but other frames than before.
    let mut solo = solo(Role::Server);
    solo.detach();
    solo.attach(0);
    let before = solo.image();
    let message = Message::numbered(Role::Client, 0, 16);
    let fault = solo.input(solo.peer().message(0, 0, &message)).expect_err("an overlap");
    assert_eq!(fault, InboundFault::Overlap { at: position(0), delivered: position(24) }.into());
    assert_eq!(solo.image(), before);
}

#[test]
fn of_more_than_the_peers_ring_can_hold() {
    let mut solo = solo(Role::Server);
    solo.peer_sends(40, 0);
    solo.peer_sends(24, 0);
    // 24 + 56 + 40 are exactly the 120 bytes that a ring of 128 can hold.
    let message = Message::numbered(Role::Client, 3, 0);
    let before = solo.image();
    let fault = solo.input(solo.peer().message(120, 0, &message)).expect_err("an overrun");
    assert_eq!(fault, InboundFault::Overrun { at: position(120), window: 120 }.into());
    assert_eq!(solo.image(), before);
    solo.consume();
    solo.peer_sends(0, 0);
}

#[test]
fn a_faulty_first_frame_does_not_even_end_the_doubt_about_the_attachment() {
    let mut solo = solo(Role::Server);
    solo.detach();
    solo.attach(0);
    let before = solo.image();
    let [current, previous] = [at::CURRENT, at::PREVIOUS].map(|word| load(&before, word));
    assert_ne!(current, previous, "the client may still be at the one before");
    for junk in [control(wire::ACK, 56), control(wire::ACK, 8), control(9, 0), vec![0; 16]] {
        solo.input(junk).expect_err("none of it is sound");
        assert_eq!(solo.image(), before);
    }
    solo.input(control(wire::ACK, 0)).expect("a sound frame");
    assert_eq!(load(&solo.image(), at::PREVIOUS), current, "it has stored this one");
}

#[test]
fn nothing_is_taken_from_the_connection_after_a_close() {
    let mut solo = solo(Role::Server);
    let event = solo.input(wire::close(9, 0)).expect("a sound frame");
    assert!(matches!(event, Some(tcpshm_protocol::Event::Closed(tcpshm_protocol::CloseReason::Other(9)))));
    assert!(solo.session.is_closed());
    let before = solo.image();
    let mut junk = &[0xff; 64][..];
    assert!(solo.session.handle_input(solo.clock.now(), &mut junk).expect("not read").is_none());
    assert_eq!((junk.len(), solo.image()), (64, before));
}
