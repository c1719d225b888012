//! Who holds which file lock, as the kernel tells everybody: nothing is locked to find out.

use std::fs;

use rustix::fs::{major, minor};

/// What the kernel says of the locks of all processes that this one may see; see `proc_locks(5)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locks {
    held: Vec<Held>,
    /// `/proc/locks` could be read.
    known: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    process: i64,
    device: (u32, u32),
    inode: u64,
}

/// Whether somebody holds a file's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// This process; a number that is not positive is one of another process namespace.
    Process(i64),
    /// Nobody that the kernel tells of.
    Nobody,
    /// There is no `/proc`.
    Unknown,
}

impl Holder {
    pub(crate) fn process(self) -> Option<i64> {
        match self {
            Holder::Process(process) => Some(process),
            _ => None,
        }
    }
}

impl Locks {
    pub(crate) fn read() -> Self {
        match fs::read_to_string("/proc/locks") {
            Ok(text) => Self { held: text.lines().filter_map(parse).collect(), known: true },
            Err(_) => Self::default(),
        }
    }

    /// Who holds the lock of the file with this device and inode.
    pub(crate) fn holder(&self, (device, inode): (u64, u64)) -> Holder {
        let device = (major(device), minor(device));
        match self.held.iter().find(|held| held.device == device && held.inode == inode) {
            Some(held) => Holder::Process(held.process),
            None if self.known => Holder::Nobody,
            None => Holder::Unknown,
        }
    }
}

/// `1: FLOCK  ADVISORY  WRITE 1234 00:1a:5678 0 EOF`. Lines with an arrow wait for a lock.
fn parse(line: &str) -> Option<Held> {
    let mut fields = line.split_whitespace().skip(1);
    (fields.next()? == "FLOCK").then_some(())?;
    let mut fields = fields.skip(2);
    let process = fields.next()?.parse().ok()?;
    let mut file = fields.next()?.split(':');
    let mut number = || u32::from_str_radix(file.next()?, 16).ok();
    let device = (number()?, number()?);
    Some(Held { process, device, inode: file.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_and_one_that_waits_is_not() {
        let held = parse("12: FLOCK  ADVISORY  WRITE 4242 fe:01:1234567 0 EOF").unwrap();
        assert_eq!(held, Held { process: 4242, device: (0xfe, 1), inode: 1_234_567 });
        for other in [
            "12: -> FLOCK  ADVISORY  WRITE 4242 fe:01:1234567 0 EOF",
            "1: POSIX  ADVISORY  WRITE 4242 fe:01:1234567 0 EOF",
            "1: FLOCK",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_lock_of_ours_is_found() {
        let file = tempfile::tempfile().unwrap();
        let identity = || file.metadata().map(|found| (found.dev(), found.ino())).unwrap();
        assert_eq!(Locks::read().holder(identity()), Holder::Nobody);
        flock(&file, FlockOperation::LockExclusive).unwrap();
        assert!(Locks::read().holder(identity()).process().is_some());
    }
}
