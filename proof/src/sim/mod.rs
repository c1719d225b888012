//! Simulated schedules of everything that can happen to a link: messages, faults of the network, of files,
//! of processes and of the clock. After every event the [invariants](crate::Invariant) hold, every image that
//! a kill could leave is recovered and judged, and when the faults stop everything that is owed arrives.
//!
//! ```text
//!   Schedule  a seed and a list of events: drawn, or a fuzzer's bytes, or given
//!      │
//!   Stage     one server process and its links
//!      └─ Link ── Pair: the world of two sides
//!           ├──── Onlooker: each image a kill would leave        I3 I4 I5 I6
//!           └──── model: how each login must end                 I8
//! ```
//!
//! I1 is looked at where the application is given and consumes a message, I7, I9, I10 where a connection is
//! carried ([`crate::world`]), I11 by a second run without the failing link, I12 wherever something is refused,
//! and I2 and I13 when the faults have stopped.
//!
//! Links share little here: a server's process that dies for all of them, and whatever the code under test has in
//! statics. So I11 shows that sessions and logins have nothing in common, and nothing of what a driver has for
//! all of its links: sockets, tokens, budgets, places, the directory. For those the driver's own tests stand,
//! over real sockets: `driver/tests/hostile_neighbour.rs` (the same traces with and without a hostile client),
//! `budgets.rs`, `slow_consumer.rs`, `scribbler.rs`, `panics.rs`, and the other `hostile_*.rs`, whose good client
//! must have an echo every second turn.

mod act;
mod apart;
pub mod command;
pub mod counters;
mod damage;
#[cfg(test)]
mod elsewhere;
pub mod event;
mod faults;
mod finish;
mod hostile;
pub mod kept;
mod link;
mod model;
mod names;
pub mod schedule;
mod setting;
mod shorten;
mod stage;
mod witness;

pub use counters::Counters;
pub use event::{Event, Kind};
pub use schedule::Schedule;
pub use shorten::shorten;

use crate::violation::{Failure, catch};
use stage::Stage;

/// What came of a schedule that broke nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of everything that happened: two runs of one schedule have the same.
    pub hash: u64,
    /// How many things happened.
    pub events: u64,
}

impl Trace {
    /// A number for many traces is the exclusive or of these.
    pub fn of_seed(&self, seed: u64) -> u64 {
        (self.hash ^ self.events).wrapping_mul(seed | 1)
    }
}

/// Runs the schedule of `seed`, and adds to `counters` what happened in it.
pub fn run(seed: u64, counters: &mut Counters) -> Result<Trace, Failure> {
    let schedule = Schedule::of(seed);
    let trace = play(&schedule, counters)?;
    if seed.is_multiple_of(apart::ONE_IN) {
        apart::check(&schedule, counters)?;
    }
    Ok(trace)
}

/// Runs a schedule, wherever it comes from.
pub fn play(schedule: &Schedule, counters: &mut Counters) -> Result<Trace, Failure> {
    catch(|| {
        let mut stage = Stage::new(schedule.seed);
        schedule.events.iter().for_each(|event| stage.apply(*event));
        let events = schedule.events.len() as u64;
        stage.finish();
        let hash = stage.hashes().iter().fold(0, |all: u64, hash| all.rotate_left(7) ^ hash);
        counters.merge(&stage.into_counters());
        Trace { hash, events }
    })
}

/// The body of the fuzz target `pair`: the bytes are a schedule.
pub fn fuzz(bytes: &[u8]) {
    if let Err(failure) = play(&Schedule::from_bytes(bytes), &mut Counters::default()) {
        panic!("{failure}");
    }
}
