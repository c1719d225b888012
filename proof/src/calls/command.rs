//! `proof calls`, and the program that it runs under strace.
#![expect(clippy::print_stdout, reason = "a report")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::acts::{self, Earlier};
use super::sweep::{Plan, replay, sweep};
use super::tally::Tally;

/// Options of `proof calls`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The calls that fail, by name; all if none is given.
    #[arg(long, value_delimiter = ',')]
    pub calls: Vec<String>,
    /// How often, at most, each call fails with each error: at its first time, its second, and so on.
    #[arg(long, default_value_t = 10_000)]
    pub most: u32,
    /// At how many places of each call a failure lasts, for a while and until the process ends.
    #[arg(long, default_value_t = 12)]
    pub lasting: u32,
    /// Inject errors only, and do not kill the process at each call.
    #[arg(long)]
    pub spare_lives: bool,
    /// Play one fault only, as a violation names it, and show what was recorded: `openat:error=EIO:when=40`.
    #[arg(long)]
    pub fault: Option<String>,
    /// Runs at a time.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
}

/// Options of the program whose calls fail.
#[derive(Debug, clap::Args)]
pub struct AppOptions {
    /// Where the link files are to lie: a directory that need not be there yet.
    pub directory: PathBuf,
    /// Where an earlier run has left off.
    #[command(flatten)]
    pub earlier: Earlier,
}

/// Lets every system call fail in turn.
pub fn run(options: &Options) -> Result<(), String> {
    if let Err(why) = can_inject() {
        println!("SKIPPED: {why}");
        return Ok(());
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    if let Some(fault) = &options.fault {
        let (record, tally) = replay(&program, fault).map_err(|error| error.to_string())?;
        print!("{record}");
        return report(&tally);
    }
    let plan = Plan {
        program,
        calls: options.calls.clone(),
        most: options.most,
        lasting: options.lasting,
        spare_lives: options.spare_lives,
        threads: options.threads,
    };
    report(&sweep(&plan).map_err(|error| error.to_string())?)
}

fn report(tally: &Tally) -> Result<(), String> {
    print!("{tally}");
    tally.violations().iter().for_each(|violation| println!("VIOLATION {violation}"));
    if !tally.violations().is_empty() {
        println!(
            "to see one again: cargo run --release -p proof -- calls --fault CALL:error=ERROR:when=NUMBER"
        );
    }
    let ((runs, injected), violations) = (tally.runs_and_injected(), tally.violations().len());
    let (calls, kills) = (tally.calls(), tally.kills());
    println!("calls: calls={calls} runs={runs} kills={kills} injected={injected} violations={violations}");
    match violations {
        0 if injected > 0 => Ok(()),
        0 => Err("nothing was injected".into()),
        _ => Err(format!("{violations} violations")),
    }
}

/// Plays the scenario.
pub fn run_app(options: &AppOptions) -> Result<(), String> {
    if acts::play(&options.directory, &options.earlier) { Ok(()) } else { Err("it came to no end".into()) }
}

/// Whether strace is there, and may make a call fail.
pub fn can_inject() -> Result<(), String> {
    let mut probe = Command::new("strace");
    probe.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=chdir:error=EIO", "true"]);
    match probe.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("strace may not trace here".into()),
        Err(error) => Err(format!("strace cannot be run: {error}")),
    }
}
