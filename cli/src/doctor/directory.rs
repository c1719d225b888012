//! The directory that links lie in.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{statfs, statvfs};
use rustix::process::geteuid;
use tcpshm_driver::shm::refused_file_system;

use super::check::Check;
use crate::units::bytes;

/// `f_type` of tmpfs, see statfs(2).
const TMPFS: u32 = 0x0102_1994;
/// Less than this is soon full.
const LITTLE: u64 = 16 << 20;

pub(super) fn checks(path: &Path) -> Vec<Check> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return vec![missing(path)],
        Err(error) => return vec![Check::problem("directory", error.to_string(), "make it readable")],
    };
    if !found.is_dir() {
        let text = "not a directory; a symbolic link to one is not followed";
        return vec![Check::problem("directory", text, "name the directory itself")];
    }
    let mut checks = vec![permissions(path, found.uid(), found.mode() & 0o7777)];
    checks.extend(file_system(path));
    checks.extend(space(path));
    checks.extend(cleaners(path));
    checks
}

fn missing(path: &Path) -> Check {
    match path.parent().is_some_and(|above| above.as_os_str().is_empty() || above.is_dir()) {
        true => Check::note(
            "directory",
            "not there yet",
            "the first process that uses it makes it, with mode 0700",
        ),
        false => Check::problem("directory", "not there, nor is the one above it", "make the one above it"),
    }
}

fn permissions(path: &Path, owner: u32, mode: u32) -> Check {
    let user = geteuid().as_raw();
    let text = format!("mode {mode:04o}, of user {owner}");
    if owner != user {
        let advice = format!("this is user {user}: links need a directory of their own user");
        return Check::problem("permissions", text, advice);
    }
    if mode & 0o022 != 0 {
        let advice = format!("others can write it, so it is refused: chmod 700 {}", path.display());
        return Check::problem("permissions", text, advice);
    }
    if mode & 0o700 != 0o700 {
        let advice = format!("its own user cannot list it or make files in it: chmod 700 {}", path.display());
        return Check::problem("permissions", text, advice);
    }
    Check::ok("permissions", text)
}

fn file_system(path: &Path) -> Option<Check> {
    let found = statfs(path).ok()?;
    let magic = u32::try_from(found.f_type & 0xffff_ffff).ok()?;
    let stores_nothing = found.f_blocks == 0 && magic != TMPFS;
    Some(match refused_file_system(magic) {
        Some(name) => Check::problem(
            "file system",
            format!("{name}: link files are refused there"),
            "locks and mappings must mean the same to everybody: take a local file system",
        ),
        None if stores_nothing => Check::problem(
            "file system",
            format!("it has no space (type {magic:#x}): /proc and the like"),
            "take a directory on tmpfs or on a disk",
        ),
        None if magic == TMPFS => {
            Check::ok("file system", "tmpfs: no write-back; its files end with the machine")
        }
        None => Check::note(
            "file system",
            format!("a local one (type {magic:#x})"),
            "good for links over TCP; for shared memory tmpfs is better, since write-back makes stores fault",
        ),
    })
}

fn space(path: &Path) -> Option<Check> {
    let found = statvfs(path).ok()?;
    let free = found.f_bavail * found.f_frsize;
    let text = format!("{} free", bytes(free));
    Some(match free < LITTLE {
        true => Check::problem("space", text, "a link that finds no room for its file is refused"),
        false => Check::ok("space", text),
    })
}

/// Who removes files that nobody has asked him to.
fn cleaners(path: &Path) -> Option<Check> {
    let whole = path.canonicalize().ok()?;
    if ["/tmp", "/var/tmp"].iter().any(|swept| whole.starts_with(swept)) {
        let advice = "nothing is lost while the processes run, and everything when they do not: take another directory";
        return Some(Check::note("cleaners", "old files in here are removed on many systems", advice));
    }
    let ordinary = geteuid().as_raw() >= 1000 && whole.starts_with("/dev/shm");
    ordinary.then(|| {
        let advice = "set RemoveIPC=no in logind.conf, or run as a system user";
        Check::note("cleaners", "systemd may remove these files when this user logs out", advice)
    })
}
