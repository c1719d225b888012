//! `tcpshm doctor`: whether this machine and a link directory are as links like them.

mod check;
mod directory;
mod files;
mod machine;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::arguments::{BAD_ANSWER, default_directory};
use crate::failure::Failure;
use crate::output::Output;
use check::{Check, Verdict};

/// Check this machine and a link directory; changes nothing
///
/// Each line is a verdict: `ok`, `note` for what may matter, `problem` for what keeps links from working or holds messages
/// that nobody may ever fetch; under it, what to do.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm doctor                     the machine, and the default directory
  tcpshm doctor /var/lib/me/links   another one
  tcpshm doctor --json | jq '.checks[] | select(.verdict == \"problem\")'

Status 3 if there is a problem.

JSON: {\"directory\", \"problems\", \"notes\", \"checks\": [{\"about\", \"name\", \"verdict\", \"text\", \"advice\"}]}.")]
pub(crate) struct Options {
    /// A directory of link files
    #[arg(value_name = "DIR", default_value_os_t = default_directory())]
    dir: PathBuf,
    /// A document in place of text
    #[arg(long)]
    json: bool,
}

/// Checks everything.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let machine = machine::checks();
    let mut directory = directory::checks(&options.dir);
    directory.extend(files::checks(&options.dir));
    let count = |verdict| machine.iter().chain(&directory).filter(|check| check.verdict == verdict).count();
    let (problems, notes) = (count(Verdict::Problem), count(Verdict::Note));
    let mut output = Output::new();
    let name = options.dir.display().to_string();
    if options.json {
        let of = |about: &'static str| move |check: &Check| check.document(about);
        let checks = machine.iter().map(of("machine")).chain(directory.iter().map(of("directory")));
        let checks: Vec<_> = checks.collect();
        output.json(&json!({"directory": name, "problems": problems, "notes": notes, "checks": checks}))?;
    } else {
        for (about, checks) in [("this machine", &machine), (&name[..], &directory)] {
            output.line(about)?;
            for line in checks.iter().flat_map(Check::lines) {
                output.line(line)?;
            }
            output.line("")?;
        }
        output.line(match (problems, notes) {
            (0, 0) => "all is well".to_owned(),
            (0, notes) => format!("no problem, {}", crate::units::counted(notes as u64, "note")),
            (problems, _) => crate::units::counted(problems as u64, "problem"),
        })?;
    }
    output.flush()?;
    Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(BAD_ANSWER) })
}
