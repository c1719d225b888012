//! ZeroMQ: a pair of `PAIR` sockets over TCP or over Unix-domain sockets (`ipc://`).
//!
//! `PAIR` is the pattern for exactly two, and the one with the least in the way. Its threads for sockets
//! cannot be told to spin, and each runs on the core of its side, where an end that spins would keep it from
//! running: so both ends wait in `recv`, as `local_lat` and `remote_lat` of ZeroMQ do. Over TCP ZeroMQ sends
//! at once by itself. High-water marks are the usual ones, a thousand messages.
//!
//! What it offers: whole messages in order, queues on both sides, many patterns from one to many and many to
//! many, most of which connect again by themselves, and every language there is. What is in the queues is in
//! the memory of a process and gone with it, and a message that was on its way when a connection broke may be
//! lost: nothing says which the other side has taken. Nothing of it passes through shared memory.

use std::io;
use std::marker::PhantomData;
use std::path::Path;

use crate::end::{End, PATIENCE, Use};

/// What carries it.
pub(crate) trait Transport {
    /// Where to listen.
    fn endpoint(home: &Path) -> String;
}

/// TCP over the loopback.
pub(crate) struct Tcp;

impl Transport for Tcp {
    fn endpoint(_: &Path) -> String {
        "tcp://127.0.0.1:*".to_owned()
    }
}

/// Unix-domain streams.
pub(crate) struct Ipc;

impl Transport for Ipc {
    fn endpoint(home: &Path) -> String {
        format!("ipc://{}", home.join("zeromq").display())
    }
}

/// One of the pair.
pub(crate) struct ZeroMq<T> {
    socket: zmq::Socket,
    message: Vec<u8>,
    transport: PhantomData<T>,
}

impl<T: Transport> End for ZeroMq<T> {
    fn listen(home: &Path, used: Use, tell: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self> {
        let end = Self::new(used)?;
        end.socket.bind(&T::endpoint(home))?;
        let bound = end.socket.get_last_endpoint()?;
        tell(&bound.map_err(|_| io::ErrorKind::InvalidData)?)?;
        Ok(end)
    }

    fn connect(_: &Path, used: Use, address: &str) -> io::Result<Self> {
        let end = Self::new(used)?;
        end.socket.connect(address)?;
        Ok(end)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.socket.send(message, 0)?)
    }

    fn receive<R>(&mut self, look: impl FnOnce(&[u8]) -> R) -> io::Result<R> {
        let size = self.wait()?;
        Ok(look(&self.message[..size]))
    }

    fn echo(&mut self) -> io::Result<()> {
        let size = self.wait()?;
        Ok(self.socket.send(&self.message[..size], 0)?)
    }
}

impl<T> ZeroMq<T> {
    fn new(used: Use) -> io::Result<Self> {
        // It lives as long as the socket.
        let socket = zmq::Context::new().socket(zmq::PAIR)?;
        let patience = i32::try_from(PATIENCE.as_millis()).map_err(io::Error::other)?;
        socket.set_rcvtimeo(patience)?;
        socket.set_sndtimeo(patience)?;
        // Everything was received, or something went wrong: an end that closes need not wait.
        socket.set_linger(0)?;
        Ok(Self { socket, message: vec![0; used.longest()], transport: PhantomData })
    }

    /// Takes the next message. Returns its size.
    fn wait(&mut self) -> io::Result<usize> {
        let size = self.socket.recv_into(&mut self.message, 0)?;
        // Of a longer one the size is told, and the rest is gone.
        if size > self.message.len() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::end::tests::{a_stream_arrives_whole_and_in_order, short_batches_come_back};

    #[test]
    fn round_trips_come_back_over_both() {
        short_batches_come_back::<ZeroMq<Tcp>>();
        short_batches_come_back::<ZeroMq<Ipc>>();
    }

    #[test]
    fn streams_arrive_over_both() {
        a_stream_arrives_whole_and_in_order::<ZeroMq<Tcp>>();
        a_stream_arrives_whole_and_in_order::<ZeroMq<Ipc>>();
    }
}
