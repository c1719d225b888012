//! Everything that is proved beyond `cargo test`: one command per part.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a program that tells why it failed")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
#[cfg(feature = "zoo")]
use proof::zoo;
use proof::{calls, disk_full, explore, flood, kill, sim, step};

#[derive(Debug, Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
}

/// Each part is a module of the library with a `command` of its own; the hidden ones are the processes that
/// they run.
#[derive(Debug, Subcommand)]
enum Part {
    /// Simulated schedules of everything that can happen to a link
    Sim(sim::command::Options),
    /// Goes through every state of a small link
    Explore(explore::command::Options),
    /// Releases known defects one by one: each must be caught
    #[cfg(feature = "zoo")]
    Zoo(zoo::command::Options),
    /// Kills real processes at random moments, and judges what they did
    Kill(kill::Options),
    /// Floods a server with logins that come to nothing, and watches what that costs
    Flood(flood::Options),
    /// Single-steps every operation, and recovers what a kill would leave after each instruction
    Step(step::command::Options),
    /// Every system call of a server and a client fails in turn
    Calls(calls::command::Options),
    /// A small disk runs full under a link
    Disk(disk_full::command::Options),
    #[command(hide = true)]
    KillApp(kill::app::Options),
    #[command(hide = true)]
    FloodServer(flood::ServerOptions),
    #[command(hide = true)]
    StepChild(step::child::ChildOptions),
    #[command(hide = true)]
    CallsApp(calls::command::AppOptions),
}

fn main() -> ExitCode {
    let result: Result<(), String> = match Cli::parse().part {
        None => Err("name a part; `proof --help` lists them".into()),
        Some(part) => run(&part),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("proof: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(part: &Part) -> Result<(), String> {
    match part {
        Part::Sim(options) => sim::command::run(options),
        Part::Explore(options) => explore::command::run(options),
        #[cfg(feature = "zoo")]
        Part::Zoo(options) => zoo::command::run(options),
        Part::Kill(options) => kill::run(options),
        Part::Flood(options) => flood::run(options),
        Part::Step(options) => step::command::run(options),
        Part::Calls(options) => calls::command::run(options),
        Part::Disk(options) => disk_full::command::run(options),
        Part::KillApp(options) => kill::app::run(options),
        Part::FloodServer(options) => flood::serve(options),
        Part::StepChild(options) => step::child::run(options),
        Part::CallsApp(options) => calls::command::run_app(options),
    }
}
