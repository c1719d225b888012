//! What the tests of link directories share.
#![expect(dead_code, reason = "each test program uses a part of it")]
#![expect(unreachable_pub, reason = "a module of several programs")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tcpshm_protocol::{Geometry, Header, Name, Nonce, Role, SessionId};
use tcpshm_shm::{LinkDirectory, OpenLink};

pub const NONCE: Nonce = Nonce::new(0x6e6f_6e63_6521);

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn session(bits: u128) -> SessionId {
    SessionId::new(bits).unwrap()
}

pub fn geometry() -> Geometry {
    Geometry::new(256, 64).unwrap()
}

/// The header of a small file of `directory`'s owner, for its link with "peer".
pub fn header(directory: &LinkDirectory, id: u128) -> Header {
    Header {
        role: directory.role(),
        session: session(id),
        owner: directory.owner().clone(),
        peer: name("peer"),
        outgoing: geometry(),
        incoming: geometry(),
        asked: geometry(),
    }
}

/// The directory at `path`, opened for the client "owner".
#[track_caller]
pub fn open(path: &Path) -> LinkDirectory {
    LinkDirectory::open(path, Role::Client, &name("owner")).unwrap()
}

/// The file of the client "owner" for its link with "peer".
pub fn main_path(directory: &LinkDirectory) -> PathBuf {
    directory.path().join("c~owner~peer.link")
}

pub fn proposed_path(directory: &LinkDirectory, id: u128) -> PathBuf {
    directory.path().join(format!("c~owner~peer.link.{id:032x}.new"))
}

/// Makes the link's file, as a first login does.
#[track_caller]
pub fn make_main(directory: &LinkDirectory, id: u128) -> OpenLink {
    let link = directory.create(&header(directory, id), NONCE).unwrap();
    confirm(&proposed_path(directory, id));
    directory.switch(&name("peer"), session(id)).unwrap();
    link
}

/// Stores an attachment id in a file that is not open, as a completed login does.
#[track_caller]
pub fn confirm(path: &Path) {
    write_at(path, 1288, &7u64.to_le_bytes());
}

/// Writes the frame of a message of 8 bytes at the start of a client's stream: length, kind, a mark that
/// is 0 for session ids below 2^48, an acknowledgement of nothing, the payload. Then the published tail.
#[track_caller]
pub fn write_message(path: &Path) {
    write_at(path, 4096, &[24, 0, 0, 0, 1, 0, 0, 0]);
    write_at(path, 4112, b"message!");
    write_at(path, 1032, &24u64.to_le_bytes());
}

#[track_caller]
pub fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

/// All that a change to a file would show in.
#[derive(Debug, PartialEq)]
pub struct State {
    bytes: Vec<u8>,
    mode: u32,
    owner: u32,
    names: u64,
    changed: (i64, i64),
}

/// Every file in `path`.
#[track_caller]
pub fn everything(path: &Path) -> BTreeMap<PathBuf, State> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), state(&path))).collect()
}

fn state(path: &Path) -> State {
    let status = fs::symlink_metadata(path).unwrap();
    State {
        bytes: if status.is_file() { fs::read(path).unwrap() } else { Vec::new() },
        mode: status.mode(),
        owner: status.uid(),
        names: status.nlink(),
        changed: (status.mtime(), status.mtime_nsec()),
    }
}

#[track_caller]
pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

pub fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says on the terminal that a test was not run.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see it")]
pub fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// The environment variable that tells a test that it runs as another test's child, and where.
pub const PLACE: &str = "TCPSHM_TEST_PLACE";

/// Where to work, if this is a child.
pub fn child_place() -> Option<PathBuf> {
    std::env::var_os(PLACE).map(PathBuf::from)
}

/// This program again, running only the test `test`, as a child that works at `place`.
pub fn child(test: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(PLACE, place);
    command
}
