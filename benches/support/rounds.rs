//! Rounds, in each of which a subject is measured beside its floor.

/// Of each round, the subject over the floor of the same round.
pub fn ratios(subject: &[f64], floor: &[f64]) -> Vec<f64> {
    subject.iter().zip(floor).map(|(subject, floor)| subject / floor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_within_its_round() {
        // The machine became three times slower in the second round; the ratio did not.
        let found = ratios(&[3.0, 9.0], &[2.0, 6.0]);
        assert!(found.iter().all(|ratio| (ratio - 1.5).abs() < 1e-9), "{found:?}");
    }
}
