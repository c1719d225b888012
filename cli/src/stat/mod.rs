//! `tcpshm stat`: the links of a directory, live, from outside.

mod row;

use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tcpshm_driver::shm::{LinkName, Place};

use crate::arguments::default_directory;
use crate::failure::Failure;
use crate::inspect::examine;
use crate::inspect::finding::Finding;
use crate::output::Output;
use crate::pauses::Pauses;
use crate::units;
use row::{History, Row};

/// Show the links of a directory, live, from outside
///
/// Everything is read from the link files, which their owners keep exact anyway: no process is asked, stopped or slowed. A
/// process that runs elsewhere shows as far as its files are here.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm stat                              the default directory, until Ctrl-C
  tcpshm stat --once /var/lib/me/links     one look
  tcpshm stat --json --interval 5s | ...   for a collector

STATE  linked: the other side's file is here too, both are open and know of the same login
       open: a process has the file open     closed: none has
UNACKED is what was committed and the other side has not consumed, as far as its file is here or it has said so; RING how
full that makes the ring, LOGINS how many there were since the first look, PID who has the file open.

JSON: a document a look, {\"seconds\", \"links\": [{\"owner\", \"peer\", \"role\", \"state\", \"pid\", \"session\", \"committed\", \"consumed\",
\"sent_per_second\", \"consumed_per_second\", \"unacked\", \"unacked_bytes\", \"ring\", \"ring_fill\", \"asleep\", \"logins\", \"boot\", \"trouble\"}], \"unreadable\":
[{\"path\", \"verdict\", \"reason\"}]}, rates in bytes of frames.")]
pub(crate) struct Options {
    /// A directory of link files
    #[arg(value_name = "DIR", default_value_os_t = default_directory())]
    dir: PathBuf,
    /// From one look to the next
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration, default_value = "1s")]
    interval: Duration,
    /// Look once
    #[arg(long)]
    once: bool,
    /// A document for each look
    #[arg(long)]
    json: bool,
}

/// Looks until it is asked to stop.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let pauses = Pauses::new()?;
    let mut output = Output::new();
    let live = io::stdout().is_terminal() && !options.json && !options.once;
    let mut history = History::default();
    let began = Instant::now();
    loop {
        let findings = look(&options.dir)?;
        let now = Instant::now();
        // Of what was just seen, what has the other side consumed by now?
        let rows = history.rows(now, &findings, &look(&options.dir)?);
        if options.json {
            let links: Vec<_> = rows.iter().map(Row::document).collect();
            let unreadable: Vec<_> = findings.iter().filter_map(row::unreadable).collect();
            let seconds = (now - began).as_secs_f64();
            output.json(&json!({"seconds": seconds, "links": links, "unreadable": unreadable}))?;
        } else {
            if live {
                // From the top of an empty screen.
                output.bytes(b"\x1b[H\x1b[2J")?;
            }
            for line in row::table(&rows, &findings) {
                output.line(line)?;
            }
        }
        output.flush()?;
        if options.once || !pauses.wait(options.interval) {
            return Ok(ExitCode::SUCCESS);
        }
        if !live && !options.json {
            output.line("")?;
        }
    }
}

/// Every link file, but not those of earlier and later sessions.
fn look(directory: &Path) -> Result<Vec<Finding>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(Failure::path(directory))? {
        let name = entry.map_err(Failure::path(directory))?.file_name();
        let main = LinkName::parse(name.as_bytes()).is_some_and(|name| name.place == Place::Main);
        names.extend(main.then_some(name));
    }
    names.sort();
    Ok(names.into_iter().filter_map(|name| find(&directory.join(name))).collect())
}

/// `None` of one that has gone meanwhile.
fn find(path: &Path) -> Option<Finding> {
    match examine(path) {
        Ok(finding) => Some(finding),
        Err(Failure::Path { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(Failure::Path { source, .. }) => Some(Finding::unreadable(path, source.to_string())),
        Err(failure) => Some(Finding::unreadable(path, failure.to_string())),
    }
}
