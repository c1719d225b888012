//! A storage that tells a [`Disk`] of every store.

use std::ops::Range;

use tcpshm_protocol::{Memory, Published, Storage};

use crate::world::disk::{Claim, Disk, FileId};

/// A link file whose owner can be killed between any two stores.
///
/// The session writes to memory of its own. Every store passes on to the disk what was written since the
/// last one, and then itself; what was written after the last store that reached the disk becomes a
/// mixture there, as it may under a kill.
#[derive(Debug)]
pub struct Journal {
    memory: Memory,
    disk: Disk,
    life: u64,
    file: FileId,
    /// What [`Storage::bytes_mut`] handed out since the last store.
    claimed: Vec<Range<usize>>,
}

impl Journal {
    pub(crate) fn new(disk: Disk, life: u64, file: FileId, image: Vec<u8>) -> Self {
        Self { memory: Memory::from_image(image), disk, life, file, claimed: Vec::new() }
    }

    fn claims(&mut self) -> Vec<Claim> {
        let claimed = std::mem::take(&mut self.claimed);
        let claim = |range: Range<usize>| {
            let bytes = self.memory.bytes(range.start, range.len()).to_vec();
            Claim { range, bytes }
        };
        claimed.into_iter().map(claim).collect()
    }
}

impl Published for Journal {
    fn size(&self) -> usize {
        self.memory.size()
    }

    fn load(&self, at: usize) -> u64 {
        self.disk.count_load();
        self.memory.load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.memory.bytes(at, len)
    }
}

impl Storage for Journal {
    fn store(&mut self, at: usize, value: u64) {
        let claims = self.claims();
        self.memory.store(at, value);
        self.disk.store(self.life, self.file, &claims, at, value);
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        self.claimed.push(at..at + len);
        self.memory.bytes_mut(at, len)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let claims = self.claims();
        self.disk.leave(self.life, self.file, &claims);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::disk::Directory;

    fn disk() -> Disk {
        Disk::new(Directory::with_main(vec![0; 64]), 7)
    }

    fn word(directory: &Directory, at: usize) -> u64 {
        crate::world::image::load(directory.main().unwrap(), at)
    }

    #[test]
    fn a_recording_has_the_image_after_each_store() {
        let disk = disk();
        let mut journal = disk.open_main().unwrap();
        disk.record();
        journal.store(0, 1);
        journal.store(8, 2);
        let words: Vec<_> = disk.crashes().iter().map(|d| (word(d, 0), word(d, 8))).collect();
        assert_eq!(words, [(0, 0), (1, 0), (1, 2)]);
    }

    #[test]
    fn what_is_written_between_two_stores_is_old_new_or_anything() {
        let disk = disk();
        let mut journal = disk.open_main().unwrap();
        disk.record();
        journal.store(0, 1);
        journal.bytes_mut(16, 32).fill(7);
        journal.store(8, 2);
        let crashes = disk.crashes();
        let payloads: Vec<_> = crashes.iter().map(|d| &d.main().unwrap()[16..48]).collect();
        assert_eq!(payloads[..2], [&[0; 32], &[0; 32]], "before and after the first store");
        assert!(payloads[2].contains(&0) && payloads[2].contains(&7));
        assert!(payloads[2].iter().any(|byte| ![0, 7].contains(byte)));
        assert_eq!(payloads[3..], [&[7; 32], &[7; 32]], "before and after the second store");
        assert_eq!([2, 3, 4].map(|n: usize| word(&crashes[n], 8)), [0, 0, 2]);
    }

    #[test]
    fn nothing_reaches_a_dead_disk_but_scraps_of_the_next_write() {
        let disk = disk();
        let mut journal = disk.open_main().unwrap();
        disk.burn_after(1);
        journal.store(0, 1);
        assert!(disk.is_dead());
        journal.bytes_mut(16, 32).fill(7);
        journal.store(8, 2);
        journal.bytes_mut(48, 8).fill(9);
        journal.store(0, 3);
        assert_eq!(journal.load(8), 2, "the dead go on in the dark");
        let left = disk.content();
        assert_eq!((word(&left, 0), word(&left, 8), word(&left, 48)), (1, 0, 0));
        assert_ne!(left.main().unwrap()[16..48], [0; 32]);
        disk.revive();
        journal.store(0, 4);
        assert_eq!(disk.content(), left, "an earlier life changes nothing");
        assert_eq!(disk.open_main().unwrap().load(0), 1);
    }

    #[test]
    fn an_abandoned_write_is_there_when_its_owner_is_gone() {
        let disk = disk();
        let mut journal = disk.open_main().unwrap();
        journal.bytes_mut(8, 8).fill(1);
        drop(journal);
        assert_eq!(word(&disk.content(), 8), 0x0101_0101_0101_0101);
    }

    #[test]
    fn a_switch_keeps_the_old_file_and_is_one_step() {
        let disk = disk();
        let mut fresh = disk.create_fresh(64);
        fresh.store(0, 5);
        disk.record();
        disk.switch();
        fresh.store(8, 6);
        let crashes = disk.crashes();
        assert_eq!(crashes.len(), 3);
        assert_eq!((word(&crashes[0], 0), crashes[0].kept().count()), (0, 0));
        assert_eq!((word(&crashes[1], 0), word(&crashes[1], 8), crashes[1].kept().count()), (5, 0, 1));
        assert_eq!(word(&crashes[2], 8), 6, "the owner writes on under the new name");
        assert!(crashes[2].fresh().is_none());
    }
}
