//! What this process has open. Tests that look at it must be alone in their process at that time.

use std::fs;
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps the other tests of this program out until it is dropped.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // One that failed has nothing to do with the next.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many descriptors are open.
pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many sockets are registered with an epoll descriptor.
pub(crate) fn registered(epoll: RawFd) -> usize {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap();
    info.lines().filter(|line| line.starts_with("tfd:")).count()
}

/// Says on the terminal that a test was not run.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see it")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}
