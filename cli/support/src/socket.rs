//! The floor of TCP: the same byte counts over bare sockets, by spinning on `read`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::course::{Course, Plan};
use crate::mix::Mix;

/// What ends a batch: shorter than any frame.
const END: &[u8] = &[0];
/// What the answering side reads at most at once.
const CHUNK: usize = 64 * 1024;

/// One side of a non-blocking connection that sends at once.
#[derive(Debug)]
pub struct SocketClient {
    stream: TcpStream,
    mix: Mix,
    course: Course,
    sent: Vec<u8>,
    back: Vec<u8>,
}

impl SocketClient {
    /// Connects to the other side.
    pub fn connect(address: SocketAddr, mix: Mix) -> io::Result<Self> {
        let longest = Mix::frame(mix.longest());
        let stream = spinning(TcpStream::connect(address)?)?;
        Ok(Self { stream, mix, course: Course::new(), sent: vec![7; longest], back: vec![0; longest] })
    }

    /// Makes one batch of round trips.
    pub fn run(&mut self, plan: Plan) -> io::Result<&Course> {
        let Self { stream, mix, course, sent, back } = self;
        let mut failed = Ok(());
        course.run(plan, || {
            if failed.is_ok() {
                failed = trip(stream, &sent[..Mix::frame(mix.draw())], back);
            }
        });
        failed?;
        // It comes back too, or it could arrive in one piece with the next batch.
        write(stream, END)?;
        read(stream, back)?;
        Ok(&self.course)
    }

    /// What was measured.
    pub fn course(&self) -> &Course {
        &self.course
    }
}

fn trip(stream: &mut TcpStream, frame: &[u8], back: &mut [u8]) -> io::Result<()> {
    write(stream, frame)?;
    let mut got = 0;
    while got < frame.len() {
        got += read(stream, back)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    }
    Ok(())
}

/// The side that answers.
#[derive(Debug)]
pub struct SocketEcho {
    listener: TcpListener,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl SocketEcho {
    /// Listens on a free port of this machine.
    pub fn bind() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0")?, stream: None, buffer: vec![0; CHUNK] })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers one batch. Returns whether another one can follow.
    pub fn run(&mut self) -> io::Result<bool> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(spinning(self.listener.accept()?.0)?),
        };
        while let Some(count) = read(stream, &mut self.buffer)? {
            write(stream, &self.buffer[..count])?;
            if count == END.len() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn spinning(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Writes everything, however often the socket is full meanwhile.
fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until something comes; `None` is the end.
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.read(buffer) {
            Ok(count) => return Ok((count > 0).then_some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_come_back_until_the_client_is_gone() {
        let mut echo = SocketEcho::bind().unwrap();
        let mut client = SocketClient::connect(echo.address().unwrap(), Mix::new(1)).unwrap();
        let echoing = std::thread::spawn(move || {
            let mut batches = 0;
            while echo.run().unwrap() {
                batches += 1;
            }
            batches
        });
        for _ in 0..3 {
            client.run(Plan { warm_up: 1, trips: 9, singly: true }).unwrap();
        }
        assert_eq!(client.course().singles().len(), 27);
        drop(client);
        assert_eq!(echoing.join().unwrap(), 3);
    }
}
