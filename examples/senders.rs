//! Threads that send on a link which another thread owns.
//!
//! ```text
//! cargo run --release --example senders -- --carrier shm
//! ```
//!
//! Workers make quotes and leave them with a [`Sender`]; the loop that owns the link, in a thread of its own, commits
//! them and sleeps when there are none. First the workers fire and forget, each as fast as the mailbox takes it; then one
//! of them waits for each message until it is in the link file. The receiver checks that all came, each worker's in order.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use examples::choices::CarrierChoice;
use tcpshm_driver::{
    Client, ClientConfig, Disconnected, EventLoop, Handler, Kind, Link, Received, Sender, Server,
    ServerConfig, TrySendError,
};

const QUOTE: Kind = Kind::new(1).expect("not 0");
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends from several threads on one link.
#[derive(Parser)]
struct Arguments {
    /// What shall carry the link
    #[arg(long, value_enum, value_name = "CARRIER", default_value_t)]
    carrier: CarrierChoice,
    /// Threads that send
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..))]
    workers: u8,
    /// Messages of each
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: u32,
    /// Messages of the one that waits for each
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    waits: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { carrier, workers, count, waits } = Arguments::parse();
    let home = tempfile::tempdir()?;
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(ServerConfig::new("market".parse()?, home.path(), local))?;
    let address = *server.local_addresses()?.first().ok_or("the server does not listen")?;
    let receiver = thread::spawn(move || run(EventLoop::new(server, Instant::now)?, Market::default()));

    let mut config = ClientConfig::new("desk".parse()?, home.path(), address);
    config.carrier = carrier.wish();
    // A sender belongs to a link, and there is one as soon as both names are known.
    config.server = Some("market".parse()?);
    let mut client = Client::new(config)?;
    let sender = client.sender()?;
    let owner = thread::spawn(move || run(EventLoop::new(client, Instant::now)?, Desk::default()));

    let start = Instant::now();
    let threads = (0..workers).map(|worker| (worker, sender.clone()));
    let threads: Vec<_> = threads
        .map(|(worker, sender)| {
            thread::spawn(move || (0..count).map(|number| quote(&sender, worker, number)).sum())
        })
        .collect();
    let refused: u64 = threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum();
    // In order: once this one is there, so are the others.
    sender.send(QUOTE, &message(u8::MAX, 0), PATIENCE)?;
    let (all, seconds) = (u64::from(workers) * u64::from(count), start.elapsed().as_secs_f64());
    println!("{all} messages of {workers} threads in {seconds:.2} s, {refused} times there was no room");

    let mut times: Vec<Duration> =
        (1..=waits).map(|number| timed_send(&sender, number)).collect::<Result<_, _>>()?;
    times.sort_unstable();
    if let Some(median) = times.get(times.len() / 2) {
        println!("from `send` to the link file: median {:.1} µs", median.as_secs_f64() * 1e6);
    }
    // The last message ends both loops.
    drop(sender.try_send(QUOTE, &message(0, u32::MAX))?);
    let market = receiver.join().map_err(|_| "the receiver panicked")??;
    owner.join().map_err(|_| "the owner panicked")??;
    println!("received {}, each thread's in order", market.received);
    if market.received != all + u64::from(waits) + 1 {
        return Err("something was lost, or came twice".into());
    }
    Ok(())
}

/// Leaves one message, however often it takes. Returns how often there was no room.
fn quote(sender: &Sender, worker: u8, number: u32) -> u64 {
    let mut refused = 0;
    loop {
        match sender.try_send(QUOTE, &message(worker, number)) {
            // The ticket is dropped: fire and forget.
            Ok(_) => return refused,
            Err(TrySendError::Full { .. }) => {
                refused += 1;
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn timed_send(sender: &Sender, number: u32) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    sender.send(QUOTE, &message(u8::MAX, number), PATIENCE)?;
    Ok(start.elapsed())
}

fn message(worker: u8, number: u32) -> [u8; 16] {
    let mut message = [worker; 16];
    message[..4].copy_from_slice(&number.to_le_bytes());
    message
}

/// A loop that ends when its application has done its work.
fn run<D: tcpshm_driver::Driver, A: Work>(mut events: EventLoop<D>, mut app: A) -> Result<A, std::io::Error> {
    while !app.is_done() {
        events.turn(&mut app, None)?;
    }
    events.shut_down(&mut app);
    Ok(app)
}

trait Work: Handler {
    fn is_done(&self) -> bool;
}

/// The owner of the link has nothing to say itself.
#[derive(Default)]
struct Desk {
    done: bool,
}

impl Handler for Desk {
    fn message(&mut self, _: &mut Link<'_>, received: Received<'_>) {
        panic!("the market only listens: {received:?}");
    }

    fn disconnected(&mut self, _: &mut Link<'_>, _: &Disconnected) {
        self.done = true;
    }
}

impl Work for Desk {
    fn is_done(&self) -> bool {
        self.done
    }
}

/// Counts what each worker sent.
struct Market {
    received: u64,
    next: [u32; 256],
    done: bool,
}

impl Default for Market {
    fn default() -> Self {
        Self { received: 0, next: [0; 256], done: false }
    }
}

impl Handler for Market {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let [a, b, c, d, worker, ..] = *received.payload() else { panic!("a message of 16 bytes") };
        let number = u32::from_le_bytes([a, b, c, d]);
        link.consume(received).expect("in order");
        if number == u32::MAX {
            self.done = true;
            return;
        }
        let next = &mut self.next[usize::from(worker)];
        assert_eq!(number, *next, "of worker {worker}");
        *next += 1;
        self.received += 1;
    }
}

impl Work for Market {
    fn is_done(&self) -> bool {
        self.done
    }
}
