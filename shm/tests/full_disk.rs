//! A full file system is an error where a file is made or opened, and never a fault later.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};
use support::{NONCE, header, main_path, make_main, name, open, proposed_path, skipped};
use tcpshm_protocol::Geometry;
use tcpshm_shm::FileError;

/// While one test runs a program, the child holds copies of every descriptor of this process for a moment,
/// and with them the locks of the other tests.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A tmpfs of 1 MiB, unmounted when dropped.
struct SmallDisk {
    place: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let place = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"]).arg(place.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            skipped("mounting a small tmpfs takes privileges that this process lacks");
        }
        mounted.then_some(Self { place, _alone: alone })
    }

    fn path(&self) -> &Path {
        self.place.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failed test may still have files open.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_file_that_does_not_fit_is_an_error_with_its_size_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let directory = open(disk.path());
    let _link = make_main(&directory, 1);
    let mut large = header(&directory, 2);
    large.outgoing = Geometry::new(2 << 20, 64).unwrap();
    match directory.create(&large, NONCE).unwrap_err() {
        FileError::NoSpace { path, needed } => {
            assert_eq!((path, needed), (proposed_path(&directory, 2), 4096 + (2 << 20) + 80));
        }
        other => panic!("{other}"),
    }
    assert!(!proposed_path(&directory, 2).exists());
    // What fits is made, without a restart.
    directory.create(&header(&directory, 2), NONCE).unwrap();
}

#[test]
fn a_copy_with_holes_is_not_opened_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let directory = open(disk.path());
    let mut sparse = header(&directory, 1);
    sparse.outgoing = Geometry::new(256 << 10, 64).unwrap();
    drop(directory.create(&sparse, NONCE).unwrap());
    let path = proposed_path(&directory, 1);
    support::confirm(&path);
    directory.switch(&name("peer"), sparse.session).unwrap();
    let file = fs::File::options().read(true).write(true).open(main_path(&directory)).unwrap();
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, hole, 8192, 200 << 10).unwrap();
    let filler = disk.path().join("filler");
    fallocate(fs::File::create(&filler).unwrap(), FallocateFlags::empty(), 0, 900 << 10).unwrap();

    let before = fs::read(main_path(&directory)).unwrap();
    let refused = directory.open_link(&name("peer"), None, NONCE);
    assert!(matches!(refused, Err(FileError::NoSpace { .. })), "{refused:?}");
    assert!(fs::read(main_path(&directory)).unwrap() == before);
    fs::remove_file(filler).unwrap();
    assert!(directory.open_link(&name("peer"), None, NONCE).unwrap().is_some());
    // Nothing is left of the hole.
    assert!(fs::metadata(main_path(&directory)).unwrap().blocks() * 512 >= 256 << 10);
}

#[test]
fn a_whole_file_is_opened_on_a_disk_that_is_full_to_the_last_byte() {
    let Some(disk) = SmallDisk::mount() else { return };
    let directory = open(disk.path());
    drop(make_main(&directory, 1));
    let filler = fs::File::create(disk.path().join("filler")).unwrap();
    let written = (0..).take_while(|page| filler.write_all_at(&[1; 4096], page * 4096).is_ok()).count();
    assert!(written > 100, "the disk held {written} pages");
    assert!(directory.open_link(&name("peer"), None, NONCE).unwrap().is_some());
    assert!(matches!(directory.create(&header(&directory, 2), NONCE), Err(FileError::NoSpace { .. })));
}
