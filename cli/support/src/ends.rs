//! By which signals a program is asked to end.

use std::fs;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// SIGINT and SIGTERM; and SIGHUP, which comes when a terminal is closed, unless whoever started this program has
/// seen to it that it goes on then, as nohup(1) does.
pub fn signals() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    // What cannot be read is no reason to outlive a terminal.
    if !fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status, SIGHUP)) {
        signals.push(SIGHUP);
    }
    signals
}

/// What proc(5) says of a process and a signal.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_which_signals_are_ignored() {
        let status =
            "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000004002\n";
        assert_eq!(
            [SIGHUP, SIGINT, 13, SIGTERM].map(|signal| is_ignored(status, signal)),
            [true, false, true, false]
        );
        assert!(!is_ignored("", SIGHUP));
    }
}
