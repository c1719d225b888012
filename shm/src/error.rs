//! What can be wrong with a link directory and with a link file.

use std::io;
use std::path::PathBuf;

use tcpshm_protocol::{Geometry, Name, RecoverError, Role, SessionId};

/// Why a link directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The directory above is missing. Only the last component is ever created, so that a misspelt path
    /// does not make a tree of directories that nobody asked for.
    #[error("{}: the directory it should stand in does not exist: create that first", path.display())]
    NoParent {
        /// The link directory.
        path: PathBuf,
    },
    /// Something else has that name; a symbolic link to a directory is something else, too.
    #[error("{}: not a directory (symbolic links are not followed): name the directory itself", path.display())]
    NotADirectory {
        /// The link directory.
        path: PathBuf,
    },
    /// Somebody else owns it, and could replace what lies in it.
    #[error(
        "{}: belongs to user {found}, and this process is user {expected}: use a directory of your own",
        path.display()
    )]
    WrongOwner {
        /// The link directory.
        path: PathBuf,
        /// The user id found.
        found: u32,
        /// The user id of this process.
        expected: u32,
    },
    /// Others can write it, and could replace what lies in it.
    #[error("{}: mode {mode:04o} lets others write it: chmod go-w it, or better chmod 700", path.display())]
    WrongMode {
        /// The link directory.
        path: PathBuf,
        /// The permission bits found.
        mode: u32,
    },
    /// Locks and mappings may not mean there what they must mean.
    #[error(
        "{}: lies on {file_system}, where locks and shared mappings cannot be relied on: use tmpfs (such as /dev/shm) or a local disk",
        path.display()
    )]
    NetworkFileSystem {
        /// The link directory.
        path: PathBuf,
        /// What it lies on.
        file_system: &'static str,
    },
    /// The same owner name is in use, in this process or another one.
    #[error(
        "{}: locked: another process, or another part of this one, runs under the same name; end it or take another name (removing the file ends no lock)",
        path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The link directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The lock file is not as it should be.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a link file cannot be used. It is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused something.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Something else has its name: a directory, a symbolic link, a socket, a pipe, a device.
    #[error("{}: not a regular file (symbolic links are not followed): move it away", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// Another file stands in the place of one that is in use.
    #[error(
        "{}: another file was put in the place of the one in use: move it away, and the link goes on with its own",
        path.display()
    )]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else owns it.
    #[error(
        "{}: belongs to user {found}, and this process is user {expected}: move it away, or chown it if it is yours",
        path.display()
    )]
    WrongOwner {
        /// The file.
        path: PathBuf,
        /// The user id found.
        found: u32,
        /// The user id of this process.
        expected: u32,
    },
    /// Others may use it, or we may not.
    #[error("{}: mode {mode:04o} where a link file has 0600: chmod 600 it, if nobody tampered with it", path.display())]
    WrongMode {
        /// The file.
        path: PathBuf,
        /// The permission bits found.
        mode: u32,
    },
    /// It has other names, under which it could be changed or kept from being removed.
    #[error("{}: has {count} names (hard links) where a link file has one: remove the others", path.display())]
    Linked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        count: u64,
    },
    /// What is in it does not check.
    #[error("{}: {source} (it was not changed; move it away to begin the link anew without what it holds)", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not check.
        source: RecoverError,
    },
    /// The configuration asks for other sizes than the file was made for.
    #[error(
        "{}: made for a ring of {} bytes and messages of up to {}, and the configuration asks for {} and {}: restore the old configuration, or drain and reset the link",
        path.display(), file.capacity(), file.largest(), configured.capacity(), configured.largest()
    )]
    Geometry {
        /// The file.
        path: PathBuf,
        /// What was asked for when the file was made.
        file: Geometry,
        /// What is asked for now.
        configured: Geometry,
    },
    /// Its header names another link or session than its name: it was renamed or copied.
    #[error(
        "{}: in fact the file of {role:?} {owner} for its link with {peer}, session {session}: give it its own name back",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The side that the header names.
        role: Role,
        /// The owner that the header names.
        owner: Name,
        /// The peer that the header names.
        peer: Name,
        /// The session that the header names.
        session: SessionId,
    },
    /// There is no room for it. Nothing was left behind.
    #[error("{}: no room for its {needed} bytes: free some, or use another directory", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// Bytes that it takes.
        needed: u64,
    },
    /// It is to be made, and there is one.
    #[error("{}: exists already: open it, or discard it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It is to be used, and there is none.
    #[error("{}: does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A connection carries its session.
    #[error("{}: a connection carries its session: end that first", path.display())]
    Attached {
        /// The file.
        path: PathBuf,
    },
    /// Somebody has it open for writing.
    #[error("{}: a session has it open, in this process or in one that was forked from it: end that first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Its login was never completed, so it cannot become the link's file.
    #[error("{}: its login was never completed", path.display())]
    Unconfirmed {
        /// The file.
        path: PathBuf,
    },
    /// Its login was completed: the peer relies on it, so it cannot be discarded.
    #[error("{}: its login was completed, the peer relies on it: switch to it", path.display())]
    Confirmed {
        /// The file.
        path: PathBuf,
    },
    /// A prepared file and the link's file are of one session: one of them is a copy.
    #[error("{}: of the same session as the link's file: one of the two is a copy; move that one away", path.display())]
    SameSession {
        /// The prepared file.
        path: PathBuf,
    },
    /// A file of this session was kept aside earlier, and is not overwritten.
    #[error("{}: kept aside earlier and not released yet: release it, then try again", path.display())]
    KeptExists {
        /// The file kept aside.
        path: PathBuf,
    },
    /// The file system cannot exchange two names in one step.
    #[error("{}: this file system cannot exchange names: use tmpfs, ext4, xfs or btrfs", path.display())]
    NoExchange {
        /// The file.
        path: PathBuf,
    },
    /// The lock file is no longer at its name: somebody else can run under our name now.
    #[error("{}: the lock file was removed or replaced while in use: restart, and keep cleaners out of the directory", path.display())]
    LockLost {
        /// The lock file.
        path: PathBuf,
    },
}
