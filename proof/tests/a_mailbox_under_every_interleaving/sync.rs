//! What `driver/src/sync.rs` takes from the standard library, taken from loom.

pub(crate) use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
pub(crate) use loom::thread::{Thread, current};

/// Time does not pass in a model: whoever is not woken sleeps for ever, which is noticed.
pub(crate) fn park_timeout(_: Duration) {
    loom::thread::park();
}

/// Once, or there would be as many interleavings more for each try.
pub(crate) const TRIES: u32 = 1;
