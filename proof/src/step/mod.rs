//! Every instruction: a process is stepped through an operation on its link files, and after each instruction
//! what a kill would leave there is recovered and judged.
//!
//! ```text
//!   parent                                     child, the same program
//!     | -- start ------------------------------> | both sides of a link, real files in a private directory
//!     | <------------------ stops itself ------- | just before the operation of one of them
//!     | -- one instruction --------------------> |
//!     |    reads the directory; each new image   |
//!     |    is recovered twice, judged, resumed   |
//!     | -- one instruction --------------------> | ...
//!     | <------------------ stops itself ------- | just behind it
//! ```
//!
//! SIGKILL leaves exactly the bytes of the shared mappings, so nothing need be killed. A system call is one
//! step. This is the only check of what the compiler made of the order of stores, so it counts for the build
//! that it runs in: debug, release and link-time optimised.
//!
//! An operation passes through a chain of states, mostly two: before and after. [`plan`] says which, in
//! messages and counts; each image must be one of them, and each of them must have been seen. Then the two sides
//! log in to each other, by the other carrier, and what is owed arrives once and in order.
//!
//! What no kill leaves is not seen here: an older copy that somebody restores, a page that was not written.

pub mod act;
pub mod case;
pub mod child;
pub mod command;
pub mod plan;
pub mod recover;
mod report;
mod run;
pub mod scenario;
pub mod stage;
pub mod state;
pub mod tracee;
pub mod watch;

pub use report::Report;
pub use run::{CANNOT_BE_TRACED, Selection, step_through};
