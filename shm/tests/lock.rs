//! One owner per name, within one process.

mod support;

use std::fs;

use support::{NONCE, chmod, header, main_path, make_main, name, open, write_at};
use tcpshm_protocol::Role;
use tcpshm_shm::{DirectoryError, FileError, LinkDirectory};

#[test]
fn a_second_opening_in_the_same_process_is_refused_until_the_first_is_dropped() {
    let place = tempfile::tempdir().unwrap();
    let first = open(place.path());
    let second = LinkDirectory::open(place.path(), Role::Client, &name("owner"));
    let lock = place.path().join("c~owner.lock");
    assert!(matches!(second, Err(DirectoryError::Locked { path }) if path == lock));
    drop(first);
    drop(open(place.path()));
    assert!(lock.exists(), "a lock file is never removed");
}

#[test]
fn closing_another_descriptor_of_the_lock_file_ends_no_lock() {
    let place = tempfile::tempdir().unwrap();
    let _first = open(place.path());
    drop(fs::File::open(place.path().join("c~owner.lock")).unwrap());
    assert!(LinkDirectory::open(place.path(), Role::Client, &name("owner")).is_err());
}

#[test]
fn a_client_a_server_and_other_names_share_a_directory() {
    let place = tempfile::tempdir().unwrap();
    let _client = open(place.path());
    let _server = LinkDirectory::open(place.path(), Role::Server, &name("owner")).unwrap();
    let _other = LinkDirectory::open(place.path(), Role::Client, &name("owner2")).unwrap();
}

#[test]
fn a_removed_or_renamed_lock_file_stops_its_holder_before_it_does_harm() {
    for removed in [true, false] {
        let place = tempfile::tempdir().unwrap();
        let first = open(place.path());
        let _link = make_main(&first, 1);
        let lock = place.path().join("c~owner.lock");
        if removed {
            fs::remove_file(&lock).unwrap();
        } else {
            fs::rename(&lock, place.path().join("elsewhere")).unwrap();
        }
        // Nothing keeps a second owner out now, except from what the first has open.
        let second = open(place.path());
        assert!(matches!(second.open_link(&name("peer"), None, NONCE), Err(FileError::InUse { .. })));
        let refused = first.create(&header(&first, 2), NONCE);
        assert!(matches!(refused, Err(FileError::LockLost { path }) if path == lock));
        assert!(matches!(first.settle(&name("peer")), Err(FileError::LockLost { .. })));
    }
}

#[test]
fn a_file_that_is_being_written_is_in_use_whatever_can_be_read_of_it() {
    let place = tempfile::tempdir().unwrap();
    let first = open(place.path());
    let _link = make_main(&first, 1);
    // In the middle of a login, say.
    write_at(&main_path(&first), 1032, &u64::MAX.to_le_bytes());
    let again = first.open_link(&name("peer"), None, NONCE);
    assert!(matches!(again, Err(FileError::InUse { .. })), "{again:?}");
}

#[test]
fn a_planted_lock_file_is_refused() {
    let plant: [fn(&std::path::Path); 4] = [
        |lock| std::os::unix::fs::symlink("elsewhere", lock).unwrap(),
        |lock| fs::create_dir(lock).unwrap(),
        |lock| {
            fs::write(lock, []).unwrap();
            chmod(lock, 0o644);
        },
        |lock| {
            fs::write(lock, []).unwrap();
            chmod(lock, 0o600);
            fs::hard_link(lock, lock.with_extension("second")).unwrap();
        },
    ];
    let refused: Vec<FileError> = plant
        .iter()
        .map(|plant| {
            let place = tempfile::tempdir().unwrap();
            plant(&place.path().join("c~owner.lock"));
            match LinkDirectory::open(place.path(), Role::Client, &name("owner")) {
                Err(DirectoryError::File(error)) => error,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(matches!(
        refused[..],
        [
            FileError::NotRegular { .. },
            FileError::NotRegular { .. },
            FileError::WrongMode { mode: 0o644, .. },
            FileError::Linked { count: 2, .. }
        ]
    ));
}
