//! Tells when what was sent over loopback has arrived.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::time::Duration;

/// A socket that is its own other end.
///
/// Loopback hands packets over in the order in which they were sent from one core: usually at once, but
/// behind other work when the machine is busy. So when a packet that is sent now has arrived, all have that
/// were sent before it, however long it took.
pub(crate) struct Bell {
    socket: UdpSocket,
    core: usize,
}

impl Bell {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(socket.local_addr().unwrap()).unwrap();
        // Only so that a test fails where it would hang.
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Bell { socket, core: rustix::thread::sched_getcpu() }
    }

    /// Waits until what was sent before has arrived; what is sent in answer to it may be under way. Returns
    /// whether that is sure: not if this thread was moved since, and some may still be at the core that it left.
    pub(crate) fn ring(&mut self) -> bool {
        whole(|| self.socket.send(b"!"));
        whole(|| self.socket.recv(&mut [0]));
        let core = rustix::thread::sched_getcpu();
        std::mem::replace(&mut self.core, core) == core
    }
}

/// Makes the call again if it was interrupted, as some tests arrange.
fn whole(mut call: impl FnMut() -> io::Result<usize>) {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => break assert_eq!(done.unwrap(), 1),
        }
    }
}
