//! Link files as they lie on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

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

/// The names of the link files in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    link_files(directory).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Every link file in a directory, with what it holds except the nonce.
pub(crate) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    link_files(directory).into_iter().map(|path| (path.clone(), content(&path))).collect()
}

/// What a file holds except the nonce.
pub(crate) fn content(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    if bytes.len() >= NONCE.end {
        bytes[NONCE].fill(0);
    }
    bytes
}

fn link_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_none_or(|end| end != "lock")).collect();
    files.sort();
    files
}

/// Everything in a directory, as a backup takes it.
pub(crate) fn back_up(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    link_files(directory).into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Puts a backup in the place of all that is there.
pub(crate) fn restore(directory: &Path, backup: &BTreeMap<PathBuf, Vec<u8>>) {
    delete(directory);
    for (path, bytes) in backup {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
}

/// Puts a copy of the link files of one directory into another.
pub(crate) fn copy(from: &Path, to: &Path) {
    for (path, bytes) in back_up(from) {
        let copy = to.join(path.file_name().unwrap());
        fs::write(&copy, bytes).unwrap();
        fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
}

/// Deletes the link files.
pub(crate) fn delete(directory: &Path) {
    for path in link_files(directory) {
        fs::remove_file(path).unwrap();
    }
}

pub(crate) fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}
