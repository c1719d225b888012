//! The schedules that caught a defect when the list was last made.
//!
//! A change of the simulator changes what a seed does, so the list is made anew then, with `--record`.

use tcpshm_protocol::zoo::Bug;

/// Where the list lies, for `--record`.
pub(super) const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/zoo/recorded.txt");

/// The schedule that caught it.
pub(super) fn seed(bug: Bug) -> Option<u64> {
    lines().find(|(name, _)| *name == bug.to_string()).and_then(|(_, seed)| seed.parse().ok())
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("recorded.txt").lines().filter_map(|line| line.split_once(' '))
}

/// The list, of defects and the schedules that caught them.
pub(super) fn list(caught: &[(Bug, u64)]) -> String {
    caught.iter().map(|(bug, seed)| format!("{bug} {seed}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::{Catcher, catcher};

    #[test]
    fn every_defect_that_the_simulator_must_catch_has_a_line() {
        let hunted = |bug: &&Bug| matches!(catcher(**bug), Catcher::Schedules(_));
        let unrecorded: Vec<_> = Bug::ALL.iter().filter(hunted).filter(|bug| seed(**bug).is_none()).collect();
        assert!(unrecorded.is_empty(), "make the list anew, with --record: {unrecorded:?}");
    }

    #[test]
    fn every_line_names_a_defect_that_the_simulator_must_catch() {
        for (name, seed) in lines() {
            let bug: Bug = name.parse().expect(name);
            assert!(matches!(catcher(bug), Catcher::Schedules(_)), "{name}");
            seed.parse::<u64>().expect(name);
        }
    }
}
