//! Writes what has come, in a thread of its own: whoever reads a pipe may take its time, and the link must not wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tcpshm_driver::Delivered;
use tcpshm_driver::mio::Waker;

use super::block::Block;
use crate::failure::Failure;
use crate::inspect::examine;
use crate::inspect::finding::Seen;
use crate::pipe::journal::{Entry, Journal};

/// Where lines go.
pub(super) enum Target {
    Output,
    /// With what mends it after a kill.
    File {
        file: File,
        name: String,
        directory: PathBuf,
        /// The journals of each peer, where this owner's begin so.
        owner: String,
        journal: Option<Journal>,
    },
}

impl Target {
    /// A file that is appended to, by one process at a time. `owner` has the lock of its name in `directory`.
    pub(super) fn file(path: &Path, directory: &Path, owner: &str) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(false).open(path).map_err(Failure::path(path))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            let taken = io::Error::other("another process appends to it");
            let error = if error == Errno::WOULDBLOCK { taken } else { error.into() };
            return Err(Failure::path(path)(error));
        }
        let name = path.canonicalize().map_err(Failure::path(path))?.display().to_string();
        mend(&file, &name, directory)?;
        let (directory, owner) = (directory.to_owned(), owner.to_owned());
        Ok(Target::File { file, name, directory, owner, journal: None })
    }

    /// Writes a block whole. Nothing of it was consumed before, and all of it is afterwards.
    fn write(&mut self, block: &Block) -> Result<(), Failure> {
        match self {
            Target::Output => {
                let mut output = io::stdout().lock();
                output.write_all(&block.bytes).and_then(|()| output.flush()).map_err(Failure::Output)
            }
            // An end, say.
            Target::File { .. } if block.bytes.is_empty() => Ok(()),
            Target::File { file, name, directory, owner, journal } => {
                let failed = |error| Failure::Path { path: (&*name).into(), source: error };
                let before = file.seek(SeekFrom::End(0)).map_err(failed)?;
                let entry = Entry {
                    session: block.upto.session().to_string(),
                    position: block.from,
                    reach: block.upto.position().get(),
                    before,
                    after: before + block.bytes.len() as u64,
                    messages: 0,
                    messages_after: block.messages,
                    end: false,
                    file: name.clone(),
                    ..Entry::default()
                };
                // There is one peer for each run.
                let new = || Journal::new(directory, &format!("{owner}~{}{JOURNAL}", block.peer));
                let journal = journal.get_or_insert_with(new);
                let path = journal.path().to_owned();
                journal.write(&entry).map_err(Failure::path(path))?;
                file.write_all(&block.bytes).map_err(failed)
            }
        }
    }
}

/// How the name of a journal of this kind ends, behind that of its link.
const JOURNAL: &str = ".recv";

/// Cuts off what an earlier run, of whatever name and with whatever peer, wrote last and did not live to consume: it comes
/// again. Its link's own file says whether it did.
fn mend(file: &File, name: &str, directory: &Path) -> Result<(), Failure> {
    let len = file.metadata().map_err(Failure::path(name))?.len();
    let ending = format!("{JOURNAL}.journal");
    for found in std::fs::read_dir(directory).map_err(Failure::path(directory))? {
        let found = found.map_err(Failure::path(directory))?.file_name();
        let Some(link) = found.to_str().and_then(|found| found.strip_suffix(&ending)) else { continue };
        let journal = Journal::new(directory, &format!("{link}{JOURNAL}"));
        let read = journal.read().map_err(Failure::path(journal.path().to_owned()))?;
        let Some(entry) = read.filter(|entry| entry.file == name && entry.is_last(len)) else { continue };
        // Without the link's file nothing comes again.
        let seen = examine(&directory.join(format!("{link}.link"))).ok().and_then(|finding| finding.seen);
        let unconsumed = |seen: &Seen| {
            seen.snapshot.header.session.to_string() == entry.session && seen.consumed() == entry.position
        };
        if seen.as_ref().is_some_and(unconsumed) {
            return file.set_len(entry.before).map_err(Failure::path(name));
        }
    }
    Ok(())
}

/// A block that was written whole.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) upto: Delivered,
    pub(super) messages: u64,
}

/// The thread, as the loop sees it. One block is on its way at a time.
#[derive(Debug)]
pub(super) struct Writer {
    blocks: Sender<Block>,
    done: Receiver<Result<Written, Failure>>,
    busy: bool,
}

impl Writer {
    pub(super) fn start(mut target: Target, waker: Arc<Waker>) -> Self {
        let (blocks, given) = mpsc::channel::<Block>();
        let (told, done) = mpsc::channel();
        thread::spawn(move || {
            for block in given {
                let written = target.write(&block);
                let failed = written.is_err();
                let done = written.map(|()| Written { upto: block.upto, messages: block.messages });
                if told.send(done).is_err() || failed {
                    let _ = waker.wake();
                    return;
                }
                let _ = waker.wake();
            }
        });
        Self { blocks, done, busy: false }
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.busy
    }

    /// Hands on a block; only while it is idle.
    pub(super) fn write(&mut self, block: Block) {
        self.busy = self.blocks.send(block).is_ok();
    }

    /// What was written since the last call, if something was.
    pub(super) fn written(&mut self) -> Result<Option<Written>, Failure> {
        match self.done.try_recv() {
            Ok(written) => {
                self.busy = false;
                written.map(Some)
            }
            Err(_) => Ok(None),
        }
    }
}
