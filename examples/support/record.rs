//! The file in which the client keeps its account.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tcpshm_driver::{Name, Position, SessionId};

use crate::entry::{Entry, Intent, Place};

/// "tcpshmR" and the number of this layout.
const MAGIC: u64 = u64::from_le_bytes(*b"tcpshmR\x01");
/// Magic, seed, six counts, an intent, an answer.
const SIZE: usize = 8 * 2 + 8 * 6 + (8 * 3 + 16) + (8 + 16);

/// One entry, small enough that every change is one write that a kill cannot cut: within a page the
/// kernel copies it whole or not at all.
///
/// It outlives killed processes, like the link file beside it, and not a loss of power.
#[derive(Debug)]
pub struct Record {
    file: File,
    seed: u64,
}

impl Record {
    /// Where the client called `name` keeps its account. A link file's name holds a `~`, which no
    /// client's name can hold.
    pub fn path(directory: &Path, name: &Name) -> PathBuf {
        directory.join(format!("{name}.record"))
    }

    /// Opens the account, or starts it with `seed`. An account goes on with its own seed: another one that
    /// is asked for is refused.
    pub fn open(path: &Path, seed: Option<u64>) -> Result<(Self, Entry), RecordError> {
        let failed = |source| RecordError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(failed)?;
        let empty = file.metadata().map_err(failed)?.len() == 0;
        if empty {
            let record = Self { file, seed: seed.unwrap_or(1) };
            record.write(&Entry::default()).map_err(failed)?;
            return Ok((record, Entry::default()));
        }
        let (found, entry) = read(&file, path)?;
        match seed {
            Some(asked) if asked != found => Err(RecordError::Seed { path: path.to_owned(), found, asked }),
            _ => Ok((Self { file, seed: found }, entry)),
        }
    }

    /// Reads an account that somebody else may be writing.
    pub fn peek(path: &Path) -> Result<Entry, RecordError> {
        let file = File::open(path).map_err(|source| RecordError::Io { path: path.to_owned(), source })?;
        Ok(read(&file, path)?.1)
    }

    /// Makes `entry` what a later run will find.
    pub fn write(&self, entry: &Entry) -> io::Result<()> {
        self.file.write_all_at(&encode(self.seed, entry), 0)
    }

    /// The seed of the messages.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

fn read(file: &File, path: &Path) -> Result<(u64, Entry), RecordError> {
    let mut bytes = [0; SIZE];
    let entry = match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => decode(&bytes),
        Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => None,
        Err(source) => return Err(RecordError::Io { path: path.to_owned(), source }),
    };
    entry.ok_or_else(|| RecordError::Foreign { path: path.to_owned() })
}

fn encode(seed: u64, entry: &Entry) -> [u8; SIZE] {
    let Entry { intent, answer, done, received, lost, duplicated, reordered, damaged } = entry;
    let mut fields = Fields { bytes: [0; SIZE], at: 0 };
    for number in [MAGIC, seed, *done, *received, *lost, *duplicated, *reordered, *damaged] {
        fields.put(&number.to_le_bytes());
    }
    // Session 0 does not exist, so zeros mean that there is none.
    let (number, from, upto) = intent.map_or((0, 0, 0), |i| (i.number, i.from.get(), i.upto.get()));
    for number in [number, from, upto] {
        fields.put(&number.to_le_bytes());
    }
    fields.put(&intent.map_or(0, |intent| intent.session.get()).to_le_bytes());
    fields.put(&answer.map_or(0, |answer| answer.position.get()).to_le_bytes());
    fields.put(&answer.map_or(0, |answer| answer.session.get()).to_le_bytes());
    fields.bytes
}

fn decode(bytes: &[u8; SIZE]) -> Option<(u64, Entry)> {
    let mut fields = Fields { bytes: *bytes, at: 0 };
    let [magic, seed, done, received, lost, duplicated, reordered, damaged] = fields.numbers();
    let [number, from, upto] = fields.numbers();
    let session = SessionId::new(u128::from_le_bytes(fields.take()));
    let (from, upto) = (Position::new(from)?, Position::new(upto)?);
    let intent = session.map(|session| Intent { number, from, upto, session });
    let [position] = fields.numbers();
    let position = Position::new(position)?;
    let session = SessionId::new(u128::from_le_bytes(fields.take()));
    let answer = session.map(|session| Place { session, position });
    let sound = magic == MAGIC && intent.is_none_or(|intent| intent.number > 0);
    sound.then_some((seed, Entry { intent, answer, done, received, lost, duplicated, reordered, damaged }))
}

/// Fixed-width fields, one behind the other.
struct Fields {
    bytes: [u8; SIZE],
    at: usize,
}

impl Fields {
    fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    fn take<const LEN: usize>(&mut self) -> [u8; LEN] {
        let field = self.bytes[self.at..].first_chunk().expect("SIZE counts all fields");
        self.at += LEN;
        *field
    }

    fn numbers<const COUNT: usize>(&mut self) -> [u64; COUNT] {
        std::array::from_fn(|_| u64::from_le_bytes(self.take()))
    }
}

/// Why there is no account to go on from.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be read or written.
    #[error("the record {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not the record of an echo client of this version: move it away, or take another name", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Its messages have other contents.
    #[error("the record {} was started with seed {found}, not {asked}: leave out --seed to go on", path.display())]
    Seed {
        /// The file.
        path: PathBuf,
        /// Its seed.
        found: u64,
        /// The seed asked for.
        asked: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let session = SessionId::new(1 << 100).unwrap();
        let at = |bytes| Position::new(bytes).unwrap();
        Entry {
            intent: Some(Intent { number: 9, from: at(64), upto: at(96), session }),
            answer: Some(Place { session, position: at(48) }),
            done: 3,
            received: 4,
            lost: 5,
            duplicated: 6,
            reordered: 7,
            damaged: 8,
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        for entry in [Entry::default(), entry()] {
            assert_eq!(decode(&encode(42, &entry)), Some((42, entry)));
        }
    }

    #[test]
    fn a_later_run_goes_on_from_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = Record::path(directory.path(), &"c1".parse().unwrap());
        let (record, empty) = Record::open(&path, Some(5)).unwrap();
        assert_eq!(empty, Entry::default());
        record.write(&entry()).unwrap();
        assert_eq!(Record::peek(&path).unwrap(), entry());
        let (again, found) = Record::open(&path, None).unwrap();
        assert_eq!((again.seed(), found), (5, entry()));
        let other = Record::open(&path, Some(6)).unwrap_err();
        assert!(matches!(other, RecordError::Seed { found: 5, asked: 6, .. }), "{other}");
    }

    #[test]
    fn another_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c1.record");
        std::fs::write(&path, [7; SIZE]).unwrap();
        assert!(matches!(Record::open(&path, None), Err(RecordError::Foreign { .. })));
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(Record::open(&path, None), Err(RecordError::Foreign { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
    }
}
