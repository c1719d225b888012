//! `tcpshm replay`: what was exported, into a link again.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::pipe::EndOptions;
use crate::pipe::format::Format;
use crate::pipe::sending::{self, Task};

/// Send what `tcpshm export` wrote into a link
///
/// Each message goes with its kind, in the order of the export. Like `tcpshm send` it waits until everything was
/// consumed, and goes on where it was when it is killed and started again with the same FILE.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm export links/s~desk~c1.link.4f...kept > undelivered.jsonl
  tcpshm replay undelivered.jsonl --connect 127.0.0.1:4000 --name repair

Give it a name of its own: under the name of a running process it is refused, under that of one that is away it takes that
one's link. A FILE that is damaged or not whole, by its own count, is not sent at all, and the status is 3; of standard input it is found
out on the way. The other side sees a link with this name, and must know what to do with it.

JSON: {\"messages\", \"bytes\", \"delivered\": true}, bytes being those of the export.")]
pub(crate) struct Options {
    #[command(flatten)]
    end: EndOptions,
    /// The export; standard input if it is left out
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Send so many messages at most
    #[arg(long)]
    count: Option<u64>,
    /// Consume and forget what the other side sends; it stays in the link otherwise
    #[arg(long)]
    drop_answers: bool,
    /// Forget where a run that was interrupted had come to, and send the FILE from the start
    #[arg(long)]
    restart: bool,
    /// A document at the end
    #[arg(long)]
    json: bool,
}

/// Sends everything.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    sending::run(&Task {
        end: options.end.clone(),
        subcommand: "replay",
        files: options.file.iter().cloned().collect(),
        format: Format::Export,
        count: options.count,
        says_end: false,
        drops_answers: options.drop_answers,
        restart: options.restart,
        json: options.json,
    })
}
