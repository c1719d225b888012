//! What was counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::step::case::Case;

/// What came of one run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Instructions stepped through.
    pub(super) instructions: u64,
    /// Distinct images of each state that the operation passes through.
    pub(super) seen: Vec<u64>,
    /// Images from which the two sides logged in again, and everything owed arrived.
    pub(super) resumed: u64,
}

/// What came of all runs.
#[derive(Clone, Debug, Default)]
pub struct Report {
    operations: BTreeMap<String, Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    runs: u64,
    instructions: u64,
    images: u64,
    before: u64,
    after: u64,
    resumed: u64,
}

impl Report {
    pub(super) fn add(&mut self, case: &Case, run: &Run) {
        let counts = self.operations.entry(case.operation.clone()).or_default();
        let images: u64 = run.seen.iter().sum();
        counts.runs += 1;
        counts.instructions += run.instructions;
        counts.images += images;
        // One state only: all of it is as before, and must be.
        counts.before += run.seen[0];
        counts.after += images - run.seen[0];
        counts.resumed += run.resumed;
    }

    fn total(&self, count: impl Fn(&Counts) -> u64) -> u64 {
        self.operations.values().map(count).sum()
    }

    /// Operations stepped through.
    pub fn runs(&self) -> u64 {
        self.total(|counts| counts.runs)
    }

    /// Instructions stepped through.
    pub fn instructions(&self) -> u64 {
        self.total(|counts| counts.instructions)
    }

    /// Distinct images of each run, recovered and judged.
    pub fn images(&self) -> u64 {
        self.total(|counts| counts.images)
    }

    /// Images from which the two sides logged in again, and everything owed arrived.
    pub fn resumed(&self) -> u64 {
        self.total(|counts| counts.resumed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<34}{:>6}{:>14}{:>9}{:>9}{:>9}{:>9}",
            "operation", "runs", "instructions", "images", "before", "after", "resumed"
        )?;
        for (name, counts) in &self.operations {
            let Counts { runs, instructions, images, before, after, resumed } = counts;
            writeln!(f, "{name:<34}{runs:>6}{instructions:>14}{images:>9}{before:>9}{after:>9}{resumed:>9}")?;
        }
        Ok(())
    }
}
