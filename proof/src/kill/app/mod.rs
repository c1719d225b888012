//! The verifying application: one process of the two, killed at any moment and started again.
//!
//! ```text
//!   one turn:  events, messages ──> Worker ──> Desk of the link: take or hold     ┐ written down first,
//!              then, per link   ──────────────> Desk: take what is held, and send ┘ and when it is done
//! ```
//!
//! It judges nothing. What it writes down, and when, lets somebody else judge.

mod command;
mod desk;
mod fleet;
mod message;
mod outgoing;
mod worker;

pub use command::{Options, client_name, run};
