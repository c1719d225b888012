//! What the benches share: rounds that alternate between a subject and its floor.
//!
//! Timings on a shared machine drift, so every figure is a ratio to a floor measured in the same run,
//! round by round, and medians are reported.

use std::time::Duration;

/// What one round measured.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// The time of the subject.
    pub subject: Duration,
    /// The time of the floor, for the same bytes.
    pub floor: Duration,
}

/// Measures `count` rounds, the floor and the subject by turns.
pub fn alternate(
    count: usize,
    mut floor: impl FnMut() -> Duration,
    mut subject: impl FnMut() -> Duration,
) -> Vec<Round> {
    (0..count).map(|_| Round { floor: floor(), subject: subject() }).collect()
}

/// The value in the middle; the lower of two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < 1e-9);
        assert!((median(vec![9.0, 1.0]) - 1.0).abs() < 1e-9);
        assert!(median(vec![]).is_nan());
    }
}
