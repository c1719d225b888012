//! What a kill would leave of a directory, looked at again and again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirEntryExt, FileExt};
use std::path::{Path, PathBuf};

/// All link files, by name. The mapping of a killed process is written nowhere else: what is in a file is
/// all that is left.
pub type Snapshot = BTreeMap<String, Vec<u8>>;

/// Longer than any file here.
const MOST: usize = 16 * 1024;

/// A directory that somebody else writes.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// Each file once, whatever its name: what was read of it last.
    files: BTreeMap<u64, Watched>,
    /// What stands under which name.
    names: Vec<(String, u64)>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Watched {
    file: File,
    bytes: Vec<u8>,
}

impl Watch {
    /// Nothing was seen yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: BTreeMap::new(), names: Vec::new(), buffer: vec![0; MOST] }
    }

    /// Looks at everything. Returns whether anything is different from the last time.
    pub fn look(&mut self) -> io::Result<bool> {
        let names = self.list()?;
        let mut changed = names != self.names;
        self.files.retain(|inode, _| names.iter().any(|(_, named)| named == inode));
        for (name, inode) in &names {
            if !self.files.contains_key(inode) {
                let file = File::open(self.path.join(name))?;
                self.files.insert(*inode, Watched { file, bytes: Vec::new() });
            }
        }
        self.names = names;
        for watched in self.files.values_mut() {
            let read = watched.file.read_at(&mut self.buffer, 0)?;
            assert!(read < MOST, "a file longer than any here");
            if watched.bytes != self.buffer[..read] {
                watched.bytes.clear();
                watched.bytes.extend_from_slice(&self.buffer[..read]);
                changed = true;
            }
        }
        Ok(changed)
    }

    /// What was seen last.
    pub fn snapshot(&self) -> Snapshot {
        let named = self.names.iter();
        named.map(|(name, inode)| (name.clone(), self.files[inode].bytes.clone())).collect()
    }

    /// The link files by name, and which file each is. Locks hold nothing.
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut names = Vec::with_capacity(self.names.len());
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|_| io::ErrorKind::InvalidData)?;
            if !name.ends_with(".lock") {
                names.push((name, entry.ino()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}
