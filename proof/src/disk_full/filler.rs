//! A file that takes all the room that a disk has left.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const PAGE: [u8; 4096] = [1; 4096];

/// While it lives, the disk is full.
#[derive(Debug)]
pub(super) struct Filler {
    path: PathBuf,
    /// How many pages were left.
    pub(super) pages: u64,
}

impl Filler {
    /// Takes every page that is left in the file system of `directory`.
    pub(super) fn fill(directory: &Path) -> io::Result<Self> {
        let path = directory.join("filler");
        let file = File::create(&path)?;
        let mut filler = Self { path, pages: 0 };
        loop {
            match file.write_all_at(&PAGE, filler.pages * PAGE.len() as u64) {
                Ok(()) => filler.pages += 1,
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(filler),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // Whoever waits for the room finds out if it is still there.
        let _ = fs::remove_file(&self.path);
    }
}
