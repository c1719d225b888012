//! Random schedules of everything that can happen to a pair: messages, batches, echoes, held messages,
//! cuts, half-open connections, kills after any step, time. Then the faults stop, and everything that was
//! committed is consumed, once and in order.

pub mod counters;
mod schedule;

use fastrand::Rng;
use tcpshm_protocol::{InboundFault, ProtocolError};

pub use counters::Counters;

use crate::violation::{Failure, catch};
use crate::world::endpoint::Note;
use crate::world::pair::Pair;

/// What came of a schedule that broke nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of everything that happened: two runs of one seed have the same.
    pub hash: u64,
    /// How many things happened.
    pub events: u64,
}

/// Runs the schedule of `seed`, and adds to `counters` what happened in it.
pub fn run(seed: u64, counters: &mut Counters) -> Result<Trace, Failure> {
    catch(|| schedule(seed, counters))
}

fn schedule(seed: u64, counters: &mut Counters) -> Trace {
    let mut random = Rng::with_seed(seed);
    let mut pair = Pair::new(schedule::setup(&mut random, seed));
    let events = random.u64(20..120);
    for _ in 0..events {
        if !pair.is_connected() && random.u32(..4) == 0 {
            schedule::connect(&mut pair, &mut random, counters);
            pair.settle();
            schedule::bury(&mut pair, counters);
        }
        schedule::step(&mut pair, &mut random, counters);
        pair.check();
        counters.shared += usize::from(pair.client.is_shared() && pair.server.is_shared());
    }
    count(&pair, counters);
    schedule::finish(&mut pair);
    counters.delivered += pair.client.history.consumed() + pair.server.history.consumed();
    Trace { hash: random.u64(..), events }
}

fn count(pair: &Pair, counters: &mut Counters) {
    counters.takeovers += pair.server.count(|note| *note == Note::Replaced);
    let timed_out = |note: &Note| matches!(note, Note::TimedOut(_));
    counters.timeouts += pair.client.count(timed_out) + pair.server.count(timed_out);
    counters.cuts += pair.client.count(|note| *note == Note::Disconnected);
    let left = |note: &Note| *note == Note::Fault(ProtocolError::Inbound(InboundFault::Left));
    counters.left += pair.client.count(left) + pair.server.count(left);
    counters.stalls += pair.client.count(|note| matches!(note, Note::Stalled(_)));
}
