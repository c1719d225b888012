//! Counting instructions: this very program runs again under valgrind, and says what to count.

use std::env;
use std::fs;
use std::hint::black_box;
use std::io;
use std::process::Command;

/// What is counted: everything that happens in here, and nothing else. Callgrind is told to collect in functions
/// of this name, so there must be one only.
#[inline(never)]
pub fn counted_under_callgrind<T>(operations: impl FnOnce() -> T) -> T {
    black_box(operations())
}

/// Runs this program with `arguments` under callgrind, and returns how many instructions it counted.
pub fn count_instructions(arguments: &[&str]) -> io::Result<u64> {
    let scratch = tempfile::tempdir()?;
    let counts = scratch.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_under_callgrind*"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(env::current_exe()?)
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    total(&fs::read_to_string(counts)?).ok_or_else(|| io::Error::other("callgrind wrote no total"))
}

/// The first number behind `totals:`: instructions, where nothing else was asked for.
fn total(counts: &str) -> Option<u64> {
    let total = counts.lines().find_map(|line| line.strip_prefix("totals:"))?;
    total.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_first_number_of_its_line() {
        assert_eq!(total("version: 1\nevents: Ir\nsummary: 7\n\ntotals: 42000\n"), Some(42_000));
        assert_eq!(total("totals: 3 4\n"), Some(3));
        assert_eq!(total("events: Ir\n"), None);
    }
}
