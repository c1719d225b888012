//! One link file, looked at again and again.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use tcpshm_support::screen::grouped;

use super::finding::Finding;
use super::{Options, examine, show};
use crate::failure::Failure;
use crate::output::Output;
use crate::pauses::Pauses;
use crate::units::bytes;

/// Looks until it is asked to stop, or until the file is gone.
pub(super) fn run(options: &Options, path: &Path) -> Result<ExitCode, Failure> {
    let pauses = Pauses::new()?;
    let mut output = Output::new();
    let live = io::stdout().is_terminal() && !options.json;
    let began = Instant::now();
    let mut last: Option<(Instant, Finding)> = None;
    loop {
        let finding = examine(path)?;
        let now = Instant::now();
        if options.json {
            let mut document = show::brief(&finding);
            document["seconds"] = json!((now - began).as_secs_f64());
            output.json(&document)?;
        } else {
            let seconds = (now - began).as_secs_f64();
            let line = format!("{seconds:>7.1} s  {}", line(now, &finding, last.as_ref()));
            match live {
                true => output.bytes(format!("\r\x1b[K{line}").as_bytes())?,
                false => output.line(line)?,
            }
        }
        output.flush()?;
        last = Some((now, finding));
        if !pauses.wait(options.interval) {
            break;
        }
    }
    if live {
        output.line("")?;
        output.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(now: Instant, finding: &Finding, last: Option<&(Instant, Finding)>) -> String {
    let Some(seen) = &finding.seen else { return finding.in_one_line() };
    let before = last.and_then(|(then, last)| Some((now - *then, last.seen.as_ref()?)));
    let before = before.filter(|(_, before)| before.snapshot.header.session == seen.snapshot.header.session);
    let a_second = |count: u64, of: &dyn Fn(&super::finding::Seen) -> u64| match before {
        Some((took, before)) => {
            let moved = count.saturating_sub(of(before));
            let nanos = took.as_nanos().max(1);
            let rate = u128::from(moved) * 1_000_000_000 / nanos;
            format!("{:>10}/s", bytes(u64::try_from(rate).unwrap_or(u64::MAX)))
        }
        None => format!("{:>12}", ""),
    };
    let sent = a_second(seen.committed(), &|seen| seen.committed());
    let taken = a_second(seen.consumed(), &|seen| seen.consumed());
    let trouble = finding.reason.as_ref().map_or_else(String::new, |reason| format!("  {reason}"));
    format!(
        "sent {:>17} {sent}  consumed {:>17} {taken}  undelivered {:>7}  open {}{trouble}",
        grouped(seen.committed()),
        grouped(seen.consumed()),
        grouped(seen.snapshot.frames.len() as u64),
        show::open(finding.holder),
    )
}
