//! `proof step`.
#![expect(clippy::print_stdout, reason = "a report for people and scripts")]

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::step::case::{Over, Watched};
use crate::step::run::{CANNOT_BE_TRACED, Selection, step_through};

/// What to step through.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Instructions to step through, in each build; every operation is stepped through once in any case
    #[arg(long, default_value_t = 200_000)]
    instructions: u64,
    /// Decides places in the ring and lengths of messages; runs on from here
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One operation, by name
    #[arg(long)]
    only: Option<String>,
    /// One side
    #[arg(long, value_enum)]
    role: Option<Watched>,
    /// One carrier
    #[arg(long, value_enum)]
    carrier: Option<Over>,
    /// Build debug, release and link-time optimised programs, and step through each
    #[arg(long)]
    builds: bool,
}

/// Steps through children of this very program.
pub fn run(options: &Options) -> Result<(), String> {
    if options.builds {
        return ["dev", "release", "lto"].iter().try_for_each(|profile| step_build(options, profile));
    }
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let build = program.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("?");
    let selection = Selection {
        seed: options.seed,
        instructions: options.instructions,
        operation: options.only.clone(),
        role: options.role,
        carrier: options.carrier,
        files: true,
    };
    let start = Instant::now();
    let report = match step_through(&program, &selection) {
        Err(text) if text.contains(CANNOT_BE_TRACED) => {
            println!("SKIPPED step: {text}");
            return Ok(());
        }
        report => report?,
    };
    let seconds = start.elapsed().as_secs_f64();
    print!("{report}");
    println!("{:.0} instructions per second", report.instructions() as f64 / seconds);
    println!(
        "step: build={build} seed={} instructions={} images={} resumed={} violations=0",
        options.seed,
        report.instructions(),
        report.images(),
        report.resumed()
    );
    Ok(())
}

fn step_build(options: &Options, profile: &str) -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--locked", "--package", "proof", "--profile", profile, "--", "step"]);
    command.args(["--instructions", &options.instructions.to_string(), "--seed", &options.seed.to_string()]);
    command.args(options.only.iter().flat_map(|only| ["--only", only]));
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the build of profile {profile}: {status}")) }
}
