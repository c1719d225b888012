//! The floor of shared memory: a counter that goes to another core and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::cores::Cores;
use crate::course::{Course, Plan};

/// Two counters, one for each way, each in a line of its own. Each side spins on the other's without a pause
/// hint and answers with what it saw.
///
/// The sides are two threads of one process. What is measured is how long a line takes from one core's cache
/// to the other's, which knows physical addresses only: two processes with one page in common would measure
/// the same, and would need unsafe code for it.
#[derive(Debug)]
pub struct CacheLine {
    lines: Arc<Lines>,
    sent: u64,
    course: Course,
    /// Wakes the other side for one batch.
    wake: Option<Sender<()>>,
    far: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Lines {
    there: Line,
    back: Line,
}

/// 128 bytes: some processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Line(AtomicU64);

/// Ends a batch, and stands in both lines between two. No counter gets that far.
const END: u64 = u64::MAX;

impl CacheLine {
    /// Starts the other side on `core`. It sleeps between batches.
    pub fn start(core: usize) -> Self {
        let lines = Arc::new(Lines { there: Line(AtomicU64::new(END)), back: Line(AtomicU64::new(END)) });
        let (wake, woken) = mpsc::channel();
        let far = thread::spawn({
            let lines = Arc::clone(&lines);
            move || {
                Cores::pin(core).expect("a core that this process may use");
                while woken.recv().is_ok() {
                    lines.answer();
                }
            }
        });
        Self { lines, sent: 0, course: Course::new(), wake: Some(wake), far: Some(far) }
    }

    /// Makes one batch of round trips.
    pub fn run(&mut self, plan: Plan) -> &Course {
        if let Some(wake) = &self.wake {
            wake.send(()).expect("the other side lives as long as this one");
        }
        let Self { lines, sent, course, .. } = self;
        course.run(plan, || {
            *sent += 1;
            lines.there.0.store(*sent, Ordering::Release);
            while lines.back.0.load(Ordering::Acquire) != *sent {}
        });
        lines.there.0.store(END, Ordering::Release);
        // Or the next batch could overwrite the end of this one.
        while lines.back.0.load(Ordering::Acquire) != END {}
        &self.course
    }

    /// What was measured.
    pub fn course(&self) -> &Course {
        &self.course
    }
}

impl Lines {
    /// The other side, for one batch.
    fn answer(&self) {
        let mut seen = END;
        loop {
            let found = self.there.0.load(Ordering::Acquire);
            if found != seen {
                seen = found;
                self.back.0.store(found, Ordering::Release);
                if found == END {
                    return;
                }
            }
        }
    }
}

impl Drop for CacheLine {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(far) = self.far.take() {
            // It ends when nobody can wake it, and has nothing to say.
            let _ = far.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_makes_its_round_trips_and_ends() {
        let mut line = CacheLine::start(Cores::find().unwrap().far);
        for batch in 1..=5 {
            line.run(Plan { warm_up: 2, trips: 3, singly: true });
            assert_eq!((line.sent, line.course().singles().len()), (5 * batch, 3 * batch));
            assert_eq!(line.lines.back.0.load(Ordering::Acquire), END);
        }
    }
}
