//! A clock that the scenario moves: waiting for a back-off or a heartbeat takes no time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static START: OnceLock<Instant> = OnceLock::new();
static PASSED: AtomicU64 = AtomicU64::new(0);

/// What the clock of this process says. A function, as the ready-made loop takes one.
pub(super) fn now() -> Instant {
    *START.get_or_init(Instant::now) + Duration::from_nanos(PASSED.load(Ordering::Relaxed))
}

/// Lets time pass.
pub(super) fn pass(time: Duration) {
    let nanoseconds = u64::try_from(time.as_nanos()).expect("a few seconds");
    PASSED.fetch_add(nanoseconds, Ordering::Relaxed);
}
