//! Link files as memory. All unsafe code of the workspace is here.
//!
//! The rules that the safety comments name:
//!
//! 1. **Mapped.** A mapping stays at its address, for its length, as long as the value that holds it; it
//!    is never remapped and its file never resized by us. Truncation of the file by somebody else is
//!    outside the trust: the kernel ends the process at the next access, and no check can win that race.
//! 2. **One writer.** A [`Mapped`] is made only from a [`Writer`], which holds the kernel's exclusive lock
//!    of that very file, and the mapping keeps the lock. So no second `Mapped` of the file exists in any
//!    process, and whatever else is mapped of it only reads. Through one `Mapped` the borrow checker
//!    orders reads and writes as for any other value: `&mut self` is all there is to write with.
//! 3. **Words.** What changes under a reader's eyes is aligned 8-byte words, and both sides touch those as
//!    atomics only.
//! 4. **Published bytes.** Everything else is plain bytes, and a reader asks only for those of the header,
//!    which never change, and of frames that were published and that it has not consumed, which the owner
//!    leaves alone until it has: over shared memory it learns of consumption from the reader's `consumed` word,
//!    and from nothing else while the login lasts. An owner writes plain bytes only where no reader looks: in
//!    frames that are not published. A peer that breaks this is outside the trust.
//! 5. **Bounds.** Every offset and length is checked against the mapping before a pointer is made from it,
//!    and a mapping starts at a page, so an offset that is a multiple of 8 is an aligned word.

use std::fs::File;
use std::io;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence, fence};

use memmap2::{MmapOptions, MmapRaw};
use tcpshm_protocol::{Header, Nonce, Published, Storage, ViewFault, prove, store_ordering};

use crate::lock::Writer;

/// The owner's view of its link file: mapped for reading and writing, shared, prefaulted.
///
/// There is one per file at a time, in this process and in all others. It is not handed out: it lives
/// inside a session. After a fork it belongs to one of the two processes; the other must not touch it.
#[derive(Debug)]
pub struct Mapped {
    memory: MmapRaw,
}

impl Mapped {
    /// Maps the file that `writer` may write. The descriptor is closed; the mapping keeps the lock, since a
    /// kernel lock goes with the last reference to the open file and a mapping is one.
    pub(crate) fn new(writer: Writer) -> io::Result<Self> {
        let memory = MmapOptions::new().populate().map_raw(writer.file())?;
        Ok(Self { memory })
    }
}

impl Published for Mapped {
    #[inline]
    fn size(&self) -> usize {
        self.memory.len()
    }

    #[inline]
    fn load(&self, at: usize) -> u64 {
        let word = word_at(&self.memory, at);
        // SAFETY: aligned and inside the mapping (rule 5), which lives as long as `self` (rule 1) and is
        // writable; other processes touch it as an atomic only (rule 3), and so do we, except for plain
        // writes of ours, which `&mut self` keeps apart from this (rule 2).
        let word = unsafe { AtomicU64::from_ptr(word) };
        word.load(Ordering::Acquire)
    }

    #[inline]
    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        let start = bytes_at(&self.memory, at, len);
        // SAFETY: inside the mapping (rule 5), which lives as long as the borrow of `self` (rule 1);
        // nobody but us writes it, and we do so through `&mut self` only (rule 2).
        unsafe { slice::from_raw_parts(start, len) }
    }
}

impl Storage for Mapped {
    #[inline]
    fn store(&mut self, at: usize, value: u64) {
        let word = word_at(&self.memory, at);
        // SAFETY: as in `load`; a reader that looks at this moment does so atomically (rule 3).
        let word = unsafe { AtomicU64::from_ptr(word) };
        // Everything before is there when the word is: pairs with the acquire of a reader's `load`.
        word.store(value, store_ordering());
        // And nothing after it comes before it. A release store lets the compiler lift later plain writes
        // above it: the next payload above the store of `acked`, say, and a kill between the two would leave
        // frames that are still owed overwritten. Between this fence and a later access to memory the
        // compiler moves nothing. No instruction is needed: a process is killed between two instructions,
        // and the stores of those before it, and of no others, take effect.
        if !cfg!(feature = "zoo-without-barrier") {
            compiler_fence(Ordering::SeqCst);
        }
    }

    #[inline]
    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        let start = bytes_at(&self.memory, at, len);
        // SAFETY: inside the mapping (rule 5), which lives as long as the borrow of `self` (rule 1) and
        // which only this `Mapped` writes (rule 2); the caller asks for bytes of frames that are not
        // published, where no reader looks (rule 4).
        unsafe { slice::from_raw_parts_mut(start, len) }
    }
}

/// Somebody else's link file, mapped for reading only: what its owner does is seen at once, and nothing
/// can be written through it.
///
/// Every number read from it is the owner's word and no more: read it once, check it, then use it. It does
/// not leave this crate, which asks it for bytes in two places: [`prove`] for those of the header, and
/// `Session::receive` for those of a message, which a [`Received`](tcpshm_protocol::Received) keeps
/// borrowed until it is given back.
#[derive(Debug)]
pub(crate) struct ReadOnly {
    memory: MmapRaw,
}

impl ReadOnly {
    /// Maps a link file that another session may be writing.
    ///
    /// # Safety
    ///
    /// The file's owner keeps to the format, and the caller asks [`Published::bytes`] only for the header
    /// and for frames that were published and that it has not consumed. Then nothing that a `&[u8]`
    /// borrows is written while it is borrowed (rule 4 of this module). Nobody truncates the file (rule 1).
    unsafe fn map(file: &File) -> io::Result<Self> {
        let memory = MmapOptions::new().populate().map_raw_read_only(file)?;
        Ok(Self { memory })
    }

    /// Maps the file of the peer of the session that `ours` describes, if it proves to be that, and to be
    /// the memory in which the peer stored `nonce` for this login.
    pub(crate) fn of_peer(file: &File, ours: &Header, nonce: Nonce) -> io::Result<Result<Self, ViewFault>> {
        // SAFETY: a file that is not the peer's is unmapped again when `prove` says so, which reads the
        // header, and that of any file is written once. The owner of the one that stays, whose last login
        // is the one that stored `nonce`, is a process of the same user that keeps to the format: while that
        // login lasts it leaves a published frame alone until our `consumed` word, which only our session
        // stores, has passed it; and it ends the login before it believes anything else about our
        // consumption, which can then only be what we told ourselves in the next one. `Session::receive` asks
        // for the bytes of such frames only. An owner that does not keep to it is outside the trust, be
        // it a process or a host that feeds its session made-up logins, as is one who truncates the file.
        let view = unsafe { Self::map(file) }?;
        Ok(prove(&view, ours, nonce).map(|()| view))
    }
}

impl Published for ReadOnly {
    #[inline]
    fn size(&self) -> usize {
        self.memory.len()
    }

    #[inline]
    fn load(&self, at: usize) -> u64 {
        let word = word_at(&self.memory, at);
        // SAFETY: aligned and inside the mapping (rule 5), which lives as long as `self` (rule 1); its owner
        // touches it as an atomic only (rule 3). Not `AtomicU64::from_ptr`, which asks for writable memory.
        let word = unsafe { &*word.cast_const().cast::<AtomicU64>() };
        // An acquire load in two parts: of the atomic operations only a relaxed load is sure to be allowed
        // on memory that cannot be written. Pairs with the release in the owner's `store`.
        let value = word.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        value
    }

    #[inline]
    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        let start = bytes_at(&self.memory, at, len);
        // SAFETY: inside the mapping (rule 5), which lives as long as the borrow of `self` (rule 1); whoever
        // made `self` promised that its owner leaves these bytes alone (rule 4).
        unsafe { slice::from_raw_parts(start, len) }
    }
}

/// A pointer to the word at `at`. Anything but a whole aligned word of the mapping is a bug of the caller.
#[inline]
fn word_at(memory: &MmapRaw, at: usize) -> *mut u64 {
    assert!(at.is_multiple_of(8), "a word at {at}, which is no multiple of 8");
    bytes_at(memory, at, 8).cast()
}

/// A pointer to `len` bytes at `at`. Anything outside the mapping is a bug of the caller.
#[inline]
fn bytes_at(memory: &MmapRaw, at: usize, len: usize) -> *mut u8 {
    let size = memory.len();
    assert!(at <= size && len <= size - at, "{len} bytes at {at} of a link file of {size}");
    memory.as_mut_ptr().wrapping_add(at)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const SIZE: usize = 8192;

    /// The owner's view of a fresh file, and a reader's.
    fn two_views() -> (Mapped, ReadOnly) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(u64::try_from(SIZE).unwrap()).unwrap();
        // SAFETY: the tests look at published bytes only, and nobody truncates the file.
        let reader = unsafe { ReadOnly::map(&file) }.unwrap();
        let writer = Writer::take(file).unwrap().expect("nobody else has it");
        (Mapped::new(writer).unwrap(), reader)
    }

    fn panics(operation: impl FnOnce()) -> bool {
        catch_unwind(AssertUnwindSafe(operation)).is_err()
    }

    #[test]
    fn what_the_owner_stores_a_second_mapping_of_the_file_sees() {
        let (mut owner, reader) = two_views();
        owner.bytes_mut(100, 5).copy_from_slice(b"hello");
        owner.store(8184, 0x0807_0605_0403_0201);
        assert_eq!(reader.load(8184), 0x0807_0605_0403_0201);
        assert_eq!(reader.bytes(100, 5), b"hello");
        assert_eq!(reader.bytes(8184, 8), &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((owner.load(8184), owner.bytes(100, 5)), (0x0807_0605_0403_0201, &b"hello"[..]));
    }

    #[test]
    fn a_reader_on_another_thread_that_sees_a_word_sees_the_bytes_written_before_it() {
        let (mut owner, reader) = two_views();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for at in (8..SIZE).step_by(8) {
                    owner.bytes_mut(at, 8).copy_from_slice(&at.to_le_bytes());
                    owner.store(0, u64::try_from(at).unwrap());
                }
            });
            let mut seen = 0;
            while seen < SIZE - 8 {
                seen = usize::try_from(reader.load(0)).unwrap();
                assert!(seen == 0 || reader.bytes(seen, 8) == seen.to_le_bytes());
            }
        });
    }

    /// The words and bytes of a `Mapped` as a second thread sees them at the same address. What looks for races
    /// knows memory by its address and is blind to two mappings of a file, and does not know the fence that
    /// `ReadOnly` has to use.
    struct SameAddress(*mut u8);

    // SAFETY: a pointer into a mapping that outlives the thread; see where it is made.
    unsafe impl Send for SameAddress {}

    impl SameAddress {
        fn load(&self, at: usize) -> u64 {
            // SAFETY: an aligned word of the mapping, which both sides touch as an atomic only.
            unsafe { AtomicU64::from_ptr(self.0.wrapping_add(at).cast()) }.load(Ordering::Acquire)
        }

        fn bytes(&self, at: usize, len: usize) -> &[u8] {
            // SAFETY: bytes of the mapping that were published, and are not written again.
            unsafe { slice::from_raw_parts(self.0.wrapping_add(at), len) }
        }
    }

    #[test]
    fn what_is_published_at_the_same_address_is_no_race() {
        let (mut owner, _) = two_views();
        let reader = SameAddress(owner.memory.as_mut_ptr());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut seen = 0;
                while seen < SIZE - 8 {
                    seen = usize::try_from(reader.load(0)).unwrap();
                    assert!(seen == 0 || reader.bytes(seen, 8) == seen.to_le_bytes());
                }
            });
            for at in (8..SIZE).step_by(8) {
                owner.bytes_mut(at, 8).copy_from_slice(&at.to_le_bytes());
                owner.store(0, u64::try_from(at).unwrap());
            }
        });
    }

    #[test]
    fn an_access_outside_the_file_or_unaligned_panics_before_it_touches_anything() {
        let (mut owner, reader) = two_views();
        for at in [4, 8188, 8192, usize::MAX - 7, usize::MAX] {
            assert!(panics(|| _ = owner.load(at)), "load {at}");
            assert!(panics(|| _ = reader.load(at)), "load {at}");
            assert!(panics(|| owner.store(at, 1)), "store {at}");
        }
        for (at, len) in [(0, 8193), (8192, 1), (8193, 0), (1, usize::MAX), (usize::MAX, 2)] {
            assert!(panics(|| _ = owner.bytes(at, len)), "{len} at {at}");
            assert!(panics(|| _ = reader.bytes(at, len)), "{len} at {at}");
            assert!(panics(|| owner.bytes_mut(at, len).fill(1)), "{len} at {at}");
        }
        assert!(reader.bytes(0, 8192).iter().all(|byte| *byte == 0));
        assert!(reader.bytes(8192, 0).is_empty());
    }

    #[test]
    fn a_file_is_mapped_for_writing_once_at_a_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(u64::try_from(SIZE).unwrap()).unwrap();
        let open = || File::options().read(true).write(true).open(file.path()).unwrap();
        let mapped = Mapped::new(Writer::take(open()).unwrap().unwrap()).unwrap();
        assert!(Writer::take(open()).unwrap().is_none());
        drop(mapped);
        assert!(Writer::take(open()).unwrap().is_some());
    }

    #[test]
    fn a_mapping_moves_to_another_thread() {
        fn assert_send<T: Send>() {}
        assert_send::<Mapped>();
        assert_send::<ReadOnly>();
    }
}
