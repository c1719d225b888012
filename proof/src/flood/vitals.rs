//! What a process has, seen from outside.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What it has open, and how much memory it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vitals {
    pub(super) descriptors: usize,
    /// Kilobytes in memory.
    pub(super) memory: u64,
    /// The names in its link directory.
    pub(super) files: BTreeSet<PathBuf>,
}

impl Vitals {
    pub(super) fn of(process: u32, directory: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the server cannot be watched: {error}");
        let status = fs::read_to_string(format!("/proc/{process}/status")).map_err(failed)?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|memory| memory.split_whitespace().next()?.parse().ok());
        let files = fs::read_dir(directory).map_err(failed)?.map_while(Result::ok);
        Ok(Self {
            descriptors: fs::read_dir(format!("/proc/{process}/fd")).map_err(failed)?.count(),
            memory: memory.ok_or("a process without memory")?,
            files: files.map(|file| PathBuf::from(file.file_name())).collect(),
        })
    }
}
