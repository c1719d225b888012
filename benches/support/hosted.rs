//! A server in a thread beside its client.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tcpshm_driver::{EventLoop, Server, ServerConfig};

use crate::cores::Cores;
use crate::watching::Watching;

/// Runs a server that consumes nothing, on a core of its own, for as long as `client` takes. It is new each time, and
/// has opened no link before the first login.
pub fn beside_server<T>(
    config: ServerConfig,
    core: usize,
    client: impl FnOnce(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let over = AtomicBool::new(false);
    let (tell, told) = mpsc::channel();
    let serve = || {
        Cores::pin(core)?;
        let server = Server::bind(config).map_err(io::Error::other)?;
        let _ = tell.send(server.local_addresses()?[0]);
        let mut server = EventLoop::new(server, Instant::now)?;
        let mut app = Watching::default();
        while !over.load(Ordering::Relaxed) {
            server.turn(&mut app, Some(Duration::from_millis(1)))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let serving = scope.spawn(serve);
        let found = told.recv().map_err(io::Error::other).and_then(client);
        over.store(true, Ordering::Relaxed);
        serving.join().expect("a server does not panic").and(found)
    })
}
