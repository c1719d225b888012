//! The simulator after one defect.

use std::ops::Range;

use tcpshm_protocol::zoo::{Bug, release};

use crate::sim::{self, Counters};
use crate::violation::{Failure, Invariant};

/// How a hunt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A promise was seen broken.
    Caught {
        /// Which.
        invariant: Invariant,
        /// By which schedule.
        seed: u64,
        /// How many schedules it took.
        after: u64,
    },
    /// None was.
    Missed {
        /// In how many schedules.
        schedules: u64,
    },
    /// The harness broke down, which proves nothing.
    Crashed {
        /// In which schedule.
        seed: u64,
        /// Where.
        text: String,
    },
}

/// Releases the defect, or none, and runs these schedules until one fails.
pub fn hunt(bug: Option<Bug>, seeds: Range<u64>) -> End {
    release(bug);
    let end = first_failure(seeds);
    release(None);
    end
}

fn first_failure(seeds: Range<u64>) -> End {
    let first = seeds.start;
    let mut counters = Counters::default();
    for seed in seeds.clone() {
        match sim::run(seed, &mut counters) {
            Ok(_) => {}
            Err(Failure::Violation(violation)) => {
                return End::Caught { invariant: violation.invariant, seed, after: seed - first + 1 };
            }
            Err(Failure::Harness(text)) => return End::Crashed { seed, text },
        }
    }
    End::Missed { schedules: seeds.end - first }
}
