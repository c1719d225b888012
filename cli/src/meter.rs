//! How long something took, many times over, and how that is shown.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tcpshm_support::screen::grouped;
use tcpshm_support::spread::Spread;
use tcpshm_support::times::readable;

/// The longest time that is told from longer ones, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Characters of the longest bar.
const BAR: u64 = 40;

/// Times, in nanoseconds, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Histogram<u64>);

impl Meter {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("three digits are possible"))
    }

    #[inline]
    pub(crate) fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(LONGEST));
    }

    /// All that a histogram has recorded, which may be a narrower one.
    pub(crate) fn add<T: hdrhistogram::Counter>(&mut self, other: &Histogram<T>) {
        for step in other.iter_recorded() {
            self.0.saturating_record_n(step.value_iterated_to(), step.count_at_value().as_u64());
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn spread(&self) -> Spread {
        Spread::of_histogram(&self.0)
    }

    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// `min 1.02 µs  p50 ...`, for one line.
    pub(crate) fn in_one_line(&self) -> String {
        let Spread { min, p50, p99, max, .. } = self.spread();
        let [min, p50, p99, max] = [min, p50, p99, max].map(readable);
        format!("min {min:>8}  p50 {p50:>8}  p99 {p99:>8}  max {max:>8}")
    }

    /// A row of a table of times; see [`HEADING`].
    pub(crate) fn row(&self, name: &str) -> String {
        if self.count() == 0 {
            return format!("{name:<24}{:>14}", 0);
        }
        let Spread { count, min, p50, p90, p99, p99_9, max } = self.spread();
        let times = [min, p50, p90, p99, p99_9, max].map(|nanos| format!("{:>10}", readable(nanos)));
        format!("{name:<24}{:>14}{}", grouped(count), times.concat())
    }

    /// In nanoseconds.
    pub(crate) fn json(&self) -> Value {
        if self.count() == 0 {
            return json!({"count": 0});
        }
        let Spread { count, min, p50, p90, p99, p99_9, max } = self.spread();
        json!({
            "count": count, "min_ns": min, "p50_ns": p50, "p90_ns": p90, "p99_ns": p99, "p99_9_ns": p99_9,
            "max_ns": max, "mean_ns": self.0.mean(),
        })
    }

    /// How many were below each power of two, as bars.
    pub(crate) fn bars(&self) -> Vec<String> {
        let mut buckets = Vec::new();
        for step in self.0.iter_recorded() {
            let power = step.value_iterated_to().ilog2();
            match buckets.last_mut() {
                Some((last, count)) if *last == power => *count += step.count_at_value(),
                _ => buckets.push((power, step.count_at_value())),
            }
        }
        let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(1);
        let bar = |(power, count): (u32, u64)| {
            let [from, upto] = [power, power + 1].map(|power| readable(2_f64.powi(power.cast_signed())));
            let long = usize::try_from((count * BAR).div_ceil(most)).expect("a bar is short");
            format!("{from:>9} to {upto:>8}  {:>12}  {}", grouped(count), "#".repeat(long))
        };
        buckets.into_iter().map(bar).collect()
    }
}

/// The heading of [`Meter::row`].
pub(crate) const HEADING: &str =
    "                                 count       min       p50       p90       p99     p99.9       max";

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        let mut meter = Meter::new();
        (1..=1000).for_each(|micros| meter.record(Duration::from_micros(micros)));
        meter
    }

    #[test]
    fn a_row_is_as_wide_as_its_heading() {
        let row = meter().row("round trip");
        assert_eq!(row.chars().count(), HEADING.len(), "{row}");
    }

    #[test]
    fn the_bars_count_everything_once() {
        let meter = meter();
        let bars = meter.bars();
        let counts = bars.iter().map(|bar| bar.split_whitespace().nth(5).unwrap().replace(',', ""));
        let total: u64 = counts.map(|count| count.parse::<u64>().unwrap()).sum();
        assert_eq!(total, 1000, "{bars:#?}");
    }

    #[test]
    fn what_another_histogram_recorded_is_added() {
        let mut sum = Meter::new();
        sum.add(meter().histogram());
        sum.add(meter().histogram());
        assert_eq!((sum.count(), sum.spread().max), (2000, meter().spread().max));
    }
}
