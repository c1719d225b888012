//! What became of each defect.

use std::fmt;
use std::time::Duration;

use tcpshm_protocol::zoo::Bug;

/// One defect, or the run without any.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) bug: Option<Bug>,
    /// Who had to catch it.
    pub(super) by: String,
    pub(super) fate: Fate,
    pub(super) took: Duration,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Fate {
    /// As it must be: seen, or nothing to be seen where there was nothing.
    Good {
        /// What was seen.
        seen: String,
        /// In which schedule.
        seed: Option<u64>,
    },
    /// Nobody saw it, or something was seen where there was nothing.
    Bad(String),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Report(pub(super) Vec<Row>);

impl Report {
    /// One line for each that is not as it must be.
    pub(super) fn failures(&self) -> Vec<String> {
        let bad = |row: &Row| match &row.fate {
            Fate::Good { .. } => None,
            Fate::Bad(why) => Some(format!("{}: {why}", row.name())),
        };
        self.0.iter().filter_map(bad).collect()
    }

    /// Which schedule caught what.
    pub(super) fn seeds(&self) -> Vec<(Bug, u64)> {
        let seed = |row: &Row| match &row.fate {
            Fate::Good { seed, .. } => Some((row.bug?, (*seed)?)),
            Fate::Bad(_) => None,
        };
        self.0.iter().filter_map(seed).collect()
    }
}

impl Row {
    fn name(&self) -> String {
        self.bug.map_or_else(|| "(none)".to_owned(), |bug| bug.to_string())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} {:<4} {:>7}  who, and what was seen", "defect", "row", "seconds")?;
        for row in &self.0 {
            let number = row.bug.map_or("", Bug::row);
            let (mark, text) = match &row.fate {
                Fate::Good { seen, .. } => ("", seen),
                Fate::Bad(text) => ("NOT AS IT MUST BE: ", text),
            };
            let seconds = row.took.as_secs_f64();
            writeln!(f, "{:<32} {number:<4} {seconds:>7.2}  {}: {mark}{text}", row.name(), row.by)?;
        }
        let (entries, clean): (Vec<_>, Vec<_>) = self.0.iter().partition(|row| row.bug.is_some());
        let good = |rows: &[&Row]| rows.iter().filter(|row| matches!(row.fate, Fate::Good { .. })).count();
        let (caught, controls) = (good(&entries), good(&clean));
        write!(
            f,
            "zoo: entries={} caught={caught} missed={} controls={} clean={controls}",
            entries.len(),
            entries.len() - caught,
            clean.len()
        )
    }
}
