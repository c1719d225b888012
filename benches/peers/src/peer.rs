//! Which peers there are, and how each is started.

use std::io;
use std::path::Path;
use std::time::Duration;

use benches::Mix;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tcpshm_driver::Carrier;

use crate::bare::{self, Bare};
use crate::end::{End, Use};
use crate::far::{Call, obey};
use crate::iceoryx::Iceoryx;
use crate::near::{self, RoundTrips};
use crate::shmem_ring::ShmemRing;
use crate::subject::Subject;
use crate::tcpshm;
use crate::zeromq::{self, ZeroMq};

/// A row of the table. See the module of each for what it offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    TcpshmShm,
    Iceoryx2,
    ShmemIpc,
    AeronIpc,
    TcpshmTcp,
    BareTcp,
    BareUnix,
    ZeromqTcp,
    ZeromqIpc,
}

/// How a peer is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// Starts the near side of round trips, and the process with the far one.
    pub(crate) round_trips: fn(Call, Mix) -> io::Result<Box<dyn Subject>>,
    /// Sends a stream to the far core. Returns the time from the arrival of the first message to that of the
    /// last.
    pub(crate) stream: fn(Call, Flow) -> io::Result<Duration>,
    /// The whole life of the process with the far side.
    pub(crate) serve: fn(&Path, Use, usize) -> io::Result<()>,
}

/// A stream of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flow {
    /// Bytes of each message.
    pub(crate) payload: usize,
    /// How many.
    pub(crate) count: u64,
}

/// What a row is measured beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    /// A counter that goes from one core's cache to the other's and back.
    CacheLine,
    /// Bare TCP that spins.
    Socket,
}

impl Floor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Floor::CacheLine => "cache line",
            Floor::Socket => "bare TCP",
        }
    }
}

impl Peer {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::TcpshmShm => "tcpshm-shm",
            Peer::Iceoryx2 => "iceoryx2",
            Peer::ShmemIpc => "shmem-ipc",
            Peer::AeronIpc => "aeron-ipc",
            Peer::TcpshmTcp => "tcpshm-tcp",
            Peer::BareTcp => "bare-tcp",
            Peer::BareUnix => "bare-unix",
            Peer::ZeromqTcp => "zeromq-tcp",
            Peer::ZeromqIpc => "zeromq-ipc",
        }
    }

    pub(crate) fn floor(self) -> Floor {
        match self {
            Peer::TcpshmShm | Peer::Iceoryx2 | Peer::ShmemIpc | Peer::AeronIpc => Floor::CacheLine,
            Peer::TcpshmTcp | Peer::BareTcp | Peer::BareUnix | Peer::ZeromqTcp | Peer::ZeromqIpc => {
                Floor::Socket
            }
        }
    }

    /// How it is run, or why there is no row of it.
    pub(crate) fn ways(self) -> Result<Ways, &'static str> {
        Ok(match self {
            Peer::TcpshmShm => tcpshm::ways(Carrier::Shm),
            Peer::TcpshmTcp => tcpshm::ways(Carrier::Tcp),
            Peer::Iceoryx2 => Ways::of::<Iceoryx>(),
            Peer::ShmemIpc => Ways::of::<ShmemRing>(),
            #[cfg(feature = "aeron")]
            Peer::AeronIpc => Ways::of::<crate::aeron::AeronIpc>(),
            #[cfg(not(feature = "aeron"))]
            Peer::AeronIpc => {
                return Err("needs `--features aeron`, which takes CMake 3.30, libclang and uuid-dev");
            }
            Peer::BareTcp => Ways::of::<Bare<bare::Tcp>>(),
            Peer::BareUnix => Ways::of::<Bare<bare::Unix>>(),
            Peer::ZeromqTcp => Ways::of::<ZeroMq<zeromq::Tcp>>(),
            Peer::ZeromqIpc => Ways::of::<ZeroMq<zeromq::Ipc>>(),
        })
    }
}

impl Ways {
    /// Of a peer whose ends send and receive one message after the other.
    fn of<E: End + 'static>() -> Self {
        Self {
            round_trips: |call, mix| Ok(Box::new(RoundTrips::<E>::start(call, mix)?)),
            stream: near::stream::<E>,
            serve: obey::<E>,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_found_by_its_name() {
        for peer in Peer::value_variants() {
            assert_eq!(Peer::from_str(peer.name(), false).as_ref(), Ok(peer));
        }
    }
}
