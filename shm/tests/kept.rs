//! Messages of earlier sessions, and of earlier names, are listed until somebody is done with them.

mod support;

use std::fs;

use support::{main_path, make_main, name, open, proposed_path, session, write_message};
use tcpshm_protocol::{RecoverError, Role};
use tcpshm_shm::{FileError, LinkDirectory};

#[test]
fn a_replaced_file_is_kept_with_its_count_until_it_is_released() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    write_message(&main_path(&directory));
    drop(make_main(&directory, 2));
    drop(make_main(&directory, 3));
    drop(directory);
    let directory = open(place.path());
    let kept = directory.kept(Some(&name("peer"))).unwrap();
    let counts: Vec<_> = kept
        .iter()
        .map(|kept| (kept.session, kept.undelivered.as_ref().unwrap().messages, kept.path.exists()))
        .collect();
    assert_eq!(counts, [(session(1), 1, true), (session(2), 0, true)]);
    directory.release(&kept[0]).unwrap();
    directory.release(&kept[0]).unwrap();
    assert_eq!(directory.kept(None).unwrap().len(), 1);
    assert!(directory.kept(Some(&name("pee"))).unwrap().is_empty());
    assert!(directory.kept(Some(&name("peer.link"))).unwrap().is_empty());
}

#[test]
fn the_switch_reports_what_it_kept() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    write_message(&main_path(&directory));
    drop(directory.create(&support::header(&directory, 2), support::NONCE).unwrap());
    support::confirm(&proposed_path(&directory, 2));
    let kept = directory.switch(&name("peer"), session(2)).unwrap().unwrap();
    assert_eq!((kept.peer, kept.session), (name("peer"), session(1)));
    assert_eq!(kept.undelivered.unwrap().upto.get(), 24);
}

#[test]
fn a_damaged_kept_file_is_listed_with_what_is_wrong_and_hides_no_other() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    for id in 1..=3 {
        drop(make_main(&directory, id));
    }
    support::write_at(&directory.kept(None).unwrap()[0].path, 4096, &[1]);
    let kept = directory.kept(None).unwrap();
    let damaged = kept[0].undelivered.as_ref().unwrap_err();
    assert!(matches!(damaged, FileError::Damaged { source: RecoverError::Frame { .. }, .. }));
    assert_eq!(kept[1].undelivered.as_ref().unwrap().messages, 0);
}

#[test]
fn an_owner_under_another_name_sees_what_the_old_one_left() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    drop(make_main(&old, 1));
    write_message(&main_path(&old));
    drop(make_main(&old, 2));
    // The first half of a switch, and the beginning of a creation.
    drop(old.create(&support::header(&old, 3), support::NONCE).unwrap());
    fs::rename(main_path(&old), place.path().join("aside")).unwrap();
    fs::rename(proposed_path(&old, 3), main_path(&old)).unwrap();
    fs::rename(place.path().join("aside"), proposed_path(&old, 3)).unwrap();
    fs::write(proposed_path(&old, 4), []).unwrap();

    let new = LinkDirectory::open(place.path(), Role::Client, &name("owner-2")).unwrap();
    let before = support::everything(place.path());
    let others = new.others().unwrap();
    let counts: Vec<_> = others
        .iter()
        .map(|other| {
            (other.owner.as_str(), other.peer.as_str(), other.undelivered.as_ref().unwrap().messages)
        })
        .collect();
    assert_eq!(counts, [("owner", "peer", 0), ("owner", "peer", 1), ("owner", "peer", 0)]);
    assert_eq!(support::everything(place.path()), before);
    assert!(old.others().unwrap().is_empty());
    let server = LinkDirectory::open(place.path(), Role::Server, &name("owner-2")).unwrap();
    assert!(server.others().unwrap().is_empty());
}

#[test]
fn what_an_old_owner_left_is_listed_whatever_became_of_it() {
    let place = tempfile::tempdir().unwrap();
    let old = open(place.path());
    drop(make_main(&old, 1));
    let file = fs::read(main_path(&old)).unwrap();
    drop(make_main(&old, 2));
    // One of another link, one that is damaged, and one that was never finished.
    fs::write(place.path().join("c~owner~somebody.link"), &file).unwrap();
    support::write_at(&main_path(&old), 4096, &[1]);
    fs::write(proposed_path(&old, 5), vec![0; file.len()]).unwrap();
    for path in [place.path().join("c~owner~somebody.link"), proposed_path(&old, 5)] {
        support::chmod(&path, 0o600);
    }

    let new = LinkDirectory::open(place.path(), Role::Client, &name("owner-2")).unwrap();
    let others = new.others().unwrap();
    let found: Vec<_> = others.iter().map(|other| (other.peer.as_str(), &other.undelivered)).collect();
    assert!(matches!(found[0], ("peer", Err(FileError::Damaged { .. }))), "{found:?}");
    assert!(matches!(found[1], ("peer", Ok(nothing)) if nothing.messages == 0), "{found:?}");
    assert!(matches!(found[2], ("somebody", Err(FileError::Foreign { .. }))), "{found:?}");
    assert_eq!(found.len(), 3, "an unfinished file holds nothing: {found:?}");
}
