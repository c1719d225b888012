//! Everything that can happen to a small link, one state after the other.
//!
//! Two real sessions with their real logins, over files of a few hundred bytes. From the first state every
//! interleaving of everything that can happen is followed, within bounds on how often each kind may: messages,
//! cuts, kills after any store, takeovers, lost and restored files. In each state the invariants hold, and if
//! the faults stop there, everything arrives.

mod act;
mod client;
mod configurations;
mod digest;
mod drain;
mod event;
mod expand;
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
