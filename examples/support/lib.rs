//! What the echo programs share: the server, the client that judges it, and how they are run.
//!
//! ```text
//!   echo_client          echo ──> demo, which kills        echo_server
//!        │                          │        │                  │
//!        v                          v        v                  v
//!     client  <──────────────  processes of the demo  ──────>  server
//!     │    └─> ledger ──> record
//!     └──────> message, pace
//! ```
//!
//! The verdict "nothing lost, nothing twice, nothing out of order" is the client's own: it numbers its
//! messages ([`message`]), notes each step before it takes it ([`ledger`], [`record`]), and believes the
//! link in one thing only: how much of what it sent was committed when it was killed.

pub mod client;
pub mod demo;
pub mod entry;
pub mod ledger;
pub mod message;
pub mod pace;
pub mod processes;
pub mod record;
pub mod report;
pub mod server;
pub mod stretch;

use tcpshm_support::events;
pub use tcpshm_support::{choices, ends, screen, stop};
