//! Why a server or a client could not be set up.

use std::io;
use std::net::SocketAddr;

use tcpshm_shm::{DirectoryError, FileError};

/// Why a server or a client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The link directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A link file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A client was given no address.
    #[error("no address to connect to")]
    NoAddress,
}
