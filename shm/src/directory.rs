//! A link directory, opened and locked for one owner.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, chmodat, fstat, fstatfs, mkdirat, openat, statat,
};
use rustix::io::{Errno, retry_on_intr};
use tcpshm_protocol::{Header, Name, Role, Survey};

use crate::error::{DirectoryError, FileError};
use crate::filesystem;
use crate::folder::{Access, FileIdentity, Folder, mode, uid};
use crate::image::{self, ImageError};
use crate::lock::OwnerLock;
use crate::names::{LinkName, Place, lock_name, owner_prefix};

/// The link files of one owner: a directory held open, and the lock that makes this the only process, and
/// the only part of it, that runs under the owner's name there.
///
/// The lock is taken before anything is read and held until this value is dropped. A client and a server,
/// and owners of different names, may share a directory.
///
/// No method waits for anybody, and one that fails may be called again: a full disk that has room again
/// needs no restart.
#[derive(Debug)]
pub struct LinkDirectory {
    pub(crate) folder: Folder,
    /// Everything that changes a name checks it first.
    pub(crate) lock: OwnerLock,
    role: Role,
    owner: Name,
}

impl LinkDirectory {
    /// Opens the directory at `path` for the side `role` with the name `owner`, and takes its lock.
    ///
    /// A missing directory is made, with mode 0700; one above it is not. One that is there must belong to
    /// this process's user, and others must not be able to write it.
    ///
    /// The lock does not pass to a program that this process executes. A forked child shares it and must not
    /// use this value. The name is free again when this process drops it, or when both have ended.
    pub fn open(path: &Path, role: Role, owner: &Name) -> Result<Self, DirectoryError> {
        // With a slash or a dot behind it the kernel would follow a symbolic link after all.
        let path: PathBuf = path.components().collect();
        let held = match open_directory(&path)? {
            Some(held) => held,
            None => {
                make_directory(&path)?;
                open_directory(&path)?.ok_or_else(|| io_error("opening", &path, Errno::NOENT))?
            }
        };
        check_directory(&path, &fstat(&held).map_err(|error| io_error("examining", &path, error))?)?;
        check_file_system(&path, &held)?;
        let folder = Folder::new(held, path);
        let lock = OwnerLock::take(&folder, lock_name(role, owner))?;
        Ok(Self { folder, lock, role, owner: owner.clone() })
    }

    /// The directory, as it was named.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The owner's side.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The owner's name.
    pub fn owner(&self) -> &Name {
        &self.owner
    }

    /// The peers that there is a link file for, sorted.
    pub fn links(&self) -> Result<Vec<Name>, FileError> {
        self.peers(|place| matches!(place, Place::Main))
    }

    /// The peers whose links have prepared files, sorted: those that [`settle`](LinkDirectory::settle) may
    /// have something to do for.
    pub fn interrupted(&self) -> Result<Vec<Name>, FileError> {
        self.peers(|place| matches!(place, Place::Proposed(_)))
    }

    fn peers(&self, wanted: impl Fn(&Place) -> bool) -> Result<Vec<Name>, FileError> {
        let ours = self.folder.link_names(&owner_prefix(self.role, &self.owner))?.into_iter();
        let mut peers: Vec<Name> = ours.filter(|name| wanted(&name.place)).map(|name| name.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        Ok(peers)
    }

    /// Whether the link's file is still the one that was opened: `false` if it was removed or replaced, by
    /// whoever it was. Costs one system call.
    pub fn is_in_place(&self, peer: &Name, identity: &FileIdentity) -> Result<bool, FileError> {
        let found = self.folder.identity(&self.name(peer, Place::Main).to_string())?;
        Ok(found.as_ref() == Some(identity))
    }

    /// The name of one of our files.
    pub(crate) fn name(&self, peer: &Name, place: Place) -> LinkName {
        LinkName { role: self.role, owner: self.owner.clone(), peer: peer.clone(), place }
    }

    /// The header of a file, if there is one, checked against its name.
    pub(crate) fn header(&self, name: &LinkName) -> Result<Option<Header>, FileError> {
        let Some(file) = self.folder.open_file(&name.to_string(), Access::Read)? else { return Ok(None) };
        let header = image::header(&file).map_err(|error| self.image_error(name, error))?;
        self.check_describes(name, &header)?;
        Ok(Some(header))
    }

    /// What an open file holds, checked against its name.
    pub(crate) fn survey(&self, name: &LinkName, file: &File) -> Result<Survey, FileError> {
        let survey = image::survey(file).map_err(|error| self.image_error(name, error))?;
        self.check_describes(name, survey.header())?;
        Ok(survey)
    }

    pub(crate) fn image_error(&self, name: &LinkName, error: ImageError) -> FileError {
        let name = name.to_string();
        match error {
            ImageError::Io(source) => self.folder.io_error("reading", &name, source),
            ImageError::Damaged(source) => FileError::Damaged { path: self.folder.path_of(&name), source },
        }
    }

    fn check_describes(&self, name: &LinkName, header: &Header) -> Result<(), FileError> {
        if name.describes(header) { Ok(()) } else { Err(self.foreign(name, header)) }
    }

    pub(crate) fn foreign(&self, name: &LinkName, header: &Header) -> FileError {
        FileError::Foreign {
            path: self.folder.path_of(&name.to_string()),
            role: header.role,
            owner: header.owner.clone(),
            peer: header.peer.clone(),
            session: header.session,
        }
    }
}

/// Opens the directory itself, not what a symbolic link points to; `None` if there is nothing.
fn open_directory(path: &Path) -> Result<Option<OwnedFd>, DirectoryError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match retry_on_intr(|| openat(CWD, path, flags, Mode::empty())) {
        Ok(held) => Ok(Some(held)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => Err(DirectoryError::NotADirectory { path: path.to_owned() }),
        Err(error) => {
            // Say whose it is rather than that permission is denied.
            if let Ok(stat) = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
                check_directory(path, &stat)?;
            }
            Err(io_error("opening", path, error))
        }
    }
}

fn make_directory(path: &Path) -> Result<(), DirectoryError> {
    match mkdirat(CWD, path, Mode::RWXU) {
        // The umask may have taken permissions of our own.
        Ok(()) => chmodat(CWD, path, Mode::RWXU, AtFlags::empty())
            .map_err(|error| io_error("changing the mode of", path, error)),
        // Somebody else made it at the same moment.
        Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOENT) => Err(DirectoryError::NoParent { path: path.to_owned() }),
        Err(error) => Err(io_error("creating", path, error)),
    }
}

/// Checks that nobody else can replace what lies in the directory.
fn check_directory(path: &Path, stat: &Stat) -> Result<(), DirectoryError> {
    let path = || path.to_owned();
    if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(DirectoryError::NotADirectory { path: path() });
    }
    if stat.st_uid != uid() {
        return Err(DirectoryError::WrongOwner { path: path(), found: stat.st_uid, expected: uid() });
    }
    match mode(stat) {
        mode if mode & 0o022 == 0 => Ok(()),
        mode => Err(DirectoryError::WrongMode { path: path(), mode }),
    }
}

fn check_file_system(path: &Path, held: &OwnedFd) -> Result<(), DirectoryError> {
    let stat = retry_on_intr(|| fstatfs(held));
    let stat = stat.map_err(|error| io_error("examining the file system of", path, error))?;
    let magic = u32::try_from(stat.f_type & 0xffff_ffff).expect("32 bits");
    match filesystem::refused(magic) {
        Some(file_system) => Err(DirectoryError::NetworkFileSystem { path: path.to_owned(), file_system }),
        None => Ok(()),
    }
}

fn io_error(operation: &'static str, path: &Path, error: Errno) -> DirectoryError {
    DirectoryError::Io { operation, path: path.to_owned(), source: error.into() }
}
