//! One direction of a connection: bytes that were read and not yet passed on.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::fate::{Fate, Kind};

/// Most bytes that are held: beyond that the sender has to wait, as with any gateway.
const MOST: usize = 256 * 1024;
/// How long bytes are gathered at most.
const GATHERING: Duration = Duration::from_millis(4);
/// Pieces of a split stream that go one by one, before the rest waits for a millisecond: so they arrive apart,
/// and yet a login ends some time.
const BURST: u32 = 8;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Flow {
    held: Vec<u8>,
    /// Bytes passed on.
    pub(super) passed: u64,
    /// The sender has ended its stream.
    pub(super) ended: bool,
    /// That was passed on.
    pub(super) closed: bool,
    /// Since when something is held.
    since: Option<Instant>,
    /// When the next pieces may go.
    next: Option<Instant>,
    /// Pieces passed on.
    pub(super) pieces: u64,
    /// Times that bytes had to wait for more of them.
    pub(super) gathered: u64,
    /// What was read, if somebody wants it again.
    pub(super) record: Option<Vec<u8>>,
}

impl Flow {
    /// Takes what the sender has to say. An error ends the connection.
    pub(super) fn fill(&mut self, mut from: &TcpStream, now: Instant) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        while !self.ended && self.held.len() < MOST {
            match from.read(&mut chunk) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.held.extend_from_slice(&chunk[..count]);
                    self.since.get_or_insert(now);
                    if let Some(record) = &mut self.record
                        && record.len() < MOST
                    {
                        record.extend_from_slice(&chunk[..count]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether bytes are held that could go on.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Passes on what `fate` lets pass now, but not beyond `limit` bytes in all. Returns when to come back, if not
    /// only with an event.
    pub(super) fn pass(
        &mut self,
        mut to: &TcpStream,
        fate: &Fate,
        limit: u64,
        now: Instant,
    ) -> io::Result<Option<Instant>> {
        let mut burst = 0;
        loop {
            let open = usize::try_from(limit - self.passed.min(limit)).unwrap_or(usize::MAX);
            let most = self.held.len().min(open);
            if most == 0 {
                return Ok(None);
            }
            let piece = match fate.kind {
                Kind::Split => {
                    if let Some(next) = self.next.filter(|next| *next > now) {
                        return Ok(Some(next));
                    }
                    burst += 1;
                    if burst == BURST {
                        self.next = Some(now + Duration::from_millis(1));
                    }
                    most.min(fate.piece)
                }
                Kind::Join if most < fate.piece && !self.ended => {
                    let due = self.since.unwrap_or(now) + GATHERING;
                    if due > now {
                        self.gathered += 1;
                        return Ok(Some(due));
                    }
                    most
                }
                // Whole pieces; what is left waits for more.
                Kind::Join if !self.ended => most / fate.piece * fate.piece,
                _ => most,
            };
            match to.write(&self.held[..piece]) {
                Ok(count) => {
                    self.held.drain(..count);
                    self.passed += count as u64;
                    self.pieces += 1;
                    self.since = (!self.held.is_empty()).then_some(now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
