//! The world around a session, simulated: storage that dies, connections that are cut, a clock that is
//! told the time, memory that is shared, and a model that knows what must have come of it all.
//!
//! ```text
//!   Pair ── Client ── Session ── Journal ──┐ every store,
//!    │  \                                  ├── Disk: one side's directory, and each image a kill leaves
//!    │   └─ Server ── Session ── Journal ──┘
//!    ├── Connection: two byte pipes, split and cut anywhere
//!    ├── History: what each side really did, and is about to do, out of reach of any crash
//!    ├── Ruling: what was known when a server decided about a login, and what it decided
//!    ├── LiveFile: over shared memory, what each side sees of the other's file between any two stores
//!    └── Clock                                   Solo: one session and a scripted peer
//! ```
//!
//! The sessions, queues, logins and decisions are the real ones.

mod application;
pub mod carriers;
pub mod client;
pub mod clock;
pub mod directory;
pub mod disk;
pub mod endpoint;
pub mod host;
pub mod image;
pub mod journal;
pub mod message;
mod misuse;
pub mod model;
pub mod pair;
pub mod pipe;
pub(crate) mod ring;
pub mod ruling;
pub mod scripted;
pub mod server;
pub mod shared;
pub mod solo;
pub mod truth;
pub mod wire;
