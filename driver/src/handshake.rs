//! A socket before and after its session: while it logs in, and while a refusal reaches the peer.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use tcpshm_protocol::login::LoginMessage;

use crate::ready::Ready;
use crate::socket::{interrupted, would_block};

/// A connection that is no link yet. What it may make us keep is bounded by two login messages.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    /// When it is given up, whatever it does until then.
    pub(crate) deadline: Instant,
    /// Bytes that came and were not yet taken by the login.
    input: Vec<u8>,
    readable: bool,
    writable: bool,
    ended: bool,
}

impl Handshake {
    pub(crate) fn new(stream: TcpStream, address: SocketAddr, deadline: Instant) -> Self {
        Self { stream, address, deadline, input: Vec::new(), readable: true, writable: true, ended: false }
    }

    pub(crate) fn set_ready(&mut self, ready: Ready) {
        self.readable |= ready.readable;
        self.writable |= ready.writable;
    }

    /// Reads what there is. Returns whether anything came; an end of the stream is found afterwards,
    /// when everything before it was handled.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        let before = self.input.len();
        let mut chunk = [0; 1024];
        while self.readable && self.input.len() < 2 * LoginMessage::MAX {
            match self.stream.read(&mut chunk) {
                Ok(0) => (self.ended, self.readable) = (true, false),
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if interrupted(&error) => {}
                Err(error) if would_block(&error) => self.readable = false,
                Err(error) => return Err(error),
            }
        }
        Ok(self.input.len() > before)
    }

    /// Whether the peer has ended its side.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Lets `take` have the bytes that came; it advances the slice past what it took.
    pub(crate) fn with_input<T>(&mut self, take: impl FnOnce(&mut &[u8]) -> T) -> T {
        let mut rest = &self.input[..];
        let taken = take(&mut rest);
        let count = self.input.len() - rest.len();
        self.input.drain(..count);
        taken
    }

    /// Throws away what came: for a connection that was refused.
    pub(crate) fn discard_input(&mut self) {
        self.input.clear();
    }

    /// Writes as much of `bytes` as the socket takes at once.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while self.writable && written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error) if interrupted(&error) => {}
                Err(error) if would_block(&error) => self.writable = false,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// The socket, and the bytes behind the login.
    pub(crate) fn into_parts(self) -> (TcpStream, SocketAddr, Vec<u8>) {
        (self.stream, self.address, self.input)
    }
}
