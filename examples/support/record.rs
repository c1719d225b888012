//! The file in which the client keeps its account.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tcpshm_driver::{Name, Position, SessionId};

use crate::entry::{Answers, Connections, Entry, Intent};

/// "tcpshmR" and the number of this layout.
const MAGIC: u64 = u64::from_le_bytes(*b"tcpshmR\x02");
/// Magic, seed, six counts and two, an intent, answers.
const SIZE: usize = 8 * 2 + 8 * 8 + (8 * 3 + 16) * 2;

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
    let Entry { intent, answers, done, received, lost, duplicated, reordered, damaged, connections } = entry;
    let Connections { tcp, shm } = connections;
    let mut fields = Fields { bytes: [0; SIZE], at: 0 };
    fields.put([MAGIC, seed, *done, *received, *lost, *duplicated, *reordered, *damaged, *tcp, *shm]);
    // Session 0 does not exist, so zeros mean that there is none.
    fields.put(intent.map_or([0; 3], |intent| [intent.first, intent.last, intent.from.get()]));
    fields.put_session(intent.map(|intent| intent.session));
    fields.put(answers.map_or([0; 3], |answers| [answers.count, answers.first.get(), answers.last.get()]));
    fields.put_session(answers.map(|answers| answers.session));
    fields.bytes
}

fn decode(bytes: &[u8; SIZE]) -> Option<(u64, Entry)> {
    let mut fields = Fields { bytes: *bytes, at: 0 };
    let [magic, seed, done, received, lost, duplicated, reordered, damaged, tcp, shm] = fields.numbers();
    let [first, last, from] = fields.numbers();
    let from = Position::new(from)?;
    let intent = fields.session().map(|session| Intent { first, last, from, session });
    let [count, first, last] = fields.numbers();
    let (first, last) = (Position::new(first)?, Position::new(last)?);
    let answers = fields.session().map(|session| Answers { count, first, last, session });
    let connections = Connections { tcp, shm };
    let sound = magic == MAGIC
        && intent.is_none_or(|intent| 0 < intent.first && intent.first <= intent.last)
        && answers.is_none_or(|answers| 0 < answers.count && answers.first <= answers.last);
    let entry = Entry { intent, answers, done, received, lost, duplicated, reordered, damaged, connections };
    sound.then_some((seed, entry))
}

/// Fixed-width fields, one behind the other.
struct Fields {
    bytes: [u8; SIZE],
    at: usize,
}

impl Fields {
    fn put<const COUNT: usize>(&mut self, numbers: [u64; COUNT]) {
        numbers.iter().for_each(|number| self.put_bytes(&number.to_le_bytes()));
    }

    fn put_session(&mut self, session: Option<SessionId>) {
        self.put_bytes(&session.map_or(0, SessionId::get).to_le_bytes());
    }

    fn put_bytes(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    fn numbers<const COUNT: usize>(&mut self) -> [u64; COUNT] {
        std::array::from_fn(|_| u64::from_le_bytes(self.take()))
    }

    fn session(&mut self) -> Option<SessionId> {
        SessionId::new(u128::from_le_bytes(self.take()))
    }

    fn take<const LEN: usize>(&mut self) -> [u8; LEN] {
        let field = self.bytes[self.at..].first_chunk().expect("SIZE counts all fields");
        self.at += LEN;
        *field
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
            intent: Some(Intent { first: 9, last: 11, from: at(64), session }),
            answers: Some(Answers { count: 2, first: at(48), last: at(72), session }),
            done: 3,
            received: 4,
            lost: 5,
            duplicated: 6,
            reordered: 7,
            damaged: 8,
            connections: Connections { tcp: 1, shm: 2 },
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
