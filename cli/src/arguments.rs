//! What the tool is told, and what it ends with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use rustix::process::geteuid;
use tcpshm_support::screen::Screen;

use crate::{bench, doctor, export, inspect, ping, recv, replay, send, serve, stat};

/// It could not be done.
pub(crate) const FAILED: u8 = 1;
/// It was asked for something it does not know, as with every program.
pub(crate) const USAGE: u8 = 2;
/// It was done, and nobody will like what was found.
pub(crate) const BAD_ANSWER: u8 = 3;
/// A signal ended it early: what shells say of SIGINT.
pub(crate) const STOPPED: u8 = 130;

/// Persistent message links between two named processes: run them, measure them, look into them.
#[derive(Parser)]
#[command(name = "tcpshm", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
In two terminals:
  tcpshm serve
  tcpshm ping

Exit status:
  0    done; also when whoever reads the output has had enough (| head)
  1    it could not be done; one line on standard error says why
  2    the command line is wrong
  3    done, and the answer is bad: messages lost, a file damaged, a problem found
  130  stopped by SIGINT, SIGTERM or SIGHUP before the end

Data goes to standard output, everything else to standard error. --json makes the output one document, \
or a document a line where it goes on; times in it are in nanoseconds, sizes in bytes.";

#[derive(Subcommand)]
enum Command {
    Serve(serve::Options),
    Ping(ping::Options),
    Bench(bench::Options),
    Send(send::Options),
    Recv(recv::Options),
    Inspect(inspect::Options),
    Export(export::Options),
    Replay(replay::Options),
    Stat(stat::Options),
    Doctor(doctor::Options),
}

/// The whole program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let done = match &arguments.command {
        Command::Serve(options) => serve::run(options),
        Command::Ping(options) => ping::run(options),
        Command::Bench(options) => bench::run(options),
        Command::Send(options) => send::run(options),
        Command::Recv(options) => recv::run(options),
        Command::Inspect(options) => inspect::run(options),
        Command::Export(options) => export::run(options),
        Command::Replay(options) => replay::run(options),
        Command::Stat(options) => stat::run(options),
        Command::Doctor(options) => doctor::run(options),
    };
    match done {
        Ok(code) => code,
        Err(failure) if failure.is_closed_output() => ExitCode::SUCCESS,
        Err(failure) => {
            Screen::new().line(format_args!("tcpshm: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

/// Help and version as they are; of an error the one line that says what is wrong.
fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // Nobody there to read it is no reason to fail.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
    }
    Screen::new().line(format_args!("tcpshm: {}", in_one_line(&error.to_string())));
    ExitCode::from(USAGE)
}

fn in_one_line(error: &str) -> String {
    let lines = error.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let text = said.collect::<Vec<_>>().join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}

/// Where links are kept if nothing is said: in memory, where shared memory belongs, and for this user alone.
pub(crate) fn default_directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let above = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    above.join(format!("tcpshm-{}", geteuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_error_is_one_line() {
        let error = Arguments::try_parse_from(["tcpshm", "serve", "--mode", "x"]).err().unwrap();
        let line = in_one_line(&error.to_string());
        assert!(line.starts_with("invalid value 'x' for '--mode <MODE>'") && !line.contains('\n'), "{line}");
    }
}
