//! The link file of a peer that follows a script.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tcpshm_protocol::{Geometry, Published};

use crate::world::image::at;
use crate::world::wire::frame_size;

/// What a session reads of its peer's file over shared memory, and nothing else: four words and the ring,
/// written by a test. A handle: clones are the same file.
#[derive(Clone, Debug)]
pub struct ScriptedFile(Rc<Content>);

#[derive(Debug)]
struct Content {
    capacity: u64,
    nonce: Cell<u64>,
    current: Cell<u64>,
    consumed: Cell<u64>,
    parked: Cell<u64>,
    ring: RefCell<Vec<u8>>,
}

impl ScriptedFile {
    /// A file without messages, of no attachment.
    pub fn new(geometry: Geometry) -> Self {
        let size = geometry.capacity() + geometry.largest_frame();
        let ring = vec![0; usize::try_from(size).expect("test files are small")];
        let [nonce, current, consumed, parked] = Default::default();
        let capacity = geometry.capacity();
        Self(Rc::new(Content { capacity, nonce, current, consumed, parked, ring: RefCell::new(ring) }))
    }

    /// The peer attaches, or leaves.
    pub fn attach(&self, nonce: u64, attachment: u64) {
        self.0.nonce.set(nonce);
        self.0.current.set(attachment);
    }

    /// The peer has consumed up to `position`.
    pub fn consume(&self, position: u64) {
        self.0.consumed.set(position);
    }

    /// The peer says whether it sleeps.
    pub fn park(&self, word: u64) {
        self.0.parked.set(word);
    }

    /// The peer publishes a frame at `start`.
    pub fn publish(&self, start: u64, frame: &[u8]) {
        let mut ring = self.0.ring.borrow_mut();
        let place = |position: u64| usize::try_from(position % self.0.capacity).expect("small");
        let behind = place(start.wrapping_add(frame_size(frame.len() - 16)));
        ring[behind..behind + 8].fill(0);
        ring[place(start)..][..frame.len()].copy_from_slice(frame);
    }

    fn word(&self, place: usize) -> u64 {
        match place {
            at::NONCE => self.0.nonce.get(),
            at::CURRENT => self.0.current.get(),
            at::CONSUMED => self.0.consumed.get(),
            at::PARKED => self.0.parked.get(),
            at::FRAMES.. => crate::world::image::load(&self.0.ring.borrow(), place - at::FRAMES),
            _ => panic!("a reader has no business with the word at {place}"),
        }
    }
}

impl Published for ScriptedFile {
    fn size(&self) -> usize {
        at::FRAMES + self.0.ring.borrow().len()
    }

    fn load(&self, at: usize) -> u64 {
        self.word(at)
    }

    fn bytes(&self, start: usize, len: usize) -> &[u8] {
        // Leaked, so that messages can be kept as they are lent. Tests are short.
        Vec::leak(self.0.ring.borrow()[start - at::FRAMES..][..len].to_vec())
    }
}
