//! tcpshm beside other ways between two processes, in one run.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml       # add `-- --quick` for a shorter run
//! ```
//!
//! ```text
//!        core 0: this process                            core 1
//!   Asking over an End ──── a batch in each round ──── obey, over the other End: a process for each peer
//!   LinkClient ──────────── a batch in each round ──── benches::serve, a process for each link
//!   CacheLine, SocketFloor: before each batch of a peer, one of its floor
//! ```
//!
//! Round trips: one message in flight, its payload drawn from 16, 36, 68 and 200 bytes, sent back as it is by
//! a process on the other core. Then streams one way, of 16 bytes and of 1 KiB. In every round each peer has
//! its turn, right after its floor: a counter that goes between the caches of two cores for those that use
//! shared memory, bare TCP for those that use sockets. The figure to read is the ratio to it.
//!
//! Peers differ in more than time. The module of each says how it is set up and why, and what it offers; of
//! all of them only tcpshm keeps what was committed when both processes are killed.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]

#[cfg(feature = "aeron")]
mod aeron;
mod bare;
mod end;
mod far;
mod iceoryx;
mod near;
mod peer;
mod shmem_ring;
mod streams;
mod subject;
mod tcpshm;
mod trips;
mod zeromq;

use std::io;

use benches::{Cores, Line, Mix, Ratio, Usual, clock_cost};
use clap::{Parser, ValueEnum};
use serde::Serialize;

use crate::far::FarArguments;
use crate::peer::Peer;
use crate::streams::Row;
use crate::trips::Trips;

#[derive(Parser, Serialize)]
struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    usual: Usual,
    /// What payload sizes follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measure only these
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Peer>,
    /// Leave out the streams
    #[arg(long)]
    no_streams: bool,
    #[command(flatten)]
    #[serde(skip)]
    far: FarArguments,
}

/// Everything that was found.
#[derive(Serialize)]
struct Found<'a> {
    bench: &'static str,
    arguments: &'a Arguments,
    cores: Cores,
    clock_ns: f64,
    rounds: u64,
    lines: Vec<Line>,
    ratios: Vec<Ratio>,
    stream_rounds: u64,
    streams: Vec<streams::Found>,
    skipped: Vec<Skipped>,
}

/// A peer without a row.
#[derive(Serialize)]
struct Skipped {
    name: &'static str,
    reason: String,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(done) = arguments.far.run() {
        return done;
    }
    let cores = Cores::find()?;
    Cores::pin(cores.near)?;
    if cores.is_one() {
        println!("one core only: both sides share it, and the figures say nothing about the peers");
    }
    let mut found = Found {
        bench: "peers",
        arguments: &arguments,
        cores,
        clock_ns: clock_cost(),
        rounds: if cores.is_one() { arguments.usual.rounds(5, 5) } else { arguments.usual.rounds(1000, 100) },
        lines: Vec::new(),
        ratios: Vec::new(),
        stream_rounds: arguments.usual.or_quick(5, 2),
        streams: Vec::new(),
        skipped: Vec::new(),
    };
    let peers = measure_trips(&mut found)?;
    if !arguments.no_streams {
        measure_streams(&mut found, &peers)?;
    }
    print_summary(&found);
    arguments.usual.write(&found)
}

/// Returns which peers there are.
fn measure_trips(found: &mut Found<'_>) -> io::Result<Vec<Peer>> {
    let Arguments { seed, only, .. } = found.arguments;
    println!("round trips of two processes, {} rounds, seed {seed}", found.rounds);
    let (mut trips, mut peers) = (Trips::new(found.cores), Vec::new());
    let wanted = |peer: &&Peer| only.is_empty() || only.contains(peer);
    for peer in Peer::value_variants().iter().filter(wanted) {
        match trips.add(*peer, &Mix::new(*seed)) {
            Ok(()) => peers.push(*peer),
            Err(error) => found.skipped.push(Skipped { name: peer.name(), reason: error.to_string() }),
        }
    }
    for Skipped { name, reason } in &found.skipped {
        println!("{name}: SKIPPED, {reason}");
    }
    for _ in 0..found.rounds {
        trips.round()?;
    }
    (found.lines, found.ratios) = trips.found();
    println!("reading the clock takes {:.0} ns\n\n{}", found.clock_ns, Line::HEADING);
    found.lines.iter().for_each(|line| println!("{line}"));
    println!("\n{}", Ratio::HEADING);
    found.ratios.iter().for_each(|ratio| println!("{ratio}"));
    Ok(peers)
}

fn measure_streams(found: &mut Found<'_>, peers: &[Peer]) -> io::Result<()> {
    let scale = found.arguments.usual.or_quick(1, 10);
    let mut rows: Vec<Row> = peers.iter().flat_map(|peer| Row::of(*peer, scale)).collect();
    for _ in 0..found.stream_rounds {
        for row in &mut rows {
            let name = row.peer().name();
            row.round(found.cores).map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        }
    }
    found.streams = rows.into_iter().map(Row::found).collect();
    println!("\n{}", streams::Found::HEADING);
    found.streams.iter().for_each(|stream| println!("{stream}"));
    Ok(())
}

/// For programs that read what is printed.
fn print_summary(found: &Found<'_>) {
    println!();
    for Ratio { name, spread } in &found.ratios {
        println!("peers {name} p50_ratio={:.2}", spread.p50);
    }
}
