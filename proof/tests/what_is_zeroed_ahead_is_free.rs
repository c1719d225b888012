//! Over shared memory idle moments are used to zero places ahead of the tail, so that the next message can be
//! published without a store for the place behind it. Whatever was claimed and abandoned, or claimed and
//! forgotten, between them: nothing that an earlier lap or such a claim left is taken for a frame, no byte is
//! touched that is published or not acknowledged, and a kill in the middle leaves the state before or after.

use std::mem::ManuallyDrop;

use proof::Solo;
use proof::image::at;
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{Geometry, Kind, Role, SendError};

/// What can happen between two messages.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send(usize),
    Look,
    /// A claim is filled with what looks like words, and dropped.
    Abandon,
    /// The same, and its destructor never runs.
    Forget,
    /// A batch of two is filled, and dropped.
    AbandonBatch,
    ForgetBatch,
    Batch,
    Ack,
    Restart,
}

const STEPS: [Step; 10] = [
    Step::Send(0),
    Step::Send(13),
    Step::Look,
    Step::Abandon,
    Step::Forget,
    Step::AbandonBatch,
    Step::ForgetBatch,
    Step::Batch,
    Step::Ack,
    Step::Restart,
];

fn kind() -> Kind {
    Kind::new(0xffff).expect("not 0")
}

/// Does it. What finds no room does nothing.
fn step(solo: &mut Solo, step: Step) {
    let full = |result: Result<(), SendError>| match result {
        Ok(()) | Err(SendError::Full { .. } | SendError::BatchTooLarge { .. }) => {}
        Err(error) => panic!("{error}"),
    };
    match step {
        Step::Send(len) => full(solo.send(len)),
        Step::Look => solo.look(),
        Step::Abandon | Step::Forget => {
            let most = usize::try_from(solo.session.space()).expect("small").saturating_sub(16).min(24);
            let Ok(mut slot) = solo.session.claim(kind(), most) else { return };
            slot.fill(0xff);
            if matches!(step, Step::Forget) {
                let _ = ManuallyDrop::new(slot);
            }
        }
        Step::AbandonBatch | Step::ForgetBatch => {
            let mut batch = solo.session.batch();
            for len in [8, 16] {
                if let Ok(payload) = batch.claim(kind(), len) {
                    payload.fill(0xff);
                }
            }
            if matches!(step, Step::ForgetBatch) {
                let _ = ManuallyDrop::new(batch);
            }
        }
        Step::Batch => full(solo.batch(&[3, 0], 0)),
        Step::Ack => {
            let next = solo.model.outgoing.freed + 1;
            solo.peer_consumes(next.min(solo.model.outgoing.committed.len()));
        }
        Step::Restart => {
            solo.restart().expect("a sound file");
            solo.attach(solo.model.outgoing.freed);
        }
    }
}

/// A ring full of what looks like frames, two laps from the start, with room for all of it.
fn churned(capacity: u64, place: u64) -> Solo {
    let geometry = Geometry::new(capacity, 24).expect("a geometry");
    let mut solo = Solo::midway(Carrier::Shm, Role::Client, geometry, (3 << 33) + place * 8, 0);
    let end = solo.committed() + 2 * capacity;
    while solo.committed() < end {
        solo.send(24).expect("room");
        solo.peer_consumes(solo.model.outgoing.committed.len());
    }
    solo
}

fn every_sequence(capacity: u64, length: u32) {
    for number in 0..STEPS.len().pow(length) {
        let digits = (0..length).map(|digit| number / STEPS.len().pow(digit) % STEPS.len());
        let steps: Vec<_> = digits.map(|digit| STEPS[digit]).collect();
        let mut solo = churned(capacity, number as u64 % (capacity / 8));
        let (last, first) = steps.split_last().expect("not empty");
        for one in first {
            step(&mut solo, *one);
        }
        solo.every_kill(|solo| step(solo, *last));
        // What was written since the last store is under way when this one is made.
        solo.every_kill(|solo| solo.session.detach(tcpshm_protocol::Nonce::new(77)));
        solo.every_kill(|solo| solo.restart().expect("a sound file"));
    }
}

#[test]
fn in_every_sequence_of_steps_through_a_small_ring() {
    every_sequence(64, 4);
}

#[test]
fn in_every_sequence_of_steps_through_one_that_holds_more() {
    every_sequence(128, 4);
}

#[test]
fn a_ring_that_is_exactly_full_has_nothing_to_zero() {
    for place in 0..16 {
        let mut solo = churned(128, place);
        for len in [24, 24, 24] {
            solo.send(len).expect("room");
        }
        assert_eq!(solo.session.space(), 0);
        let before = solo.image();
        solo.every_kill(Solo::look);
        solo.session.detach(tcpshm_protocol::Nonce::new(77));
        let after = solo.image();
        let changed: Vec<_> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
        assert!(changed.iter().all(|place| (at::NONCE..at::NONCE + 8).contains(place)), "{changed:?}");
    }
}

/// How many stores the next message takes.
fn stores(solo: &mut Solo) -> u64 {
    let before = solo.disk.steps();
    solo.send(8).expect("room");
    solo.disk.steps() - before
}

#[test]
fn a_message_after_an_idle_moment_is_one_store_unless_a_claim_came_between() {
    for (between, expected) in [
        (None, 1),
        (Some(Step::Abandon), 2),
        (Some(Step::Forget), 2),
        (Some(Step::AbandonBatch), 2),
        (Some(Step::ForgetBatch), 2),
    ] {
        let geometry = Geometry::new(1024, 24).expect("a geometry");
        let mut solo = Solo::over(Carrier::Shm, Role::Server, geometry);
        assert_eq!(stores(&mut solo), 2, "the place behind it, and the frame");
        solo.look();
        between.into_iter().for_each(|between| step(&mut solo, between));
        assert_eq!(stores(&mut solo), expected, "{between:?}");
        solo.look();
        assert_eq!(stores(&mut solo), 1, "the next idle moment makes it good");
        assert_eq!(stores(&mut solo), 1, "for more than one message");
        solo.check();
    }
}
