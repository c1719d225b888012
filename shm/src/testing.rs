//! For the tests of this crate: link directories, headers, and system calls that fail on demand.

use std::cell::Cell;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tcpshm_protocol::{Geometry, Header, Name, Nonce, Role, SessionId};

use crate::{LinkDirectory, OpenLink};

/// Makes system calls that change something fail.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    made: Cell<u32>,
    plan: Cell<Plan>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Plan {
    #[default]
    None,
    /// This one fails, and those after it succeed: an error of the moment.
    Only(u32),
    /// This one and all after it fail: for the directory, the process was killed before it.
    From(u32),
}

impl Faults {
    /// From here on, the call number `step` (from 0) fails.
    pub(crate) fn fail_only(&self, step: u32) {
        self.made.set(0);
        self.plan.set(Plan::Only(step));
    }

    /// From here on, only the first `steps` calls are made.
    pub(crate) fn kill_after(&self, steps: u32) {
        self.made.set(0);
        self.plan.set(Plan::From(steps));
    }

    pub(crate) fn step(&self) -> io::Result<()> {
        let step = self.made.replace(self.made.get() + 1);
        match self.plan.get() {
            Plan::Only(at) if step == at => Err(io::Error::other("injected")),
            Plan::From(at) if step >= at => Err(io::Error::other("killed")),
            _ => Ok(()),
        }
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn session(bits: u128) -> SessionId {
    SessionId::new(bits).unwrap()
}

pub(crate) const NONCE: Nonce = Nonce::new(1);

/// The header of a small file that the owner "o" has for the peer "p".
pub(crate) fn header(role: Role, id: u128) -> Header {
    let geometry = Geometry::new(256, 64).unwrap();
    Header {
        role,
        session: session(id),
        owner: name("o"),
        peer: name("p"),
        outgoing: geometry,
        incoming: geometry,
        asked: geometry,
    }
}

#[track_caller]
pub(crate) fn open(path: &Path, role: Role) -> LinkDirectory {
    LinkDirectory::open(path, role, &name("o")).unwrap()
}

/// Makes a file for `id`, and says that its login was completed.
#[track_caller]
pub(crate) fn create_confirmed(directory: &LinkDirectory, id: u128) -> OpenLink {
    let link = directory.create(&header(directory.role(), id), NONCE).unwrap();
    confirm(&directory.path().join(proposed_name(directory, id)));
    link
}

#[track_caller]
pub(crate) fn make_main(directory: &LinkDirectory, id: u128) {
    drop(create_confirmed(directory, id));
    directory.switch(&name("p"), session(id)).unwrap();
}

pub(crate) fn proposed_name(directory: &LinkDirectory, id: u128) -> String {
    let letter = if directory.role() == Role::Client { 'c' } else { 's' };
    format!("{letter}~o~p.link.{id:032x}.new")
}

/// Stores an attachment id, as an accepted login does.
#[track_caller]
pub(crate) fn confirm(path: &Path) {
    const CURRENT: u64 = 1288;
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&7u64.to_le_bytes(), CURRENT).unwrap();
}
