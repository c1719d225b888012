//! A proxy on loopback that does to connections what networks, gateways and strangers do.
//!
//! ```text
//!   client ── near ──> [ flow: held back, split, joined, cut after byte k ] ── far ──> server
//!                                                                          └────────> another server
//! ```
//!
//! Each connection has one [`Fate`], drawn from the seed and the number of the connection, so the same seed does
//! the same to the n-th connection. What did happen is counted by kind.

mod connection;
mod fate;
mod flow;
mod replay;
mod runner;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use mio::Waker;

pub use fate::{Fate, KINDS, Kind};

/// Where connections lead.
#[derive(Clone, Copy, Debug)]
pub struct Servers {
    /// The one that is meant.
    pub meant: SocketAddr,
    /// Another one; without it, nobody is led astray.
    pub other: Option<SocketAddr>,
}

/// A running proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    waker: Waker,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    calm: AtomicBool,
    counts: [AtomicU64; KINDS.len()],
}

impl Shared {
    fn count(&self, kind: Kind) {
        self.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Proxy {
    /// Starts a proxy on a port that the system chooses.
    pub fn start(seed: u64, servers: Servers) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let runner = runner::Runner::new(seed, servers, Arc::clone(&shared))?;
        let (address, waker) = (runner.address()?, runner.waker()?);
        let thread = std::thread::Builder::new().name("proxy".into()).spawn(move || runner.run())?;
        Ok(Self { address, shared, waker, thread: Some(thread) })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on nothing is done to new connections, and those that something is done to are cut.
    pub fn calm(&self) -> io::Result<()> {
        self.shared.calm.store(true, Ordering::Relaxed);
        self.waker.wake()
    }

    /// What happened, by kind.
    pub fn counts(&self) -> [(Kind, u64); KINDS.len()] {
        KINDS.map(|kind| (kind, self.shared.counts[kind as usize].load(Ordering::Relaxed)))
    }

    /// Ends it, and says whether it ran to the end.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.waker.wake()?;
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the proxy panicked")))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.end();
    }
}
