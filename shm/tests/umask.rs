//! Modes do not depend on the umask.
//!
//! A umask belongs to a process, so each test runs again as a child of a shell that sets it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{NONCE, PLACE, child_place, chmod, header, is_root, mode, name, open, session};

/// Runs the child's side of a test under `umask`, as an ordinary user if there is a choice.
#[track_caller]
fn run_under(umask: &str, test: &str, place: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test]).env(PLACE, place);
    if is_root() {
        // Permissions mean nothing to root.
        use std::os::unix::process::CommandExt;
        std::os::unix::fs::chown(place, Some(65_534), Some(65_534)).unwrap();
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "umask {umask}: {}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn everything_is_private_whatever_the_umask() {
    if let Some(place) = child_place() {
        let directory = open(&place.join("links"));
        directory.create(&header(&directory, 1), NONCE).unwrap();
        assert_eq!(directory.look_proposed(&name("peer")).unwrap().len(), 1);
        return;
    }
    for umask in ["0", "077", "0777"] {
        let place = tempfile::tempdir().unwrap();
        chmod(place.path(), 0o755);
        run_under(umask, "everything_is_private_whatever_the_umask", place.path());
        let links = place.path().join("links");
        assert_eq!(mode(&links), 0o700);
        assert_eq!(mode(&links.join("c~owner.lock")), 0o600);
        assert_eq!(mode(&links.join(format!("c~owner~peer.link.{}.new", session(1)))), 0o600);
    }
}

#[test]
fn files_without_permissions_that_a_kill_left_behind_are_mended_or_removed() {
    if let Some(place) = child_place() {
        let directory = open(&place);
        assert_eq!(directory.settle(&name("peer")).unwrap().removed, [session(1)]);
        return;
    }
    let place = tempfile::tempdir().unwrap();
    for left in ["c~owner.lock", &format!("c~owner~peer.link.{}.new", session(1))] {
        let path = place.path().join(left);
        std::fs::write(&path, []).unwrap();
        chmod(&path, 0);
        if is_root() {
            std::os::unix::fs::chown(&path, Some(65_534), Some(65_534)).unwrap();
        }
    }
    run_under("022", "files_without_permissions_that_a_kill_left_behind_are_mended_or_removed", place.path());
    assert_eq!(mode(&place.path().join("c~owner.lock")), 0o600);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}
