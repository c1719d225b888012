//! Every system call of a server and a client fails in turn.
//!
//! ```text
//!   sweep ──> strace -e inject=CALL:error=ERROR:when=N ──> scenario, first run ──> record, link files
//!                                                          scenario, next run  ──> record, link files
//!   judge <── both records, the files in between
//! ```
//!
//! The scenario is a process with both sides of a link in it: logins over both carriers, messages both ways,
//! ends, removed files, restarts, resets. It has a clock of its own, so that nothing is waited for, and it
//! writes down whatever it is about to do and has done. Each call fails with each error that suits it, at its
//! first time, its second, and so on; and for the first of these errors also several times in a row, and for
//! the rest of the process's life.
//!
//! A failure that passes is survived by the process itself: it comes to the end of the scenario. One that
//! lasts is told, and the next process comes to the end. In no case is there a panic, a hang, a dispute
//! between the two sides, a message that is lost, repeated or invented, or a file that says anything but
//! what was recorded.

pub(crate) mod acts;
pub(crate) mod app;
mod clock;
pub mod command;
mod faults;
mod files;
pub(crate) mod judge;
mod messages;
pub(crate) mod record;
mod run;
pub(crate) mod stage;
mod sweep;
mod tally;

pub use sweep::{Plan, replay, sweep};
pub use tally::Tally;
