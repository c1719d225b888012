//! Somebody who removes link files while they are in use.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::app::client_name;
use super::side::Side;

/// What was done to the files.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The links of which each side once had a file.
    made: [BTreeSet<u16>; 2],
    /// Files that were removed.
    pub(super) removed: u64,
    /// Files that were still gone when their owner was killed.
    pub(super) bereft: u64,
}

impl Sweep {
    /// Removes the file of one side of one link, if there is one, and says which.
    pub(super) fn sweep(
        &mut self,
        directory: &Path,
        links: u16,
        random: &mut Rng,
    ) -> io::Result<Option<(Side, u16)>> {
        let (side, link) = (Side::BOTH[random.usize(..2)], random.u16(..links));
        match fs::remove_file(file(directory, side, link)) {
            Ok(()) => {
                self.made[side as usize].insert(link);
                self.removed += 1;
                Ok(Some((side, link)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `side` is dead: of which links there was a file once and is none now.
    pub(super) fn missing(&mut self, directory: &Path, side: Side) -> BTreeSet<u16> {
        let made = self.made[side as usize].iter();
        let missing = made.filter(|link| !file(directory, side, **link).exists());
        let missing: BTreeSet<u16> = missing.copied().collect();
        self.bereft += missing.len() as u64;
        missing
    }
}

/// The link file of one side.
fn file(directory: &Path, side: Side, link: u16) -> PathBuf {
    let client = client_name(link);
    directory.join(match side {
        Side::Server => format!("s~server~{client}.link"),
        Side::Client => format!("c~{client}~server.link"),
    })
}
