//! A failing schedule with fewer events.

use crate::sim::counters::Counters;
use crate::sim::schedule::Schedule;
use crate::sim::{Event, play};
use crate::violation::{Failure, Invariant};

/// Leaves events out while the same invariant still fails: first long stretches, then single ones.
pub fn shorten(schedule: &Schedule, failure: &Failure) -> Schedule {
    let wanted = invariant(failure);
    let fails = |events: &[Event]| {
        let schedule = Schedule { events: events.to_vec(), ..schedule.clone() };
        play(&schedule, &mut Counters::default()).err().is_some_and(|failure| invariant(&failure) == wanted)
    };
    let mut events = schedule.events.clone();
    let mut stretch = events.len().next_power_of_two();
    while stretch > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < events.len() {
            let mut fewer = events.clone();
            fewer.drain(from..events.len().min(from + stretch));
            if fails(&fewer) {
                events = fewer;
                shorter = true;
            } else {
                from += stretch;
            }
        }
        if stretch > 1 || !shorter {
            stretch /= 2;
        }
    }
    Schedule { events, ..schedule.clone() }
}

/// `None` for a fault of the harness.
fn invariant(failure: &Failure) -> Option<Invariant> {
    match failure {
        Failure::Violation(violation) => Some(violation.invariant),
        Failure::Harness(_) => None,
    }
}
