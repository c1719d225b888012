//! Counts that are kept with the source, and how a run compares with them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Instructions of each operation, and the compiler that they hold for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What `rustc --version` says, and the processor it builds for.
    pub compiler: String,
    /// By the name of the operation.
    pub counts: BTreeMap<String, f64>,
}

impl Record {
    /// The record in a file.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_reader(File::open(path)?)?)
    }

    /// How the counts of a run stand to this record. An operation that only one of the two has is a
    /// complaint, too: a renamed one must not slip through.
    pub fn compare(&self, found: &Self, tolerance: f64) -> Vec<Verdict> {
        let names =
            self.counts.keys().chain(found.counts.keys().filter(|name| !self.counts.contains_key(*name)));
        let verdict = |name: &String| Verdict {
            name: name.clone(),
            recorded: self.counts.get(name).copied(),
            found: found.counts.get(name).copied(),
            tolerance,
        };
        names.map(verdict).collect()
    }
}

/// One operation of a run, beside its record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Verdict {
    pub name: String,
    pub recorded: Option<f64>,
    pub found: Option<f64>,
    /// How much more than recorded is let pass, as a part of it.
    pub tolerance: f64,
}

impl Verdict {
    /// The heading of verdicts.
    pub const HEADING: &'static str = "instructions                    recorded       found   change";

    /// Whether it is no worse than recorded. Better is well, and wants a new record.
    pub fn is_well(&self) -> bool {
        self.change().is_some_and(|change| change <= self.tolerance)
    }

    fn change(&self) -> Option<f64> {
        Some(self.found? / self.recorded? - 1.0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<28}", self.name)?;
        for count in [self.recorded, self.found] {
            match count {
                Some(count) => write!(f, "{count:>12.1}")?,
                None => write!(f, "{:>12}", "missing")?,
            }
        }
        match self.change() {
            Some(change) => write!(f, "{:>+8.1}%", 100.0 * change)?,
            None => write!(f, "{:>9}", "")?,
        }
        if self.is_well() { Ok(()) } else { f.write_str("  FAILED") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(counts: &[(&str, f64)]) -> Record {
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Record { compiler: "rustc".to_owned(), counts }
    }

    #[test]
    fn more_than_the_tolerance_and_what_is_missing_on_either_side_fail() {
        let recorded = record(&[("better", 100.0), ("gone", 100.0), ("same", 100.0), ("worse", 100.0)]);
        let found = record(&[("better", 50.0), ("new", 1.0), ("same", 102.9), ("worse", 103.1)]);
        let verdicts = recorded.compare(&found, 0.03);
        let failed: Vec<&str> =
            verdicts.iter().filter(|verdict| !verdict.is_well()).map(|verdict| &verdict.name[..]).collect();
        assert_eq!(failed, ["gone", "worse", "new"]);
        assert!(verdicts[0].to_string().ends_with("-50.0%"), "{}", verdicts[0]);
        assert!(verdicts[3].to_string().ends_with("+3.1%  FAILED"), "{}", verdicts[3]);
    }
}
