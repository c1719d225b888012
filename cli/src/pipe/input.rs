//! An input, read by a thread of its own: reading a terminal or a pipe waits, and the link must not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;

use tcpshm_driver::mio::Waker;

use crate::failure::Failure;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// More than the longest line that is looked at whole.
const LONGEST: usize = 4 * 1024 * 1024;
/// Chunks that may wait.
const WAITING: usize = 4;

/// What comes in.
#[derive(Debug)]
pub(crate) struct Input {
    chunks: Receiver<Result<Vec<u8>, Failure>>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were used.
    used: usize,
    /// How many bytes to have in the buffer behind those.
    wanted: usize,
    ended: bool,
}

impl Input {
    /// Reads files one after the other, or standard input if there are none, without their first `skip` bytes. Wakes
    /// the loop when there is something.
    pub(crate) fn start(files: Vec<PathBuf>, skip: u64, waker: Arc<Waker>) -> Self {
        let (chunk, chunks) = mpsc::sync_channel(WAITING);
        thread::spawn(move || {
            if let Err(failure) = read_all(files, skip, &chunk, &waker) {
                let _ = chunk.send(Err(failure));
            }
            // The loop finds that this end of the channel is gone.
            drop(chunk);
            let _ = waker.wake();
        });
        Self { chunks, buffer: Vec::new(), used: 0, wanted: CHUNK, ended: false }
    }

    /// What is there and was not used, and whether nothing comes behind it. Takes in more first, if it is little.
    pub(crate) fn look(&mut self) -> Result<(&[u8], bool), Failure> {
        while self.buffer.len() - self.used < self.wanted && !self.ended {
            match self.chunks.try_recv() {
                Ok(chunk) => {
                    self.buffer.drain(..self.used);
                    self.used = 0;
                    self.buffer.extend(chunk?);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.ended = true,
            }
        }
        Ok((&self.buffer[self.used..], self.ended))
    }

    /// What is there is the beginning of something longer. Returns whether there is more of it now.
    pub(crate) fn look_further(&mut self) -> Result<bool, Failure> {
        let had = self.buffer.len() - self.used;
        self.wanted = self.wanted.max(had + CHUNK).min(LONGEST);
        let (there, ended) = self.look()?;
        Ok(there.len() > had || ended)
    }

    pub(crate) fn use_up(&mut self, bytes: usize) {
        self.used += bytes;
        self.wanted = CHUNK;
    }
}

fn read_all(
    files: Vec<PathBuf>,
    mut skip: u64,
    chunk: &SyncSender<Result<Vec<u8>, Failure>>,
    waker: &Waker,
) -> Result<(), Failure> {
    if files.is_empty() {
        return pass_on(&mut io::stdin().lock(), chunk, waker).map_err(Failure::call("standard input"));
    }
    for path in files {
        let failed = |error| Failure::Path { path: path.clone(), source: error };
        let mut file = File::open(&path).map_err(failed)?;
        if skip > 0 {
            let len = file.metadata().map_err(failed)?.len();
            let skipped = skip.min(len);
            file.seek(SeekFrom::Start(skipped)).map_err(failed)?;
            skip -= skipped;
        }
        pass_on(&mut file, chunk, waker).map_err(failed)?;
    }
    if skip > 0 { Err(Failure::InputShrank { missing: skip }) } else { Ok(()) }
}

fn pass_on(
    input: &mut impl Read,
    chunk: &SyncSender<Result<Vec<u8>, Failure>>,
    waker: &Waker,
) -> io::Result<()> {
    loop {
        let mut bytes = vec![0; CHUNK];
        let count = match input.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes.truncate(count);
        if chunk.send(Ok(bytes)).is_err() {
            // Nobody wants more.
            return Ok(());
        }
        waker.wake()?;
    }
}
