//! Sessions that stand next to a lap, 2^31, 2^32, 2^63 and the end of `u64` work as any other.

use proof::{Solo, image, over_both};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{AckFault, Geometry, ProtocolError, RecoverError, Role, SendError};

/// The last position at which a frame can end: the word behind it must have a position too.
const LAST: u64 = u64::MAX - 15;

fn geometry() -> Geometry {
    Geometry::new(128, 40).expect("a geometry")
}

/// Everything that can be done, at `start`, for about three laps.
fn live_through(carrier: Carrier, role: Role, start: u64) {
    let mut solo = Solo::midway(carrier, role, geometry(), start, start);
    for round in 0..12 {
        let freed = solo.model.outgoing.freed;
        solo.every_kill(|solo| solo.send(round * 3).expect("room"));
        solo.transmit();
        solo.peer_sends(round, freed);
        solo.peer_sends(40 - round, freed + 1);
        solo.every_kill(|solo| solo.reply(40 - round).expect("room"));
        solo.transmit();
        solo.every_kill(|solo| solo.consume_through(1));
        solo.every_kill(|solo| solo.peer_consumes(freed + 2));
        solo.restart().expect("a sound file");
        solo.attach(freed + 2);
        solo.check();
    }
}

#[test]
fn next_to_a_lap_and_next_to_the_boundaries_of_words() {
    over_both(|carrier| {
        for boundary in [128, 1 << 31, 1 << 32, 1 << 40, 1 << 63] {
            for before in [0, 8, 16, 24, 64, 120] {
                for role in [Role::Client, Role::Server] {
                    live_through(carrier, role, boundary - before);
                }
            }
        }
    });
}

#[test]
fn a_stream_ends_at_the_last_position_and_says_so() {
    over_both(|carrier| {
        for left in (16..=88).step_by(8) {
            let start = LAST - left;
            let mut solo = Solo::midway(carrier, Role::Client, geometry(), start, 0);
            for sent in 0..left / 16 {
                assert_eq!(solo.send(0), Ok(()), "message {sent}, {left} bytes before the end");
            }
            assert_eq!(solo.send(0), Err(SendError::StreamExhausted), "{left} bytes before the end");
            solo.check();
            solo.every_kill(|solo| assert!(solo.send(1).is_err()));
            solo.transmit();
            let all = solo.model.outgoing.committed.len();
            solo.every_kill(|solo| solo.peer_consumes(all));
            solo.restart().expect("a sound file");
            solo.attach(all);
            assert_eq!(solo.send(0), Err(SendError::StreamExhausted));
        }
    });
}

#[test]
fn the_largest_message_that_the_end_has_no_room_for_is_told_apart_from_a_full_ring() {
    over_both(|carrier| {
        let largest = geometry().largest() as usize;
        let mut solo = Solo::midway(carrier, Role::Client, geometry(), LAST - 16, 0);
        // The ring is empty: nothing that the peer does would make room.
        assert_eq!(solo.send(largest), Err(SendError::StreamExhausted));
        assert_eq!(solo.send(0), Ok(()));
    });
}

#[test]
fn a_peer_that_sends_past_the_last_position_is_refused() {
    over_both(|carrier| {
        let mut solo = Solo::midway(carrier, Role::Client, geometry(), 0, LAST - 32);
        solo.peer_sends(16, 0);
        solo.consume();
        let before = solo.image();
        let message = proof::Message::numbered(Role::Server, 1, 0);
        let frame = solo.peer().message(LAST, 0, &message);
        let end = frame.len() as u64;
        let result = solo.peer_says(LAST, frame);
        // LAST + 16 is 2^64: nowhere.
        assert_eq!(end, 16);
        assert!(matches!(result, Err(ProtocolError::Inbound(_))), "{result:?}");
        assert_eq!(solo.image(), before);
    });
}

#[test]
fn an_ack_near_the_end_of_the_numbers_is_judged_like_any_other() {
    over_both(|carrier| {
        for sent in [0, 1 << 32, 1 << 63, LAST - 64] {
            for ack in [sent + 32, u64::MAX - 7, 1 << 62, (1 << 63) + (1 << 62)] {
                if (sent..=sent + 24).contains(&ack) || ack < sent {
                    continue;
                }
                let mut solo = Solo::midway(carrier, Role::Client, geometry(), sent, 0);
                solo.send(8).expect("room");
                solo.transmit();
                let before = solo.image();
                let fault = solo.peer_acks(ack).expect_err("beyond");
                assert!(matches!(fault, ProtocolError::Ack(AckFault::BeyondSent { .. })), "{ack}: {fault}");
                assert_eq!(solo.image(), before);
            }
        }
    });
}

#[test]
fn a_file_whose_words_are_at_the_end_of_the_numbers_is_opened_or_refused_without_a_panic() {
    let header = image::header(Role::Client, 9, geometry());
    for acked in [u64::MAX - 7, LAST, LAST - 8, LAST - 16] {
        let mut file = image::midway(&header, acked, 0, 1);
        assert_eq!(image::read(&file).map(|contents| contents.acked), Ok(acked));
        // A frame that would end past the last position.
        let stream = proof::wire::Stream { session: header.session, sender: Role::Client };
        let kind = tcpshm_protocol::Kind::new(1).expect("not 0");
        let place = image::at::FRAMES + usize::try_from(acked % 128).expect("small");
        image::set(&mut file, place, stream.word(acked, kind, 40));
        let read = image::read(&file);
        assert!(matches!(read, Err(RecoverError::Overfull { .. })), "{read:?}");
    }
}
