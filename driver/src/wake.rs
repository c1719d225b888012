//! What wakes a loop that sleeps in its poll.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{EventfdFlags, eventfd};

use crate::mailbox::Wake;
use crate::sync::Arc;

/// A counter in the kernel that is readable once it was written to, see eventfd(2). It is never read: with edge-triggered
/// polling every write is an event of its own.
///
/// Not mio's `Waker`: of that there can be one for each poll, and several drivers and their host share one.
#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// A wake-up from before is told, too.
    pub(crate) fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut SourceFd(&self.0.as_raw_fd()), token, Interest::READABLE)
    }

    pub(crate) fn deregister(&self, registry: &Registry) {
        // One that is not registered is what is wanted.
        let _ = registry.deregister(&mut SourceFd(&self.0.as_raw_fd()));
    }
}

impl Wake for Arc<EventFd> {
    fn wake(&self) {
        // It fails only when the counter is full, after 2^64 - 2 writes.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}
