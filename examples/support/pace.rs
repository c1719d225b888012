//! So many messages a second.

use std::time::{Duration, Instant};

/// What may be made up for after a pause: enough to smooth a late wake-up, too little to be a burst.
const CATCH_UP: Duration = Duration::from_millis(10);

/// When the next message may go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    /// `rate` messages a second, from `now` on; `None` means as fast as it goes.
    pub fn new(rate: Option<u32>, now: Instant) -> Self {
        let interval =
            rate.filter(|rate| *rate > 0).map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate);
        Self { interval, next: now }
    }

    /// Whether a message may go now; if so, it is taken as gone.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.next > now {
            return false;
        }
        let oldest = now.checked_sub(CATCH_UP).unwrap_or(now);
        self.next = self.next.max(oldest) + self.interval;
        true
    }

    /// How long until the next message may go.
    pub fn wait(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pace: &mut Pace, now: Instant) -> usize {
        (0..1000).take_while(|_| pace.take(now)).count()
    }

    #[test]
    fn a_rate_is_kept_and_a_pause_is_not_made_up_for() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(1000), start);
        assert_eq!(taken(&mut pace, start), 1);
        assert_eq!(pace.wait(start), Duration::from_millis(1));
        assert_eq!(taken(&mut pace, start + Duration::from_millis(5)), 5);
        assert_eq!(taken(&mut pace, start + Duration::from_secs(60)), 11);
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let start = Instant::now();
        let mut pace = Pace::new(None, start);
        assert_eq!(taken(&mut pace, start), 1000);
        assert_eq!(pace.wait(start), Duration::ZERO);
    }
}
