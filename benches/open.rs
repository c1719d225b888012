//! Opening link files that are full of messages, beside reading the same bytes.
//!
//! ```text
//! cargo bench --bench open              # add `-- --quick` for a shorter run without the largest
//! ```
//!
//! *open* is `LinkDirectory::open_link`, which looks a file over before it maps it: what a process does that was
//! killed and comes back. The messages have 16 bytes, so 32 with their headers, and none is consumed.
//!
//! *login* is a client's login, from the moment it begins to connect until its handler is told that the link is
//! connected, with a server that was just started: the server looks the link's file over and opens it
//! meanwhile. The server runs on a core of its own, in this process.
//!
//! Floors, in every round: for *open* reading the file's bytes in blocks that fit a cache, and adding up
//! every 64th byte; for *login* one with the smallest file here, empty.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use benches::{Cores, Pair, Ratio, Times, Usual, Watching, beside_server, fill, home, ratios};
use clap::Parser;
use serde::Serialize;
use serde_json::json;
use tcpshm_driver::protocol::{Nonce, Role};
use tcpshm_driver::shm::LinkDirectory;
use tcpshm_driver::{Carrier, Client, ClientConfig, EventLoop, Geometry, Limits, ServerConfig};
use tempfile::TempDir;

#[derive(Parser, Serialize)]
struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    usual: Usual,
    /// Messages in the files
    #[arg(long, value_delimiter = ',')]
    messages: Vec<u64>,
}

const PAYLOAD: usize = 16;
/// What a message takes in its file.
const FRAME: u64 = 32;
/// Where messages begin in a link file.
const FRAMES_AT: u64 = 4096;
const PATIENCE: Duration = Duration::from_secs(20);

/// A subject and its floor, a time for each round.
struct Measured {
    name: String,
    floor_name: String,
    subject: Vec<Duration>,
    floor: Vec<Duration>,
}

fn main() {
    let mut arguments = Arguments::parse();
    if arguments.messages.is_empty() {
        let few = vec![1_000, 100_000];
        arguments.messages = arguments.usual.or_quick([few.clone(), vec![1_000_000]].concat(), few);
    }
    let rounds = arguments.usual.rounds(101, 5);
    let cores = Cores::find().unwrap();
    Cores::pin(cores.near).unwrap();
    println!("link files with messages of {PAYLOAD} bytes, {rounds} rounds");
    let mut measured: Vec<Measured> = Vec::new();
    measured.extend(arguments.messages.iter().map(|messages| measure_open(*messages, rounds)));
    let most = arguments.messages.iter().copied().max().unwrap_or(0);
    // An empty file first: its size alone costs something.
    measured.push(measure_login(most, 0, rounds, cores));
    measured.push(measure_login(most, most, rounds, cores));

    println!("\n{}", Times::HEADING);
    let (mut times, mut found) = (Vec::new(), Vec::new());
    for Measured { name, floor_name, subject, floor } in measured {
        let nanos = |times: &[Duration]| times.iter().map(|time| time.as_nanos() as f64).collect::<Vec<_>>();
        found.push(Ratio::new(name.clone(), ratios(&nanos(&subject), &nanos(&floor))));
        times.extend([Times::new(floor_name, floor), Times::new(name, subject)]);
    }
    times.iter().for_each(|times| println!("{times}"));
    println!("\n{}", Ratio::HEADING);
    found.iter().for_each(|ratio| println!("{ratio}"));
    println!();
    for (times, ratio) in times.iter().skip(1).step_by(2).zip(&found) {
        println!("{} p50_ms={:.3} p50_ratio={:.2}", ratio.name, times.spread.p50 / 1e6, ratio.spread.p50);
    }
    let found = json!({ "bench": "open", "arguments": arguments, "rounds": rounds, "cores": cores,
        "times": times, "ratios": found });
    arguments.usual.write(&found).unwrap();
}

/// The least ring that so many messages fit in, with the next header.
fn ring(messages: u64) -> Geometry {
    Geometry::new((messages * FRAME + 8).next_power_of_two().max(4096), 1024).unwrap()
}

/// A directory with the files of a link: in one side's are so many messages.
fn stuffed(role: Role, room: u64, messages: u64) -> TempDir {
    let home = home().unwrap();
    let (full, empty) = (ring(room), ring(0));
    let [client, server] = if role == Role::Client { [full, empty] } else { [empty, full] };
    let mut pair = Pair::attach(home.path(), Carrier::Tcp, client, server).unwrap();
    let session = if role == Role::Client { &mut pair.client } else { &mut pair.server };
    assert_eq!(fill(session, PAYLOAD, messages), messages);
    home
}

fn measure_open(messages: u64, rounds: u64) -> Measured {
    let home = stuffed(Role::Client, messages, messages);
    let directory = Pair::open(home.path(), Role::Client).unwrap();
    let mut measured = Measured {
        name: format!("open {messages}"),
        floor_name: format!("read {messages}"),
        subject: Vec::new(),
        floor: Vec::new(),
    };
    for _ in 0..rounds {
        measured.floor.push(read(&directory, FRAMES_AT + messages * FRAME));
        measured.subject.push(open(&directory, messages));
    }
    measured
}

fn open(directory: &LinkDirectory, messages: u64) -> Duration {
    let peer = Pair::name(Role::Server);
    let start = Instant::now();
    let opened = directory.open_link(&peer, None, Nonce::new(1)).unwrap().unwrap();
    let took = start.elapsed();
    assert_eq!(opened.session.undelivered().messages, messages);
    took
}

/// Reads so many bytes of the link's file, opened and looked at for the first time as the library would.
fn read(directory: &LinkDirectory, bytes: u64) -> Duration {
    const BLOCK: usize = 64 * 1024;
    let path = directory.path_of_link(&Pair::name(Role::Server));
    let mut block = vec![0; BLOCK];
    let start = Instant::now();
    let file = File::open(path).unwrap();
    let (mut at, mut sum) = (0, 0_u64);
    while at < bytes {
        let count = usize::try_from(bytes - at).map_or(BLOCK, |left| left.min(BLOCK));
        file.read_exact_at(&mut block[..count], at).unwrap();
        sum += block[..count].iter().step_by(64).map(|byte| u64::from(*byte)).sum::<u64>();
        at += count as u64;
    }
    black_box(sum);
    start.elapsed()
}

fn measure_login(room: u64, messages: u64, rounds: u64, cores: Cores) -> Measured {
    let (large, small) = (stuffed(Role::Server, room, messages), stuffed(Role::Server, 0, 0));
    let mut measured = Measured {
        name: format!("login {messages}, {} MiB", ring(room).capacity() >> 20),
        floor_name: "login 0, 4 KiB".to_owned(),
        subject: Vec::new(),
        floor: Vec::new(),
    };
    for _ in 0..rounds {
        measured.floor.push(log_in(small.path(), ring(0), cores));
        measured.subject.push(log_in(large.path(), ring(room), cores));
    }
    measured
}

/// The first login with a server that begins to run.
fn log_in(home: &Path, ring: Geometry, cores: Cores) -> Duration {
    let small = self::ring(0);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = ServerConfig::new(Pair::name(Role::Server), home, any);
    config.link.limits = Limits { send: ring, accept: small };
    let client = |address| {
        let mut config = ClientConfig::new(Pair::name(Role::Client), home, address);
        config.server = Some(Pair::name(Role::Server));
        config.link.limits = Limits { send: small, accept: ring };
        let mut client = EventLoop::new(Client::new(config).map_err(io::Error::other)?, Instant::now)?;
        let mut app = Watching::default();
        let start = Instant::now();
        Ok(app.connect(&mut client, PATIENCE)? - start)
    };
    beside_server(config, cores.far, client).unwrap()
}
