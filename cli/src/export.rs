//! `tcpshm export`: the undelivered messages of a link file, as lines of JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tcpshm_support::screen::Screen;

use crate::arguments::BAD_ANSWER;
use crate::failure::Failure;
use crate::inspect::finding::Verdict;
use crate::inspect::{examine, message};
use crate::output::Output;

/// Write the undelivered messages of a link file as lines of JSON
///
/// For what a reset kept aside, or for the file of a machine that does not come back. The file is opened for reading only
/// and stays as it is. Of a damaged file it writes the messages in front of the damage.
///
/// While its owner runs, the messages are on their way as well: replaying them would deliver them twice. What the other side has
/// consumed is known as far as it told: over shared memory that may be late.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm export links/s~desk~c1.link.4f...kept > undelivered.jsonl
  tcpshm export FILE | jq -r .hex | xxd -r -p            the payloads one after the other
  tcpshm replay undelivered.jsonl --connect 127.0.0.1:4000 --name repair

Always JSON (--json changes nothing): first {\"export\": 1, \"path\", \"role\", \"owner\", \"peer\", \"session\", \"messages\"}, then for each
message, from the oldest, {\"position\", \"kind\", \"bytes\", \"ack\", \"hex\"}. Status 3 if the file is damaged or none.")]
pub(crate) struct Options {
    /// A link file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Changes nothing: it is JSON anyway
    #[arg(long)]
    json: bool,
}

/// Writes all of them.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let finding = examine(&options.file)?;
    let Some(seen) = &finding.seen else {
        return Err(Failure::NoLinkFile { line: finding.in_one_line() });
    };
    let mut output = Output::new();
    let header = &seen.snapshot.header;
    output.json(&json!({
        "export": 1,
        "path": finding.path.to_string_lossy(),
        "role": format!("{:?}", header.role).to_lowercase(),
        "owner": header.owner.as_str(),
        "peer": header.peer.as_str(),
        "session": header.session.to_string(),
        "messages": seen.snapshot.frames.len(),
    }))?;
    for frame in &seen.snapshot.frames {
        output.json(&message(seen, frame, true))?;
    }
    output.flush()?;
    if finding.verdict == Verdict::Sound {
        return Ok(ExitCode::SUCCESS);
    }
    Screen::new().line(format_args!("tcpshm: {}", finding.in_one_line()));
    Ok(ExitCode::from(BAD_ANSWER))
}
