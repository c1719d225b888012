//! Link files as they lie on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tcpshm_driver::Carrier;
use tempfile::TempDir;

/// Where the word stands that is stored whenever a side opens, shows or detaches its file.
const NONCE: std::ops::Range<usize> = 1280..1288;

/// The client's file of its link with "server".
pub(crate) fn client_file(directory: &Path) -> PathBuf {
    directory.join("c~client~server.link")
}

/// The server's file of its link with "client".
pub(crate) fn server_file(directory: &Path) -> PathBuf {
    directory.join("s~server~client.link")
}

/// Where one side keeps its link files. The other side may keep its own in the same directory.
pub(crate) struct Home {
    directory: Rc<TempDir>,
    /// What the names of its files begin with.
    prefix: &'static str,
}

impl Home {
    /// The client's and the server's: one directory for both where shared memory is to carry the link.
    pub(crate) fn pair(carrier: Carrier) -> [Home; 2] {
        let [ours, theirs] = [(); 2].map(|()| Rc::new(tempfile::tempdir().unwrap()));
        let theirs = if carrier == Carrier::Shm { Rc::clone(&ours) } else { theirs };
        [Home { directory: ours, prefix: "c~" }, Home { directory: theirs, prefix: "s~" }]
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The names of its files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        self.files().iter().map(name).collect()
    }

    /// Its files, with what they hold except the nonces.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.files().into_iter().map(|path| (path.clone(), content(&path))).collect()
    }

    /// Its files, as a backup takes them.
    pub(crate) fn back_up(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.files().into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
    }

    /// Puts a backup in the place of all that is there.
    pub(crate) fn restore(&self, backup: &BTreeMap<PathBuf, Vec<u8>>) {
        self.delete();
        for (path, bytes) in backup {
            put(path, bytes);
        }
    }

    /// Puts a copy of its files into another directory.
    pub(crate) fn copy_to(&self, to: &Path) {
        for (path, bytes) in self.back_up() {
            put(&to.join(path.file_name().unwrap()), &bytes);
        }
    }

    /// Deletes its files.
    pub(crate) fn delete(&self) {
        for path in self.files() {
            fs::remove_file(path).unwrap();
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        link_files(self.path(), self.prefix)
    }
}

/// The names of all link files in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    link_files(directory, "").into_iter().map(name).collect()
}

/// Every link file in a directory, with what it holds except the nonce.
pub(crate) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    link_files(directory, "").into_iter().map(|path| (path.clone(), content(&path))).collect()
}

/// Deletes the link files in a directory.
pub(crate) fn delete(directory: &Path) {
    for path in link_files(directory, "") {
        fs::remove_file(path).unwrap();
    }
}

/// What a file holds except the nonce.
pub(crate) fn content(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    if bytes.len() >= NONCE.end {
        bytes[NONCE].fill(0);
    }
    bytes
}

fn link_files(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let of_side = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(prefix));
    let mut files: Vec<PathBuf> = of_side.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_none_or(|end| end != "lock"));
    files.sort();
    files
}

/// Makes a file that only its owner may use, as link files are.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}
