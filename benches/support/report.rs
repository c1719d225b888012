//! What is printed and written of a run.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;
use tcpshm_driver::Carrier;

use crate::spread::Spread;
use crate::times::Curve;

/// Round trips of one subject or floor, in nanoseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    name: &'static str,
    /// Means over batches, which the clock is no part of.
    batches: Spread,
    /// Single round trips, each with one reading of the clock in it.
    singles: Spread,
    /// The single ones, for a picture.
    curve: Curve,
}

impl Line {
    /// The heading of lines.
    pub const HEADING: &'static str = concat!(
        "                        mean of a batch, ns    single round trips, ns, with one reading of the clock in each\n",
        "                            min         p50        min        p50        p90        p99      p99.9        max",
    );

    /// From the means of batches and the single round trips of others.
    pub fn new(name: &'static str, batches: Vec<f64>, singles: &Histogram<u32>) -> Self {
        Self {
            name,
            batches: Spread::of(batches),
            singles: Spread::of_histogram(singles),
            curve: Curve::of(singles),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { min, p50, .. } = self.batches;
        write!(f, "{:<20} {min:>10.1}  {p50:>10.1}", self.name)?;
        let Spread { min, p50, p90, p99, p99_9, max, .. } = self.singles;
        [min, p50, p90, p99, p99_9, max].into_iter().try_for_each(|value| write!(f, " {value:>10.0}"))
    }
}

/// A subject over its floor, of the same round each.
#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    /// What it is the ratio of.
    pub name: Cow<'static, str>,
    /// Over the rounds.
    pub spread: Spread,
}

impl Ratio {
    /// The heading of ratios.
    pub const HEADING: &'static str =
        "subject / floor          rounds    min    p50    p90    p99  p99.9    max";

    /// From the ratio of each round.
    pub fn new(name: impl Into<Cow<'static, str>>, ratios: Vec<f64>) -> Self {
        Self { name: name.into(), spread: Spread::of(ratios) }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { count, min, p50, p90, p99, p99_9, max } = self.spread;
        write!(f, "{:<24} {count:>6}", self.name)?;
        [min, p50, p90, p99, p99_9, max].into_iter().try_for_each(|value| write!(f, " {value:>6.2}"))
    }
}

/// What a carrier is called in reports.
pub fn carrier_name(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Tcp => "tcp",
        Carrier::Shm => "shm",
    }
}

/// Writes everything that was found, for programs.
pub fn write_json(path: &Path, found: &impl Serialize) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, found)?;
    writeln!(file)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_wide_as_its_heading() {
        let mut singles = Histogram::new_with_bounds(1, 10_000, 3).unwrap();
        singles.record(123).unwrap();
        let line = Line::new("shm floor", vec![97.0], &singles).to_string();
        assert_eq!(Some(line.len()), Line::HEADING.lines().last().map(str::len), "{line}");
        assert_eq!(Ratio::new("shm", vec![1.5]).to_string().len(), Ratio::HEADING.len());
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("found.json");
        write_json(&path, &Spread::of(vec![1.5, 2.5])).unwrap();
        let read: serde_json::Value = serde_json::from_reader(File::open(&path).unwrap()).unwrap();
        assert_eq!((&read["count"], &read["p50"]), (&2.into(), &1.5.into()));
    }
}
