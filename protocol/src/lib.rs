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
//! Two sides of a link in one thread. What a driver does with files, sockets and policies is written out by hand:
//!
//! ```
//! use std::time::Instant;
//! use tcpshm_protocol::login::{Carrier, Confirm, Outcome, Proposal, Silence, Streams, UserData};
//! use tcpshm_protocol::{AttachmentId, Event, Geometry, Grant, Header, Kind, Memory, Nonce, Role};
//! use tcpshm_protocol::{Session, SessionId, Timing};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (now, nonce, id) = (Instant::now(), Nonce::new(1), SessionId::new(7).expect("not 0"));
//! let ring = Geometry::new(4096, 512)?;
//! // A link file in memory for each side; `tcpshm-shm` maps real ones.
//! let open = |role, owner: &str, peer: &str| -> Result<_, Box<dyn std::error::Error>> {
//!     let (owner, peer) = (owner.parse()?, peer.parse()?);
//!     let header = Header { role, session: id, owner, peer, outgoing: ring, incoming: ring, asked: ring };
//!     let mut memory = Memory::zeroed(Header::file_size(ring).expect("it fits"));
//!     header.format(&mut memory, nonce);
//!     Ok(Session::open(memory, nonce)?)
//! };
//! let (mut alice, mut bob) = (open(Role::Client, "alice", "bob")?, open(Role::Server, "bob", "alice")?);
//!
//! // The end of their first login: the client proposes a session, and the server takes it.
//! let proposed = Some(Proposal { session: id, streams: Streams { client: ring, server: ring } });
//! let confirm = Confirm { held: None, proposed, disputed: false, token: None, undelivered: None, nonce };
//! let timing = Timing::new(Silence::default(), Silence::default());
//! let attachment = AttachmentId::new(9).expect("not 0");
//! let (outcome, carrier, user_data) = (Outcome::Fresh, Carrier::Tcp, UserData::default());
//! let grant = Grant { outcome, attachment, nonce, carrier, user_data, timing };
//! let ready = bob.accept(now, &confirm, grant)?;
//! alice.establish(now, &ready, &timing)?;
//!
//! // Committed: it is in alice's file, and stays there until bob has consumed it.
//! alice.send(Kind::new(1).expect("not 0"), b"hello")?;
//! let mut wire = Vec::new();
//! while !alice.poll_transmit(now).is_empty() {
//!     wire.extend_from_slice(alice.poll_transmit(now));
//!     let count = alice.poll_transmit(now).len();
//!     alice.handle_transmitted(now, count);
//! }
//! let mut input = &wire[..];
//! while let Some(event) = bob.handle_input(now, &mut input)? {
//!     if let Event::Message(received) = event {
//!         assert_eq!(received.payload(), b"hello");
//!         bob.consume(received).expect("it is the oldest");
//!     }
//! }
//! // Alice does not know yet.
//! assert_eq!(alice.undelivered().messages, 1);
//! # Ok(())
//! # }
//! ```
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
pub use frame::{FrameFault, frame_size};
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
