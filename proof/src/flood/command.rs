//! `proof flood`: crowds of strangers, and what they cost.

use std::time::Instant;

use super::manner::Manner;
use super::siege::{Flood, Siege};

/// Floods a server with logins that come to nothing, and watches what that costs.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Logins that come to nothing, shared among the manners of strangers.
    #[arg(long, default_value_t = 10_000)]
    pub logins: u64,
    /// What all decisions follow from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Descriptors of the server that runs short of them.
    #[arg(long, default_value_t = 64)]
    pub descriptors: u64,
}

/// Strangers that come before anything is compared: tables have then the size that a crowd needs.
const WARM: u64 = 1200;

/// Floods one server in each manner, and another one that has few descriptors.
#[expect(clippy::print_stdout, reason = "the report")]
pub fn run(options: &Options) -> Result<(), String> {
    let start = Instant::now();
    let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let told = |error| {
        format!("{error}\nto repeat it: proof flood --seed {} --logins {}", options.seed, options.logins)
    };
    let mut siege = Siege::begin(&program, 0, options.seed).map_err(told)?;
    siege.flood(Manner::Names, WARM).and_then(|_| siege.settle()).map_err(told)?;
    // One manner is slow, and has no share.
    let mut floods = siege.floods(options.logins.div_ceil(6)).map_err(told)?;
    siege.end().map_err(told)?;
    let mut siege = Siege::begin(&program, options.descriptors, options.seed).map_err(told)?;
    floods.push(siege.shortage(options.descriptors).map_err(told)?);
    println!(
        "  manner                logins  echoes   p50 us   p99 us   max us  newcomer us  descriptors  memory KiB"
    );
    for flood in &floods {
        let Flood { what, logins, echoes, p50, p99, worst, newcomer, descriptors, memory } = flood;
        let newcomer = newcomer.as_micros();
        println!(
            "  {what:<20} {logins:>7} {echoes:>7} {p50:>8} {p99:>8} {worst:>8} {newcomer:>12} {descriptors:>12} {memory:>11}"
        );
    }
    let logins: u64 = floods.iter().map(|flood| flood.logins).sum();
    let worst = floods.iter().map(|flood| flood.worst).max().unwrap_or(0);
    println!(
        "flood: logins={logins} manners={} good_max_us={worst} violations=0 seed={} seconds={}",
        floods.len(),
        options.seed,
        start.elapsed().as_secs()
    );
    Ok(())
}
