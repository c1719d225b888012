//! The other process.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::helper::Helper;

/// The echoes of a [`Peer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// Bare sockets.
    Socket,
    /// A link over TCP.
    Tcp,
    /// A link over shared memory.
    Shm,
}

impl Station {
    const ALL: [Self; 3] = [Station::Socket, Station::Tcp, Station::Shm];

    fn code(self) -> u8 {
        match self {
            Station::Socket => b'p',
            Station::Tcp => b't',
            Station::Shm => b's',
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|station| station.code() == code)
    }
}

/// Where the echoes listen.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// See [`Station::Socket`].
    pub socket: SocketAddr,
    /// See [`Station::Tcp`].
    pub tcp: SocketAddr,
    /// See [`Station::Shm`].
    pub shm: SocketAddr,
}

/// A process that answers, on a core of its own. It sleeps between batches, so that the next pair has both
/// cores for itself, and ends when this value is dropped or this process dies.
#[derive(Debug)]
pub struct Peer {
    helper: Helper,
    /// Where its echoes listen.
    pub addresses: Addresses,
}

impl Peer {
    /// Starts this very program with `arguments`, which must lead it to [`serve`](crate::serve).
    pub fn start<'a>(arguments: impl IntoIterator<Item = &'a str>) -> io::Result<Self> {
        let mut helper = Helper::start(arguments)?;
        let addresses = helper.hear()?;
        Ok(Self { helper, addresses })
    }

    /// Has it run one of its echoes for one batch.
    pub fn run(&mut self, station: Station) -> io::Result<()> {
        self.helper.say(&[station.code()])
    }
}

/// A directory for link files: in memory where possible, since shared memory belongs there and TCP must not
/// differ in what it is stored on. Removed when the value is dropped.
pub fn home() -> io::Result<TempDir> {
    let mut home = tempfile::Builder::new();
    home.prefix("tcpshm-bench-");
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { home.tempdir_in(memory) } else { home.tempdir() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_echo_has_a_code_of_its_own() {
        for station in Station::ALL {
            assert_eq!(Station::of_code(station.code()), Some(station));
        }
        assert_eq!(Station::of_code(b'\n'), None);
    }
}
