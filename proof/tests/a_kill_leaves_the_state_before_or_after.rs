//! Killed after any store of any operation, and in the middle of the writes between two stores, a link
//! file shows the state before the operation or the state after it. So it does if recovery is killed
//! too, and again.

use proof::model::Seen;
use proof::{Solo, over_both};
use tcpshm_protocol::{Geometry, Role, SendError};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A session that stands at every place of its ring in turn, among what earlier laps left there, with
/// two messages out and three of the peer's delivered.
fn everywhere(capacity: u64, test: impl Fn(&mut Solo)) {
    let geometry = Geometry::new(capacity, 24).expect("a geometry");
    over_both(|carrier| {
        for role in ROLES {
            for place in 0..capacity / 8 {
                let start = (5 << 32) + place * 8;
                let mut solo = Solo::midway(carrier, role, geometry, start, start / 2 * 2);
                churn(&mut solo, capacity);
                solo.send(3).expect("room");
                solo.send(8).expect("room");
                solo.transmit();
                for len in [1, 0, 8] {
                    solo.peer_sends(len, solo.model.outgoing.freed);
                }
                test(&mut solo);
                solo.check();
            }
        }
    });
}

/// Two laps of messages and replies, so that the ring is full of what looks like frames.
fn churn(solo: &mut Solo, capacity: u64) {
    let end = solo.committed() + 2 * capacity;
    for len in (0..24).step_by(5).cycle() {
        solo.peer_sends(len, solo.model.outgoing.freed);
        solo.reply(len).expect("room");
        solo.transmit();
        solo.peer_consumes(solo.model.outgoing.committed.len());
        if solo.committed() >= end {
            return;
        }
    }
}

#[track_caller]
fn both(seen: &[Seen]) {
    assert!(seen.contains(&Seen::Before) && seen.contains(&Seen::After), "{seen:?}");
    let turn = seen.iter().position(|seen| *seen == Seen::After).expect("it is there");
    assert!(seen[turn..].iter().all(|seen| *seen == Seen::After), "once done, done: {seen:?}");
}

#[test]
fn of_send() {
    for len in [0, 1, 7, 8, 9, 24] {
        everywhere(128, |solo| both(&solo.every_kill(|solo| solo.send(len).expect("room"))));
    }
}

#[test]
fn of_send_after_an_abandoned_claim() {
    everywhere(128, |solo| {
        both(&solo.every_kill(|solo| {
            let kind = tcpshm_protocol::Kind::new(9).expect("not 0");
            solo.session.claim(kind, 24).expect("room").fill(0xff);
            solo.send(5).expect("room");
        }));
    });
}

#[test]
fn of_commit_consuming() {
    for len in [0, 5, 24] {
        everywhere(128, |solo| both(&solo.every_kill(|solo| solo.reply(len).expect("room"))));
    }
}

#[test]
fn of_a_batch() {
    for lens in [&[8][..], &[0, 0], &[1, 16, 3], &[24, 24], &[0, 8, 0, 8]] {
        everywhere(256, |solo| both(&solo.every_kill(|solo| solo.batch(lens, 0).expect("room"))));
    }
}

#[test]
fn of_a_batch_that_consumes() {
    for consuming in 1..=3 {
        for lens in [&[8][..], &[1, 16, 3], &[24, 24]] {
            everywhere(256, |solo| both(&solo.every_kill(|solo| solo.batch(lens, consuming).expect("room"))));
        }
        everywhere(128, |solo| {
            both(&solo.every_kill(|solo| solo.batch(&[], consuming).expect("nothing to fit")))
        });
    }
}

#[test]
fn of_a_send_after_an_abandoned_batch() {
    everywhere(256, |solo| {
        both(&solo.every_kill(|solo| {
            let kind = tcpshm_protocol::Kind::new(9).expect("not 0");
            let mut batch = solo.session.batch();
            for _ in 0..3 {
                batch.claim(kind, 20).expect("room").fill(0xff);
            }
            drop(batch);
            solo.send(5).expect("room");
        }));
    });
}

#[test]
fn of_consume() {
    everywhere(128, |solo| {
        for _ in 0..3 {
            both(&solo.every_kill(Solo::consume));
        }
    });
}

#[test]
fn of_consume_through() {
    for count in 1..=3 {
        everywhere(128, |solo| both(&solo.every_kill(|solo| solo.consume_through(count))));
    }
}

#[test]
fn of_an_ack() {
    everywhere(128, |solo| {
        for _ in 0..2 {
            let next = solo.model.outgoing.freed + 1;
            both(&solo.every_kill(|solo| solo.peer_consumes(next)));
        }
    });
    everywhere(128, |solo| {
        let all = solo.model.outgoing.committed.len();
        both(&solo.every_kill(|solo| solo.peer_sends(7, all)));
    });
}

#[test]
fn of_an_opening() {
    everywhere(128, |solo| {
        solo.reply(8).expect("room");
        // The image in which only the last frame tells the consumption.
        let crashes = {
            solo.disk.record();
            solo.reply(3).expect("room");
            solo.disk.crashes()
        };
        let published = &crashes[crashes.len() - 2];
        solo.disk.replace(published.clone());
        solo.every_kill(|solo| solo.restart().expect("a sound file"));
        solo.every_kill(|solo| solo.restart().expect("a sound file"));
    });
}

#[test]
fn of_a_login() {
    for news in 0..=2 {
        everywhere(128, |solo| {
            let consumed = solo.model.outgoing.freed + news;
            let seen = solo.every_kill(|solo| solo.attach(consumed));
            assert!(news == 0 || seen.contains(&Seen::Before) && seen.contains(&Seen::After));
        });
        everywhere(128, |solo| {
            let consumed = solo.model.outgoing.freed + news;
            solo.detach();
            solo.every_kill(|solo| {
                solo.restart().expect("a sound file");
                solo.attach(consumed);
            });
        });
    }
}

#[test]
fn of_a_detach() {
    everywhere(128, |solo| {
        solo.every_kill(Solo::detach);
    });
}

#[test]
fn of_a_send_into_a_ring_that_it_fills() {
    everywhere(128, |solo| {
        // 128 - 8 bytes, of which the two messages out take 24 + 24.
        both(&solo.every_kill(|solo| solo.send(24).expect("room")));
        both(&solo.every_kill(|solo| solo.send(16).expect("exactly enough room")));
        assert!(matches!(solo.session.space(), 0));
        let full = SendError::Full { needed: 16, free: 0, unconsumed: 120 };
        assert_eq!(solo.every_kill(|solo| assert_eq!(solo.send(0), Err(full))).len(), 1, "nothing is stored");
    });
}
