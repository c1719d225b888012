//! One-way messages over TCP, one side sending and the other consuming, beside a raw TCP stream of the
//! same bytes.
//!
//! ```text
//! cargo bench --bench stream            # add `-- --quick` for a shorter run
//! ```
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use benches::{alternate, median};
use clap::Parser;
use tcpshm_driver::{
    Client, ClientConfig, Connected, Driver, EventLoop, Geometry, Handler, Kind, Link, Received, Server,
    ServerConfig,
};

#[derive(Parser)]
struct Arguments {
    /// A tenth of the messages, and three rounds
    #[arg(long)]
    quick: bool,
    /// Bytes of the ring
    #[arg(long, default_value_t = 256 * 1024)]
    ring: u64,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let (rounds, scale) = if arguments.quick { (3, 10) } else { (7, 1) };
    println!("one-way TCP, two threads, ring {} bytes, {rounds} rounds, medians", arguments.ring);
    println!(
        "{:>8} {:>10} {:>12} {:>10} {:>10} {:>8}",
        "payload", "messages", "M msg/s", "MB/s", "floor MB/s", "ratio"
    );
    for (payload, messages) in [(16, 10_000_000), (64, 6_000_000), (1024, 1_000_000)] {
        let count = messages / scale;
        let frame = (payload + 16_usize).next_multiple_of(8);
        let bytes = frame as u64 * count;
        let results = alternate(rounds, || raw_stream(bytes), || link_stream(payload, count, arguments.ring));
        let rate = |time: Duration, amount: u64| amount as f64 / time.as_secs_f64() / 1e6;
        let over = |value: &dyn Fn(&benches::Round) -> f64| median(results.iter().map(value).collect());
        println!(
            "{payload:>8} {count:>10} {:>12.2} {:>10.0} {:>10.0} {:>8.2}",
            over(&|round| rate(round.subject, count)),
            over(&|round| rate(round.subject, bytes)),
            over(&|round| rate(round.floor, bytes)),
            over(&|round| round.floor.as_secs_f64() / round.subject.as_secs_f64()),
        );
    }
}

/// The floor: one thread writes blocks, the other reads and drops them.
fn raw_stream(bytes: u64) -> Duration {
    const BLOCK: usize = 64 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut reader, _) = listener.accept().unwrap();
    let start = Instant::now();
    let writing = std::thread::spawn(move || {
        let block = [0; BLOCK];
        let mut left = bytes;
        while left > 0 {
            let count = left.min(BLOCK as u64);
            writer.write_all(&block[..usize::try_from(count).unwrap()]).unwrap();
            left -= count;
        }
    });
    let mut block = vec![0; 4 * BLOCK];
    while reader.read(&mut block).unwrap() > 0 {}
    let time = start.elapsed();
    writing.join().unwrap();
    time
}

/// Consumes and counts.
#[derive(Default)]
struct Sink {
    consumed: u64,
    first: Option<Instant>,
}

impl Handler for Sink {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.first.get_or_insert_with(Instant::now);
        self.consumed += 1;
        link.consume(received).unwrap();
    }
}

/// Sends as long as there is room.
struct Source {
    left: u64,
    payload: usize,
}

impl Source {
    fn fill(&mut self, link: &mut Link<'_>) {
        while self.left > 0 {
            let Ok(mut slot) = link.claim(Kind::new(1).unwrap(), self.payload) else {
                return;
            };
            slot.fill(1);
            slot.commit();
            self.left -= 1;
        }
    }
}

impl Handler for Source {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        link.consume(received).unwrap();
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        self.fill(link);
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.fill(link);
    }
}

/// From the first message's arrival to the last one's consumption.
fn link_stream(payload: usize, count: u64, ring: u64) -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["client", "server"].map(|side| directory.path().join(side));
    let (tell, told) = mpsc::channel();
    let receiving = std::thread::spawn(move || receive(&theirs, ring, count, &tell));
    let address: SocketAddr = told.recv().unwrap();
    let mut config = ClientConfig::new("source".parse().unwrap(), ours, address);
    config.link.limits.send = Geometry::new(ring, 1024).unwrap();
    let mut sending = EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap();
    let mut source = Source { left: count, payload };
    while !receiving.is_finished() {
        sending.turn(&mut source, Some(Duration::from_millis(100))).unwrap();
    }
    receiving.join().unwrap()
}

fn receive(directory: &Path, ring: u64, count: u64, tell: &mpsc::Sender<SocketAddr>) -> Duration {
    let mut config = ServerConfig::new("sink".parse().unwrap(), directory, "127.0.0.1:0".parse().unwrap());
    config.link.limits.accept = Geometry::new(ring, 1024).unwrap();
    let server = Server::bind(config).unwrap();
    tell.send(server.local_addresses().unwrap()[0]).unwrap();
    let mut receiving = EventLoop::new(server, Instant::now).unwrap();
    let mut sink = Sink::default();
    while sink.consumed < count {
        receiving.turn(&mut sink, None).unwrap();
    }
    let time = sink.first.unwrap().elapsed();
    let now = receiving.now();
    receiving.driver().shut_down(now, &mut sink);
    time
}
