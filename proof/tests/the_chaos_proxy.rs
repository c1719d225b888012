//! The chaos proxy does each thing that it is for, and whatever it does, what arrives is a front part of what
//! was sent.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use proof::proxy::{Kind, Proxy, Servers};

/// Bytes that each client sends: enough to come to whatever is to happen.
const BYTES: usize = 60_000;
const DEADLINE: Duration = Duration::from_secs(60);
/// How long a client listens: single bytes with pauses between them could take a minute.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that says back what it is told.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                // It ends with the connection, however that ends.
                let _ = std::io::copy(&mut &stream, &mut &stream);
            });
        }
    });
    address
}

/// Says all its bytes through the proxy, and checks what comes back as long as anything does.
fn guest(proxy: SocketAddr, number: usize) {
    let words: Vec<u8> = (0..BYTES).map(|at| u8::try_from((at * 7 + number) % 251).unwrap()).collect();
    let stream = TcpStream::connect(proxy).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let writer = stream.try_clone().unwrap();
    let said = words.clone();
    let writing = thread::spawn(move || {
        // A connection that is cut or deaf takes less.
        let _ = (&writer).write_all(&said);
    });
    let (mut heard, mut chunk) = (0, [0; 4096]);
    let start = Instant::now();
    while let Ok(count @ 1..) = (&stream).read(&mut chunk) {
        assert!(heard + count <= BYTES, "more came back than was sent");
        assert_eq!(chunk[..count], words[heard..heard + count], "from byte {heard} on");
        heard += count;
        if heard == BYTES || start.elapsed() > PATIENCE {
            break;
        }
    }
    drop(stream);
    writing.join().unwrap();
}

#[test]
fn whatever_happens_to_a_connection_happens_and_changes_no_byte() {
    let proxy = Proxy::start(3, Servers { meant: echo(), other: Some(echo()) }).unwrap();
    let address = proxy.address();
    let start = Instant::now();
    let mut number = 0;
    while proxy.counts().iter().any(|(_, count)| *count == 0) {
        assert!(start.elapsed() < DEADLINE, "{:?}", proxy.counts());
        let guests: Vec<_> =
            (0..24).map(|more| thread::spawn(move || guest(address, number + more))).collect();
        guests.into_iter().for_each(|guest| guest.join().unwrap());
        number += 24;
    }
    proxy.stop().unwrap();
}

#[test]
fn a_calm_proxy_only_passes_on() {
    let proxy = Proxy::start(3, Servers { meant: echo(), other: None }).unwrap();
    proxy.calm().unwrap();
    (0..10).for_each(|number| guest(proxy.address(), number));
    let counts = proxy.counts();
    assert!(counts.iter().all(|(kind, count)| (*count > 0) == (*kind == Kind::Plain)), "{counts:?}");
}
