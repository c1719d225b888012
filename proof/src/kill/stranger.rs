//! Another server, which nobody means to reach.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tcpshm_driver::{EventLoop, Handler, Link, Received, Server, ServerConfig};

/// How long it takes to notice that it is to end.
const WAIT: Duration = Duration::from_millis(20);

/// A server with another name, in a thread of its own, until it is dropped.
#[derive(Debug)]
pub(super) struct Stranger {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Takes what it gets, which should be nothing.
struct Sink;

impl Handler for Sink {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        // One that is not in order comes again.
        let _ = link.consume(received);
    }
}

impl Stranger {
    pub(super) fn start(directory: &Path) -> Result<Self, String> {
        let name = "stranger".parse().map_err(|error| format!("a name: {error}"))?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = ServerConfig::new(name, directory.join("stranger"), any);
        let server = Server::bind(config).map_err(|error| error.to_string())?;
        let address = server.local_addresses().map_err(|error| error.to_string())?[0];
        let mut events = EventLoop::new(server, Instant::now).map_err(|error| error.to_string())?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) && events.turn(&mut Sink, Some(WAIT)).is_ok() {}
        });
        Ok(Self { address, stop, thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of it has been printed.
            let _ = thread.join();
        }
    }
}
