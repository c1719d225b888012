//! Why the queue does not take something.

use crate::position::Position;

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The peer has not consumed enough: back-pressure. The session says when there is room again.
    #[error(
        "the ring is full: the message needs {needed} bytes, {free} are free, {unconsumed} are not consumed by the peer"
    )]
    Full {
        /// Bytes that the frame takes, together with those before it in a batch.
        needed: u64,
        /// Bytes that frames can take now.
        free: u64,
        /// Bytes of frames that the peer has not consumed.
        unconsumed: u64,
    },
    /// No state of the link could take it.
    #[error("a message of {len} bytes is larger than the {most} that this session carries")]
    TooLarge {
        /// Bytes of payload.
        len: usize,
        /// Bytes of the largest payload, agreed at the first login.
        most: u32,
    },
    /// A batch does not fit even an empty ring.
    #[error("a batch of {needed} bytes does not fit a ring of {capacity} bytes (next header included)")]
    BatchTooLarge {
        /// Bytes that its frames take.
        needed: u64,
        /// Bytes of the ring.
        capacity: u64,
    },
    /// The session was never confirmed by its peer.
    #[error("the link is not established yet: wait for the first login to end")]
    NotEstablished,
    /// The stream has come to the last representable position, after 2^64 bytes.
    #[error("the session's stream has reached the last position there is")]
    StreamExhausted,
}

/// Why an acknowledgement cannot be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckFault {
    /// It is beyond everything that was sent.
    #[error("an acknowledgement of position {ack}, where only {sent} was sent")]
    BeyondSent {
        /// The position acknowledged.
        ack: u64,
        /// The position up to which anything was sent.
        sent: Position,
    },
    /// It is not the end of a frame.
    #[error("an acknowledgement of position {ack}, which is not the end of a frame")]
    InsideFrame {
        /// The position acknowledged.
        ack: u64,
    },
}
