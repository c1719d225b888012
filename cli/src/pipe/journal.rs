//! Where an input or an output stood before the last step, so that a kill between a file and the link is mended.
//!
//! A step moves bytes between a file and a link, and no store covers both. So before each step it is written down where
//! the file and the link stood. Afterwards the link's own file says whether the step was taken, and this one what
//! that meant for the file. One write of less than a page, which a kill does not tear.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tcpshm_driver::SessionId;

/// Bytes of the one line, spaces included.
const LINE: usize = 2048;

/// What is written down before a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Of the link.
    pub(crate) session: String,
    /// Where the link stands before the step.
    pub(crate) position: u64,
    /// Where it stands after it.
    pub(crate) reach: u64,
    /// Bytes of the file before the step.
    pub(crate) before: u64,
    /// Bytes of the file after it.
    pub(crate) after: u64,
    /// Messages before the step.
    pub(crate) messages: u64,
    /// Messages after it.
    pub(crate) messages_after: u64,
    /// Check sums of the input up to `before`, and up to `after`.
    pub(crate) sums: [u32; 2],
    /// The step says that the input ended.
    pub(crate) end: bool,
    /// Which file.
    pub(crate) file: String,
    /// The inputs, in order, as they were when the run began.
    pub(crate) inputs: Vec<Identity>,
}

/// Which file an input is: device, number and bytes.
pub(crate) type Identity = (u64, u64, u64);

impl Entry {
    /// Whether it is about this session.
    pub(crate) fn is_of(&self, session: SessionId) -> bool {
        self.session == session.to_string()
    }

    /// Whether a file of so many bytes ends with this step, or with a part of it.
    pub(crate) fn is_last(&self, len: u64) -> bool {
        (self.before..=self.after).contains(&len)
    }
}

/// The file, in the link directory.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<File>,
}

impl Journal {
    /// The journal of `what`, which stands in its name. Nothing is made yet.
    pub(crate) fn new(directory: &Path, what: &str) -> Self {
        Self { path: directory.join(format!("{what}.journal")), file: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was written last; `None` if nothing was, or something else.
    pub(crate) fn read(&self) -> io::Result<Option<Entry>> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes an entry in place of the last one.
    pub(crate) fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(false).mode(0o600);
                none.insert(options.open(&self.path)?)
            }
        };
        let mut line = serde_json::to_vec(entry)?;
        if line.len() >= LINE {
            return Err(io::Error::other(
                "the names of so many files are too long for a journal: send them in several runs, or as `cat FILE... |`",
            ));
        }
        line.resize(LINE - 1, b' ');
        line.push(b'\n');
        file.write_all_at(&line, 0)
    }

    /// There is nothing to mend any more.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        self.file = None;
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_is_read_again_until_it_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(home.path(), "send");
        assert_eq!(journal.read().unwrap(), None);
        let session = SessionId::new(7).unwrap();
        let entry = |position, file: &str| Entry {
            session: session.to_string(),
            position,
            reach: position + 8,
            before: 1,
            after: 2,
            messages: 3,
            messages_after: 4,
            sums: [5, 6],
            end: false,
            file: file.to_owned(),
            inputs: vec![(1, 2, 3)],
        };
        journal.write(&entry(16, "a much longer name")).unwrap();
        journal.write(&entry(8, "a")).unwrap();
        let read = Journal::new(home.path(), "send").read().unwrap().unwrap();
        assert_eq!(read, entry(8, "a"));
        assert!(read.is_of(session) && !read.is_of(SessionId::new(8).unwrap()));
        assert!(journal.write(&entry(8, &"x".repeat(LINE))).is_err());
        journal.remove().unwrap();
        journal.remove().unwrap();
        assert_eq!(journal.read().unwrap(), None);
    }

    #[test]
    fn what_is_no_entry_is_none() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::new(home.path(), "send");
        std::fs::write(journal.path(), "{\"session\": 7}").unwrap();
        assert_eq!(journal.read().unwrap(), None);
    }
}
