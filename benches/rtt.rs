//! Round trips between two processes, one message in flight, over both carriers, each beside its floor.
//!
//! ```text
//! cargo bench --bench rtt               # add `-- --quick` for a shorter run
//! ```
//!
//! The client is this process, the server another one that it starts; both spin, each on a core of its own.
//! The server answers with a commit that consumes the request, and the client sends the next request with
//! one that consumes the answer, so that every message is kept in a link file as always. Payloads are drawn
//! from 16, 36, 68 and 200 bytes.
//!
//! Over TCP both sides use `EventLoop::spin_turn`; over shared memory `EventLoop::turn`, which polls the
//! rings and visits epoll every 1024 polls.
//!
//! Floors: a counter that goes from one core's cache to the other's and back, and bare non-blocking sockets
//! that spin on `read` and echo the same byte counts. In every round each floor and each subject makes one
//! batch that is timed as a whole, and one in which every round trip is timed. The figure to read is
//! the ratio, the median over the rounds of (mean of the subject's batch / mean of the floor's batch).
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use benches::{
    CacheLine, Cores, Line, LinkClient, Mix, Peer, Plan, Ratio, SocketClient, Station, Usual, clock_cost,
    home, ratios, serve,
};
use clap::{Parser, ValueEnum};
use serde::Serialize;
use tcpshm_driver::Carrier;

#[derive(Parser, Serialize)]
struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    usual: Usual,
    /// Bytes of the rings
    #[arg(long, default_value_t = 256 * 1024)]
    ring: u64,
    /// What payload sizes follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measure one carrier only
    #[arg(long)]
    only: Option<Only>,
    /// Be the other process
    #[arg(long, hide = true, value_name = "DIR", requires = "core")]
    #[serde(skip)]
    serve: Option<PathBuf>,
    #[arg(long, hide = true)]
    #[serde(skip)]
    core: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
enum Only {
    Shm,
    Tcp,
}

/// Everything that was found.
#[derive(Serialize)]
struct Found<'a> {
    bench: &'static str,
    arguments: &'a Arguments,
    rounds: u64,
    cores: Cores,
    clock_ns: f64,
    lines: Vec<Line>,
    ratios: Vec<Ratio>,
    /// The ratios over shared memory, by the cache-line floor of their rounds.
    by_floor: Vec<Ratio>,
}

/// A subject and its floor: a mean in nanoseconds for each round.
#[derive(Default)]
struct Means {
    floor: Vec<f64>,
    subject: Vec<f64>,
}

fn main() {
    let arguments = Arguments::parse();
    if let (Some(home), Some(core)) = (&arguments.serve, arguments.core) {
        return serve(home, arguments.ring, core).unwrap();
    }
    let cores = Cores::find().unwrap();
    let rounds =
        if cores.is_one() { arguments.usual.rounds(5, 5) } else { arguments.usual.rounds(2000, 400) };
    Cores::pin(cores.near).unwrap();
    let Arguments { ring, seed, .. } = arguments;
    println!("round trips of two processes, ring {ring} bytes, {rounds} rounds, seed {seed}");
    if cores.is_one() {
        println!("one core only: both sides share it, and the figures say nothing about the link");
    }
    let found = measure(&arguments, rounds, cores);
    print(&found);
    arguments.usual.write(&found).unwrap();
}

fn measure(arguments: &Arguments, rounds: u64, cores: Cores) -> Found<'_> {
    let home = home().unwrap();
    let mut sides = Sides::start(home.path(), arguments, cores);
    let [mut shm, mut tcp] = [Means::default(), Means::default()];
    for _ in 0..rounds {
        if arguments.only != Some(Only::Tcp) {
            sides.measure_shm(&mut shm);
        }
        if arguments.only != Some(Only::Shm) {
            sides.measure_tcp(&mut tcp);
        }
    }
    let mut found = Found {
        bench: "rtt",
        arguments,
        rounds,
        cores,
        clock_ns: clock_cost(),
        lines: Vec::new(),
        ratios: Vec::new(),
        by_floor: Vec::new(),
    };
    if arguments.only != Some(Only::Tcp) {
        let ratios = ratios(&shm.subject, &shm.floor);
        found.by_floor = by_floor(&shm.floor, &ratios);
        found.ratios.push(Ratio::new("shm", ratios));
        found.lines.push(Line::new("shm floor", shm.floor, sides.line.course().singles()));
        found.lines.push(Line::new("shm link", shm.subject, sides.over_shm.course().singles()));
    }
    if arguments.only != Some(Only::Shm) {
        found.ratios.push(Ratio::new("tcp", ratios(&tcp.subject, &tcp.floor)));
        found.lines.push(Line::new("tcp floor", tcp.floor, sides.socket.course().singles()));
        found.lines.push(Line::new("tcp link", tcp.subject, sides.over_tcp.course().singles()));
    }
    found
}

/// The near ends of both floors and both subjects, and the process with the far ends.
struct Sides {
    line: CacheLine,
    over_shm: LinkClient,
    socket: SocketClient,
    over_tcp: LinkClient,
    peer: Peer,
    cores: Cores,
}

impl Sides {
    fn start(home: &Path, arguments: &Arguments, cores: Cores) -> Self {
        let [ring, core] = [arguments.ring, cores.far as u64].map(|number| number.to_string());
        let path = home.to_str().unwrap();
        let peer = Peer::start(["--serve", path, "--ring", &ring, "--core", &core]).unwrap();
        let mix = Mix::new(arguments.seed);
        let link =
            |carrier, address| LinkClient::new(home, carrier, address, arguments.ring, mix.clone()).unwrap();
        Self {
            line: CacheLine::start(cores.far),
            over_shm: link(Carrier::Shm, peer.addresses.shm),
            socket: SocketClient::connect(peer.addresses.socket, mix.clone()).unwrap(),
            over_tcp: link(Carrier::Tcp, peer.addresses.tcp),
            peer,
            cores,
        }
    }

    fn measure_shm(&mut self, means: &mut Means) {
        let [batch, singly] = self.plans(500, 2000);
        means.floor.push(self.line.run(batch).mean());
        self.peer.run(Station::Shm).unwrap();
        means.subject.push(self.over_shm.run(batch).unwrap().mean());
        self.line.run(singly);
        self.peer.run(Station::Shm).unwrap();
        self.over_shm.run(singly).unwrap();
    }

    fn measure_tcp(&mut self, means: &mut Means) {
        let [batch, singly] = self.plans(50, 200);
        self.peer.run(Station::Socket).unwrap();
        means.floor.push(self.socket.run(batch).unwrap().mean());
        self.peer.run(Station::Tcp).unwrap();
        means.subject.push(self.over_tcp.run(batch).unwrap().mean());
        self.peer.run(Station::Socket).unwrap();
        self.socket.run(singly).unwrap();
        self.peer.run(Station::Tcp).unwrap();
        self.over_tcp.run(singly).unwrap();
    }

    /// One batch that is timed as a whole, and one in which every round trip is. Both take much longer than
    /// the other side needs to wake up, and are over long before the machine has drifted.
    fn plans(&self, warm_up: u64, trips: u64) -> [Plan; 2] {
        // On one core a round trip takes two turns of the scheduler, so milliseconds.
        let (warm_up, trips) = if self.cores.is_one() { (1, 2) } else { (warm_up, trips) };
        [false, true].map(|singly| Plan { warm_up, trips, singly })
    }
}

/// Virtual processors move between placements on the machine below, and the cache line is much nearer in some
/// than in others.
fn by_floor(floors: &[f64], ratios: &[f64]) -> Vec<Ratio> {
    let bands = [
        ("  floor below 80 ns", 0.0..80.0),
        ("  floor 80 to 200 ns", 80.0..200.0),
        ("  floor above 200 ns", 200.0..f64::INFINITY),
    ];
    let within = |band: &Range<f64>| {
        let rounds = floors.iter().zip(ratios).filter(|(floor, _)| band.contains(floor));
        rounds.map(|(_, ratio)| *ratio).collect::<Vec<_>>()
    };
    let filled =
        bands.into_iter().map(|(name, band)| (name, within(&band))).filter(|(_, found)| !found.is_empty());
    filled.map(|(name, found)| Ratio::new(name, found)).collect()
}

fn print(found: &Found<'_>) {
    println!("reading the clock takes {:.0} ns\n\n{}", found.clock_ns, Line::HEADING);
    for line in &found.lines {
        println!("{line}");
    }
    println!("\n{}", Ratio::HEADING);
    found.ratios.iter().chain(&found.by_floor).for_each(|ratio| println!("{ratio}"));
    println!();
    for Ratio { name, spread } in &found.ratios {
        println!("rtt {name} p50_ratio={:.2}", spread.p50);
    }
}
