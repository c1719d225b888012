//! Whom to kill, and when.

use std::time::Duration;

use fastrand::Rng;

use super::side::Side;

/// One round: a while of work, and what ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// How long both work.
    pub(super) work: Duration,
    /// Who is stopped before that and goes on after the others have lost patience.
    pub(super) stop: Option<Side>,
    /// Who is killed, in this order.
    pub(super) kill: Vec<Side>,
    /// Between the kills.
    pub(super) between: Duration,
    /// Who is started first.
    pub(super) first: Side,
    /// Between the starts.
    pub(super) apart: Duration,
}

/// One in this many rounds has somebody stopped: it takes as long as several kills.
const STOPS: u32 = 40;

impl Round {
    pub(super) fn draw(random: &mut Rng) -> Self {
        let micros = |most: u64, random: &mut Rng| Duration::from_micros(random.u64(..most));
        // Mostly in the middle of work; often enough while files are opened and logins are under way.
        let work = match random.u8(..10) {
            0..3 => micros(6_000, random),
            3..8 => micros(60_000, random),
            _ => micros(200_000, random),
        };
        let mut both = Side::BOTH;
        random.shuffle(&mut both);
        let stop = (random.u32(..STOPS) == 0).then_some(both[random.usize(..2)]);
        let kill = both[..random.usize(1..=2)].to_vec();
        // Often at once, so that nobody notices the other's death.
        let between = if random.bool() { Duration::ZERO } else { micros(3_000, random) };
        let apart = if random.bool() { Duration::ZERO } else { micros(20_000, random) };
        Self { work, stop, kill, between, first: both[random.usize(..2)], apart }
    }
}
