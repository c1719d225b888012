//! Looking at link files from outside: read-only, without their locks, while their owners go on.

mod file;
mod locks;

pub(crate) use file::{LinkFile, LookError};
pub(crate) use locks::{Holder, Locks};
