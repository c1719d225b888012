//! What every bench can be told.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::report::write_json;

/// Arguments of every bench.
#[derive(Clone, Debug, Args, Serialize)]
pub struct Usual {
    /// A shorter run, which shows that the bench works
    #[arg(long)]
    pub quick: bool,
    /// Rounds; in each every subject and every floor has its turn
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,
    /// Write all figures to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    #[serde(skip)]
    bench: bool,
}

impl Usual {
    /// Writes everything that was found, if that is wished.
    pub fn write(&self, found: &impl Serialize) -> io::Result<()> {
        self.json.as_ref().map_or(Ok(()), |path| write_json(path, found))
    }

    /// How many rounds to make: what was said, or one of these.
    pub fn rounds(&self, whole: u64, quick: u64) -> u64 {
        self.rounds.unwrap_or(self.or_quick(whole, quick))
    }

    /// One number for a whole run, another one for a quick one.
    pub fn or_quick<T>(&self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }
}
