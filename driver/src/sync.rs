//! What the mailbox and the hand-over of links take from the standard library to share things between threads. In one
//! place, so that the models in `proof/tests` can put their own there.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
pub(crate) use std::thread::{Thread, current, park_timeout};

/// How often an owner tries for a lock before it does something else: some microseconds at most, where copying a
/// few hundred bytes takes far less.
pub(crate) const TRIES: u32 = 64;
