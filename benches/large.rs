//! Messages of many megabytes over both carriers, each beside its floor.
//!
//! ```text
//! cargo bench --bench large             # add `-- --quick` for a shorter run with messages of up to 8 MiB
//! ```
//!
//! One side sends and the other consumes, as in `stream.rs`. The sender copies each message from memory of its own
//! into the link file, and the receiver looks at every 64th byte. A ring has room for three messages; its pages
//! are new in every round, which both sides' first lap pays for.
//!
//! Floors, in every round: over TCP a raw stream of the same bytes in blocks of 64 KiB; over shared memory copying
//! the same bytes once, on one core, into memory as large as the ring. The ratio is the link's speed over the
//! floor's.
//!
//! It also shows what a message meets that is larger than the peer takes: a refusal where it is claimed.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use benches::{
    Cores, Ratio, Spread, Stream, Usual, Watching, beside_server, block_stream, carrier_name, home, ratios,
};
use clap::Parser;
use serde::Serialize;
use serde_json::json;
use tcpshm_driver::{
    Carrier, Client, ClientConfig, EventLoop, Geometry, Kind, Limits, SendError, ServerConfig,
};

#[derive(Parser, Serialize)]
struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    usual: Usual,
    /// Mebibytes of a message
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<usize>,
    /// Mebibytes that are sent in a round
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    total: Option<u64>,
}

const MEBIBYTE: usize = 1 << 20;

/// One carrier and one size; speeds in million bytes a second.
#[derive(Serialize)]
struct Line {
    carrier: &'static str,
    mebibytes: usize,
    speed: Spread,
    floor: Spread,
    ratio: Ratio,
}

fn main() {
    let mut arguments = Arguments::parse();
    if arguments.sizes.is_empty() {
        arguments.sizes = arguments.usual.or_quick(vec![1, 8, 64], vec![1, 8]);
    }
    let rounds = arguments.usual.rounds(11, 3);
    let total = arguments.total.unwrap_or(arguments.usual.or_quick(2048, 128));
    let cores = Cores::find().unwrap();
    Cores::pin(cores.near).unwrap();
    println!("one-way, two threads, {total} MiB in each of {rounds} rounds, medians\n");
    println!("over  message      MB/s  floor MB/s  ratio");
    let mut lines = Vec::new();
    for mebibytes in arguments.sizes.iter().copied() {
        for line in measure(mebibytes, total, rounds, cores) {
            println!(
                "{:>4} {:>4} MiB {:>9.0} {:>11.0} {:>6.2}",
                line.carrier, mebibytes, line.speed.p50, line.floor.p50, line.ratio.spread.p50
            );
            lines.push(line);
        }
    }
    println!("\na message beyond what the peer takes: {}\n", refusal(cores).unwrap());
    for Line { carrier, mebibytes, speed, ratio, .. } in &lines {
        println!("large {carrier} mebibytes={mebibytes} mb_s={:.0} ratio={:.2}", speed.p50, ratio.spread.p50);
    }
    let found = json!({ "bench": "large", "arguments": arguments, "rounds": rounds, "total_mib": total,
        "cores": cores, "lines": lines });
    arguments.usual.write(&found).unwrap();
}

fn measure(mebibytes: usize, total: u64, rounds: u64, cores: Cores) -> [Line; 2] {
    let payload = mebibytes * MEBIBYTE;
    let count = (total / mebibytes as u64).max(1);
    let bytes = payload as u64 * count;
    let ring = (4 * payload as u64).next_power_of_two();
    let speed = |took: Duration| bytes as f64 / took.as_secs_f64() / 1e6;
    let [mut floors, mut speeds] = [const { [const { Vec::new() }; 2] }; 2];
    for _ in 0..rounds {
        for (at, carrier) in [Carrier::Tcp, Carrier::Shm].into_iter().enumerate() {
            let floor = match carrier {
                Carrier::Tcp => block_stream(bytes, false, cores).unwrap(),
                Carrier::Shm => copy(payload, count, usize::try_from(ring).unwrap()),
            };
            floors[at].push(speed(floor));
            let stream = Stream { carrier, payload, count, batch: 1, ring, touch: true, spin: false };
            speeds[at].push(speed(stream.run(cores).unwrap()));
        }
    }
    let line = |carrier, speeds: Vec<f64>, floors: Vec<f64>| {
        let carrier = carrier_name(carrier);
        let ratio = Ratio::new(carrier, ratios(&speeds, &floors));
        Line { carrier, mebibytes, speed: Spread::of(speeds), floor: Spread::of(floors), ratio }
    };
    let ([tcp_floor, shm_floor], [tcp, shm]) = (floors, speeds);
    [line(Carrier::Tcp, tcp, tcp_floor), line(Carrier::Shm, shm, shm_floor)]
}

/// Copies so many messages into memory of `room` bytes, one behind the other.
fn copy(payload: usize, count: u64, room: usize) -> Duration {
    let (source, mut ring) = (vec![1_u8; payload], vec![0_u8; room]);
    let start = Instant::now();
    let mut places = ring.chunks_exact_mut(payload);
    for _ in 0..count {
        if places.len() == 0 {
            places = ring.chunks_exact_mut(payload);
        }
        if let Some(place) = places.next() {
            black_box(place).copy_from_slice(black_box(&source));
        }
    }
    start.elapsed()
}

/// What a claim says of a message that is one byte larger than the peer takes, although this side would send it.
fn refusal(cores: Cores) -> io::Result<SendError> {
    let home = home()?;
    let [mine, yours] = [64, 8].map(|mebibytes| {
        let largest = u32::try_from(mebibytes * MEBIBYTE).expect("less than 4 GiB");
        Geometry::new(4 * u64::from(largest), largest).expect("a power of two")
    });
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let name = |text: &str| text.parse().expect("it is a name");
    let mut config = ServerConfig::new(name("takes-less"), home.path(), any);
    config.link.limits.accept = yours;
    beside_server(config, cores.far, |address| {
        let mut config = ClientConfig::new(name("sends-more"), home.path(), address);
        config.link.limits = Limits { send: mine, ..Limits::default() };
        let mut client = EventLoop::new(Client::new(config).map_err(io::Error::other)?, Instant::now)?;
        Watching::default().connect(&mut client, Duration::from_secs(20))?;
        let now = client.now();
        let mut link = client.driver().link(now).expect("it is connected");
        let (len, kind) = (8 * MEBIBYTE + 1, Kind::new(1).expect("it is not 0"));
        let refused = link.claim(kind, len).err();
        assert_eq!(refused, Some(SendError::TooLarge { len, most: yours.largest() }));
        assert!(link.claim(kind, len - 1).is_ok(), "what the peer takes has room");
        refused.ok_or_else(|| io::Error::other("it was taken"))
    })
}
