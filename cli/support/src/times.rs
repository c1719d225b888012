//! How long something took, many times over.

use std::fmt;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};
use serde::{Deserialize, Serialize};

use crate::spread::Spread;

/// The longest time that is told from longer ones, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// Points of a distribution: so many of all values, as a part of 1, are not above so many nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Curve(Vec<(f64, f64)>);

impl Curve {
    /// Of what a histogram has recorded: five points for each halving of what is above.
    pub fn of<T: Counter>(histogram: &Histogram<T>) -> Self {
        let points = histogram.iter_quantiles(5);
        let mut points: Vec<(f64, f64)> =
            points.map(|point| (point.quantile(), point.value_iterated_to() as f64)).collect();
        points.dedup();
        Self(points)
    }

    /// Its points, from the left.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.0.iter().copied()
    }
}

/// Times of one subject or floor.
#[derive(Clone, Debug, Serialize)]
pub struct Times {
    /// Of what.
    pub name: String,
    /// In nanoseconds.
    pub spread: Spread,
    curve: Curve,
}

impl Times {
    /// The heading of times.
    pub const HEADING: &'static str =
        "                               count       min       p50       p90       p99     p99.9       max";

    /// From each time that was measured.
    pub fn new(name: impl Into<String>, times: impl IntoIterator<Item = Duration>) -> Self {
        let mut histogram =
            Histogram::<u64>::new_with_bounds(1, LONGEST, 3).expect("three digits are possible");
        for time in times {
            histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(LONGEST));
        }
        Self { name: name.into(), spread: Spread::of_histogram(&histogram), curve: Curve::of(&histogram) }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { count, min, p50, p90, p99, p99_9, max } = self.spread;
        write!(f, "{:<28} {count:>7}", self.name)?;
        [min, p50, p90, p99, p99_9, max]
            .into_iter()
            .try_for_each(|nanos| write!(f, " {:>9}", readable(nanos)))
    }
}

/// Three digits or so, and the unit.
pub fn readable(nanos: f64) -> String {
    let (value, unit) = match nanos {
        _ if nanos < 1e3 => (nanos, "ns"),
        _ if nanos < 1e6 => (nanos / 1e3, "µs"),
        _ if nanos < 1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_at_a_glance() {
        let expected = ["7.00 ns", "42.0 ns", "999 ns", "1.50 µs", "12.3 ms", "2.00 s"];
        assert_eq!([7.0, 42.0, 999.0, 1500.0, 12.345e6, 2e9].map(readable), expected);
    }

    #[test]
    fn times_are_as_wide_as_their_heading() {
        let times = Times::new("open", (1..=10).map(Duration::from_millis));
        assert_eq!(times.to_string().chars().count(), Times::HEADING.len(), "{times}");
        assert_eq!(times.spread.count, 10);
    }

    #[test]
    fn a_curve_rises_to_the_longest() {
        let Curve(points) = Times::new("", (1..=100).map(Duration::from_micros)).curve;
        assert!(points.is_sorted_by(|one, next| one.0 <= next.0 && one.1 <= next.1), "{points:?}");
        let (quantile, value) = points[points.len() - 1];
        assert!(quantile == 1.0 && (99_900.0..100_200.0).contains(&value), "{points:?}");
    }
}
