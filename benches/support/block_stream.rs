//! The floor of one-way TCP: blocks that one side writes and the other reads and drops.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::cores::Cores;

/// What the driver writes at once when it has that much.
const BLOCK: usize = 64 * 1024;

/// Sends so many bytes from a thread on the far core to this one. Returns the time from the connection to
/// the end. Where they spin, both sides try again until the socket takes or has something, and never sleep.
pub fn block_stream(bytes: u64, spin: bool, cores: Cores) -> io::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut writer = TcpStream::connect(listener.local_addr()?)?;
    let (mut reader, _) = listener.accept()?;
    writer.set_nonblocking(spin)?;
    reader.set_nonblocking(spin)?;
    let start = Instant::now();
    thread::scope(|scope| {
        let writing = scope.spawn(move || {
            Cores::pin(cores.far)?;
            let block = [0; BLOCK];
            let mut left = bytes;
            while left > 0 {
                let count = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
                left -= patiently(|| writer.write(&block[..count]))? as u64;
            }
            Ok(())
        });
        let mut block = vec![0; 4 * BLOCK];
        while patiently(|| reader.read(&mut block))? > 0 {}
        let time = start.elapsed();
        writing.join().expect("a writer does not panic").map(|()| time)
    })
}

fn patiently(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match operation() {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            done => return done,
        }
    }
}
