//! How many round trips to make, and how long they took.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// One batch of round trips.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Not measured: the other side wakes up, and caches and predictors learn what is coming.
    pub warm_up: u64,
    /// Measured; at least 1.
    pub trips: u64,
    /// Whether the clock is read after every round trip, or only before the first and after the last.
    pub singly: bool,
}

/// Measures batch after batch.
#[derive(Debug)]
pub struct Course {
    plan: Plan,
    done: u64,
    started: Instant,
    last: Instant,
    took: Duration,
    singles: Histogram<u32>,
}

/// The longest round trip that is told from longer ones, in nanoseconds: ten seconds.
const LONGEST: u64 = 10_000_000_000;

impl Course {
    /// Nothing is measured yet.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            plan: Plan { warm_up: 0, trips: 1, singly: false },
            done: 0,
            started: now,
            last: now,
            took: Duration::ZERO,
            singles: Histogram::new_with_bounds(1, LONGEST, 3).expect("three digits are possible"),
        }
    }

    /// Begins a batch, before its first round trip.
    pub fn begin(&mut self, plan: Plan) {
        let now = Instant::now();
        (self.plan, self.done, self.started, self.last) = (plan, 0, now, now);
    }

    /// A round trip is over. Returns whether another one is to be made.
    #[inline]
    pub fn tick(&mut self) -> bool {
        self.done += 1;
        let Plan { warm_up, trips, singly } = self.plan;
        if singly && self.done >= warm_up {
            self.clock();
        } else if self.done == warm_up {
            self.started = Instant::now();
        }
        if self.done < warm_up + trips {
            return true;
        }
        self.took = self.started.elapsed();
        false
    }

    /// Makes a whole batch of round trips that need no event loop.
    pub fn run(&mut self, plan: Plan, mut trip: impl FnMut()) {
        self.begin(plan);
        (0..plan.warm_up).for_each(|_| trip());
        self.started = Instant::now();
        self.last = self.started;
        for _ in 0..plan.trips {
            trip();
            if plan.singly {
                self.clock();
            }
        }
        self.took = self.started.elapsed();
    }

    /// Nanoseconds per round trip of the last batch.
    pub fn mean(&self) -> f64 {
        self.took.as_nanos() as f64 / self.plan.trips as f64
    }

    /// Every round trip of every batch that was measured singly, in nanoseconds.
    pub fn singles(&self) -> &Histogram<u32> {
        &self.singles
    }

    /// One reading per round trip: the end of one is the beginning of the next.
    fn clock(&mut self) {
        let now = Instant::now();
        if self.done == self.plan.warm_up && self.plan.warm_up > 0 {
            self.started = now;
        } else {
            let nanos = u64::try_from((now - self.last).as_nanos()).unwrap_or(LONGEST);
            self.singles.saturating_record(nanos);
        }
        self.last = now;
    }
}

impl Default for Course {
    fn default() -> Self {
        Self::new()
    }
}

/// What reading the clock costs, in nanoseconds: each round trip that is measured singly bears it once. The
/// least of some tries, since everything that disturbs adds to it.
pub fn clock_cost() -> f64 {
    const READINGS: u32 = 1_000;
    let tries = (0..100).map(|_| {
        let started = Instant::now();
        for _ in 1..READINGS {
            std::hint::black_box(Instant::now());
        }
        started.elapsed().as_nanos() as f64 / f64::from(READINGS)
    });
    tries.fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(course: &mut Course, plan: Plan) -> u64 {
        course.begin(plan);
        let mut made = 1;
        while course.tick() {
            made += 1;
        }
        made
    }

    #[test]
    fn a_batch_is_its_warm_up_and_its_round_trips() {
        let mut course = Course::new();
        assert_eq!(ticks(&mut course, Plan { warm_up: 3, trips: 5, singly: false }), 8);
        assert_eq!(ticks(&mut course, Plan { warm_up: 0, trips: 1, singly: false }), 1);
        let mut made = 0;
        course.run(Plan { warm_up: 3, trips: 5, singly: false }, || made += 1);
        assert_eq!(made, 8);
        assert_eq!(course.singles().len(), 0);
    }

    #[test]
    fn the_warm_up_is_not_among_the_single_round_trips() {
        let mut course = Course::new();
        ticks(&mut course, Plan { warm_up: 3, trips: 5, singly: true });
        assert_eq!(course.singles().len(), 5);
        ticks(&mut course, Plan { warm_up: 0, trips: 4, singly: true });
        assert_eq!(course.singles().len(), 9);
        course.run(Plan { warm_up: 3, trips: 2, singly: true }, || ());
        assert_eq!(course.singles().len(), 11);
    }

    #[test]
    fn the_mean_is_over_the_measured_round_trips() {
        let mut course = Course::new();
        let trip = Duration::from_millis(2);
        let started = Instant::now();
        course.run(Plan { warm_up: 10, trips: 2, singly: false }, || {
            let since = Instant::now();
            while since.elapsed() < trip {}
        });
        // However slow the machine is, the warm-up took its time too, and that is not in the mean.
        let at_most = (started.elapsed() - 10 * trip) / 2;
        let mean = course.mean();
        assert!(
            mean >= trip.as_nanos() as f64 && mean <= at_most.as_nanos() as f64,
            "{mean} ns, {at_most:?}"
        );
    }
}
