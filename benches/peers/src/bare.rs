//! Bare stream sockets: TCP, which is the floor's twin, and Unix-domain.
//!
//! Both ends are non-blocking and spin on `read`; TCP sends at once (`TCP_NODELAY`). A message is a header of
//! 16 bytes with its length, the payload, and padding to 8, which are the bytes that tcpshm puts on a
//! connection, and is written with a call of its own.
//!
//! What it offers: bytes in order between two processes, for as long as both live. Nothing is kept: what the
//! kernel holds is gone with either process, messages are the caller's business, and so is a new connection.
//! What tcpshm adds over TCP is seen against `bare-tcp`; how far `bare-tcp` itself is from the floor tells
//! how much noise there is, and what the framing costs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use benches::Mix;

use crate::end::{End, Use, spin};

/// A family of sockets.
pub(crate) trait Family {
    type Listener;
    type Stream: Read + Write;

    /// A listener, and its address.
    fn listen(home: &Path) -> io::Result<(Self::Listener, String)>;
    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream>;
    fn connect(address: &str) -> io::Result<Self::Stream>;
}

/// TCP over the loopback.
pub(crate) struct Tcp;

impl Family for Tcp {
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn listen(_: &Path) -> io::Result<(TcpListener, String)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        Ok((listener, address))
    }

    fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        at_once(listener.accept()?.0)
    }

    fn connect(address: &str) -> io::Result<TcpStream> {
        at_once(TcpStream::connect(address)?)
    }
}

fn at_once(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Unix-domain streams.
pub(crate) struct Unix;

impl Family for Unix {
    type Listener = UnixListener;
    type Stream = UnixStream;

    fn listen(home: &Path) -> io::Result<(UnixListener, String)> {
        let path = home.join("socket");
        Ok((UnixListener::bind(&path)?, path.to_string_lossy().into_owned()))
    }

    fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    fn connect(address: &str) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(address)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }
}

/// Bytes of a frame's header: the payload's length, and zeros.
const HEADER: usize = 16;
/// Read at once if there is that much, as in the driver of tcpshm.
const BUFFER: usize = 64 * 1024;

/// A connection. What was read and not yet seen is between `seen` and `read` of the buffer.
pub(crate) struct Bare<F: Family> {
    stream: F::Stream,
    buffer: Box<[u8]>,
    seen: usize,
    read: usize,
    frame: Vec<u8>,
}

impl<F: Family> End for Bare<F> {
    fn listen(home: &Path, _: Use, tell: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self> {
        let (listener, address) = F::listen(home)?;
        tell(&address)?;
        F::accept(&listener).map(Self::new)
    }

    fn connect(_: &Path, _: Use, address: &str) -> io::Result<Self> {
        F::connect(address).map(Self::new)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.frame.clear();
        self.frame.extend_from_slice(&(message.len() as u64).to_le_bytes());
        self.frame.resize(HEADER, 0);
        self.frame.extend_from_slice(message);
        self.frame.resize(Mix::frame(message.len()), 0);
        write(&mut self.stream, &self.frame)
    }

    fn receive<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let size = self.wait()?;
        let found = look(&self.buffer[self.seen + HEADER..][..size]);
        self.seen += Mix::frame(size);
        Ok(found)
    }

    fn echo(&mut self) -> io::Result<()> {
        let frame = Mix::frame(self.wait()?);
        write(&mut self.stream, &self.buffer[self.seen..][..frame])?;
        self.seen += frame;
        Ok(())
    }
}

impl<F: Family> Bare<F> {
    fn new(stream: F::Stream) -> Self {
        Self { stream, buffer: vec![0; BUFFER].into(), seen: 0, read: 0, frame: Vec::new() }
    }

    /// Reads until there is a whole frame. Returns the size of its payload.
    fn wait(&mut self) -> io::Result<usize> {
        loop {
            let unseen = &self.buffer[self.seen..self.read];
            if let Some(header) = unseen.first_chunk::<8>() {
                let size = usize::try_from(u64::from_le_bytes(*header)).unwrap_or(usize::MAX);
                if size > BUFFER - HEADER - 8 {
                    return Err(ErrorKind::InvalidData.into());
                }
                if Mix::frame(size) <= unseen.len() {
                    return Ok(size);
                }
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.seen == self.read {
            (self.seen, self.read) = (0, 0);
        } else if self.read == BUFFER {
            self.buffer.copy_within(self.seen.., 0);
            (self.seen, self.read) = (0, self.read - self.seen);
        }
        match spin(|| patient(self.stream.read(&mut self.buffer[self.read..])))? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.read += count;
                Ok(())
            }
        }
    }
}

fn write(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[spin(|| patient(stream.write(bytes)))?..];
    }
    Ok(())
}

/// Nothing, if it is to be tried again.
fn patient(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        done => done.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::end::tests::{a_stream_arrives_whole_and_in_order, short_batches_come_back};

    #[test]
    fn round_trips_come_back_over_both() {
        short_batches_come_back::<Bare<Tcp>>();
        short_batches_come_back::<Bare<Unix>>();
    }

    #[test]
    fn streams_arrive_over_both() {
        a_stream_arrives_whole_and_in_order::<Bare<Tcp>>();
        a_stream_arrives_whole_and_in_order::<Bare<Unix>>();
    }

    /// What was written is what is read, as much at once as there is room for.
    struct Memory;

    impl Family for Memory {
        type Listener = ();
        type Stream = VecDeque<u8>;

        fn listen(_: &Path) -> io::Result<((), String)> {
            Err(ErrorKind::Unsupported.into())
        }

        fn accept((): &()) -> io::Result<VecDeque<u8>> {
            Err(ErrorKind::Unsupported.into())
        }

        fn connect(_: &str) -> io::Result<VecDeque<u8>> {
            Err(ErrorKind::Unsupported.into())
        }
    }

    #[test]
    fn frames_are_whole_wherever_the_buffer_ends() {
        let mut bare = Bare::<Memory>::new(VecDeque::new());
        let message = |number: usize| vec![number.to_le_bytes()[0]; 1 + number % 300];
        (0..2000).for_each(|number| bare.send(&message(number)).unwrap());
        for number in 0..2000 {
            bare.receive(|found| assert_eq!(found, message(number), "message {number}")).unwrap();
        }
        assert_eq!(bare.receive(|_| ()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
