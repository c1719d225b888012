//! The two kernel locks: one per owner, for life, and one per link file, for as long as it is mapped.
//!
//! Both are flock(2) locks, bound to the open file description. The kernel ends them with the last
//! reference to it, so a killed process holds nothing, no process id is ever looked at, and closing
//! another descriptor of the same file ends no lock. A second opening is refused within one process as
//! well as between two.
//!
//! A program that is executed does not get them, since the descriptors are close-on-exec. A forked child
//! shares them until it ends or executes a program, and must not use what they guard. An owner's lock that
//! is dropped is free at once all the same, so that a host that starts programs does not find its own name
//! taken; what a child drops ends nothing of its parent's. (A link file's lock goes with its mapping, which a child has
//! only if it is forked in so many words: one that is started by the standard library shares the parent's memory.)

use std::fs::File;
use std::io;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, getpid};

use crate::error::{DirectoryError, FileError};
use crate::folder::{FileIdentity, Folder};

/// The exclusive right to write one link file.
///
/// The owner's lock already says that no other process writes it. This one says so of this process too,
/// whatever it calls twice, and still holds after somebody removed the owner's lock file.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
}

impl Writer {
    /// Takes the right, or gives `None` if somebody has it.
    pub(crate) fn take(file: File) -> io::Result<Option<Self>> {
        Ok(if lock(&file)? { Some(Self { file }) } else { None })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// The exclusive right to run as one owner in one directory.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    /// Never read or written.
    file: File,
    name: String,
    identity: FileIdentity,
    /// Who took it. A forked child has a copy of all this, which is not for it to end.
    holder: Pid,
}

impl OwnerLock {
    /// Takes the lock on the file `name`, which is made if missing and never removed: a process that locks
    /// a removed file and one that locks its successor would both be the owner.
    pub(crate) fn take(folder: &Folder, name: String) -> Result<Self, DirectoryError> {
        let file = folder.open_or_create(&name)?;
        let identity = folder.identity_of(&name, &file)?;
        let locked = lock(&file).map_err(|source| folder.io_error("locking", &name, source))?;
        if !locked {
            return Err(DirectoryError::Locked { path: folder.path_of(&name) });
        }
        let lock = Self { file, name, identity, holder: getpid() };
        // Somebody may have removed the file between its opening and its locking.
        lock.check(folder)?;
        Ok(lock)
    }

    /// Checks that the locked file is still the one that the next process would try to lock.
    pub(crate) fn check(&self, folder: &Folder) -> Result<(), FileError> {
        if folder.identity(&self.name)? == Some(self.identity) || zoo!(LockLossUnnoticed) {
            Ok(())
        } else {
            Err(FileError::LockLost { path: folder.path_of(&self.name) })
        }
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // Closing the file ends the lock only if no child has it, too. Should this fail, that is what is left.
        if self.holder == getpid() {
            let _ = flock(&self.file, FlockOperation::NonBlockingUnlock);
        }
    }
}

/// Whether the lock was free; it is ours then. Not `File::try_lock`, which does not promise that it will
/// always be flock(2).
fn lock(file: &File) -> io::Result<bool> {
    match retry_on_intr(|| flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Mode, OFlags, open};

    use super::*;

    #[test]
    fn a_lock_that_the_system_does_not_give_is_an_error_and_not_somebody_elses() {
        // Such a descriptor names a file and is good for nothing else.
        let file = File::from(open("/", OFlags::PATH, Mode::empty()).unwrap());
        assert_eq!(Writer::take(file).unwrap_err().raw_os_error(), Some(Errno::BADF.raw_os_error()));
    }

    /// A directory, and how its owner is locked.
    fn home() -> (tempfile::TempDir, impl Fn() -> Result<OwnerLock, DirectoryError>) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(File::open(home.path()).unwrap().into(), home.path().to_owned());
        (home, move || OwnerLock::take(&folder, "lock".to_owned()))
    }

    #[test]
    fn an_owner_that_is_done_is_free_at_once_although_a_child_has_the_descriptor_still() {
        let (_home, take) = home();
        let lock = take().unwrap();
        let _of_the_child = lock.file.try_clone().unwrap();
        assert!(matches!(take(), Err(DirectoryError::Locked { .. })));
        drop(lock);
        take().unwrap();
    }

    #[test]
    fn a_child_that_drops_its_copy_ends_no_lock_of_its_parent() {
        let (_home, take) = home();
        let lock = take().unwrap();
        let (file, name) = (lock.file.try_clone().unwrap(), lock.name.clone());
        drop(OwnerLock { file, name, identity: lock.identity, holder: Pid::INIT });
        assert!(matches!(take(), Err(DirectoryError::Locked { .. })));
        drop(lock);
        take().unwrap();
    }
}
