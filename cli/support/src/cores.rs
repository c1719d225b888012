//! Which core each side runs on.

use std::io;

use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

/// The two cores of a bench, or the one there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cores {
    /// Of this side.
    pub near: usize,
    /// Of the other side; the same where there is only one.
    pub far: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub fn find() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let near = cores.next().unwrap_or(0);
        Ok(Self { near, far: cores.next().unwrap_or(near) })
    }

    /// Whether both sides share one core: then each waits for the scheduler, and the figures say nothing.
    pub fn is_one(self) -> bool {
        self.near == self.far
    }

    /// Keeps the calling thread, and threads and processes it starts, on one core.
    pub fn pin(core: usize) -> io::Result<()> {
        let none =
            || io::Error::new(io::ErrorKind::InvalidInput, format!("this process may not use core {core}"));
        if core >= CpuSet::MAX_CPU {
            return Err(none());
        }
        let mut cores = CpuSet::new();
        cores.set(core);
        sched_setaffinity(None, &cores)
            .map_err(|error| if error == Errno::INVAL { none() } else { error.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_there_is_not_is_an_error_however_large_its_number() {
        for core in [CpuSet::MAX_CPU - 1, CpuSet::MAX_CPU, usize::MAX] {
            assert_eq!(Cores::pin(core).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_pinned_thread_may_use_its_core_only() {
        let Cores { far, .. } = Cores::find().unwrap();
        let pinned = std::thread::spawn(move || {
            Cores::pin(far).unwrap();
            Cores::find().unwrap()
        });
        let found = pinned.join().unwrap();
        assert_eq!(found, Cores { near: far, far });
        assert!(found.is_one());
    }
}
