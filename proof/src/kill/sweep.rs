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
    /// Files in whose places others stand.
    replaced: BTreeSet<(Side, u16)>,
    /// How many that were, in all.
    pub(super) replacements: u64,
    /// Files that were removed.
    pub(super) removed: u64,
    /// Files that were still gone when their owner was killed.
    pub(super) bereft: u64,
}

impl Sweep {
    /// Removes the file of one side of one link, or puts a copy in its place, and says which. If there is none,
    /// nothing happens.
    pub(super) fn sweep(
        &mut self,
        directory: &Path,
        links: u16,
        random: &mut Rng,
    ) -> io::Result<Option<(Side, u16)>> {
        if random.bool() {
            self.move_away(directory, |_| true)?;
        }
        if random.u8(..8) == 0 {
            clear_out(directory)?;
        }
        let (side, link) = (Side::BOTH[random.usize(..2)], random.u16(..links));
        let file = file(directory, side, link);
        let replace = random.u8(..4) == 0;
        let swept = if replace { replace_with_a_copy(directory, &file) } else { fs::remove_file(&file) };
        match swept {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            swept => swept?,
        }
        self.made[side as usize].insert(link);
        if replace {
            self.replacements += 1;
            self.replaced.insert((side, link));
        } else {
            self.removed += 1;
            self.replaced.remove(&(side, link));
        }
        Ok(Some((side, link)))
    }

    /// Does what a person has to do with files that stand in the place of others.
    fn move_away(&mut self, directory: &Path, which: impl Fn(Side) -> bool) -> io::Result<()> {
        let away: Vec<(Side, u16)> = self.replaced.iter().copied().filter(|(side, _)| which(*side)).collect();
        for (side, link) in away {
            self.replaced.remove(&(side, link));
            fs::remove_file(file(directory, side, link))?;
        }
        Ok(())
    }

    /// `side` is dead: of which links there was a file once and is none of its own now.
    pub(super) fn missing(&mut self, directory: &Path, side: Side) -> io::Result<BTreeSet<u16>> {
        self.move_away(directory, |owner| owner == side)?;
        let made = self.made[side as usize].iter();
        let missing = made.filter(|link| !file(directory, side, **link).exists());
        let missing: BTreeSet<u16> = missing.copied().collect();
        self.bereft += missing.len() as u64;
        Ok(missing)
    }
}

/// Does what a person has to do with files that resets put aside: there may be no more than a few of each link.
fn clear_out(directory: &Path) -> io::Result<()> {
    for found in fs::read_dir(directory)? {
        let path = found?.path();
        if path.extension().is_some_and(|extension| extension == "kept") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A restored backup, say.
fn replace_with_a_copy(directory: &Path, file: &Path) -> io::Result<()> {
    let copy = directory.join("copy");
    fs::copy(file, &copy)?;
    fs::rename(copy, file)
}

/// The link file of one side.
fn file(directory: &Path, side: Side, link: u16) -> PathBuf {
    let client = client_name(link);
    directory.join(match side {
        Side::Server => format!("s~server~{client}.link"),
        Side::Client => format!("c~{client}~server.link"),
    })
}
