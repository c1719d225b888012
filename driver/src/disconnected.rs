//! Why a connection ended.

use std::io;
use std::path::PathBuf;

use tcpshm_protocol::{CloseReason, ProtocolError, TimedOut};

/// Why a link lost its connection. In no case did its session lose anything.
#[derive(Debug, thiserror::Error)]
pub enum Disconnected {
    /// The application closed the link.
    #[error("closed by this side's application")]
    Closed,
    /// This driver was shut down.
    #[error("this side is shutting down")]
    ShutDown,
    /// The peer ended the connection on purpose.
    #[error("ended by the peer: {0:?}")]
    ByPeer(CloseReason),
    /// The peer's end of the connection is gone: its process died, or something between cut it.
    #[error("the connection was cut")]
    Cut,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// Nothing was heard for too long.
    #[error(transparent)]
    Silent(#[from] TimedOut),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Fault(#[from] ProtocolError),
    /// A handler panicked, and the host went on. Its message was neither consumed nor lost: it comes again
    /// when the process has restarted, and blocks the consumption of later ones until then.
    #[error("a handler panicked while it had a message of this link")]
    HandlerPanicked,
    /// The link's own file was removed, or another one put in its place. Nothing is lost while this process
    /// runs: it makes a removed file again, and the link goes on with its next login.
    #[error("{}: this side's link file was removed or replaced; tmp cleaners and systemd's RemoveIPC do that", path.display())]
    FileGone {
        /// Where it was.
        path: PathBuf,
    },
    /// The file of the peer, which shared memory is read from, was removed or replaced.
    #[error("{}: the peer's link file was removed or replaced; tmp cleaners and systemd's RemoveIPC do that", path.display())]
    PeerFileGone {
        /// Where it was.
        path: PathBuf,
    },
    /// The [`Group`](crate::Group) that the link was in, or about to come to, is gone: dropped, or its thread has panicked.
    /// That is told to the server's own handler. The session is closed, since whatever its application held of it is gone, too; its file is as it was, and what was not consumed
    /// comes again.
    #[error("the group of the link is gone")]
    GroupGone,
    /// A newer login of the same client took over.
    #[error("a newer login of the same client took over")]
    Replaced,
}

impl Disconnected {
    /// What to tell the peer before the socket is closed, if it can still be told.
    pub(crate) fn farewell(&self) -> Option<CloseReason> {
        match self {
            Disconnected::Closed => Some(CloseReason::Application),
            Disconnected::ShutDown => Some(CloseReason::ShuttingDown),
            Disconnected::Silent(_) => Some(CloseReason::Silence),
            Disconnected::Fault(_) => Some(CloseReason::Fault),
            Disconnected::Replaced => Some(CloseReason::Replaced),
            Disconnected::HandlerPanicked
            | Disconnected::GroupGone
            | Disconnected::FileGone { .. }
            | Disconnected::PeerFileGone { .. } => Some(CloseReason::Application),
            Disconnected::ByPeer(_) | Disconnected::Cut | Disconnected::Io(_) => None,
        }
    }
}
