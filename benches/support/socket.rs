//! The floor of TCP: the same byte counts over bare sockets, by spinning on `read`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::course::{Course, Plan};
use crate::mix::Mix;

/// More than the longest frame.
const BUFFER: usize = 1024;
/// What ends a batch: shorter than any frame.
const END: &[u8] = &[0];

/// One side of a non-blocking connection that sends at once.
#[derive(Debug)]
pub struct SocketClient {
    stream: TcpStream,
    mix: Mix,
    course: Course,
}

impl SocketClient {
    /// Connects to the other side.
    pub fn connect(address: SocketAddr, mix: Mix) -> io::Result<Self> {
        Ok(Self { stream: spinning(TcpStream::connect(address)?)?, mix, course: Course::new() })
    }

    /// Makes one batch of round trips.
    pub fn run(&mut self, plan: Plan) -> &Course {
        let Self { stream, mix, course } = self;
        let sent = [7; BUFFER];
        let mut back = [0; BUFFER];
        course.run(plan, || {
            let count = Mix::frame(mix.draw());
            stream.write_all(&sent[..count]).unwrap();
            let mut got = 0;
            while got < count {
                got += read(stream, &mut back).unwrap().expect("the other side goes on");
            }
        });
        // It comes back too, or it could arrive in one piece with the next batch.
        stream.write_all(END).unwrap();
        read(stream, &mut back).unwrap();
        &self.course
    }

    /// What was measured.
    pub fn course(&self) -> &Course {
        &self.course
    }
}

/// The side that answers.
#[derive(Debug)]
pub(crate) struct SocketEcho {
    listener: TcpListener,
    stream: Option<TcpStream>,
}

impl SocketEcho {
    pub(crate) fn bind() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0")?, stream: None })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers one batch. Returns whether another one can follow.
    pub(crate) fn run(&mut self) -> io::Result<bool> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(spinning(self.listener.accept()?.0)?),
        };
        let mut buffer = [0; BUFFER];
        while let Some(count) = read(stream, &mut buffer)? {
            stream.write_all(&buffer[..count])?;
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
            client.run(Plan { warm_up: 1, trips: 9, singly: true });
        }
        assert_eq!(client.course().singles().len(), 27);
        drop(client);
        assert_eq!(echoing.join().unwrap(), 3);
    }
}
