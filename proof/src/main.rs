//! Everything that is proved beyond `cargo test`: one command per part.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a program that tells why it failed")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proof::step;
use proof::calls;
use proof::{calls, disk_full};
use proof::kill;
use proof::{flood, kill};

#[derive(Debug, Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
}

/// Each part is a module of the library with a `command` of its own.
#[derive(Debug, Subcommand)]
enum Part {
    /// Single-step every operation, and recover what a kill would leave after each instruction
    Step(step::command::Options),
    /// What `step` steps through
    #[command(hide = true)]
    StepChild(step::child::ChildOptions),
    /// Goes through every state of a small link.
    Explore(proof::explore::command::Options),
    /// Every system call of a server and a client fails in turn.
    Calls(calls::command::Options),
    /// A small disk runs full under a link.
    Disk(disk_full::command::Options),
    /// The program that `calls` runs.
    #[command(hide = true)]
    CallsApp(calls::command::AppOptions),
    /// Kill real processes at random moments, and judge what they did.
    Kill(kill::Options),
    /// One of the processes that are killed.
    #[command(hide = true)]
    KillApp(kill::app::Options),
    /// Flood a server with logins that come to nothing, and watch what that costs.
    Flood(flood::Options),
    /// The server that is flooded.
    #[command(hide = true)]
    FloodServer(flood::ServerOptions),
    /// Simulated schedules of everything that can happen to a link.
    Sim(proof::sim::command::Options),
    /// Put known defects back, one at a time, and see whether each is caught
    #[cfg(feature = "zoo")]
    Zoo(proof::zoo::command::Options),
}

fn main() -> ExitCode {
    let result: Result<(), String> = match Cli::parse().part {
        None => Err("name a part; `proof --help` lists them".into()),
        Some(part) => match part {
            Part::Step(options) => step::command::run(&options),
            Part::StepChild(options) => step::child::run(&options),
        },
        Some(Part::Explore(options)) => proof::explore::command::run(&options),
        Some(Part::Calls(options)) => calls::command::run(&options),
        Some(Part::Disk(options)) => disk_full::command::run(&options),
        Some(Part::CallsApp(options)) => calls::command::run_app(&options),
            Part::Kill(options) => kill::run(&options),
            Part::KillApp(options) => kill::app::run(&options),
            Part::Flood(options) => flood::run(&options),
            Part::FloodServer(options) => flood::serve(&options),
            Part::Sim(options) => proof::sim::command::run(&options),
            #[cfg(feature = "zoo")]
            Part::Zoo(options) => proof::zoo::command::run(&options),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("proof: {text}");
            ExitCode::FAILURE
        }
    }
}
