//! Which directories are taken, and which are refused.

mod support;

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use support::{chmod, is_root, mode, name, skipped};
use tcpshm_protocol::Role;
use tcpshm_shm::{DirectoryError, LinkDirectory};

fn open(path: &Path) -> Result<LinkDirectory, DirectoryError> {
    LinkDirectory::open(path, Role::Server, &name("owner"))
}

#[test]
fn a_missing_directory_is_made_private() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("links");
    let directory = open(&path).unwrap();
    assert_eq!((mode(&path), mode(&path.join("s~owner.lock"))), (0o700, 0o600));
    assert!(directory.links().unwrap().is_empty());
}

#[test]
fn a_missing_directory_above_it_is_not_made() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("misspelt/links");
    assert!(matches!(open(&path), Err(DirectoryError::NoParent { path: named }) if named == path));
    assert!(!place.path().join("misspelt").exists());
}

#[test]
fn a_directory_that_others_can_only_read_is_taken_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    chmod(place.path(), 0o755);
    open(place.path()).unwrap();
    assert_eq!(mode(place.path()), 0o755);
}

#[test]
fn a_directory_that_others_can_write_is_refused_with_its_mode() {
    let place = tempfile::tempdir().unwrap();
    for wrong in [0o720, 0o702, 0o1777] {
        chmod(place.path(), wrong);
        let refused = open(place.path());
        assert!(matches!(refused, Err(DirectoryError::WrongMode { mode, .. }) if mode == wrong));
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is made in a refused directory");
}

#[test]
fn a_directory_of_another_user_is_refused_with_both_users() {
    if !is_root() {
        return skipped("giving a directory to another user takes root");
    }
    let place = tempfile::tempdir().unwrap();
    chown(place.path(), Some(65_534), None).unwrap();
    let refused = open(place.path());
    assert!(matches!(refused, Err(DirectoryError::WrongOwner { found: 65_534, expected: 0, .. })));
}

#[test]
fn a_symbolic_link_to_a_directory_is_refused_however_it_is_spelt() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("real")).unwrap();
    chmod(&place.path().join("real"), 0o700);
    symlink("real", place.path().join("link")).unwrap();
    symlink("nowhere", place.path().join("dangling")).unwrap();
    for spelling in ["link", "link/", "link//", "link/.", "dangling"] {
        let refused = open(&place.path().join(spelling));
        assert!(matches!(refused, Err(DirectoryError::NotADirectory { .. })), "{spelling}");
    }
    open(&place.path().join("real/")).unwrap();
}

#[test]
fn a_file_is_no_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(open(file.path()), Err(DirectoryError::NotADirectory { .. })));
}

#[test]
fn a_directory_that_is_moved_away_goes_on_being_used() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("links");
    let directory = open(&path).unwrap();
    fs::rename(&path, place.path().join("moved")).unwrap();
    fs::create_dir(&path).unwrap();
    directory.create(&support::header(&directory, 1), support::NONCE).unwrap();
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    assert_eq!(fs::read_dir(place.path().join("moved")).unwrap().count(), 2);
}

#[test]
fn what_cannot_be_made_or_looked_at_is_an_error_of_the_system_with_the_path() {
    // Nobody makes a directory there, not even root.
    let path = Path::new("/proc/self/fdinfo/links");
    match open(path) {
        Err(DirectoryError::Io { operation: "creating", path: named, .. }) => assert_eq!(named, path),
        Err(DirectoryError::NoParent { path: named }) => assert_eq!(named, path),
        other => panic!("{other:?}"),
    }
    // Longer than any name may be.
    let path = Path::new("/tmp").join("n".repeat(300));
    match open(&path) {
        Err(DirectoryError::Io { operation: "opening", path: named, source }) => {
            assert_eq!((named, source.raw_os_error()), (path, Some(36)));
        }
        other => panic!("{other:?}"),
    }
}
