//! A directory held open, and what is done to the files in it: each method one system call, and the
//! checks that belong to it.
//!
//! Every name is looked up relative to the held directory, and no symbolic link is followed, so renaming
//! or replacing a directory on the way changes nothing. Nothing blocks, not even on a planted pipe.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat, chmodat, fchmod, fstat, openat, renameat_with,
    statat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::geteuid;

use crate::error::FileError;
use crate::names::LinkName;
#[cfg(test)]
use crate::testing::Faults;

/// The mode of every file we make, whatever the umask.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// For every opening. `NONBLOCK` means nothing for a regular file, and keeps the opening of a pipe from
/// waiting for its other end.
const ALWAYS: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Which file this is, whatever its name. Valid while the file is open or mapped: the number of a file
/// that is gone may be given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// A directory held open.
#[derive(Debug)]
pub(crate) struct Folder {
    held: OwnedFd,
    /// As it was named, for error messages only.
    path: PathBuf,
    #[cfg(test)]
    pub(crate) faults: Faults,
}

/// How often a file is opened that is removed each time before it is looked at.
const TRIES: u32 = 16;

impl Folder {
    pub(crate) fn new(held: OwnedFd, path: PathBuf) -> Self {
        Self {
            held,
            path,
            #[cfg(test)]
            faults: Faults::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file that is there, and checks that it is ours alone.
    pub(crate) fn open_file(&self, name: &str, access: Access) -> Result<Option<File>, FileError> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        let mut left = TRIES;
        loop {
            left -= 1;
            match self.open_at(name, flags) {
                Ok(file) => {
                    let stat = self.stat_of(name, &file)?;
                    // Removed or replaced since it was opened: what has the name now?
                    if stat.st_nlink == 0 && left > 0 {
                        continue;
                    }
                    self.check(name, &stat, access)?;
                    return Ok(Some(file));
                }
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(self.open_error(name, access, error)),
            }
        }
    }

    /// Makes a file that must not be there. Its mode may lack what the umask says:
    /// [`make_private`](Self::make_private) comes next.
    pub(crate) fn create_file(&self, name: &str) -> Result<File, FileError> {
        match self.step().and_then(|()| self.open_at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)) {
            Err(Errno::EXIST) => Err(FileError::Exists { path: self.path_of(name) }),
            opened => opened.map_err(|error| self.io_error("creating", name, error.into())),
        }
    }

    /// Gives an open file the mode 0600, whatever the umask took.
    pub(crate) fn make_private(&self, name: &str, file: &File) -> Result<(), FileError> {
        if zoo!(ModeFromUmask) {
            return Ok(());
        }
        let changed = self.step().and_then(|()| fchmod(file, PRIVATE));
        changed.map_err(|error| self.io_error("changing the mode of", name, error.into()))
    }

    /// Opens a file for writing; makes it if it is not there.
    pub(crate) fn open_or_create(&self, name: &str) -> Result<File, FileError> {
        match self.create_file(name) {
            Ok(file) => {
                self.make_private(name, &file)?;
                Ok(file)
            }
            Err(FileError::Exists { path }) => {
                self.mend_mode(name)?;
                self.open_file(name, Access::Write)?.ok_or(FileError::Missing { path })
            }
            Err(error) => Err(error),
        }
    }

    /// Gives `from` the name `to`, which must be free.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        let flags = if zoo!(KeptFileOverwritten) { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        self.rename_with("renaming", from, to, flags)
    }

    /// Exchanges the names of two files in one step.
    pub(crate) fn exchange(&self, one: &str, other: &str) -> Result<(), FileError> {
        self.rename_with("exchanging", one, other, RenameFlags::EXCHANGE)
    }

    /// Removes a file; one that is not there is removed already.
    pub(crate) fn remove(&self, name: &str) -> Result<(), FileError> {
        match self.step().and_then(|()| unlinkat(&self.held, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.io_error("removing", name, error.into())),
        }
    }

    /// Which file has this name now.
    pub(crate) fn identity(&self, name: &str) -> Result<Option<FileIdentity>, FileError> {
        Ok(self.stat_at(name)?.as_ref().map(FileIdentity::of))
    }

    /// Which file an open one is.
    pub(crate) fn identity_of(&self, name: &str, file: &File) -> Result<FileIdentity, FileError> {
        Ok(FileIdentity::of(&self.stat_of(name, file)?))
    }

    /// Whether an empty file of ours has this name. It is not opened: one whose making was interrupted
    /// early may have no permissions yet.
    pub(crate) fn is_empty_file(&self, name: &str) -> Result<bool, FileError> {
        let stat = self.stat_at(name)?;
        Ok(stat.is_some_and(|stat| is_regular(&stat) && stat.st_uid == uid() && stat.st_size == 0))
    }

    /// The link files whose names begin so, sorted by name.
    pub(crate) fn link_names(&self, prefix: &str) -> Result<Vec<LinkName>, FileError> {
        let failed = |error: Errno| self.io_error("listing", "", error.into());
        let mut names = Vec::new();
        let opened = self.look().and_then(|()| retry_on_intr(|| Dir::read_from(&self.held)));
        for entry in opened.map_err(failed)? {
            let entry = self.look().and(entry).map_err(failed)?;
            let name = entry.file_name().to_bytes();
            // The prefix first: a directory may hold thousands of other links.
            names.extend(name.starts_with(prefix.as_bytes()).then(|| LinkName::parse(name)).flatten());
        }
        names.sort_by_cached_key(LinkName::to_string);
        Ok(names)
    }

    pub(crate) fn io_error(&self, operation: &'static str, name: &str, source: io::Error) -> FileError {
        FileError::Io { operation, path: self.path_of(name), source }
    }

    /// Called before every system call that changes something, so that tests can make it fail.
    #[cfg(test)]
    pub(crate) fn step(&self) -> Result<(), Errno> {
        self.faults.step()
    }

    /// Called before every system call that changes nothing.
    #[cfg(test)]
    pub(crate) fn look(&self) -> Result<(), Errno> {
        self.faults.look()
    }

    #[cfg(not(test))]
    pub(crate) fn step(&self) -> Result<(), Errno> {
        Ok(())
    }

    #[cfg(not(test))]
    pub(crate) fn look(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn rename_with(
        &self,
        operation: &'static str,
        from: &str,
        to: &str,
        flags: RenameFlags,
    ) -> Result<(), FileError> {
        match self.step().and_then(|()| renameat_with(&self.held, from, &self.held, to, flags)) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(FileError::Exists { path: self.path_of(to) }),
            Err(Errno::INVAL) => Err(FileError::NoExchange { path: self.path_of(from) }),
            Err(error) => Err(self.io_error(operation, from, error.into())),
        }
    }

    fn open_at(&self, name: &str, flags: OFlags) -> Result<File, Errno> {
        if !flags.contains(OFlags::CREATE) {
            self.look()?;
        }
        retry_on_intr(|| openat(&self.held, name, flags | ALWAYS, PRIVATE)).map(File::from)
    }

    fn stat_at(&self, name: &str) -> Result<Option<Stat>, FileError> {
        match self.look().and_then(|()| statat(&self.held, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.io_error("examining", name, error.into())),
        }
    }

    fn stat_of(&self, name: &str, file: &File) -> Result<Stat, FileError> {
        let stat = self.look().and_then(|()| fstat(file));
        stat.map_err(|error| self.io_error("examining", name, error.into()))
    }

    /// A umask may take our own permissions from a new file, and a kill keep us from giving them back.
    fn mend_mode(&self, name: &str) -> Result<(), FileError> {
        let Some(stat) = self.stat_at(name)? else { return Ok(()) };
        let interrupted = mode(&stat) & !PRIVATE.as_raw_mode() == 0 && mode(&stat) != PRIVATE.as_raw_mode();
        if interrupted && self.is_empty_file(name)? {
            // By name, since it cannot be opened: only we can put a link there, and we do not.
            let changed = self.step().and_then(|()| chmodat(&self.held, name, PRIVATE, AtFlags::empty()));
            changed.map_err(|error| self.io_error("changing the mode of", name, error.into()))?;
        }
        Ok(())
    }

    /// Says what keeps a file from being opened, if it can be seen.
    fn open_error(&self, name: &str, access: Access, error: Errno) -> FileError {
        if let Ok(Some(stat)) = self.stat_at(name)
            && let Err(reason) = self.check(name, &stat, access)
        {
            return reason;
        }
        self.io_error("opening", name, error.into())
    }

    /// Checks that a file is a regular one, ours, with the right mode and no other name.
    fn check(&self, name: &str, stat: &Stat, access: Access) -> Result<(), FileError> {
        let path = || self.path_of(name);
        if !is_regular(stat) {
            return Err(FileError::NotRegular { path: path() });
        }
        if stat.st_uid != uid() {
            return Err(FileError::WrongOwner { path: path(), found: stat.st_uid, expected: uid() });
        }
        let mode = mode(stat);
        let allowed = match access {
            Access::Read => mode & 0o077 == 0,
            Access::Write => mode & 0o777 == PRIVATE.as_raw_mode(),
        };
        if !allowed {
            return Err(FileError::WrongMode { path: path(), mode });
        }
        match widen(stat.st_nlink) {
            1 => Ok(()),
            count => Err(FileError::Linked { path: path(), count }),
        }
    }
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_file()
}

/// The permission bits.
pub(crate) fn mode(stat: &Stat) -> u32 {
    Mode::from_raw_mode(stat.st_mode).as_raw_mode()
}

pub(crate) fn uid() -> u32 {
    geteuid().as_raw()
}

/// A count whose width depends on the architecture.
fn widen(count: impl Into<u64>) -> u64 {
    count.into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::OpenOptionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_while_it_is_opened_is_the_one_that_has_the_name() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(File::open(home.path()).unwrap().into(), home.path().to_owned());
        let put = || {
            let (new, name) = (home.path().join("new"), home.path().join("name"));
            fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&new).unwrap();
            fs::rename(new, name).unwrap();
        };
        put();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    put();
                }
            });
            // It has the name at every moment.
            let opened = (0..20_000).map(|_| folder.open_file("name", Access::Read));
            let bad = opened
                .map(|opened| opened.map(|file| file.is_some()))
                .find(|opened| !matches!(opened, Ok(true)));
            done.store(true, Ordering::Relaxed);
            assert!(bad.is_none(), "{bad:?}");
        });
    }
}
