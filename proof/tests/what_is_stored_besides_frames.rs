//! The words that recovery and the other side rely on are stored when they must be: a floor with every
//! ack, a fresh nonce whenever the file changes hands, and one word for a consumption.

use proof::image::{at, load};
use proof::{Solo, wire};
use tcpshm_protocol::{Geometry, Nonce, Role};

fn solo(role: Role) -> Solo {
    Solo::new(role, Geometry::new(128, 40).expect("a geometry"))
}

#[test]
fn an_ack_stores_how_far_recovery_must_come() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        for len in [8, 16, 24] {
            solo.send(len).expect("room");
        }
        solo.transmit();
        solo.peer_consumes(1);
        let image = solo.image();
        assert_eq!((load(&image, at::ACKED), load(&image, at::FLOOR)), (24, 96));
    }
}

#[test]
fn a_nonce_is_fresh_at_opening_login_and_detach() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        let nonce = |solo: &Solo| load(&solo.image(), at::NONCE);
        let mut seen = vec![nonce(&solo)];
        solo.session.detach(Nonce::new(70));
        seen.push(nonce(&solo));
        solo.session.detach(Nonce::new(71));
        assert_eq!(nonce(&solo), 70, "nothing was attached any more");
        solo.restart().expect("a sound file");
        seen.push(nonce(&solo));
        solo.attach(0);
        seen.push(nonce(&solo));
        seen.dedup();
        assert_eq!(seen.len(), 4, "{seen:?}");
        if role == Role::Client {
            solo.session.show(Nonce::new(72));
            assert_eq!(nonce(&solo), 72);
        }
    }
}

#[test]
fn each_operation_has_as_few_stores_as_it_can() {
    let mut solo = solo(Role::Server);
    let stores = |solo: &mut Solo, operation: fn(&mut Solo)| {
        let before = solo.disk.steps();
        operation(solo);
        solo.disk.steps() - before
    };
    for _ in 0..3 {
        solo.peer_sends(0, 0);
    }
    assert_eq!(stores(&mut solo, |solo| solo.send(8).expect("room")), 2, "the next place, the frame");
    assert_eq!(stores(&mut solo, |solo| solo.reply(8).expect("room")), 3, "and the consumption");
    assert_eq!(
        stores(&mut solo, |solo| solo.batch(&[0, 0], 0).expect("room")),
        2,
        "as many frames as you like"
    );
    assert_eq!(stores(&mut solo, Solo::consume), 1);
    solo.transmit();
    assert_eq!(stores(&mut solo, |solo| solo.peer_consumes(3)), 2, "acked, floor");
    assert_eq!(stores(&mut solo, |solo| solo.peer_consumes(3)), 0, "an old ack");
    assert_eq!(stores(&mut solo, |solo| assert!(solo.input(wire::control(wire::ACK, 1 << 40)).is_err())), 0);
}

#[test]
fn a_login_stores_the_old_attachment_before_the_new_one() {
    // Seen from outside: at no moment is the one that the client is at missing.
    let mut solo = solo(Role::Server);
    for _ in 0..3 {
        let shown = load(&solo.image(), at::CURRENT);
        solo.detach();
        solo.disk.record();
        solo.attach(0);
        for crash in solo.disk.crashes() {
            let image = crash.main().expect("the main file never vanishes");
            let known = [load(image, at::CURRENT), load(image, at::PREVIOUS)];
            assert!(known.contains(&shown), "the client at {shown:#x} would be a stranger to {known:x?}");
        }
    }
}
