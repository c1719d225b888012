//! The log of one application: written with one write per step, read by the supervisor.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::record::{Act, Record, SIZE};

/// The end that writes.
#[derive(Debug)]
pub struct Log {
    file: File,
    bytes: Vec<u8>,
}

impl Log {
    /// Goes on with a log, or begins it. Returns what it holds too.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Record>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((Self { file, bytes: Vec::new() }, parse(&bytes)?))
    }

    /// Writes these down, in one write.
    pub fn write(&mut self, records: &[Record]) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.extend(records.iter().flat_map(Record::encode));
        let written = self.file.write(&self.bytes)?;
        if written == self.bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

/// The end that reads.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    read: u64,
}

impl Reader {
    /// A reader of the log at `path`, which may not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    /// What came since it was last asked.
    pub fn news(&mut self) -> io::Result<Vec<Record>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // Somebody may be writing.
        bytes.truncate(bytes.len() / SIZE * SIZE);
        self.read += bytes.len() as u64;
        parse(&bytes)
    }

    /// Leaves in the log what its application will look for when it starts, and drops the rest, which was
    /// read. Nobody may be writing.
    pub fn compact(&mut self) -> io::Result<()> {
        let bytes = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let kept = last_intents(&parse(&bytes)?);
        let bytes: Vec<u8> = kept.values().flat_map(Record::encode).collect();
        fs::write(&self.path, &bytes)?;
        self.read = bytes.len() as u64;
        Ok(())
    }
}

/// What each link's application last was about to commit: all that it has to know of an earlier life. The rest it
/// asks the link.
pub fn last_intents(records: &[Record]) -> BTreeMap<u16, Record> {
    let intents = records.iter().filter(|record| matches!(record.act, Act::Intend | Act::Answer));
    intents.map(|record| (record.link, *record)).collect()
}

fn parse(bytes: &[u8]) -> io::Result<Vec<Record>> {
    let (records, rest) = bytes.as_chunks::<SIZE>();
    if !rest.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a log ends inside a record"));
    }
    let record = |bytes| {
        let error = || io::Error::new(io::ErrorKind::InvalidData, "a log holds what is no record");
        Record::decode(bytes).ok_or_else(error)
    };
    records.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_told_each_record_once_and_the_writer_finds_its_last_intents() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let (mut log, before) = Log::open(&path).unwrap();
        assert_eq!(before, []);
        let mut reader = Reader::new(path.clone());
        let intents = [(1, 1), (2, 0), (3, 1)];
        let intents = intents.map(|(number, link)| Record { number, ..Record::new(Act::Intend, link, 7) });
        log.write(&intents[..2]).unwrap();
        assert_eq!(reader.news().unwrap(), intents[..2]);
        log.write(&intents[2..]).unwrap();
        assert_eq!(reader.news().unwrap(), intents[2..]);
        drop(log);
        reader.compact().unwrap();
        let (mut log, before) = Log::open(&path).unwrap();
        assert_eq!(before, intents[1..]);
        log.write(&[Record::new(Act::Start, 0, 0)]).unwrap();
        assert_eq!(reader.news().unwrap(), [Record::new(Act::Start, 0, 0)]);
    }
}
