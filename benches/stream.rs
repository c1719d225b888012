//! One-way messages over both carriers, one side sending and the other consuming, each beside its floor.
//!
//! ```text
//! cargo bench --bench stream            # add `-- --quick` for a shorter run
//! ```
//!
//! The sides are two threads of one process, each on a core of its own and with its own end of the link. The
//! sender commits as long as there is room, each message alone unless `--batch` says otherwise; the receiver
//! consumes each alone, without a look at its payload unless `--touch` says so. Over TCP they sleep while
//! nothing comes, and once more they spin; over shared memory they spin.
//!
//! Floors, measured in every round: over TCP a raw stream of the same bytes in blocks of 64 KiB, and the
//! ratio is the link's speed over the floor's; over shared memory a counter that goes from one core's cache
//! to the other's and back, and the ratio is how many messages pass in that time.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use benches::{CacheLine, Cores, Mix, Plan, Spread, Stream, Usual, block_stream};
use clap::Parser;
use serde::Serialize;
use tcpshm_driver::Carrier;

#[derive(Parser, Serialize)]
struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    usual: Usual,
    /// Bytes of the ring
    #[arg(long, default_value_t = 256 * 1024)]
    ring: u64,
    /// Messages committed together
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Copy each payload from other memory, and read it where it arrives
    #[arg(long)]
    touch: bool,
    /// Measure only lines whose name begins so, such as `tcp`
    #[arg(long, default_value = "")]
    only: String,
    /// Bytes of payload to measure, in place of the usual sizes
    #[arg(long, value_delimiter = ',')]
    payload: Vec<usize>,
}

/// Bytes of payload, and how many messages go in a round.
const SIZES: [(usize, u64); 4] = [(16, 10_000_000), (64, 6_000_000), (1024, 1_000_000), (65_536, 20_000)];

/// Everything that was found.
#[derive(Serialize)]
struct Found<'a> {
    bench: &'static str,
    arguments: &'a Arguments,
    rounds: u64,
    cores: Cores,
    lines: Vec<Line>,
}

/// One carrier and one size.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    payload: usize,
    messages: u64,
    /// Million messages a second.
    rate: Spread,
    /// Million bytes a second of frames, headers included.
    megabytes: Spread,
    /// Over TCP million bytes a second; over shared memory nanoseconds.
    floor: Spread,
    ratio: Spread,
}

/// What one round found.
struct Round {
    rate: f64,
    megabytes: f64,
    floor: f64,
    ratio: f64,
}

fn main() {
    let arguments = Arguments::parse();
    let (rounds, scale) = (arguments.usual.rounds(7, 3), arguments.usual.or_quick(1, 10));
    let cores = Cores::find().unwrap();
    Cores::pin(cores.near).unwrap();
    println!(
        "one-way, two threads, ring {} bytes, batches of {}, {rounds} rounds, medians",
        arguments.ring, arguments.batch
    );
    if cores.is_one() {
        println!("one core only: both sides share it, and the figures say nothing about the link");
    }
    let mut lines = Vec::new();
    println!(
        "\n{:12} {:>7} {:>10} {:>10} {:>9} {:>8}  floor",
        "over", "payload", "messages", "M msg/s", "MB/s", "ratio"
    );
    let kinds =
        [("tcp", Carrier::Tcp, false), ("tcp-spinning", Carrier::Tcp, true), ("shm", Carrier::Shm, false)];
    for (name, carrier, spin) in kinds.into_iter().filter(|(name, ..)| name.starts_with(&arguments.only)) {
        for (payload, messages) in arguments.sizes() {
            let Arguments { ring, batch, touch, .. } = arguments;
            let stream = Stream { carrier, payload, count: messages / scale, batch, ring, touch, spin };
            let line = Line::measure(name, stream, rounds, cores);
            line.print();
            lines.push(line);
        }
    }
    println!();
    for Line { name, payload, rate, ratio, .. } in &lines {
        println!("stream {name} payload={payload} rate={:.2} ratio={:.2}", rate.p50, ratio.p50);
    }
    arguments.usual.write(&Found { bench: "stream", arguments: &arguments, rounds, cores, lines }).unwrap();
}

impl Arguments {
    /// What to send: of a size that is not among the usual ones, as many bytes as of the largest of them.
    fn sizes(&self) -> Vec<(usize, u64)> {
        if self.payload.is_empty() {
            return SIZES.to_vec();
        }
        let count = |payload: usize| {
            let usual = SIZES.into_iter().find(|(size, _)| *size == payload);
            usual.map_or((1 << 30) / payload.max(64) as u64, |(_, messages)| messages)
        };
        self.payload.iter().map(|payload| (*payload, count(*payload))).collect()
    }
}

impl Line {
    fn measure(name: &'static str, stream: Stream, rounds: u64, cores: Cores) -> Self {
        let bytes = Mix::frame(stream.payload) as u64 * stream.count;
        let mut cache_line = CacheLine::start(cores.far);
        let rounds: Vec<Round> = (0..rounds)
            .map(|_| match stream.carrier {
                Carrier::Tcp => {
                    let floor =
                        bytes as f64 / block_stream(bytes, stream.spin, cores).unwrap().as_secs_f64() / 1e6;
                    Round::new(stream, bytes, cores, floor, |round| round.megabytes / floor)
                }
                Carrier::Shm => {
                    let plan = Plan { warm_up: 1_000, trips: 50_000, singly: false };
                    let floor = cache_line.run(plan).mean();
                    // Messages in a nanosecond, times nanoseconds.
                    Round::new(stream, bytes, cores, floor, |round| round.rate / 1e3 * floor)
                }
            })
            .collect();
        let over = |value: fn(&Round) -> f64| Spread::of(rounds.iter().map(value).collect());
        Self {
            name,
            payload: stream.payload,
            messages: stream.count,
            rate: over(|round| round.rate),
            megabytes: over(|round| round.megabytes),
            floor: over(|round| round.floor),
            ratio: over(|round| round.ratio),
        }
    }

    fn print(&self) {
        let unit = if self.name.starts_with("tcp") { "MB/s" } else { "ns there and back" };
        println!(
            "{:12} {:>7} {:>10} {:>10.2} {:>9.0} {:>8.2}  {:.0} {unit}",
            self.name,
            self.payload,
            self.messages,
            self.rate.p50,
            self.megabytes.p50,
            self.ratio.p50,
            self.floor.p50,
        );
    }
}

impl Round {
    fn new(stream: Stream, bytes: u64, cores: Cores, floor: f64, ratio: impl Fn(&Round) -> f64) -> Self {
        let seconds = stream.run(cores).unwrap().as_secs_f64();
        let rate = stream.count as f64 / seconds / 1e6;
        let mut round = Round { rate, megabytes: bytes as f64 / seconds / 1e6, floor, ratio: 0.0 };
        round.ratio = ratio(&round);
        round
    }
}
