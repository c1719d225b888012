//! `proof sim`: many schedules, a table of what happened in them, and a verdict.
#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::sim::{self, Counters, Schedule, play, shorten};
use crate::violation::Failure;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The seeds, as FIRST..LAST; the last is not run.
    #[arg(long, default_value = "0..300000", value_parser = parse_range)]
    pub seeds: Range<u64>,
    /// Threads to run them on.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Crash images that must have been judged, at least; 67 for each schedule if nothing is said.
    #[arg(long)]
    pub images: Option<u64>,
    /// How often each required thing must have happened, at least.
    #[arg(long, default_value_t = 1)]
    pub least: u64,
    /// Run this one schedule instead, as a failure prints it.
    #[arg(long, value_name = "HEX")]
    pub events: Option<String>,
}

/// What the runs came to.
struct Sum {
    counters: Counters,
    failures: Vec<(u64, Failure)>,
    events: u64,
    /// Of all traces, in whatever order they were run.
    trace: u64,
}

/// Runs the schedules, and prints the table and the verdict.
pub fn run(options: &Options) -> Result<(), String> {
    if let Some(text) = &options.events {
        let schedule = Schedule::parse(text).ok_or("--events takes an even number of hexadecimal digits")?;
        let trace =
            play(&schedule, &mut Counters::default()).map_err(|failure| explain(&schedule, &failure))?;
        println!("sim: violations=0 events={} trace={:016x}", trace.events, trace.hash);
        return Ok(());
    }
    let began = Instant::now();
    let schedules = options.seeds.end - options.seeds.start;
    let least_images = options.images.unwrap_or(if schedules > 1 { schedules * IMAGES } else { 0 });
    let sum = run_all(options);
    print!("{}", sum.counters);
    for (seed, failure) in sum.failures.iter().take(3) {
        println!("{}", explain(&Schedule::of(*seed), failure));
        println!("repeat: cargo run --release -p proof -- sim --seeds {seed}..{}", seed + 1);
    }
    let missing = if schedules > 1 { sum.counters.missing(options.least) } else { Vec::new() };
    for (what, times) in &missing {
        println!("{what}: {times} times, {} required", options.least);
    }
    let images = sum.counters.get("images: recovered and judged");
    println!(
        "sim: schedules={schedules} events={} images={images} violations={} missing={} trace={:016x} seconds={:.1}",
        sum.events,
        sum.failures.len(),
        missing.len(),
        sum.trace,
        began.elapsed().as_secs_f64()
    );
    match (sum.failures.len(), missing.len()) {
        (0, 0) if images >= least_images => Ok(()),
        (0, 0) => Err(format!("{images} images were judged, {least_images} required")),
        (0, missing) => Err(format!("{missing} required things happened too seldom")),
        (failures, _) => Err(format!("{failures} schedules failed")),
    }
}

/// Crash images of a schedule: twenty million in three hundred thousand.
const IMAGES: u64 = 67;

/// Seeds are handed out in order; what is counted does not depend on who runs them.
fn run_all(options: &Options) -> Sum {
    let next = AtomicU64::new(options.seeds.start);
    let sum = Mutex::new(Sum { counters: Counters::default(), failures: Vec::new(), events: 0, trace: 0 });
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                let mut counters = Counters::default();
                let (mut failures, mut events, mut all) = (Vec::new(), 0, 0);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.seeds.end {
                        break;
                    }
                    match sim::run(seed, &mut counters) {
                        Ok(trace) => {
                            events += trace.events;
                            all ^= trace.of_seed(seed);
                        }
                        Err(failure) => failures.push((seed, failure)),
                    }
                }
                if let Ok(mut sum) = sum.lock() {
                    sum.counters.merge(&counters);
                    sum.failures.extend(failures);
                    sum.events += events;
                    sum.trace ^= all;
                }
            });
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    sum.failures.sort_by_key(|(seed, _)| *seed);
    sum
}

/// What failed, with as few events as still fail, and how to repeat that.
pub fn explain(schedule: &Schedule, failure: &Failure) -> String {
    let short = shorten(schedule, failure);
    let failure = play(&short, &mut Counters::default()).err().unwrap_or_else(|| failure.clone());
    let events: String = short.events.iter().map(|event| format!("  {event}\n")).collect();
    format!(
        "seed {}: {failure}\nwith {} of {} events:\n{events}repeat: cargo run --release -p proof -- sim --events {short}",
        schedule.seed,
        short.events.len(),
        schedule.events.len()
    )
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (first, last) = text.split_once("..").ok_or("FIRST..LAST")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let range = number(first)?..number(last)?;
    if range.is_empty() { Err("no seed at all".into()) } else { Ok(range) }
}
