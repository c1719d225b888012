//! Everything that can happen to a small link, one state after the other.
//!
//! Two real sessions with their real logins, over files of a few hundred bytes. From the first state every
//! interleaving of everything that can happen is followed, within bounds on how often each kind may: messages,
//! cuts, kills after any store, takeovers, lost and restored files. In each state the invariants hold, and if
//! the faults stop there, everything arrives.
//!
//! * A `state` is copied for each event that can follow it (`expand`) and told from others by 128 bits
//!   (`digest`); that real sessions can be copied and hashed is what the feature `explore` of the protocol is
//!   for.
//! * An operation is recorded store by store (`journal`), so that its process can be killed, and its peer can
//!   look, between any two of them.
//! * What was really done is kept beside the files (`truth`), and what must hold is said in `judge` and
//!   `drain`.
//! * [`logins`] goes through all that two sides can hold when they meet.
//!
//! Time stands still: timers are for the simulator. Memory is sequential: weak memory is for loom. The order in
//! which bytes of one connection arrive is TCP's, and what a cut loses of them is a whole rest.

mod act;
mod client;
mod configurations;
mod connection;
mod digest;
mod drain;
mod event;
mod expand;
mod faults;
mod files;
mod ids;
mod image;
mod journal;
mod judge;
mod mix;
mod replay;
mod rules;
mod search;
mod server;
mod side;
mod state;
mod tally;
mod truth;

pub mod command;
pub mod logins;

pub use configurations::{large, small};
pub use replay::replay;
pub use rules::{Budget, Rules};
pub use search::{Found, Report, search};
pub use tally::Tally;
