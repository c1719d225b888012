//! A file is read over shared memory if it is the file of the peer, of this session, of the sizes that were
//! agreed, and the very memory that the peer writes: it holds the nonce that the peer stored for this login. A
//! side that finds no such file says so, stores nothing, and the link goes on over TCP as if nothing had been.

use std::time::Duration;

use proof::endpoint::Note;
use proof::{Disk, Pair, Setup, image};
use tcpshm_protocol::login::{Carrier, Outcome, RefusalCode};
use tcpshm_protocol::{
    AttachmentId, Geometry, Header, HeaderError, Memory, Nonce, Published, Role, ViewFault, prove,
};

fn ours() -> Header {
    image::header(Role::Client, 7, Geometry::new(256, 64).expect("a geometry"))
}

/// The peer's file, changed in one thing.
fn theirs(change: impl FnOnce(&mut Header)) -> Memory {
    let mut header = image::header(Role::Server, 7, ours().incoming);
    change(&mut header);
    Memory::from_image(image::fresh(&header))
}

/// The nonce of a fresh image.
fn nonce(file: &Memory) -> Nonce {
    Nonce::new(file.load(image::at::NONCE))
}

#[test]
fn the_peers_file_and_no_other() {
    let proven = |file: Memory| prove(&file, &ours(), nonce(&file));
    assert_eq!(proven(theirs(|_| {})), Ok(()));
    let name = || "other".parse().expect("a name");
    let other = image::header(Role::Server, 8, ours().incoming).session;
    assert_eq!(proven(theirs(|header| header.role = Role::Client)), Err(ViewFault::OtherLink));
    assert_eq!(proven(theirs(|header| header.session = other)), Err(ViewFault::OtherLink));
    assert_eq!(proven(theirs(|header| header.owner = name())), Err(ViewFault::OtherLink));
    assert_eq!(proven(theirs(|header| header.peer = name())), Err(ViewFault::OtherLink));
    for found in [(512, 64), (128, 64), (256, 63), (256, 65)] {
        let found = Geometry::new(found.0, found.1).expect("a geometry");
        let fault = ViewFault::Geometry { found, promised: ours().incoming };
        assert_eq!(proven(theirs(|header| header.outgoing = found)), Err(fault));
    }
    assert_eq!(proven(Memory::zeroed(8192)), Err(HeaderError::Unfinished.into()));
    let mut cut = theirs(|_| {}).image().to_vec();
    cut.truncate(4096 + 256);
    assert!(matches!(proven(Memory::from_image(cut)), Err(ViewFault::Header(HeaderError::Size { .. }))));
}

#[test]
fn a_copy_lacks_the_nonce_of_this_login() {
    let file = theirs(|_| {});
    for other in [0, 2, u64::MAX] {
        assert_eq!(prove(&file, &ours(), Nonce::new(other)), Err(ViewFault::OtherMemory { current: None }));
    }
}

/// A pair with a history and messages waiting, not connected, that asks for shared memory.
fn waiting() -> Pair {
    let mut pair = Pair::connected(Setup::over(Carrier::Shm));
    pair.client.send(8).expect("room");
    pair.server.send(8).expect("room");
    pair.settle();
    pair.cut();
    pair.client.send(3).expect("room");
    pair.server.send(0).expect("room");
    pair
}

/// Another carrier is asked for.
fn finish(mut pair: Pair) {
    pair.carrier = Carrier::Tcp;
    assert_eq!(pair.login(), 1, "{:?}", pair.client.notes);
    assert_eq!(pair.client.notes.last(), Some(&Note::Connected(Outcome::Resumed)));
    assert!(!pair.client.is_shared() && !pair.server.is_shared());
    pair.elapse(Duration::from_secs(1));
    pair.check_complete();
}

/// What each side may have in place of the other's directory: nothing, or a copy of it.
fn elsewhere(disk: &Disk) -> [(Option<Disk>, Option<ViewFault>); 2] {
    let copy = disk.content();
    let current = image::load(copy.main().expect("there is a file"), image::at::CURRENT);
    let fault = ViewFault::OtherMemory { current: AttachmentId::new(current) };
    [(None, None), (Some(Disk::new(copy, 1)), Some(fault))]
}

#[test]
fn a_server_that_does_not_see_the_clients_file_refuses_and_stores_nothing() {
    for seen in 0..2 {
        let mut pair = waiting();
        let (neighbour, fault) = elsewhere(&pair.client.disk)[seen].clone();
        pair.server.neighbour = neighbour;
        let before = pair.server.disk.content();
        for attempt in 1..=3 {
            pair.connect();
            pair.settle();
            assert_eq!(pair.client.count(|note| *note == Note::Refused(RefusalCode::NoCarrier)), attempt);
            assert_eq!(pair.server.count(|note| *note == Note::NotShared(fault)), attempt);
        }
        assert_eq!(pair.server.disk.content(), before);
        finish(pair);
    }
}

#[test]
fn a_client_that_does_not_see_the_servers_file_leaves_and_comes_back_as_it_was() {
    for seen in 0..2 {
        let mut pair = waiting();
        let (neighbour, fault) = elsewhere(&pair.server.disk)[seen].clone();
        pair.client.neighbour = neighbour;
        let attachment = |pair: &Pair| {
            let files = pair.client.disk.content();
            image::load(files.main().expect("there is a file"), image::at::CURRENT)
        };
        let before = attachment(&pair);
        for attempt in 1..=3 {
            pair.connect();
            pair.settle();
            assert_eq!(pair.client.count(|note| *note == Note::NotShared(fault)), attempt);
            assert!(!pair.client.is_attached() && !pair.server.is_attached());
        }
        assert_eq!(attachment(&pair), before);
        finish(pair);
    }
}

#[test]
fn a_first_login_that_cannot_be_shared_leaves_nothing_behind() {
    let mut pair = Pair::new(Setup::over(Carrier::Shm));
    pair.server.neighbour = None;
    let before = pair.server.disk.content();
    pair.connect();
    pair.settle();
    assert_eq!(pair.server.disk.content(), before);
    pair.carrier = Carrier::Tcp;
    assert_eq!(pair.login(), 1);
    assert_eq!(pair.client.notes.last(), Some(&Note::Connected(Outcome::Fresh)), "with the same proposal");
    pair.client.send(8).expect("room");
    pair.elapse(Duration::from_secs(1));
    pair.check_complete();
}
