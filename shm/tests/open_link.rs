//! Making a file, opening it, and noticing what happens to it.

mod support;

use std::fs;

use support::{NONCE, confirm, everything, header, main_path, make_main, name, open, proposed_path, session};
use tcpshm_protocol::{Header, Nonce, Role, Standing};
use tcpshm_shm::{FileError, LinkDirectory};

#[test]
fn a_link_without_a_file_is_none_everywhere() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    let peer = name("peer");
    assert!(directory.look(&peer).unwrap().is_none());
    assert!(directory.open_link(&peer, None, NONCE).unwrap().is_none());
    assert!(directory.open_proposed(&peer, session(1), NONCE).unwrap().is_none());
    assert!(directory.look_proposed(&peer).unwrap().is_empty());
    assert!(directory.settle(&peer).unwrap().is_empty());
    assert!(directory.links().unwrap().is_empty());
    directory.discard_proposed(&peer, session(1)).unwrap();
    assert!(matches!(directory.switch(&peer, session(1)), Err(FileError::Missing { .. })));
}

#[test]
fn a_fresh_file_is_proposed_until_its_login_is_completed() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    let peer = name("peer");
    let link = directory.create(&header(&directory, 1), NONCE).unwrap();
    assert_eq!((link.session.id(), link.session.standing()), (session(1), Standing::START));
    assert!(matches!(directory.switch(&peer, session(1)), Err(FileError::Unconfirmed { .. })));
    assert!(directory.look(&peer).unwrap().is_none());
    drop(link);
    // A restart.
    assert!(directory.settle(&peer).unwrap().is_empty());
    let proposed = directory.look_proposed(&peer).unwrap();
    assert_eq!(proposed[0].header(), &header(&directory, 1));
    let link = directory.open_proposed(&peer, session(1), NONCE).unwrap().unwrap();
    confirm(&proposed_path(&directory, 1));
    assert!(matches!(directory.discard_proposed(&peer, session(1)), Err(FileError::Confirmed { .. })));
    assert!(directory.switch(&peer, session(1)).unwrap().is_none());
    assert!(directory.is_in_place(&peer, &link.identity).unwrap());
    assert_eq!(directory.links().unwrap(), [peer]);
}

#[test]
fn a_discarded_file_is_gone_and_only_that_one() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    for id in [3, 1, 2] {
        drop(directory.create(&header(&directory, id), NONCE).unwrap());
    }
    assert!(matches!(directory.create(&header(&directory, 3), NONCE), Err(FileError::Exists { .. })));
    directory.discard_proposed(&name("peer"), session(2)).unwrap();
    let left = directory.look_proposed(&name("peer")).unwrap();
    assert_eq!(
        left.iter().map(|survey| survey.header().session).collect::<Vec<_>>(),
        [session(1), session(3)]
    );
}

#[test]
fn a_header_of_another_owner_makes_no_file() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    let mut foreign = header(&directory, 1);
    foreign.owner = name("somebody");
    assert!(matches!(directory.create(&foreign, NONCE), Err(FileError::Foreign { .. })));
    assert!(directory.look_proposed(&name("peer")).unwrap().is_empty());
}

#[test]
fn a_file_is_open_once_at_a_time_and_can_be_looked_at_meanwhile() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    let link = make_main(&directory, 1);
    let in_use = directory.open_link(&name("peer"), None, NONCE);
    assert!(matches!(in_use, Err(FileError::InUse { path }) if path == main_path(&directory)));
    let before = everything(place.path());
    assert_eq!(directory.look(&name("peer")).unwrap().unwrap().header(), link.session.header());
    assert_eq!(everything(place.path()), before);
    drop(link);
    assert!(directory.open_link(&name("peer"), None, NONCE).unwrap().is_some());
}

#[test]
fn opening_stores_the_nonce_that_it_was_given() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    let nonce = Nonce::new(0x0102_0304_0506_0708);
    let _link = directory.open_link(&name("peer"), None, nonce).unwrap().unwrap();
    assert_eq!(fs::read(main_path(&directory)).unwrap()[1280..1288], nonce.get().to_le_bytes());
}

#[test]
fn a_removed_or_replaced_file_is_noticed_by_its_identity() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    let link = make_main(&directory, 1);
    let path = main_path(&directory);
    let is_in_place = || directory.is_in_place(&name("peer"), &link.identity).unwrap();
    assert!(is_in_place());
    fs::rename(&path, place.path().join("aside")).unwrap();
    assert!(!is_in_place());
    fs::copy(place.path().join("aside"), &path).unwrap();
    assert!(!is_in_place());
    fs::rename(place.path().join("aside"), &path).unwrap();
    assert!(is_in_place());
    fs::remove_file(&path).unwrap();
    assert!(!is_in_place());
    assert_eq!(link.session.id(), session(1), "what is removed stays mapped");
}

#[test]
fn a_session_that_is_the_links_already_is_not_switched_to() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    fs::copy(main_path(&directory), proposed_path(&directory, 1)).unwrap();
    let before = everything(place.path());
    assert!(matches!(directory.switch(&name("peer"), session(1)), Err(FileError::SameSession { .. })));
    assert!(matches!(directory.settle(&name("peer")), Err(FileError::SameSession { .. })));
    assert_eq!(everything(place.path()), before);
}

#[test]
fn two_links_never_have_one_file_however_their_names_are_cut() {
    let place = tempfile::tempdir().unwrap();
    let links = [("a_b", "c"), ("a", "b_c"), ("a.b", "c"), ("a", "b.c"), ("a-b", "c"), ("a", "b-c")];
    for (number, (owner, peer)) in (1..).zip(links) {
        let directory = LinkDirectory::open(place.path(), Role::Client, &name(owner)).unwrap();
        let header = Header { peer: name(peer), ..header(&directory, number) };
        directory.create(&header, NONCE).unwrap();
        confirm(&directory.path().join(format!("c~{owner}~{peer}.link.{number:032x}.new")));
        directory.switch(&name(peer), session(number)).unwrap();
    }
    for (number, (owner, peer)) in (1..).zip(links) {
        let directory = LinkDirectory::open(place.path(), Role::Client, &name(owner)).unwrap();
        let survey = directory.look(&name(peer)).unwrap().unwrap();
        assert_eq!(survey.header().session, session(number), "{owner} and {peer}");
    }
}
