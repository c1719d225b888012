//! The door to persistence: what a session needs of the memory its link file lies in.

use std::sync::atomic::{Ordering, fence};

/// Read access to a link file. Implemented for the owner's storage and for a peer's read-only view.
///
/// Offsets and lengths are in bytes from the start of the file. Callers stay within [`Published::size`]
/// and load words at multiples of 8; anything else is a bug of this crate, and an implementation
/// panics on it rather than reading elsewhere.
pub trait Published {
    /// Bytes there are, from 0.
    fn size(&self) -> usize;

    /// The word at `at`, with acquire ordering: whatever was written before the word was stored is
    /// visible to what follows this load.
    fn load(&self, at: usize) -> u64;

    /// The bytes from `at`. Called for header fields that never change, and for frames that were
    /// published and not yet freed.
    fn bytes(&self, at: usize, len: usize) -> &[u8];
}

/// Read and write access to one's own link file. There is one writer: the session that owns it.
pub trait Storage: Published {
    /// Stores a word, visible at once and as a whole: a crash leaves the old value or the new one.
    ///
    /// This is a release store *and* a full compiler barrier: every write before it, through this trait
    /// in program order, is there when the word is, and no later write may move above it. Release
    /// alone would let the compiler lift the next payload above the store of `acked`, and a kill
    /// between the two would corrupt frames that are still owed.
    fn store(&mut self, at: usize, value: u64);

    /// Free bytes to write a frame into. A crash may leave any mixture of what was there and what was
    /// written; nobody reads them before a later [`Storage::store`] publishes them.
    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8];

    /// Everything stored before is there for everybody before anything behind it is loaded, from this
    /// storage or from a peer's view. A release store and an acquire load behind it may change places; two
    /// sides that each store a word and then look at the other's need this between the two, or neither may see
    /// what the other did.
    ///
    /// It costs some ten nanoseconds, and is called only on links of which a side may sleep.
    fn full_fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// The ordering of [`Storage::store`] where others look on. In one place, so that the model of the memory
/// which is searched through stores as the mapping does.
#[inline]
pub fn store_ordering() -> Ordering {
    if zoo!(RelaxedPublish) { Ordering::Relaxed } else { Ordering::Release }
}

impl<T: Published + ?Sized> Published for &T {
    fn size(&self) -> usize {
        (**self).size()
    }

    fn load(&self, at: usize) -> u64 {
        (**self).load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        (**self).bytes(at, len)
    }
}

/// A link file in ordinary memory: for tests, for simulation, and for links that need not outlive
/// their process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory(Box<[u8]>);

impl Memory {
    /// `size` zero bytes; see [`Header::file_size`](crate::Header::file_size).
    pub fn zeroed(size: usize) -> Self {
        Self(vec![0; size].into_boxed_slice())
    }

    /// A storage with this content.
    pub fn from_image(image: impl Into<Box<[u8]>>) -> Self {
        Self(image.into())
    }

    /// Its content.
    pub fn image(&self) -> &[u8] {
        &self.0
    }
}

impl Published for Memory {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn load(&self, at: usize) -> u64 {
        assert!(at.is_multiple_of(8), "words are aligned");
        let word = self.0[at..].first_chunk().expect("a word within the storage");
        u64::from_le_bytes(*word)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        &self.0[at..at + len]
    }
}

impl Storage for Memory {
    fn store(&mut self, at: usize, value: u64) {
        assert!(at.is_multiple_of(8), "words are aligned");
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        &mut self.0[at..at + len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_memory_reads_as_the_memory_itself() {
        let mut memory = Memory::zeroed(24);
        memory.store(8, 7);
        memory.bytes_mut(16, 2).copy_from_slice(b"ab");
        let lent = &memory;
        assert_eq!((Published::size(&lent), Published::load(&lent, 8)), (24, 7));
        assert_eq!(Published::bytes(&lent, 15, 4), b"\0ab\0");
    }
}
