//! Real processes, killed with SIGKILL at random moments, for as long as one likes.
//!
//! ```text
//!   supervisor ── starts, kills, stops, continues ──> [ server: all links ] <── tcp, shm ──> [ clients ]
//!       │                                                     │       ^                        │
//!       └── judge <── reads ── logs <── written first ────────┴───────┼────────────────────────┘
//!                                                                     └── or through the chaos proxy
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`app`] | the application that writes down what it does before it does it |
//! | [`judge`] | reads both logs: every commit once, in order, and replies with their consumption |
//! | [`arena`] | the supervisor of one setting: carriers, links, proxy |
//! | [`tally`] | what was counted |
//!
//! The seed decides whom to kill, when, and what the applications send. What the kernel's scheduler does with that
//! it does not decide: a seed repeats the plan, not the run.

pub mod app;
pub mod arena;
pub mod carrier;
pub mod command;
pub mod judge;
pub mod log;
mod process;
pub mod record;
mod schedule;
pub mod side;
mod stranger;
mod sweep;
pub mod tally;

pub use command::{Options, run};
