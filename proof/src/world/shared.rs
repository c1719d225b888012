//! Shared memory: a look at the peer's link file while its owner writes it.

use std::cell::OnceCell;

use tcpshm_protocol::{Header, Nonce, Published, ViewFault, prove};

use crate::world::disk::{Disk, FileId};

/// A file of somebody else's disk, as a mapping of it would show it: every load sees what is there at that
/// moment, whoever may have died or left meanwhile, and whatever name the file has.
///
/// Bytes can only be lent from a copy, made when they are asked for. That is what a mapping shows too, as
/// long as the owner keeps its promise to leave published frames alone.
#[derive(Debug)]
pub struct LiveFile {
    disk: Disk,
    file: FileId,
    copies: Copies,
}

impl LiveFile {
    pub(crate) fn new(disk: Disk, file: FileId) -> Self {
        Self { disk, file, copies: Copies::default() }
    }

    /// The file of the peer of the session that `ours` describes, as a driver looks for it in the directory
    /// on `disk`: under its own name, or as a fresh one that has not taken its place yet.
    pub fn find(disk: &Disk, ours: &Header, nonce: Nonce) -> Result<Self, Option<ViewFault>> {
        let mut found = None;
        for file in [disk.view_main(), disk.view_fresh()].into_iter().flatten() {
            match prove(&file, ours, nonce) {
                Ok(()) => return Ok(file),
                Err(fault) => found = found.or(Some(fault)),
            }
        }
        Err(found)
    }
}

impl LiveFile {
    /// How many words were loaded from the disk it lies on.
    pub(crate) fn loads(&self) -> u64 {
        self.disk.loads()
    }

    /// Whether both are mappings of one file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl Clone for LiveFile {
    /// The same file, without the copies that were lent.
    fn clone(&self) -> Self {
        Self::new(self.disk.clone(), self.file)
    }
}

impl Published for LiveFile {
    fn size(&self) -> usize {
        self.disk.read(self.file, <[u8]>::len)
    }

    fn load(&self, at: usize) -> u64 {
        assert!(at.is_multiple_of(8), "words are aligned");
        self.disk.count_load();
        self.disk.read(self.file, |image| crate::world::image::load(image, at))
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.copies.keep(self.disk.read(self.file, |image| image[at..at + len].to_vec()))
    }
}

/// Bytes that stay where they are, however many are added.
#[derive(Debug, Default)]
pub struct Copies(OnceCell<Box<Copied>>);

#[derive(Debug)]
struct Copied {
    bytes: Vec<u8>,
    next: Copies,
}

impl Copies {
    /// Keeps `bytes` for as long as `self` lives.
    pub fn keep(&self, bytes: Vec<u8>) -> &[u8] {
        let mut last = self;
        while let Some(copied) = last.0.get() {
            last = &copied.next;
        }
        &last.0.get_or_init(|| Box::new(Copied { bytes, next: Copies::default() })).bytes
    }
}

#[cfg(test)]
mod tests {
    use tcpshm_protocol::Storage;

    use super::*;
    use crate::world::disk::Directory;

    #[test]
    fn a_view_sees_each_store_when_it_is_made_and_what_was_lent_stays() {
        let disk = Disk::new(Directory::with_main(vec![0; 64]), 7);
        let view = disk.view_main().unwrap();
        let mut journal = disk.open_main().unwrap();
        let before = view.bytes(0, 16);
        journal.bytes_mut(8, 8).fill(3);
        assert_eq!(view.load(8), 0, "not written back yet");
        journal.store(0, 1);
        assert_eq!((view.load(0), view.load(8)), (1, 0x0303_0303_0303_0303));
        assert_eq!((before, view.bytes(8, 2)), (&[0; 16][..], &[3, 3][..]));
    }

    #[test]
    fn a_view_follows_the_file_and_not_its_name_and_outlives_its_owner() {
        let disk = Disk::new(Directory::with_main(vec![0; 64]), 7);
        let mut fresh = disk.create_fresh(32);
        let [main, view] = [disk.view_main(), disk.view_fresh()].map(Option::unwrap);
        disk.switch();
        fresh.store(0, 5);
        assert_eq!((main.load(0), main.size(), view.load(0), view.size()), (0, 64, 5, 32));
        disk.burn_after(1);
        fresh.store(8, 6);
        fresh.store(16, 7);
        assert_eq!((view.load(8), view.load(16)), (6, 0), "the dead store nothing");
        disk.revive();
        let mut proposed = disk.create_fresh(8);
        proposed.store(0, 9);
        let view = disk.view_fresh().unwrap();
        disk.remove_fresh();
        assert_eq!(view.load(0), 9, "mapped, though nobody finds it any more");
    }
}
