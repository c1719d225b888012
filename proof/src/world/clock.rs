//! Time as a number.

use std::time::{Duration, Instant};

/// A clock that stands still until it is told to move, in either direction.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Instant,
    elapsed: Duration,
}

impl Clock {
    /// How far back a clock can be set from where it starts.
    const PAST: Duration = Duration::from_secs(10 * 365 * 86_400);

    /// A clock at an arbitrary time.
    ///
    /// The only place where the real time is looked at: an [`Instant`] cannot be made otherwise. Nothing
    /// depends on it, since a session only subtracts one time from another.
    #[expect(clippy::new_without_default, reason = "two clocks are not equal")]
    pub fn new() -> Self {
        Self { base: Instant::now(), elapsed: Self::PAST }
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.base + self.elapsed
    }

    /// Time passes.
    pub fn advance(&mut self, duration: Duration) {
        self.elapsed += duration;
    }

    /// Somebody sets the clock back, by at most ten years.
    pub fn set_back(&mut self, duration: Duration) {
        self.elapsed -= duration;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_moves_only_when_told() {
        let mut clock = Clock::new();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.now() - start, Duration::from_secs(2));
        clock.set_back(Duration::from_secs(3));
        assert_eq!(start - clock.now(), Duration::from_secs(1));
    }
}
