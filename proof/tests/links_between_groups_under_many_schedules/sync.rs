//! What `driver/src/sync.rs` takes from the standard library, taken from shuttle.

pub(crate) use std::sync::{PoisonError, TryLockError};

pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};
pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};
pub(crate) use shuttle::thread::{Thread, current, park_timeout};

/// Once, or most of a schedule would be tries.
pub(crate) const TRIES: u32 = 1;
