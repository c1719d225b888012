//! What lies at a link file's name and is not a link file of ours is refused, and left as it is.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};
use support::{NONCE, chmod, everything, is_root, main_path, make_main, name, open, session, skipped};
use tcpshm_shm::FileError;

/// Replaces a sound link file by what `plant` makes of it, and gives what looking and opening say.
#[track_caller]
fn refusals(plant: impl Fn(&Path)) -> [FileError; 2] {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    plant(&main_path(&directory));
    let before = everything(place.path());
    let looked = directory.look(&name("peer")).unwrap_err();
    let opened = directory.open_link(&name("peer"), None, NONCE).unwrap_err();
    assert_eq!(everything(place.path()), before);
    [looked, opened]
}

fn replaced_by(file: &Path, make: impl Fn(&Path)) {
    fs::rename(file, file.with_extension("aside")).unwrap();
    make(file);
}

#[test]
fn links_directories_and_pipes_are_not_followed_opened_or_waited_for() {
    let plants: [fn(&Path); 4] = [
        |file| symlink(file.with_extension("aside"), file).unwrap(),
        |file| symlink("nowhere", file).unwrap(),
        |file| fs::create_dir(file).unwrap(),
        |file| mkfifoat(CWD, file, Mode::from_raw_mode(0o600)).unwrap(),
    ];
    for plant in plants {
        let refused = refusals(|file| replaced_by(file, plant));
        assert!(
            matches!(refused, [FileError::NotRegular { .. }, FileError::NotRegular { .. }]),
            "{refused:?}"
        );
    }
}

#[test]
fn a_file_that_others_may_use_is_refused_with_its_mode() {
    for wrong in [0o640, 0o604, 0o610, 0o602] {
        for refused in refusals(|file| chmod(file, wrong)) {
            assert!(matches!(refused, FileError::WrongMode { mode, .. } if mode == wrong), "{refused}");
        }
    }
}

#[test]
fn a_file_made_read_only_can_be_looked_at_and_not_opened() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    chmod(&main_path(&directory), 0o400);
    let before = everything(place.path());
    assert_eq!(directory.look(&name("peer")).unwrap().unwrap().header().session, session(1));
    let refused = directory.open_link(&name("peer"), None, NONCE);
    assert!(matches!(refused, Err(FileError::WrongMode { mode: 0o400, .. })));
    assert_eq!(everything(place.path()), before);
}

#[test]
fn a_file_with_a_second_name_is_refused_with_the_count() {
    for refused in refusals(|file| fs::hard_link(file, file.with_extension("second")).unwrap()) {
        assert!(matches!(refused, FileError::Linked { count: 2, .. }), "{refused}");
    }
}

#[test]
fn a_file_of_another_user_is_refused_with_both_users() {
    if !is_root() {
        return skipped("giving a file to another user takes root");
    }
    for refused in refusals(|file| chown(file, Some(65_534), None).unwrap()) {
        assert!(matches!(refused, FileError::WrongOwner { found: 65_534, expected: 0, .. }), "{refused}");
    }
}

#[test]
fn a_file_of_another_link_is_refused_with_what_it_is() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    drop(make_main(&directory, 1));
    fs::rename(main_path(&directory), place.path().join("c~owner~stranger.link")).unwrap();
    let before = everything(place.path());
    let error = directory.open_link(&name("stranger"), None, NONCE).unwrap_err();
    assert!(matches!(&error, FileError::Foreign { peer, .. } if *peer == name("peer")));
    assert!(directory.look(&name("stranger")).is_err());
    assert_eq!(everything(place.path()), before);
}
