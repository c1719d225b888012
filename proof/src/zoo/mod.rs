//! The bug zoo: whether the proofs would notice.
//!
//! Known defects are put back, one at a time, into the real code, see [`tcpshm_protocol::zoo`]. Each has
//! somebody who must catch it: the simulator within a number of schedules, or a test that must fail. An
//! entry that is not caught is a hole in the harness, and so is one where the harness breaks down in place
//! of a promise; a run without any defect must be clean.
//!
//! `docs/defects.md` has the entries by row, and says of each row without one why it has none.
//!
//! A store without its compiler barrier is a feature of its own, `zoo-without-barrier`, for [`step`](crate::step):
//! a switch that is looked at beside the barrier would itself keep the compiler from moving anything. With
//! rustc 1.95 no operation that is stepped through shows it, so it is no entry.

mod catalogue;
pub mod command;
mod hunt;
mod recorded;
mod report;
mod suites;
mod task;

pub use catalogue::{Catcher, Test, catcher};
pub use hunt::{End, hunt};
