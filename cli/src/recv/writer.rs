//! Writes what has come, in a thread of its own: whoever reads a pipe may take its time, and the link must not wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use tcpshm_driver::Delivered;
use tcpshm_driver::mio::Waker;

use super::block::Block;
use crate::failure::Failure;
use crate::pipe::journal::{Entry, Journal};

/// Where lines go.
pub(super) enum Target {
    Output,
    /// With what mends it after a kill.
    File {
        file: File,
        name: String,
        journal: Journal,
    },
}

impl Target {
    /// A file that is appended to. `owner` holds the lock of its name in `directory`.
    pub(super) fn file(path: &Path, directory: &Path, owner: &str) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(false).open(path).map_err(Failure::path(path))?;
        let name = path.canonicalize().map_err(Failure::path(path))?.display().to_string();
        Ok(Target::File { file, name, journal: Journal::new(directory, owner) })
    }

    /// Writes a block whole. Nothing of it was consumed before, and all of it is afterwards.
    fn write(&mut self, block: &Block, first: bool) -> Result<(), Failure> {
        match self {
            Target::Output => {
                let mut output = io::stdout().lock();
                output.write_all(&block.bytes).and_then(|()| output.flush()).map_err(Failure::Output)
            }
            Target::File { file, name, journal } => {
                let failed = |error| Failure::Path { path: (&*name).into(), source: error };
                if first {
                    mend(file, name, journal, block)?;
                }
                let before = file.seek(SeekFrom::End(0)).map_err(failed)?;
                let entry = Entry {
                    session: block.upto.session().to_string(),
                    position: block.from,
                    before,
                    after: before + block.bytes.len() as u64,
                    messages: 0,
                    messages_after: block.messages,
                    end: false,
                    file: name.clone(),
                    inputs: Vec::new(),
                };
                let path = journal.path().to_owned();
                journal.write(&entry).map_err(Failure::path(path))?;
                file.write_all(&block.bytes).map_err(failed)
            }
        }
    }
}

/// Cuts off what an earlier run wrote and did not live to consume: it comes again.
fn mend(file: &File, name: &str, journal: &Journal, block: &Block) -> Result<(), Failure> {
    let read = journal.read().map_err(Failure::path(journal.path().to_owned()))?;
    let Some(entry) = read.filter(|entry| entry.file == name && entry.is_of(block.upto.session())) else {
        return Ok(());
    };
    let len = file.metadata().map_err(Failure::path(name))?.len();
    if entry.position == block.from && (entry.before..=entry.after).contains(&len) {
        file.set_len(entry.before).map_err(Failure::path(name))?;
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
            let mut first = true;
            for block in given {
                let written = target.write(&block, first);
                first = false;
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
