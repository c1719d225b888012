//! Processes that end with the one that started them.

use std::os::unix::process::parent_id;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

/// Has the kernel end this process when `parent`, which started it, ends for whatever reason.
pub(crate) fn end_with(parent: u32) -> Result<(), String> {
    set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("cannot be tied to its parent: {error}"))?;
    // It may have ended before that.
    if parent_id() == parent { Ok(()) } else { Err("its parent is gone".into()) }
}
