//! `tcpshm inspect`: what a link file holds, whether its owner runs or not.

pub(crate) mod finding;
mod follow;
pub(crate) mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use tcpshm_support::screen::Screen;

use crate::arguments::BAD_ANSWER;
use crate::failure::Failure;
use crate::look::{LinkFile, LookError};
use crate::output::Output;
use crate::units;
use finding::{Finding, Verdict};
use show::Extent;
pub(crate) use show::message;

/// Look into link files, of running processes too
///
/// Shows whose file it is, how far its link has come, and the messages that the other side is not known to have consumed.
/// The file is opened for reading only and no lock is taken: its owner does not notice. Files that a reset kept
/// aside (.kept) and prepared ones (.new) are link files too.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm inspect links/c~ping~server.link                 header, progress, undelivered messages
  tcpshm inspect --hex --all FILE                         with all payloads
  tcpshm inspect --verify links/*.link                    one line for each; status 3 if one is damaged
  tcpshm inspect --follow FILE                            how it moves, until Ctrl-C

A file has no checksum over messages: `sound` means that everything is where it must be.
Status 3 if a file is damaged or unfinished, or belongs under another name.

JSON: {\"path\", \"verdict\": sound | damaged | unfinished, \"reason\", \"role\", \"owner\", \"peer\", \"session\", \"ring\", \"largest\",
\"peer_ring\", \"peer_largest\", \"open_by\", \"boot\": this | other | unknown, \"committed\", \"acked\", \"consumed\",
\"undelivered\", \"undelivered_bytes\", \"words\": {...}, \"messages\": [{\"position\", \"kind\", \"bytes\", \"ack\", \"hex\"}]}, one document a
file; with --follow one a look, without messages, and with \"seconds\".")]
pub(crate) struct Options {
    /// Link files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only say whether each is sound
    #[arg(long, conflicts_with_all = ["hex", "follow", "all"])]
    verify: bool,
    /// Show the payloads of messages
    #[arg(long)]
    hex: bool,
    /// Show so many messages
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "all")]
    limit: usize,
    /// Show all messages
    #[arg(long)]
    all: bool,
    /// Look again and again
    #[arg(long, conflicts_with = "hex")]
    follow: bool,
    /// From one look to the next
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration, default_value = "500ms")]
    interval: Duration,
    /// Documents in place of text
    #[arg(long)]
    json: bool,
}

/// Looks at each file.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    if options.follow {
        let [path] = &options.files[..] else { return Err(Failure::Usage("--follow takes one FILE")) };
        return follow::run(options, path);
    }
    let mut output = Output::new();
    let extent = Extent { messages: if options.all { usize::MAX } else { options.limit }, hex: options.hex };
    let (mut all_sound, mut all_read) = (true, true);
    for (number, path) in options.files.iter().enumerate() {
        let finding = match examine(path) {
            Ok(finding) => finding,
            // The others are looked at all the same.
            Err(failure) if options.verify => {
                Screen::new().line(format_args!("tcpshm: {failure}"));
                all_read = false;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        all_sound &= finding.verdict == Verdict::Sound;
        if options.verify && options.json {
            output.json(&show::brief(&finding))?;
        } else if options.verify {
            output.line(finding.in_one_line())?;
        } else if options.json {
            output.json(&show::document(&finding, extent))?;
        } else {
            if number > 0 {
                output.line("")?;
            }
            for line in show::text(&finding, extent) {
                output.line(line)?;
            }
        }
    }
    output.flush()?;
    Ok(match (all_sound, all_read) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(BAD_ANSWER),
    })
}

/// Everything about one file; an error only if it cannot be read.
pub(crate) fn examine(path: &Path) -> Result<Finding, Failure> {
    let file = LinkFile::open(path)?;
    match file.look() {
        Ok(looked) => Ok(Finding::of(&file, looked)),
        Err(LookError::Failed(source)) => Err(Failure::Path { path: path.to_owned(), source }),
        Err(error) => Ok(Finding::nothing(&file, &error)),
    }
}
