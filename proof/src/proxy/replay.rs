//! What an earlier connection's client said, said again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

/// How long it goes on.
const LASTING: Duration = Duration::from_millis(300);

/// A connection that only repeats.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) stream: TcpStream,
    words: Vec<u8>,
    said: usize,
    pub(super) until: Instant,
}

impl Replay {
    pub(super) fn new(words: Vec<u8>, server: SocketAddr, now: Instant) -> io::Result<Self> {
        Ok(Self { stream: TcpStream::connect(server)?, words, said: 0, until: now + LASTING })
    }

    /// Goes on as far as it can. False when the other side has had enough, or all is said and its time is over.
    pub(super) fn pump(&mut self, now: Instant) -> bool {
        while self.said < self.words.len() {
            match self.stream.write(&self.words[self.said..]) {
                Ok(count) => self.said += count,
                Err(error) if would_block(&error) => break,
                Err(_) => return false,
            }
        }
        let mut answer = [0; 4096];
        loop {
            match self.stream.read(&mut answer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if would_block(&error) => return now < self.until,
                Err(_) => return false,
            }
        }
    }

    /// Whether anything was said.
    pub(super) fn has_spoken(&self) -> bool {
        self.said > 0
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted)
}
