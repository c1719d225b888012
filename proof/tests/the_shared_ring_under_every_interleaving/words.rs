//! Link files for the model checker: the owner's storage and a reader's view of the same memory.
//!
//! What the other side may load is a [`Word`] that the checker watches: as an atomic, and as plain memory.
//! The owner's plain writes go to a copy of its own, and reach the words at its next call. They are not made
//! atomic, as they are not in a mapping: a reader that touches one without having learned of it through a
//! release and an acquire is a data race, and fails the model wherever in the interleaving it stands.

use std::cell::{Cell as StdCell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use loom::cell::Cell;
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use proof::image::at;
use proof::shared::Copies;
use tcpshm_protocol::{Memory, Published, Storage, store_ordering};

/// What a double does wrong, to show that the model would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Its stores do not release.
    StoresRelaxed,
    /// Its loads do not acquire.
    LoadsRelaxed,
    /// The word behind a frame is zeroed when the frame is published already.
    PublishesFirst,
    /// A new owner does not store its nonce.
    Unnoticed,
    /// It looks at the other side without a fence behind what it stored.
    NoFence,
}

/// One link file.
#[derive(Debug)]
pub(crate) struct File {
    /// What is there, the latest of each word.
    image: RefCell<Vec<u8>>,
    words: Vec<Word>,
    /// How many stores the owner lives for, if not for ever.
    life: StdCell<Option<u32>>,
    dead: StdCell<bool>,
}

/// A word that a reader loads or whose bytes it borrows.
#[derive(Debug)]
struct Word {
    atomic: AtomicU64,
    /// Written by plain writes; read by whoever loads or borrows.
    written: Cell<()>,
    /// Written by atomic stores; read by whoever borrows: a load is an atomic itself.
    stored: Cell<()>,
    /// Whether the latest value was written plainly.
    is_plain: StdCell<bool>,
}

/// The words that the other side may look at, but for those of the ring.
const BESIDE: [usize; 4] = [at::NONCE, at::CURRENT, at::PARKED, at::CONSUMED];

impl File {
    pub(crate) fn new(image: Vec<u8>) -> Rc<Self> {
        let places = (at::FRAMES..image.len()).step_by(8);
        let word = |place: usize| Word {
            atomic: AtomicU64::new(proof::image::load(&image, place)),
            written: Cell::new(()),
            stored: Cell::new(()),
            is_plain: StdCell::new(false),
        };
        let words = BESIDE.into_iter().chain(places).map(word).collect();
        Rc::new(Self {
            image: RefCell::new(image),
            words,
            life: StdCell::new(None),
            dead: StdCell::new(false),
        })
    }

    /// The owner dies before the store after the next `stores`.
    pub(crate) fn burn_after(&self, stores: u32) {
        self.life.set(Some(stores));
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// A new owner comes.
    pub(crate) fn revive(&self) {
        self.life.set(None);
        self.dead.set(false);
    }

    /// Whether the owner comes to make its next store.
    fn lives_on(&self) -> bool {
        let life = self.life.get();
        self.life.set(life.map(|left| left.saturating_sub(1)));
        self.dead.set(self.dead.get() || life == Some(0));
        !self.is_dead()
    }

    fn word(&self, place: usize) -> Option<&Word> {
        let index = match place.checked_sub(at::FRAMES) {
            Some(offset) => BESIDE.len() + offset / 8,
            None => BESIDE.iter().position(|beside| *beside == place)?,
        };
        Some(&self.words[index])
    }

    fn latest(&self, place: usize) -> u64 {
        proof::image::load(&self.image.borrow(), place)
    }

    fn set(&self, place: usize, value: u64) {
        proof::image::set(&mut self.image.borrow_mut(), place, value);
    }
}

/// The owner's storage. What it wrote before the store at which it dies is there, and nothing that it does
/// afterwards.
#[derive(Debug)]
pub(crate) struct Owner {
    file: Rc<File>,
    /// What the owner sees: everything it has done.
    own: Memory,
    claimed: Vec<Range<usize>>,
    fault: Fault,
    late: Option<usize>,
}

impl Owner {
    pub(crate) fn open(file: &Rc<File>, fault: Fault) -> Self {
        let own = Memory::from_image(file.image.borrow().clone());
        Self { file: Rc::clone(file), own, claimed: Vec::new(), fault, late: None }
    }

    /// What was written plainly reaches the memory: each word that is another than before.
    fn flush(&mut self) {
        for Range { start, end } in std::mem::take(&mut self.claimed) {
            for place in (start / 8 * 8..end).step_by(8) {
                let value = self.own.load(place);
                if !self.file.is_dead() && self.file.latest(place) != value {
                    let word = self.file.word(place).expect("only frames are written plainly");
                    word.written.set(());
                    word.is_plain.set(true);
                    self.file.set(place, value);
                }
            }
        }
    }

    fn store_word(&self, place: usize, value: u64) {
        let relaxed = self.fault == Fault::StoresRelaxed;
        let ordering = if relaxed { Ordering::Relaxed } else { store_ordering() };
        if let Some(word) = self.file.word(place) {
            word.atomic.store(value, ordering);
            word.stored.set(());
            word.is_plain.set(false);
        }
        self.file.set(place, value);
    }
}

impl Published for Owner {
    fn size(&self) -> usize {
        self.own.size()
    }

    fn load(&self, at: usize) -> u64 {
        self.own.load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.own.bytes(at, len)
    }
}

impl Storage for Owner {
    fn store(&mut self, at: usize, value: u64) {
        self.flush();
        self.own.store(at, value);
        if !self.file.lives_on() || (self.fault == Fault::Unnoticed && at == at::NONCE) {
            return;
        }
        if self.fault == Fault::PublishesFirst && at >= at::FRAMES && value == 0 {
            self.late = Some(at);
            return;
        }
        self.store_word(at, value);
        if let Some(late) = self.late.take() {
            self.store_word(late, 0);
        }
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        self.flush();
        self.claimed.push(at..at + len);
        self.own.bytes_mut(at, len)
    }

    fn full_fence(&self) {
        if self.fault != Fault::NoFence {
            fence(Ordering::SeqCst);
        }
    }
}

/// Somebody else's look at the file. It loads as a read-only mapping does.
#[derive(Debug)]
pub(crate) struct View {
    file: Rc<File>,
    copies: Copies,
    fault: Fault,
}

impl View {
    pub(crate) fn of(file: &Rc<File>, fault: Fault) -> Self {
        Self { file: Rc::clone(file), copies: Copies::default(), fault }
    }
}

impl Published for View {
    fn size(&self) -> usize {
        self.file.image.borrow().len()
    }

    fn load(&self, place: usize) -> u64 {
        if place < at::HEADER_END {
            return self.file.latest(place);
        }
        let word = self.file.word(place).expect("a reader has no business with the other words");
        let value = word.atomic.load(Ordering::Relaxed);
        if self.fault != Fault::LoadsRelaxed {
            fence(Ordering::Acquire);
        }
        word.written.get();
        if word.is_plain.get() { self.file.latest(place) } else { value }
    }

    fn bytes(&self, start: usize, len: usize) -> &[u8] {
        if start >= at::FRAMES {
            for place in (start / 8 * 8..start + len).step_by(8) {
                let word = self.file.word(place).expect("within the frames");
                word.written.get();
                word.stored.get();
            }
        }
        self.copies.keep(self.file.image.borrow()[start..start + len].to_vec())
    }
}
