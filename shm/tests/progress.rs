//! Over shared memory the word in the peer's file that says what it has consumed is believed, and nothing else:
//! what the peer has in hand lies in this side's ring.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/attached.rs"]
mod attached;

use std::time::Instant;

use attached::Sides;
use tcpshm_protocol::{Event, Kind};
use tcpshm_shm::{MappedSession, Polled};

/// Bytes of a message of 64 in the ring.
const FRAME: u64 = 80;

fn kind() -> Kind {
    Kind::new(1).unwrap()
}

/// A control frame that acknowledges everything up to `position`, and nothing else.
fn ack(position: u64) -> Vec<u8> {
    [&16_u32.to_le_bytes()[..], &[0, 0, 1, 0], &position.to_le_bytes()].concat()
}

fn consume_one(link: &mut MappedSession) {
    let mut consumed = 0;
    link.poll(1, |polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        outbox.consume(received).unwrap();
        consumed += 1;
    });
    assert_eq!(consumed, 1);
}

#[test]
fn an_acknowledgement_in_a_control_frame_frees_nothing_that_the_peer_has_in_hand() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    let now = Instant::now();
    sides.attach(now);
    let Sides { ours, theirs, .. } = &mut sides;
    theirs.outbox().send(kind(), &[7; 64]).unwrap();
    let mut in_hand = Vec::new();
    ours.poll(1, |polled| {
        let Polled::Event(_, Event::Message(received)) = polled else { return };
        theirs.handle_input(now, &mut &ack(FRAME)[..], |_| {}).unwrap();
        assert_eq!(theirs.undelivered().messages, 1);
        while theirs.outbox().send(kind(), &[9; 64]).is_ok() {}
        in_hand = received.payload().to_vec();
    });
    assert_eq!(in_hand, [7; 64]);
}

#[test]
fn a_peer_is_behind_since_the_last_progress_that_was_seen() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    let start = Instant::now();
    sides.attach(start);
    let Sides { ours, theirs, .. } = &mut sides;
    ours.outbox().send(kind(), b"one").unwrap();
    ours.outbox().poll_transmit(start);
    assert_eq!(ours.behind_since(), Some(start));
    consume_one(theirs);
    ours.outbox().send(kind(), b"two").unwrap();
    ours.observe();
    assert_eq!(ours.undelivered().messages, 1, "the first was consumed");
    assert_ne!(ours.behind_since(), Some(start));
}
