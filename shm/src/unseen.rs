//! Tests: every system call that changes nothing failing once, in every operation.
//!
//! Opening, examining and listing fail as well as writing does: a disk that gives out, a lack of descriptors.
//! The error is typed, nothing of the link is lost or decided, and the same operation succeeds afterwards.

use std::path::Path;

use tcpshm_protocol::{Kind, Role};

use crate::testing::{NONCE, create_confirmed, header, make_main, name, open, session};
use crate::{FileError, Kept, LinkDirectory, MappedSession};

/// More than any operation makes.
const MOST_LOOKS: u32 = 60;

/// Done, perhaps with a count missing in what it reports and the reason in its place; or not done.
type Outcome = Result<Option<FileError>, FileError>;

fn done<T>(_: T) -> Option<FileError> {
    None
}

/// What a directory holds of the link: sessions and messages, whatever the files are called at the moment.
fn holdings(path: &Path, role: Role) -> Vec<(u128, u64)> {
    let directory = open(path, role);
    let peer = name("p");
    let main = directory.look(&peer).unwrap().into_iter();
    let proposed = directory.look_proposed(&peer).unwrap();
    let held = main.chain(proposed);
    let mut held: Vec<_> =
        held.map(|survey| (survey.header().session.get(), survey.undelivered().messages)).collect();
    let kept = directory.kept(Some(&peer)).unwrap().into_iter();
    held.extend(kept.map(|kept| (kept.session.get(), kept.undelivered.unwrap().messages)));
    held.sort_unstable();
    held
}

/// Runs the operation with the first, second, third .. of its looks failing, until it makes no more. Returns how
/// many there were.
fn each_look_fails(
    role: Role,
    prepare: impl Fn(&LinkDirectory),
    operation: impl Fn(&LinkDirectory) -> Outcome,
) -> u32 {
    let undisturbed = |runs: bool| {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), role);
        prepare(&directory);
        if runs {
            assert!(operation(&directory).unwrap().is_none());
        }
        directory.settle(&name("p")).unwrap();
        drop(directory);
        holdings(place.path(), role)
    };
    let (before, after) = (undisturbed(false), undisturbed(true));
    for look in 0..MOST_LOOKS {
        let place = tempfile::tempdir().unwrap();
        let directory = open(place.path(), role);
        prepare(&directory);
        directory.folder.faults.fail_look(look);
        let outcome = operation(&directory);
        if !directory.folder.faults.end_looks() {
            assert!(outcome.unwrap().is_none());
            return look;
        }
        let is_done = outcome.is_ok();
        let error = outcome.unwrap_or_else(Some).expect("somebody is told that a call failed");
        assert!(matches!(error, FileError::Io { .. }), "look {look}: {error}");
        if !is_done {
            operation(&directory).unwrap_or_else(|error| panic!("look {look}, once more: {error}"));
        }
        directory.settle(&name("p")).unwrap();
        drop(directory);
        let held = holdings(place.path(), role);
        assert!(held == after || held == before, "look {look}: {held:?}");
    }
    panic!("it never got through");
}

/// The link with "p": session 1 with a message, and session 2 prepared with its login completed.
fn two_sessions(directory: &LinkDirectory) {
    make_main(directory, 1);
    commit(directory);
    drop(create_confirmed(directory, 2));
}

fn commit(directory: &LinkDirectory) {
    let link = directory.open_link(&name("p"), None, NONCE).unwrap().unwrap();
    MappedSession::new(link).outbox().send(Kind::new(1).unwrap(), b"owed").unwrap();
}

fn over_both_roles(each: impl Fn(Role)) {
    each(Role::Client);
    each(Role::Server);
}

#[test]
fn while_a_link_is_looked_at_and_listed() {
    over_both_roles(|role| {
        let peer = name("p");
        let prepare = two_sessions;
        let looks = [
            each_look_fails(role, prepare, |directory| directory.look(&peer).map(done)),
            each_look_fails(role, prepare, |directory| directory.look_proposed(&peer).map(done)),
            each_look_fails(role, prepare, |directory| directory.links().map(done)),
            each_look_fails(role, prepare, |directory| directory.interrupted().map(done)),
            each_look_fails(role, prepare, |directory| directory.kept_count(&peer).map(done)),
            each_look_fails(role, prepare, |directory| directory.others().map(done)),
        ];
        assert!(looks.iter().all(|count| *count >= 2), "{looks:?}");
    });
}

#[test]
fn while_a_file_is_opened() {
    over_both_roles(|role| {
        let open = |directory: &LinkDirectory| {
            directory.open_link(&name("p"), None, NONCE).map(|link| done(link.expect("it is there")))
        };
        assert!(each_look_fails(role, two_sessions, open) >= 4);
        let open = |directory: &LinkDirectory| {
            directory
                .open_proposed(&name("p"), session(2), NONCE)
                .map(|link| done(link.expect("it is there")))
        };
        assert!(each_look_fails(role, two_sessions, open) >= 4);
    });
}

#[test]
fn while_a_file_is_made() {
    over_both_roles(|role| {
        let prepare = |directory: &LinkDirectory| make_main(directory, 1);
        let make = |directory: &LinkDirectory| directory.create(&header(role, 2), NONCE).map(done);
        assert!(each_look_fails(role, prepare, make) >= 2);
        let prepare = |directory: &LinkDirectory| {
            make_main(directory, 1);
            make(directory).unwrap();
        };
        let discard =
            |directory: &LinkDirectory| directory.discard_proposed(&name("p"), session(2)).map(done);
        assert!(each_look_fails(role, prepare, discard) >= 3);
    });
}

#[test]
fn while_a_link_moves_to_another_file() {
    over_both_roles(|role| {
        // What was put aside is told in any case: perhaps without the count of what it holds, and why.
        let told = |kept: Kept| kept.undelivered.err();
        let switch = |directory: &LinkDirectory| {
            let kept = directory.switch(&name("p"), session(2))?;
            Ok(kept.and_then(told))
        };
        assert!(each_look_fails(role, two_sessions, switch) >= 4);
        let settle = |directory: &LinkDirectory| {
            let settled = directory.settle(&name("p"))?;
            Ok(settled.kept.into_iter().find_map(told))
        };
        assert!(each_look_fails(role, two_sessions, settle) >= 4);
    });
}

#[test]
fn while_a_removed_file_is_made_again() {
    over_both_roles(|role| {
        let restore = |directory: &LinkDirectory| {
            let link = directory.open_link(&name("p"), None, NONCE)?.expect("it is there");
            let mut link = MappedSession::new(link);
            std::fs::remove_file(directory.path_of_link(&name("p"))).unwrap();
            let restored = directory.restore(&mut link);
            if restored.is_err() {
                directory.folder.faults.end_looks();
                directory.restore(&mut link).unwrap();
            }
            restored
        };
        let prepare = |directory: &LinkDirectory| {
            make_main(directory, 1);
            commit(directory);
        };
        let mut failures = 0;
        for look in 0..MOST_LOOKS {
            let place = tempfile::tempdir().unwrap();
            let directory = open(place.path(), role);
            prepare(&directory);
            directory.folder.faults.fail_look(look);
            match restore(&directory) {
                Ok(()) => break,
                Err(error) => assert!(matches!(error, FileError::Io { .. }), "look {look}: {error}"),
            }
            failures += 1;
            drop(directory);
            assert_eq!(holdings(place.path(), role), [(1, 1)], "look {look}");
        }
        assert!((5..MOST_LOOKS).contains(&failures), "{failures}");
    });
}
