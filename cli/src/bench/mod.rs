//! `tcpshm bench`: what a link takes and carries, beside what cannot be undercut, and what kills cost it.

mod child;
mod course;
mod floor;
mod hgrm;
mod ledger;
mod load;
mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tcpshm_driver::{Carrier, Name};
use tcpshm_support::choices::{CarrierChoice, IdleChoice};
use tcpshm_support::cores::Cores;

use crate::arguments::{BAD_ANSWER, STOPPED, default_directory};
use crate::failure::Failure;
use crate::meter::Meter;
use crate::units;
use ledger::LEAST;
use load::Pace;

/// Measure a link, with kills if you like, and prove that nothing is lost
///
/// Starts an echo server as a child process, on a core of its own, and sends it numbered messages. Each must come back
/// once, in order and as it was sent: the tool's own books decide, not the link's.
///
/// With --window, the next message goes when an answer comes, and a time is that of one round trip. With --rate, messages
/// go at their times whatever comes back, and each is measured from when it should have gone: a stall counts for
/// every message that it delayed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm bench                                    round trips over shared memory, beside a cache line's
  tcpshm bench --carrier tcp --window 64          64 in flight over TCP
  tcpshm bench --rate 100k --hgrm latency.hgrm    an open loop, for HdrHistogram's plotter
  tcpshm bench --kill-every 2s --duration 20s     SIGKILL to the server every two seconds
  tcpshm bench --connect 10.0.0.7:4000            to a `tcpshm serve` elsewhere

Status 3 if a message was lost, came twice, out of order or changed.

The floor is measured before and after the link, in the same run: on a machine where it moved, the figures moved with it.
Times have one reading of the clock in them.

JSON: {\"carrier\", \"size\", \"window\" or \"rate\", \"seconds\", \"cores\", \"floor\": {\"name\", ...}, \"round_trip\": {...},
\"messages_per_second\", \"sent\", \"answered\", \"lost\", \"duplicated\", \"reordered\", \"damaged\", \"kills\",
\"recovery\": {...}}, times as count, min_ns, p50_ns, p90_ns, p99_ns, p99_9_ns, max_ns, mean_ns.")]
pub(crate) struct Options {
    /// Measure with this server, in place of a child
    #[arg(long, value_name = "IP:PORT", conflicts_with = "kill_every")]
    connect: Option<SocketAddr>,
    /// What shall carry the link
    #[arg(long, value_enum, default_value_t)]
    carrier: CarrierChoice,
    /// Messages in flight
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "rate")]
    window: u64,
    /// Messages a second, whatever comes back
    #[arg(long, value_parser = units::rate)]
    rate: Option<u64>,
    /// Bytes of a message
    #[arg(long, value_parser = units::size, default_value = "64")]
    size: usize,
    /// How long to measure
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration, default_value = "5s")]
    duration: Duration,
    /// How long to send before that
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "200ms")]
    warm_up: Duration,
    /// Count what is in flight as lost when no answer comes for so long
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration, default_value = "10s")]
    timeout: Duration,
    /// Kill the server with SIGKILL so often, and start it again
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration)]
    kill_every: Option<Duration>,
    /// What both sides do while nothing comes [default: spin, or sleep where there is one core only]
    #[arg(long, value_enum, value_name = "HOW")]
    idle: Option<IdleChoice>,
    /// The core of this side and that of the server [default: the first two]
    #[arg(long, value_name = "CORE,CORE", value_parser = two_cores)]
    cores: Option<Cores>,
    /// Write the distribution for HdrHistogram's tools, in microseconds
    #[arg(long, value_name = "FILE")]
    hgrm: Option<PathBuf>,
    /// Draw the distribution
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// This side's name, with --connect
    #[arg(long, default_value = "bench")]
    name: Name,
    /// Where to keep the link file, with --connect; a child's is a directory of its own, in memory
    #[arg(long, value_name = "DIR", default_value_os_t = default_directory())]
    dir: PathBuf,
    /// A document in place of text
    #[arg(long)]
    json: bool,
}

/// Measures, and says what was found.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    if options.size < LEAST {
        return Err(Failure::TooSmall { size: options.size, least: LEAST });
    }
    report::make_files(options)?;
    let cores = match options.cores {
        Some(cores) => cores,
        None => Cores::find().map_err(Failure::call("finding two cores"))?,
    };
    // Before anything is started there, it is seen that it can be.
    for core in [cores.far, cores.near] {
        Cores::pin(core).map_err(Failure::call("staying on a core"))?;
    }
    let idle = options.idle.unwrap_or(if cores.is_one() { IdleChoice::Sleep } else { IdleChoice::Spin });
    let pace = options.rate.map_or(Pace::Window(options.window), Pace::Rate);
    // Of another machine nothing here is the floor.
    let has_floor = options.connect.is_none_or(|address| address.ip().is_loopback());
    let floor = |carrier: Carrier, meter: &mut Meter| match has_floor {
        true => {
            floor::measure(carrier, options.size, cores, meter).map_err(Failure::call("measuring the floor"))
        }
        false => Ok(()),
    };
    let expected = if options.carrier == CarrierChoice::Tcp { Carrier::Tcp } else { Carrier::Shm };
    let mut floor_times = Meter::new();
    floor(expected, &mut floor_times)?;

    let found = course::run(options, pace, idle, cores)?;
    if found.carrier == expected {
        floor(expected, &mut floor_times)?;
    } else {
        floor_times.clear();
        floor(found.carrier, &mut floor_times)?;
    }
    report::print(options, pace, cores, &floor_times, &found)?;
    report::write_files(options, &floor_times, &found)?;
    Ok(if !found.counts.are_flawless() {
        ExitCode::from(BAD_ANSWER)
    } else if found.stopped {
        ExitCode::from(STOPPED)
    } else {
        ExitCode::SUCCESS
    })
}

fn two_cores(text: &str) -> Result<Cores, &'static str> {
    let wrong = "two numbers of cores, as in 2,3";
    let (near, far) = text.split_once(',').ok_or(wrong)?;
    Ok(Cores { near: near.parse().map_err(|_| wrong)?, far: far.parse().map_err(|_| wrong)? })
}

/// A directory for the links of a child: in memory where possible. Removed when the value is dropped.
fn home() -> Result<tempfile::TempDir, Failure> {
    let mut home = tempfile::Builder::new();
    home.prefix("tcpshm-bench-");
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { home.tempdir_in(memory) } else { home.tempdir() };
    made.map_err(Failure::call("making a directory for the links"))
}
