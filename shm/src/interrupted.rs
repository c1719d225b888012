//! Tests: every state that a kill between two system calls leaves, and every system call failing once.
//!
//! The calls are those that the code makes, not a list of what it should make: each operation runs again
//! and again, with one more call allowed each time, until it gets through.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tcpshm_protocol::{Kind, Role};

use crate::testing::{NONCE, create_confirmed, header, make_main, name, open, proposed_name, session};
use crate::{FileError, LinkDirectory, MappedSession};

/// More than any operation makes.
const MOST_STEPS: u32 = 20;

/// All link files, by name.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let links = entries.filter(|entry| !entry.file_name().to_str().unwrap().ends_with(".lock"));
    links.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// Makes a file of ours.
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Settles, killed after every number of calls, and the next time too; whatever happens the end must be
/// the same.
fn settle_through_kills(path: &Path, role: Role, expected: &BTreeMap<String, Vec<u8>>) {
    for kills in (0..4).flat_map(|first| (0..4).map(move |second| [first, second])) {
        let copy = tempfile::tempdir().unwrap();
        for (file, bytes) in files(path) {
            put(&copy.path().join(file), &bytes);
        }
        for steps in kills {
            let directory = open(copy.path(), role);
            directory.folder.faults.kill_after(steps);
            // Whether it got through is not the question.
            let _ = directory.settle(&name("p"));
        }
        let directory = open(copy.path(), role);
        directory.settle(&name("p")).unwrap();
        assert!(&files(copy.path()) == expected, "killed after {kills:?} calls");
        assert!(directory.settle(&name("p")).unwrap().is_empty());
        assert!(&files(copy.path()) == expected, "settled twice, killed after {kills:?} calls");
    }
}

/// Runs `operation` killed after 0, 1, 2, .. calls, each time in a directory made by `prepare`, and hands
/// each directory that is left to `check`, with whether the operation got through.
fn kill_everywhere(
    role: Role,
    prepare: impl Fn(&LinkDirectory),
    operation: impl Fn(&LinkDirectory) -> Result<(), FileError>,
    check: impl Fn(&Path, bool),
) {
    for steps in 0..MOST_STEPS {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), role);
        prepare(&directory);
        directory.folder.faults.kill_after(steps);
        let finished = operation(&directory).is_ok();
        drop(directory);
        check(place.path(), finished);
        if finished {
            assert!(steps > 0, "an operation without a single call");
            return;
        }
    }
    panic!("the operation never got through");
}

/// The link files after `prepare` and `operation`, undisturbed.
fn undisturbed(role: Role, prepare: impl Fn(&LinkDirectory)) -> BTreeMap<String, Vec<u8>> {
    let place = tempfile::tempdir().unwrap();
    prepare(&open(place.path(), role));
    files(place.path())
}

fn create(directory: &LinkDirectory, id: u128) -> Result<(), FileError> {
    directory.create(&header(directory.role(), id), NONCE).map(drop)
}

fn switch(directory: &LinkDirectory, id: u128) -> Result<(), FileError> {
    directory.switch(&name("p"), session(id)).map(drop)
}

#[test]
fn a_server_killed_while_it_makes_a_file_is_left_with_what_it_had() {
    let before = undisturbed(Role::Server, |directory| make_main(directory, 1));
    kill_everywhere(
        Role::Server,
        |directory| make_main(directory, 1),
        |directory| create(directory, 2),
        |path, _| settle_through_kills(path, Role::Server, &before),
    );
}

#[test]
fn a_client_killed_while_it_makes_a_file_has_the_whole_file_or_none() {
    let before = undisturbed(Role::Client, |directory| make_main(directory, 1));
    let after = undisturbed(Role::Client, |directory| {
        make_main(directory, 1);
        create(directory, 2).unwrap();
    });
    kill_everywhere(
        Role::Client,
        |directory| make_main(directory, 1),
        |directory| create(directory, 2),
        |path, finished| settle_through_kills(path, Role::Client, if finished { &after } else { &before }),
    );
}

#[test]
fn a_file_killed_in_the_middle_of_its_header_is_unfinished() {
    for role in [Role::Client, Role::Server] {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), role);
        create(&directory, 2).unwrap();
        let path = place.path().join(proposed_name(&directory, 2));
        let mut image = fs::read(&path).unwrap();
        image[..8].fill(0);
        for size in [image.len(), 4097, 4096, 4095, 1, 0] {
            put(&path, &image[..size]);
            assert!(directory.look_proposed(&name("p")).unwrap().is_empty());
            assert_eq!(directory.settle(&name("p")).unwrap().removed, [session(2)], "{size} bytes");
            assert!(files(place.path()).is_empty());
        }
    }
}

#[test]
fn a_first_switch_killed_anywhere_is_finished() {
    for role in [Role::Client, Role::Server] {
        let prepare = |directory: &LinkDirectory| drop(create_confirmed(directory, 2));
        let after = undisturbed(role, |directory| {
            prepare(directory);
            switch(directory, 2).unwrap();
        });
        assert_eq!(after.len(), 1);
        kill_everywhere(
            role,
            prepare,
            |directory| switch(directory, 2),
            |path, _| settle_through_kills(path, role, &after),
        );
    }
}

#[test]
fn a_switch_killed_anywhere_is_finished_and_what_it_replaces_is_kept() {
    for role in [Role::Client, Role::Server] {
        let prepare = |directory: &LinkDirectory| {
            make_main(directory, 1);
            make_main(directory, 2);
            drop(create_confirmed(directory, 3));
        };
        let after = undisturbed(role, |directory| {
            prepare(directory);
            switch(directory, 3).unwrap();
        });
        assert_eq!(after.len(), 3);
        kill_everywhere(
            role,
            prepare,
            |directory| switch(directory, 3),
            |path, _| settle_through_kills(path, role, &after),
        );
    }
}

#[test]
fn a_switch_that_failed_half_way_is_finished_by_calling_it_again() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path(), Role::Server);
    make_main(&directory, 1);
    drop(create_confirmed(&directory, 2));
    directory.folder.faults.fail_only(1);
    assert!(matches!(directory.switch(&name("p"), session(2)), Err(FileError::Io { .. })));
    assert_eq!(directory.look(&name("p")).unwrap().unwrap().header().session, session(2));
    let kept = directory.switch(&name("p"), session(2)).unwrap().unwrap();
    assert_eq!(kept.session, session(1));
    assert!(directory.settle(&name("p")).unwrap().is_empty());
}

#[test]
fn whichever_call_fails_while_a_file_is_made_nothing_is_left_and_the_next_try_succeeds() {
    for step in 0..MOST_STEPS {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), Role::Client);
        make_main(&directory, 1);
        let before = files(place.path());
        directory.folder.faults.fail_only(step);
        if create(&directory, 2).is_ok() {
            assert!(step >= 4, "creating, changing the mode, reserving and mapping are calls");
            return;
        }
        assert_eq!(files(place.path()), before);
        create(&directory, 2).unwrap();
    }
    panic!("creation never got through");
}

#[test]
fn a_session_kept_aside_twice_is_refused_until_the_first_is_released() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path(), Role::Server);
    make_main(&directory, 1);
    make_main(&directory, 2);
    // Somebody restores the old file from a backup.
    let kept = directory.kept(None).unwrap().pop().unwrap();
    fs::copy(&kept.path, place.path().join("s~o~p.link")).unwrap();
    drop(create_confirmed(&directory, 3));
    let before = files(place.path());
    assert!(matches!(switch(&directory, 3), Err(FileError::KeptExists { path }) if path == kept.path));
    assert!(matches!(directory.settle(&name("p")), Err(FileError::KeptExists { .. })));
    assert_eq!(files(place.path()), before);
    directory.release(&kept).unwrap();
    assert_eq!(directory.settle(&name("p")).unwrap().switched, [session(3)]);
    assert_eq!(directory.kept(None).unwrap().pop().unwrap().session, session(1));
}

#[test]
fn an_exchanged_file_does_not_overwrite_one_kept_earlier() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path(), Role::Client);
    make_main(&directory, 1);
    drop(create_confirmed(&directory, 2));
    directory.folder.faults.kill_after(1);
    assert!(switch(&directory, 2).is_err());
    drop(directory);
    let directory = open(place.path(), Role::Client);
    let kept = place.path().join(format!("c~o~p.link.{}.kept", session(1)));
    fs::copy(place.path().join(proposed_name(&directory, 2)), &kept).unwrap();
    let before = files(place.path());
    assert!(matches!(directory.settle(&name("p")), Err(FileError::KeptExists { path }) if path == kept));
    assert_eq!(files(place.path()), before);
}

/// A session whose login was completed and that has committed something, and what its file held before
/// somebody removed it.
fn swept(directory: &LinkDirectory) -> (MappedSession, Vec<u8>) {
    make_main(directory, 1);
    let mut session = MappedSession::new(directory.open_link(&name("p"), None, NONCE).unwrap().unwrap());
    let kind = Kind::new(1).unwrap();
    for len in [0, 8, 33] {
        session.outbox().send(kind, &vec![7; len]).unwrap();
    }
    let path = directory.path_of_link(&name("p"));
    let image = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    (session, image)
}

/// The name of the link's own file.
fn main_name(role: Role) -> &'static str {
    if role == Role::Client { "c~o~p.link" } else { "s~o~p.link" }
}

#[test]
fn a_file_made_again_is_the_same_byte_for_byte() {
    for role in [Role::Client, Role::Server] {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), role);
        let (mut session, image) = swept(&directory);
        assert!(!directory.is_in_place(&name("p"), session.identity()).unwrap());
        directory.restore(&mut session).unwrap();
        assert!(files(place.path()) == BTreeMap::from([(main_name(role).to_owned(), image.clone())]));
        assert!(directory.is_in_place(&name("p"), session.identity()).unwrap());
        // What is committed from here on is in the new file.
        session.outbox().send(Kind::new(1).unwrap(), b"more").unwrap();
        assert_eq!(directory.look(&name("p")).unwrap().unwrap().undelivered().messages, 4);
        assert!(fs::read(place.path().join(main_name(role))).unwrap() != image);
    }
}

#[test]
fn a_restoration_killed_anywhere_leaves_the_whole_file_or_none() {
    for role in [Role::Client, Role::Server] {
        let mut seen = [false; 2];
        for steps in 0..MOST_STEPS {
            let place = tempfile::tempdir().unwrap();
            let directory = open(place.path(), role);
            let (mut session, image) = swept(&directory);
            directory.folder.faults.kill_after(steps);
            let finished = directory.restore(&mut session).is_ok();
            drop((session, directory));
            // The last thing written into the copy is its magic; what has none holds nothing.
            let made = files(place.path()).values().any(|bytes| bytes.starts_with(b"tcpshm"));
            seen[usize::from(made)] = true;
            let whole = made.then(|| (main_name(role).to_owned(), image));
            settle_through_kills(place.path(), role, &whole.into_iter().collect());
            if finished {
                assert_eq!(seen, [true; 2]);
                assert!(
                    steps >= 5,
                    "removing, creating, changing the mode, reserving and renaming are calls"
                );
                break;
            }
            assert!(steps + 1 < MOST_STEPS, "it never got through");
        }
    }
}

#[test]
fn whichever_call_fails_while_a_file_is_made_again_the_next_try_succeeds_with_what_came_meanwhile() {
    for step in 0..MOST_STEPS {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), Role::Server);
        let (mut session, _) = swept(&directory);
        directory.folder.faults.fail_only(step);
        if directory.restore(&mut session).is_ok() {
            return;
        }
        assert!(!place.path().join("s~o~p.link").exists(), "not half of it");
        // The session goes on in what it has mapped.
        session.outbox().send(Kind::new(1).unwrap(), b"meanwhile").unwrap();
        directory.restore(&mut session).unwrap();
        assert_eq!(files(place.path()).keys().collect::<Vec<_>>(), ["s~o~p.link"]);
        assert_eq!(directory.look(&name("p")).unwrap().unwrap().undelivered().messages, 4);
    }
    panic!("restoration never got through");
}

#[test]
fn a_file_made_again_spares_the_old_one_that_an_unfinished_switch_left_under_its_prepared_name() {
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path(), Role::Server);
    make_main(&directory, 1);
    let mut old = MappedSession::new(directory.open_link(&name("p"), None, NONCE).unwrap().unwrap());
    old.outbox().send(Kind::new(1).unwrap(), b"owed").unwrap();
    drop(old);
    let mut session = MappedSession::new(create_confirmed(&directory, 2));
    // Between the exchange of the two names and what keeps the old file aside.
    directory.folder.faults.fail_only(1);
    assert!(switch(&directory, 2).is_err());
    fs::remove_file(directory.path_of_link(&name("p"))).unwrap();
    directory.restore(&mut session).unwrap();

    let kept = directory.kept(None).unwrap();
    assert_eq!(kept.iter().map(|kept| kept.session).collect::<Vec<_>>(), [crate::testing::session(1)]);
    assert!(fs::read(&kept[0].path).unwrap().windows(4).any(|bytes| bytes == b"owed"));
    assert!(directory.is_in_place(&name("p"), session.identity()).unwrap());
    assert!(directory.settle(&name("p")).unwrap().is_empty());
}

#[test]
fn whichever_call_fails_while_a_file_is_made_again_no_copy_is_left_that_the_session_outlives() {
    for step in 0..MOST_STEPS {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), Role::Server);
        let (mut session, _) = swept(&directory);
        directory.folder.faults.fail_only(step);
        if directory.restore(&mut session).is_ok() {
            return;
        }
        assert!(files(place.path()).is_empty(), "step {step}: {:?}", files(place.path()).keys());
    }
    panic!("restoration never got through");
}
