//! The sans-IO half of tcpshm: a persistent, connection-oriented message link between two named
//! processes, as a state machine that consumes and emits bytes.
//!
//! ```text
//!             side A                                                     side B
//!    app ── claim/commit ──> [ A's link file ] ── poll_transmit ─ bytes ─ handle_input ──> app
//!                            [ frames, words ]                              Received
//!    app <── Received ── handle_input ─ bytes ─ poll_transmit ── [ B's link file ] <── claim/commit ── app
//! ```
//!
//! **Each side owns one file, only its owner writes it, and every change of state is one aligned 8-byte
//! store.** The file holds the owner's outgoing frames in a ring, in exactly the bytes that go on the wire,
//! and how far the owner has come in the peer's stream. An owner killed between any two instructions
//! leaves the state before the operation or the state after it; sending again is moving a cursor back.
//!
//! * [`Session`] is one side of a link. It is opened over a [`Storage`], claims and commits messages, and
//!   turns bytes from the peer into [`Event`]s. Time is an argument; there are no sockets, threads or files.
//! * [`login`] is how two sides find out whether they go on with the session they both remember.
//! * [`survey`] looks at a link file without changing it, [`snapshot`] at one that its owner may be writing.
//!
//! The formats are specified in `WIRE.md` beside this crate's manifest, for implementations in other
//! languages.
#![forbid(unsafe_code)]

/// Whether a known defect was put back, see the module `zoo`. Never without the feature `zoo`.
#[cfg(not(feature = "zoo"))]
macro_rules! zoo {
    ($($bug:ident)|+) => {
        false
    };
}
#[cfg(feature = "zoo")]
macro_rules! zoo {
    ($($bug:ident)|+) => {
        $($crate::zoo::is_released($crate::zoo::Bug::$bug))||+
    };
}

mod batch;
mod boundaries;
mod control;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod geometry;
mod header;
mod id;
mod inbound;
mod layout;
mod liveness;
pub mod login;
mod name;
mod parking;
mod position;
mod queue;
mod reader;
mod received;
mod recover;
mod ring;
mod session;
mod slot;
mod snapshot;
mod storage;
mod transmit;
#[cfg(feature = "zoo")]
pub mod zoo;

pub use batch::Batch;
pub use control::{CloseReason, ControlFault};
pub use frame::FrameFault;
pub use geometry::{Geometry, GeometryError, Limits};
pub use header::{Header, HeaderError};
pub use id::{AttachmentId, BootId, Challenge, Kind, Nonce, ResetToken, Role, SessionId};
pub use inbound::InboundFault;
pub use liveness::{TimedOut, Timing};
pub use name::{Name, NameError};
pub use position::{Committed, Delivered, Position, Standing, Undelivered};
pub use queue::{AckFault, SendError};
pub use reader::{ViewFault, prove};
pub use received::{Held, Received, Refused, RefusedReason};
pub use recover::{RecoverError, Survey, survey};
pub use session::{Counters, Event, Grant, LoginFault, ProtocolError, Session, Stalled};
pub use slot::Slot;
pub use snapshot::{FramePlace, Snapshot, Words, snapshot};
pub use storage::{Memory, Published, Storage, store_ordering};
