//! One message at a time: how long an echo takes when nothing else is in flight.

use std::time::{Duration, Instant};

use crate::choices::CarrierChoice;
use crate::demo::Plan;

/// Some thousand echoes over TCP; long against a glance, short for who waits for it.
const LONGEST: Duration = Duration::from_millis(300);
/// A short run gets a stretch that is short beside it.
const FOR_EACH: Duration = Duration::from_micros(1);
/// A hundred glances, and dozens of turns of processes that share a core. A mean over less says more about
/// the machine than about the link.
const SHORTEST: Duration = Duration::from_millis(100);

/// The stretch before a run: undisturbed, in a directory of its own, with one message in flight. Bounded by
/// time, because a count that is a moment on free cores takes many seconds where two processes that poll
/// have to share one. None if there is nothing to send.
pub fn plan(main: &Plan) -> Option<Plan> {
    let carrier = CarrierChoice::only(main.carrier);
    let messages = u32::try_from(main.count).unwrap_or(u32::MAX);
    (main.count > 0).then(|| Plan {
        home: main.home.with_file_name(format!("{carrier}-one-at-a-time")),
        kills: 0,
        window: 1,
        limit: Some(LONGEST.min(FOR_EACH.saturating_mul(messages))),
        ..main.clone()
    })
}

/// What the demo saw of the answers, in glances at the client's record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glances {
    /// The first that saw an answer.
    first: Option<Glance>,
    /// The one before the last that saw more. Answers still came after it, so it stands for its moment.
    before: Option<Glance>,
    /// The last that saw more: maybe long after the last answer.
    last: Option<Glance>,
}

#[derive(Clone, Copy, Debug)]
struct Glance {
    when: Instant,
    received: u64,
}

impl Glances {
    /// So many answers there were.
    pub fn note(&mut self, when: Instant, received: u64) {
        if received > self.last.map_or(0, |last| last.received) {
            let glance = Glance { when, received };
            self.first.get_or_insert(glance);
            self.before = self.last.replace(glance);
        }
    }

    /// From one answer to the next, on average; with one message in flight that is what an echo takes. None
    /// if too little was seen.
    ///
    /// It leaves out the start and the end of the processes, and includes all else: that the client makes
    /// each message and checks each answer, and notes both in one write to its record; how both processes
    /// wait for the next message; and that on a machine with two cores somebody takes one of them away once
    /// a millisecond: the demo, for its glance.
    pub fn mean(&self) -> Option<Duration> {
        let (first, last) = (self.first?, self.before?);
        let span = last.when - first.when;
        let answers = u128::from(last.received - first.received);
        let nanoseconds = span.as_nanos().checked_div(answers)?;
        (span >= SHORTEST).then(|| Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tcpshm_driver::Carrier;

    use super::*;

    fn main_run(count: u64) -> Plan {
        let home = Path::new("home").join("shm");
        Plan { carrier: Carrier::Shm, home, count, kills: 2, window: 512, limit: None, seed: 1 }
    }

    #[test]
    fn a_stretch_is_undisturbed_and_short_beside_its_run() {
        let limit = |count| plan(&main_run(count)).and_then(|stretch| stretch.limit);
        assert_eq!(limit(1_000_000), Some(LONGEST));
        assert_eq!(limit(u64::MAX), Some(LONGEST));
        assert_eq!(limit(2_000), Some(Duration::from_millis(2)));
        assert_eq!(limit(0), None);
        let stretch = plan(&main_run(2_000)).unwrap();
        assert_eq!((stretch.kills, stretch.window, stretch.count), (0, 1, 2_000));
        assert_eq!(stretch.home, Path::new("home").join("shm-one-at-a-time"));
    }

    /// The mean that follows from these glances, each a millisecond and a count.
    fn mean(glances: &[(u64, u64)]) -> Option<Duration> {
        let start = Instant::now();
        let mut seen = Glances::default();
        for &(milliseconds, received) in glances {
            seen.note(start + Duration::from_millis(milliseconds), received);
        }
        seen.mean()
    }

    #[test]
    fn neither_the_start_nor_the_end_of_the_client_counts() {
        let glances = [(0, 0), (90, 0), (100, 50), (110, 550), (220, 6050), (500, 6060), (600, 6060)];
        assert_eq!(mean(&glances), Some(Duration::from_micros(20)));
    }

    #[test]
    fn too_little_that_was_seen_says_nothing() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[(1, 0), (2, 0)]), None);
        assert_eq!(mean(&[(1, 100)]), None);
        assert_eq!(mean(&[(1, 100), (500, 200)]), None);
        assert_eq!(mean(&[(1, 100), (100, 200), (500, 300)]), None);
        assert_eq!(mean(&[(1, 100), (101, 1100), (500, 1101)]), Some(Duration::from_micros(100)));
    }
}
