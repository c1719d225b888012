//! `tcpshm send`: lines of files or of standard input, through a link.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tcpshm_driver::Kind;

use crate::failure::Failure;
use crate::pipe::format::Format;
use crate::pipe::sending::{self, Task};
use crate::pipe::{END, EndOptions, PIECE};

/// Send lines of files or of standard input through a link
///
/// Each line is one message, without its newline. A line that is too long for a message, and a last one without a newline,
/// goes in pieces, so that any bytes come out as they went in. At the end of the input the other side is
/// told so, and `send` waits until everything was consumed.
///
/// Kill it and start it again with the same arguments: what was committed is in the link, and a FILE goes on where it
/// was, without a line missing or twice. What was read from a pipe and not committed dies with the process.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm recv --listen 127.0.0.1:4001 > copy             the other side, here as the server
  tcpshm send --connect 127.0.0.1:4001 orders.log        exact, however often either is killed
  journalctl -f | tcpshm send --connect 10.0.0.7:4001    a stream without an end
  tcpshm send --listen 127.0.0.1:4001 --count 100 FILE   the sender can be the server, too

Messages have kind 1, or --kind; pieces have kind 65534, and the end is an empty message of kind 65535.
Status 0 means that the other side has consumed everything.

JSON: {\"messages\", \"bytes\", \"delivered\": true}.")]
pub(crate) struct Options {
    #[command(flatten)]
    end: EndOptions,
    /// What to send, one after the other; standard input if there are none
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The kind of a line's message, 1 to 65533
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=65_533))]
    kind: u16,
    /// Send so many messages at most
    #[arg(long)]
    count: Option<u64>,
    /// Do not say at the end of the input that it was the end
    #[arg(long)]
    no_end: bool,
    /// Consume and forget what the other side sends; it stays in the link otherwise
    #[arg(long)]
    drop_answers: bool,
    /// Forget where a run that was interrupted had come to, and send the FILEs from the start
    #[arg(long)]
    restart: bool,
    /// A document at the end
    #[arg(long)]
    json: bool,
}

/// Sends everything.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let kind = Kind::new(options.kind).filter(|kind| ![PIECE, END].contains(kind));
    sending::run(&Task {
        end: options.end.clone(),
        subcommand: "send",
        files: options.files.clone(),
        format: Format::Lines(kind.ok_or(Failure::Usage("--kind is 1 to 65533"))?),
        count: options.count,
        says_end: !options.no_end,
        drops_answers: options.drop_answers,
        restart: options.restart,
        json: options.json,
    })
}
