//! For the tests of this crate: link directories, headers, and system calls that fail on demand.

use std::cell::Cell;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::io::Errno;
use tcpshm_protocol::{Geometry, Header, Name, Nonce, Role, SessionId};

use crate::{LinkDirectory, OpenLink};

/// Makes system calls fail: those that change something, and those that do not, each counted by themselves.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    made: Cell<u32>,
    plan: Cell<Plan>,
    looked: Cell<u32>,
    looks: Cell<Plan>,
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

impl Plan {
    fn judge(self, call: u32) -> Result<(), Errno> {
        match self {
            Plan::Only(at) if call == at => Err(Errno::IO),
            Plan::From(at) if call >= at => Err(Errno::IO),
            _ => Ok(()),
        }
    }
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

    /// From here on, the call number `look` (from 0) of those that change nothing fails.
    pub(crate) fn fail_look(&self, look: u32) {
        self.looked.set(0);
        self.looks.set(Plan::Only(look));
    }

    /// Ends what [`Faults::fail_look`] began. Returns whether the call was made.
    pub(crate) fn end_looks(&self) -> bool {
        matches!(self.looks.replace(Plan::None), Plan::Only(look) if self.looked.get() > look)
    }

    pub(crate) fn step(&self) -> Result<(), Errno> {
        self.plan.get().judge(self.made.replace(self.made.get() + 1))
    }

    pub(crate) fn look(&self) -> Result<(), Errno> {
        self.looks.get().judge(self.looked.replace(self.looked.get() + 1))
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
