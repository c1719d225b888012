//! What the kernel says of a process.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// Raises the number of descriptors that this process and its children may have to what it may raise it to.
/// Returns that.
pub fn raise_descriptors() -> io::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// What a process has used by now.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    /// Processor time in user and kernel mode, in ticks of some milliseconds: `utime` and `stime` of
    /// proc_pid_stat(5).
    pub processor: Duration,
    /// Bytes of pages that no other process maps: `Private_Dirty` and `Private_Clean` of smaps_rollup in
    /// proc_pid_smaps(5). A page of a link file counts as long as nobody else has mapped it.
    pub private: u64,
    /// Bytes of pages that belong to no file: `Anonymous` there.
    pub anonymous: u64,
}

impl Usage {
    /// Of one process.
    pub fn of(process: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let smaps = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        let unknown = || io::Error::other("another form of /proc than proc(5) says");
        let ticks = ticks(&stat).ok_or_else(unknown)?;
        let bytes = |field| kibibytes(&smaps, field).map(|count| count * 1024).ok_or_else(unknown);
        Ok(Self {
            processor: Duration::from_secs(ticks) / u32::try_from(clock_ticks_per_second()).unwrap_or(100),
            private: bytes("Private_Dirty:")? + bytes("Private_Clean:")?,
            anonymous: bytes("Anonymous:")?,
        })
    }
}

/// `utime` and `stime`, the 14th and 15th field. The second is a name in parentheses that may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

fn kibibytes(smaps: &str, field: &str) -> Option<u64> {
    let line = smaps.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14";
        assert_eq!(ticks(stat), Some(11 + 12));
        let smaps = "00-ff ---p [rollup]\nPrivate_Clean:        8 kB\nPrivate_Dirty:      120 kB\n";
        assert_eq!(kibibytes(smaps, "Private_Dirty:"), Some(120));
        assert_eq!(kibibytes(smaps, "Anonymous:"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        assert!(raise_descriptors().unwrap() >= 64);
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.private >= usage.anonymous && usage.anonymous > 0, "{usage:?}");
    }
}
