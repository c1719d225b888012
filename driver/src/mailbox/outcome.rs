//! What becomes of a message that another thread sends, and why it may not be taken.

use tcpshm_protocol::{Committed, SendError};

/// What became of a message that a [`Sender`](crate::Sender) had accepted. Each has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It is in the link file, and ends at this position: what holds of a message that its owner sent holds of
    /// it. The position names the session that it went into.
    Committed(Committed),
    /// It is not in the link file, and will not be.
    NotAccepted(NotAccepted),
}

/// Why a message that was accepted did not come into the link file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// No state of the session takes it. The sizes of a link are agreed at its first login and again at a reset,
    /// so this may be found out late.
    #[error(transparent)]
    Refused(#[from] SendError),
    /// The link is not connected, and its file cannot be opened. The handler was told why.
    #[error("the link is not connected and its file cannot be opened; the handler was told why")]
    NoFile,
    /// There will be nobody to commit it.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Why nothing can be sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The server or client was shut down.
    #[error("the driver of the link was shut down")]
    ShutDown,
    /// The server or client is gone: dropped, or its thread has panicked.
    #[error("the driver of the link is gone")]
    Dropped,
}

/// Why a message was not taken. Nothing of it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError {
    /// Too much waits for the owner of the link: back-pressure.
    #[error(
        "the mailbox is full: {messages} of {most_messages} messages and {bytes} of {most_bytes} bytes wait, and {len} more do not fit"
    )]
    Full {
        /// Messages without an outcome.
        messages: usize,
        /// How many there may be.
        most_messages: usize,
        /// Bytes of their payloads.
        bytes: usize,
        /// How many there may be.
        most_bytes: usize,
        /// Bytes of this payload.
        len: usize,
    },
    /// The link does not take a message of this size.
    #[error("a message of {len} bytes is larger than the {most} that this link carries")]
    TooLarge {
        /// Bytes of payload.
        len: usize,
        /// Bytes of the largest payload: what is configured until the first login, then what was agreed.
        most: u32,
    },
    /// There is nobody to commit it.
    #[error(transparent)]
    Ended(#[from] Ended),
}
