//! `proof explore`.

use std::time::Instant;

use super::{all, search};

/// Every state of a small link.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Searches to run, by name; all by default.
    names: Vec<String>,
    /// States that a search looks at, at most.
    #[arg(long, default_value_t = 1_000_000)]
    states: usize,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs the searches and tells what they found.
#[expect(clippy::print_stdout, reason = "a report")]
pub fn run(options: &Options) -> Result<(), String> {
    let (mut states, mut violations) = (0, 0);
    for rules in all() {
        if !options.names.is_empty() && !options.names.iter().any(|name| name == rules.name) {
            continue;
        }
        let start = Instant::now();
        let report = search(&rules, options.states, options.threads);
        let took = start.elapsed().as_secs_f64();
        println!("{report} ({took:.1} s, {:.1} us each)", took * 1e6 / report.states as f64);
        states += report.states;
        if let Some(found) = &report.violation {
            violations += 1;
            println!("  {}\n  --path \"{}\"", found.failure, found.path);
        }
        let missing = report.tally.missing(&rules);
        if !missing.is_empty() {
            println!("  never happened: {missing:?}");
        }
    }
    println!("explore: states={states} violations={violations}");
    if violations > 0 { Err("violations".into()) } else { Ok(()) }
}
