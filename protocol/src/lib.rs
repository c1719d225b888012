//! The sans-IO half of tcpshm. (Picture to come.)
#![forbid(unsafe_code)]

mod batch;
mod boundaries;
mod control;
mod frame;
mod geometry;
mod header;
mod id;
mod inbound;
mod layout;
mod liveness;
pub mod login;
mod name;
mod position;
mod queue;
mod received;
mod recover;
mod ring;
mod session;
mod slot;
mod storage;
mod transmit;

pub use batch::Batch;
pub use control::{CloseReason, ControlFault};
pub use frame::FrameFault;
pub use geometry::{Geometry, GeometryError, Limits};
pub use header::{Header, HeaderError};
pub use id::{AttachmentId, Kind, Nonce, ResetToken, Role, SessionId};
pub use inbound::InboundFault;
pub use liveness::{TimedOut, Timing};
pub use name::{Name, NameError};
pub use position::{Committed, Delivered, Position, Standing, Undelivered};
pub use queue::{AckFault, SendError};
pub use received::{Held, Received, Refused, RefusedReason};
pub use recover::{RecoverError, Survey, survey};
pub use session::{Event, Grant, LoginFault, ProtocolError, Session, Stalled};
pub use slot::Slot;
pub use storage::{Memory, Published, Storage};
