//! A link file that does not check is a typed error and is left as it is, to the byte and the nanosecond.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use support::{NONCE, everything, geometry, main_path, make_main, name, open, write_at, write_message};
use tcpshm_protocol::{Geometry, HeaderError, RecoverError};
use tcpshm_shm::FileError;

/// What looking and opening say of a sound file with one message in it after `damage`.
#[track_caller]
fn damaged(damage: impl Fn(&Path)) -> RecoverError {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    let file = main_path(&directory);
    write_message(&file);
    damage(&file);
    // Long ago, so that any write shows.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    let before = everything(place.path());
    let looked = directory.look(&name("peer")).unwrap_err();
    let opened = directory.open_link(&name("peer"), Some(geometry()), NONCE).unwrap_err();
    assert_eq!(everything(place.path()), before);
    match [looked, opened] {
        [FileError::Damaged { source: looked, path }, FileError::Damaged { source: opened, .. }] => {
            assert_eq!((looked, path), (opened, file));
            looked
        }
        other => panic!("{other:?}"),
    }
}

fn resized(size: u64) -> impl Fn(&Path) {
    move |file| File::options().write(true).open(file).unwrap().set_len(size).unwrap()
}

fn zeroed(at: u64, len: usize) -> impl Fn(&Path) {
    move |file| write_at(file, at, &vec![0; len])
}

#[test]
fn a_truncated_or_extended_file() {
    let whole = 4096 + 256 + 80;
    for size in [0, 1, 4095] {
        let error = damaged(resized(size));
        let size = usize::try_from(size).unwrap();
        assert_eq!(error, HeaderError::TooShort { size, least: 4096 }.into());
    }
    for size in [4096, whole - 1, whole + 1, 1 << 20] {
        let error = damaged(resized(size));
        let size = usize::try_from(size).unwrap();
        assert_eq!(error, HeaderError::Size { size, expected: usize::try_from(whole).unwrap() }.into());
    }
}

#[test]
fn a_huge_file_is_refused_from_its_first_page() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    // A copy of it would not fit the memory.
    resized(1 << 40)(&main_path(&directory));
    assert!(matches!(directory.look(&name("peer")), Err(FileError::Damaged { .. })));
    assert!(matches!(directory.open_link(&name("peer"), None, NONCE), Err(FileError::Damaged { .. })));
}

#[test]
fn a_file_zeroed_in_places() {
    assert_eq!(damaged(zeroed(0, 4096)), HeaderError::Unfinished.into());
    assert_eq!(damaged(zeroed(0, 4432)), HeaderError::Unfinished.into());
    assert!(matches!(damaged(zeroed(16, 8)), RecoverError::Header(HeaderError::Checksum { .. })));
    // The whole frame, or the end of its payload, which is not checked, and more of the ring.
    assert!(matches!(damaged(zeroed(4096, 24)), RecoverError::BelowFloor { .. }));
    assert!(matches!(damaged(zeroed(4096, 4)), RecoverError::Frame { .. }));
}

#[test]
fn a_file_of_another_version() {
    let error = damaged(|file| write_at(file, 8, &2u32.to_le_bytes()));
    assert_eq!(error, HeaderError::Version { found: 2, known: 1 }.into());
}

#[test]
fn a_file_of_something_else() {
    let error = damaged(|file| write_at(file, 0, b"SQLite f"));
    assert!(matches!(error, RecoverError::Header(HeaderError::NotALinkFile { .. })));
}

#[test]
fn a_file_made_for_other_sizes_is_an_error_with_both_and_opens_without_wishes() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    let before = everything(place.path());
    let wished = Geometry::new(512, 64).unwrap();
    match directory.open_link(&name("peer"), Some(wished), NONCE).unwrap_err() {
        FileError::Geometry { file, configured, .. } => assert_eq!((file, configured), (geometry(), wished)),
        other => panic!("{other}"),
    }
    assert_eq!(everything(place.path()), before);
    let link = directory.open_link(&name("peer"), None, NONCE).unwrap().unwrap();
    assert_eq!(link.session.header().outgoing, geometry());
    drop(link);
    assert!(directory.open_link(&name("peer"), Some(geometry()), NONCE).unwrap().is_some());
}

#[test]
fn an_unconfirmed_file_that_is_damaged_is_neither_removed_nor_taken() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(directory.create(&support::header(&directory, 2), NONCE).unwrap());
    write_at(&support::proposed_path(&directory, 2), 16, &[1]);
    let before = everything(place.path());
    assert!(matches!(directory.settle(&name("peer")), Err(FileError::Damaged { .. })));
    assert!(matches!(directory.look_proposed(&name("peer")), Err(FileError::Damaged { .. })));
    assert_eq!(everything(place.path()), before);
    fs::remove_file(support::proposed_path(&directory, 2)).unwrap();
    assert!(directory.settle(&name("peer")).unwrap().is_empty());
}
