//! How measurements are spread.

use hdrhistogram::{Counter, Histogram};
use serde::Serialize;

/// Least, greatest and what lies between. Of times, in nanoseconds; or of ratios.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Spread {
    pub count: u64,
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

impl Spread {
    /// Of some values. Each quantile is one of them: the least that so many are not above.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let count = values.len();
        let at = |per_mille: usize| {
            let rank = (count * per_mille).div_ceil(1000).max(1);
            values.get(rank - 1).copied().unwrap_or(f64::NAN)
        };
        Self {
            count: count as u64,
            min: at(0),
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p99_9: at(999),
            max: at(1000),
        }
    }

    /// Of what a histogram has recorded.
    pub fn of_histogram<T: Counter>(histogram: &Histogram<T>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64;
        Self {
            count: histogram.len(),
            min: histogram.min() as f64,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max() as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let spread = Spread::of((1..=1000).rev().map(f64::from).collect());
        let expected =
            Spread { count: 1000, min: 1.0, p50: 500.0, p90: 900.0, p99: 990.0, p99_9: 999.0, max: 1000.0 };
        assert_eq!(spread, expected);
        assert_eq!(
            Spread::of(vec![3.0, 1.0]),
            Spread { count: 2, min: 1.0, p50: 1.0, p90: 3.0, p99: 3.0, p99_9: 3.0, max: 3.0 }
        );
        assert!(Spread::of(vec![]).p50.is_nan());
    }

    #[test]
    fn a_histogram_says_the_same() {
        let mut histogram = Histogram::<u32>::new_with_bounds(1, 10_000, 3).unwrap();
        (1..=1000).for_each(|value| histogram.record(value).unwrap());
        assert_eq!(Spread::of_histogram(&histogram), Spread::of((1..=1000).map(f64::from).collect()));
    }
}
