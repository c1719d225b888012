//! The process that is stepped.

use std::path::PathBuf;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};

use crate::step::act::Who;
use crate::step::case::Case;
use crate::step::run::CANNOT_BE_TRACED;
use crate::step::stage::Stage;
use crate::step::tracee::MARK;

/// What a parent tells its child.
#[derive(Debug, clap::Args)]
pub struct ChildOptions {
    #[command(flatten)]
    case: Case,
    /// An empty directory, where the files go
    #[arg(long)]
    directory: PathBuf,
}

/// Leads up to the operation, stops, runs it, and stops again.
pub fn run(options: &ChildOptions) -> Result<(), String> {
    // Stopped, it would stay for ever if its parent were killed.
    set_pdeathsig(Signal::SIGKILL).map_err(|error| error.to_string())?;
    let scenario = options.case.scenario()?;
    let mut stage = Stage::new(&options.directory, options.case.setting());
    for (who, act) in &scenario.prelude {
        stage.act(*who, act);
    }
    ptrace::traceme().map_err(|error| format!("{CANNOT_BE_TRACED}: {error}"))?;
    raise(MARK).map_err(|error| error.to_string())?;
    for act in &scenario.operation {
        stage.act(Who::Subject, act);
    }
    raise(MARK).map_err(|error| error.to_string())
}
