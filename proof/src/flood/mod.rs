//! Crowds of strangers at a server's door, and a good client among them.
//!
//! ```text
//!   strangers ── half a login, slowly, with a new name each time ──> [ server process, watched from outside ]
//!   good client ── echoes, timed, all the while ──────────────────>  descriptors, files, memory
//!   newcomer ── logs in meanwhile ────────────────────────────────>
//! ```
//!
//! The server is a process of its own, so that what it has open is its own too. What strangers take must be bounded
//! while they are there, and given back when they are gone.

mod command;
mod good;
mod manner;
mod server;
mod siege;
mod vitals;

pub use command::{Options, run};
pub use server::{ServerOptions, serve};
