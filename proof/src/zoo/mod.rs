//! The bug zoo: whether the proofs would notice.
//!
//! Known defects are put back, one at a time, into the real code, see [`tcpshm_protocol::zoo`]. Each has
//! somebody who must catch it: the simulator within a number of schedules, or a test that must fail. An
//! entry that is not caught is a hole in the harness, and so is one where the harness breaks down in place
//! of a promise; a run without any defect must be clean.
//!
//! Rows of the defect list that have no entry, and why:
//!
//! * D1: committed bytes never move; moving them takes a second design of the ring, not a few lines.
//! * D9, D54: nothing but its owner can write a link file, since the peer's mapping is read-only, and there
//!   is no lock in shared memory to be left behind.
//! * D12, D22, D24: the misuse does not compile, kind 0 cannot be made, and there are no groups yet.
//! * D28, D67: durable mode is not there yet, and words are not code.
//! * D3 to D70 have one entry at least otherwise, but for D58, D60, D63 and D69: what would be put back is the
//!   absence of a mechanism, not a slip in one.
//! * D62 is D10 seen from another host, `nonce-not-compared`.

mod catalogue;
pub mod command;
mod hunt;
mod recorded;
mod report;
mod suites;
mod task;

pub use catalogue::{Catcher, Test, catcher};
pub use hunt::{End, hunt};
