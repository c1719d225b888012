//! What the mailbox takes from the standard library to share things between threads. In one place, so that the
//! model in `proof/tests/a_mailbox_under_every_interleaving` can put its own there.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
pub(crate) use std::thread::{Thread, current, park_timeout};

/// How often an owner tries for a lock before it does something else: some microseconds at most, where copying a
/// few hundred bytes takes far less.
pub(crate) const TRIES: u32 = 64;
