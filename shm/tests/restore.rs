//! A link file that was removed while its owner runs is made again from what is mapped, with all that the
//! session has in hand.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/attached.rs"]
mod attached;

use std::fs;
use std::time::Instant;

use attached::{Sides, confirm, grant, name, timing};
use tcpshm_protocol::{Event, Held, Kind, Nonce};
use tcpshm_shm::{FileError, MappedSession, Polled};

fn kind() -> Kind {
    Kind::new(1).unwrap()
}

/// Takes what came and holds it.
fn hold(link: &mut MappedSession) -> Vec<Held> {
    let mut held = Vec::new();
    link.poll(64, |polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        held.push(outbox.hold(received).unwrap());
    });
    held
}

#[test]
fn what_is_held_stays_redeemable_and_its_consumption_is_in_the_new_file() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    sides.attach(Instant::now());
    for text in [b"one", b"two"] {
        sides.ours.outbox().send(kind(), text).unwrap();
    }
    let held = hold(&mut sides.theirs);
    fs::remove_file(sides.server.path_of_link(&name("owner"))).unwrap();
    sides.theirs.detach(Nonce::new(2));
    sides.server.restore(&mut sides.theirs).unwrap();
    for (held, text) in held.into_iter().zip([b"one", b"two"]) {
        let mut outbox = sides.theirs.outbox();
        let received = outbox.redeem(held).unwrap();
        assert_eq!(received.payload(), text);
        outbox.consume(received).unwrap();
    }
    let consumed = sides.theirs.consumed();
    assert_eq!(consumed.position().get(), 48);
    drop(sides.theirs);
    let again = sides.server.open_link(&name("owner"), None, Nonce::new(3)).unwrap().unwrap();
    assert_eq!(again.session.consumed(), consumed);
}

#[test]
fn a_peer_that_attaches_afterwards_reads_the_new_file() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    sides.attach(Instant::now());
    sides.theirs.outbox().send(kind(), b"before").unwrap();
    fs::remove_file(sides.server.path_of_link(&name("owner"))).unwrap();
    let now = Instant::now();
    for link in [&mut sides.ours, &mut sides.theirs] {
        link.detach(Nonce::new(2));
    }
    sides.server.restore(&mut sides.theirs).unwrap();
    sides.theirs.outbox().send(kind(), b"behind").unwrap();

    let nonce = Nonce::new(4);
    let held = sides.ours.show(nonce);
    let confirm = tcpshm_protocol::login::Confirm { held, proposed: None, nonce, ..confirm(&sides.ours) };
    let view = sides.server.view(sides.theirs.header(), nonce).unwrap();
    let ready = sides.theirs.accept(now, &confirm, grant(), Some(view)).unwrap();
    let view = sides.client.view(sides.ours.header(), ready.nonce).unwrap();
    sides.ours.establish(now, &ready, &timing(), Some(view)).unwrap();
    let mut outbox_texts = Vec::new();
    sides.ours.poll(64, |polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        outbox_texts.push(received.payload().to_vec());
        outbox.consume(received).unwrap();
    });
    assert_eq!(outbox_texts, [b"before", b"behind"]);
}

#[test]
fn a_file_in_the_place_of_the_removed_one_is_neither_taken_nor_touched() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    sides.attach(Instant::now());
    let path = sides.server.path_of_link(&name("owner"));
    let image = fs::read(&path).unwrap();
    sides.theirs.detach(Nonce::new(2));
    for stranger in [&image[..], b"", b"something else"] {
        let _ = fs::remove_file(&path);
        fs::write(&path, stranger).unwrap();
        let error = sides.server.restore(&mut sides.theirs).unwrap_err();
        assert!(matches!(&error, FileError::Replaced { path: found } if *found == path), "{error}");
        assert_eq!(fs::read(&path).unwrap(), stranger);
    }
    fs::remove_file(&path).unwrap();
    sides.server.restore(&mut sides.theirs).unwrap();
    assert!(sides.server.is_in_place(&name("owner"), sides.theirs.identity()).unwrap());
}

#[test]
fn nothing_is_made_again_once_the_lock_file_is_gone() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    sides.attach(Instant::now());
    fs::remove_file(sides.server.path_of_link(&name("owner"))).unwrap();
    fs::remove_file(place.path().join("s~peer.lock")).unwrap();
    sides.theirs.detach(Nonce::new(2));
    let error = sides.server.restore(&mut sides.theirs).unwrap_err();
    assert!(matches!(error, FileError::LockLost { .. }), "{error}");
    assert!(!sides.server.path_of_link(&name("owner")).exists());
}

#[test]
fn a_link_that_is_connected_is_not_moved_away_from_under_its_peer() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    sides.attach(Instant::now());
    let path = sides.server.path_of_link(&name("owner"));
    fs::remove_file(&path).unwrap();
    let error = sides.server.restore(&mut sides.theirs).unwrap_err();
    assert!(matches!(error, FileError::Attached { .. }), "{error}");
    assert!(!path.exists());
    sides.theirs.outbox().send(kind(), b"in the old memory").unwrap();
    assert_eq!(hold(&mut sides.ours).len(), 1, "the peer still reads what is written");
    sides.theirs.detach(Nonce::new(2));
    sides.server.restore(&mut sides.theirs).unwrap();
}
