//! File systems of our own, which nobody else sees and which are gone when the process is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

/// Bytes of the small disk: sixteen pages.
const SIZE: u32 = 64 << 10;

/// Gives this process mounts of its own; root needs no more, anybody else needs a user namespace for it.
/// The process must have one thread.
pub(super) fn enter_namespace() -> io::Result<()> {
    let (user, group) = (getuid(), getgid());
    if user.is_root() {
        unshare(CloneFlags::CLONE_NEWNS)?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    // Nothing of what is mounted from here on is seen outside.
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    Ok(())
}

/// Something mounted, until it is dropped.
#[derive(Debug)]
pub(super) struct Mounted {
    at: tempfile::TempDir,
}

impl Mounted {
    /// A disk of 64 KiB.
    pub(super) fn small_disk() -> io::Result<Self> {
        let at = tempfile::tempdir()?;
        let options = format!("size={SIZE},mode=0700");
        mount(Some("tmpfs"), at.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))?;
        Ok(Self { at })
    }

    /// An overlay whose lower layer is `lower`; the upper one lies in `disk`.
    pub(super) fn overlay(lower: &Path, disk: &Mounted) -> io::Result<Self> {
        let layer = |name: &str| -> io::Result<PathBuf> {
            let layer = disk.path().join(name);
            fs::create_dir(&layer)?;
            Ok(layer)
        };
        let (upper, work) = (layer("upper")?, layer("work")?);
        let at = tempfile::tempdir()?;
        let options =
            format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
        mount(Some("overlay"), at.path(), Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
        Ok(Self { at })
    }

    pub(super) fn path(&self) -> &Path {
        self.at.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The directory below is removed next; what is still mounted goes with the process.
        let _ = umount2(self.at.path(), MntFlags::MNT_DETACH);
    }
}
