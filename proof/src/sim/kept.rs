//! Schedules that once failed.

/// Seeds, each with what went wrong, in the code under test or in this package. They run in every `cargo test`.
pub const KEPT: &[(u64, &str)] = &[];
