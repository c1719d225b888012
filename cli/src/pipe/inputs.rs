//! Which files are sent, and whether what was sent of them is still what it was.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::journal::Identity;
use crate::failure::Failure;

/// The input, as it is known in a journal.
pub(super) fn names(files: &[PathBuf]) -> String {
    // What is no file has no other name than the one that was typed.
    let whole = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string();
    files.iter().map(whole).collect::<Vec<_>>().join(" ")
}

/// Which files the inputs are; `None` if one of them is a pipe or the like.
pub(super) fn identities(files: &[PathBuf]) -> Result<Option<Vec<Identity>>, Failure> {
    let mut found = Vec::new();
    for path in files {
        let metadata = path.metadata().map_err(Failure::path(path))?;
        if !metadata.is_file() {
            return Ok(None);
        }
        found.push((metadata.dev(), metadata.ino(), metadata.len()));
    }
    Ok(Some(found))
}

/// Whether what was sent of the inputs is still where it was: they are the same files, and only the last of them may have
/// grown, since a place behind it would be another one.
pub(super) fn is_continued(before: &[Identity], now: &[Identity]) -> bool {
    let same = |(number, (old, new)): (usize, (&Identity, &Identity))| {
        (old.0, old.1) == (new.0, new.1) && (old.2 == new.2 || number + 1 == now.len())
    };
    before.len() == now.len() && before.iter().zip(now).enumerate().all(same)
}

/// The check sum of the first `bytes` of the inputs, one behind the other.
pub(super) fn sum(files: &[PathBuf], bytes: u64) -> Result<u32, Failure> {
    let (mut left, mut sum, mut chunk) = (bytes, crc32fast::Hasher::new(), vec![0; 1 << 16]);
    for path in files {
        let mut part = File::open(path).map_err(Failure::path(path))?.take(left);
        loop {
            match part.read(&mut chunk).map_err(Failure::path(path))? {
                0 => break,
                read => {
                    sum.update(&chunk[..read]);
                    left -= read as u64;
                }
            }
        }
    }
    Ok(sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_continued_where_only_the_end_of_the_last_file_has_changed() {
        let before = [(1, 10, 100), (1, 11, 100)];
        assert!(is_continued(&before, &before));
        assert!(is_continued(&before, &[(1, 10, 100), (1, 11, 200)]));
        assert!(!is_continued(&before, &[(1, 10, 101), (1, 11, 100)]), "grown before the last");
        assert!(!is_continued(&before, &[(1, 10, 100), (1, 12, 100)]), "another file of the name");
        assert!(!is_continued(&before, &before[..1]));
    }
}
