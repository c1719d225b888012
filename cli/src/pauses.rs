//! Waiting between two looks, until somebody wants an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tcpshm_support::ends;

use crate::failure::Failure;

/// The longest that a signal is not noticed.
const GLANCE: Duration = Duration::from_millis(20);

/// Ends by [`ends::signals`].
#[derive(Debug)]
pub(crate) struct Pauses {
    over: Arc<AtomicBool>,
}

impl Pauses {
    pub(crate) fn new() -> Result<Self, Failure> {
        let over = Arc::new(AtomicBool::new(false));
        for signal in ends::signals() {
            let flag = Arc::clone(&over);
            signal_hook::flag::register(signal, flag).map_err(Failure::call("signals"))?;
        }
        Ok(Self { over })
    }

    /// Waits. Returns whether to go on.
    pub(crate) fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            if self.over.load(Ordering::Relaxed) {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(GLANCE));
        }
    }
}
