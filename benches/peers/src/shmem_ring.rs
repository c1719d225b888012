//! shmem-ipc: two rings in shared memory, each with one sender and one receiver.
//!
//! Of the rings between processes in the registry it is the one that was made for this: `memfd`, sealed, one
//! counter that both sides change. (`ipmpsc` takes a mutex for each message and serialises it, so it is no
//! ring to measure against.) A ring carries items of one size; here they are words of 8 bytes, and a message
//! is a word with its length and the words of its payload. Both sides spin on the ring itself, which its
//! documentation calls low-level and which signals nobody, and use the functions that need no unsafe code.
//! The receiver takes everything that is there at once. Rings are as large as those of tcpshm.
//!
//! What it offers: items in order from one process to one other that need not trust each other, and eventfds
//! for those that sleep. The files must be passed between the processes by other means. Messages, names,
//! logins and the noticing of a peer that is gone are the caller's business. A ring is gone with its
//! processes, and a receiver that dies takes with it what it had taken.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use shmem_ipc::sharedring::{Receiver, Sender};

use crate::end::{End, Use, spin};
use crate::tcpshm::RING;

/// What a ring carries.
type Word = [u8; 8];
/// Words of a ring.
const CAPACITY: usize = RING / size_of::<Word>();

/// A ring for each way.
pub(crate) struct ShmemRing {
    there: Sender<Word>,
    back: Receiver<Word>,
    /// What was taken; seen are the first `seen` words.
    taken: Vec<Word>,
    seen: usize,
}

impl End for ShmemRing {
    fn listen(_: &Path, _: Use, tell: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self> {
        let there = Sender::new(CAPACITY).map_err(io::Error::other)?;
        let back = Receiver::new(CAPACITY).map_err(io::Error::other)?;
        let path = |memory: &File| {
            use std::os::fd::AsRawFd;
            format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd())
        };
        tell(&format!("{} {}", path(there.memfd().as_file()), path(back.memfd().as_file())))?;
        Ok(Self::new(there, back))
    }

    fn connect(_: &Path, _: Use, address: &str) -> io::Result<Self> {
        let (back, there) = address.split_once(' ').ok_or(io::ErrorKind::InvalidInput)?;
        let memory = |path| File::options().read(true).write(true).open(path);
        // Nobody sleeps, so nobody is signalled, and the eventfds need not be those of the other side.
        let signal = || eventfd(0, EventfdFlags::CLOEXEC).map(File::from);
        let there = Sender::open(CAPACITY, memory(there)?, signal()?, signal()?).map_err(io::Error::other)?;
        let back = Receiver::open(CAPACITY, memory(back)?, signal()?, signal()?).map_err(io::Error::other)?;
        Ok(Self::new(there, back))
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        send(&mut self.there, message)
    }

    fn receive<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let size = self.wait()?;
        let found = look(payload(&self.taken[self.seen..], size));
        self.seen += words(size);
        Ok(found)
    }

    fn echo(&mut self) -> io::Result<()> {
        let size = self.wait()?;
        send(&mut self.there, payload(&self.taken[self.seen..], size))?;
        self.seen += words(size);
        Ok(())
    }
}

impl ShmemRing {
    fn new(there: Sender<Word>, back: Receiver<Word>) -> Self {
        Self { there, back, taken: Vec::with_capacity(CAPACITY), seen: 0 }
    }

    /// Takes words until there is a whole message. Returns its size.
    fn wait(&mut self) -> io::Result<usize> {
        loop {
            if let Some(size) = self.taken.get(self.seen) {
                let size = usize::try_from(u64::from_le_bytes(*size)).unwrap_or(usize::MAX);
                if size >= CAPACITY {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if words(size) <= self.taken.len() - self.seen {
                    return Ok(size);
                }
            }
            if self.seen == self.taken.len() {
                self.taken.clear();
            } else {
                // A message that lies across the end of the ring comes in two parts.
                self.taken.drain(..self.seen);
            }
            self.seen = 0;
            let ring = self.back.receiver_mut();
            let count = spin(|| {
                let count = ring.read_count().map_err(io::Error::other)?;
                Ok((count > 0).then_some(count))
            })?;
            ring.recv_foreach(count, |word| self.taken.push(word));
        }
    }
}

fn send(ring: &mut Sender<Word>, message: &[u8]) -> io::Result<()> {
    let (whole, rest) = message.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = (!rest.is_empty()).then_some(last);
    let mut next =
        [(message.len() as u64).to_le_bytes()].into_iter().chain(whole.iter().copied()).chain(last);
    let count = words(message.len());
    let ring = ring.sender_mut();
    spin(|| Ok((ring.write_count().map_err(io::Error::other)? >= count).then_some(())))?;
    ring.send_foreach(count, || next.next().unwrap_or_default());
    Ok(())
}

/// Words of a message with so many bytes of payload.
fn words(size: usize) -> usize {
    1 + size.div_ceil(8)
}

/// The payload of a message that is whole.
fn payload(message: &[Word], size: usize) -> &[u8] {
    &message[1..].as_flattened()[..size]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::end::tests::{a_stream_arrives_whole_and_in_order, short_batches_come_back};

    #[test]
    fn round_trips_come_back() {
        short_batches_come_back::<ShmemRing>();
    }

    #[test]
    fn a_stream_arrives() {
        a_stream_arrives_whole_and_in_order::<ShmemRing>();
    }
}
