//! What was counted.

use std::collections::BTreeMap;
use std::fmt;

use super::faults::Fault;
use super::run::{End, Run};

/// Of one call, or of all.
#[derive(Clone, Debug, Default)]
struct Row {
    runs: u64,
    injected: u64,
    finished: u64,
    gave_up: u64,
    killed: u64,
    /// Runs in which nobody was told: the call was made again, or was not needed.
    absorbed: u64,
    /// How often each method told of it.
    errors: BTreeMap<String, u64>,
}

/// What a sweep has counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    rows: BTreeMap<&'static str, Row>,
    violations: Vec<String>,
}

impl Tally {
    pub(super) fn count(&mut self, fault: &Fault, run: &Run, errors: &BTreeMap<String, u32>) {
        let row = self.rows.entry(fault.call).or_default();
        row.runs += 1;
        row.injected += run.injected as u64;
        match run.end {
            End::Finished => row.finished += 1,
            End::Stuck => row.gave_up += 1,
            End::Killed => row.killed += 1,
            // A violation, and told as such.
            End::Hung | End::Died(_) => {}
        }
        let unseen = run.end == End::Finished && errors.is_empty();
        row.absorbed += u64::from(unseen);
        for (method, count) in errors {
            *row.errors.entry(method.clone()).or_default() += u64::from(*count);
        }
    }

    pub(super) fn violation(&mut self, fault: &str, text: &str) {
        self.violations.push(format!("{fault}: {text}"));
    }

    pub(super) fn add(&mut self, other: Tally) {
        for (call, row) in other.rows {
            self.rows.entry(call).or_default().add(&row);
        }
        self.violations.extend(other.violations);
    }

    /// What should not have been, each with the fault that led to it.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// How many runs there were, and how many calls failed in them.
    pub fn runs_and_injected(&self) -> (u64, u64) {
        let sum = |of: fn(&Row) -> u64| self.rows.values().map(of).sum();
        (sum(|row| row.runs), sum(|row| row.injected))
    }

    /// How many processes were killed.
    pub fn kills(&self) -> u64 {
        self.rows.values().map(|row| row.killed).sum()
    }

    /// How many different calls have failed.
    pub fn calls(&self) -> usize {
        self.rows.len()
    }
}

impl Row {
    fn add(&mut self, other: &Row) {
        self.runs += other.runs;
        self.injected += other.injected;
        self.finished += other.finished;
        self.gave_up += other.gave_up;
        self.killed += other.killed;
        self.absorbed += other.absorbed;
        for (method, count) in &other.errors {
            *self.errors.entry(method.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, runs, injected) = ("call", "runs", "injected");
        let (finished, gave_up, killed, absorbed) = ("finished", "gave up", "killed", "unseen");
        writeln!(
            f,
            "{call:15} {runs:>6} {injected:>8} {finished:>8} {gave_up:>7} {killed:>6} {absorbed:>6}  told by"
        )?;
        for (call, row) in &self.rows {
            let Row { runs, injected, finished, gave_up, killed, absorbed, errors } = row;
            write!(f, "{call:15} {runs:6} {injected:8} {finished:8} {gave_up:7} {killed:6} {absorbed:6} ")?;
            for (index, (method, count)) in errors.iter().enumerate() {
                write!(f, "{} {method} {count}", if index > 0 { "," } else { "" })?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
