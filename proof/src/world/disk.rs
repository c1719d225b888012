//! One side's directory of link files, in memory, with every image that a kill can leave of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::rc::{Rc, Weak};

use crate::world::journal::Journal;
use crate::world::shared::LiveFile;

pub use crate::world::directory::{Directory, FileId};

/// A handle on one side's directory: the host and the storages of its sessions share it.
///
/// Every store, and every change of a name, is one step. The disk dies after the step that its fuse
/// names: from then on nothing reaches it, as nothing a killed process does reaches anything. The code
/// under test runs on in the dark until its caller looks at [`Disk::is_dead`].
#[derive(Clone, Debug)]
pub struct Disk {
    state: Rc<RefCell<State>>,
    /// Words that were loaded, through mappings of the owner and of others.
    loads: Rc<Cell<u64>>,
}

/// A look at a disk that does not keep it: two disks whose witnesses look at each other's would keep both.
#[derive(Clone, Debug)]
pub struct Distant(Weak<RefCell<State>>);

impl Distant {
    /// What is there now, if there still is a disk.
    pub fn content(&self) -> Option<Directory> {
        Some(self.0.upgrade()?.borrow().now.clone())
    }
}

/// Somebody who looks at every image that a kill would leave.
pub trait Witness: fmt::Debug {
    /// A kill now would leave this: one step later than what was seen before, or, if `torn`, with some
    /// mixture of old, new and other bytes where the owner is writing.
    fn see(&mut self, directory: &Directory, file: FileId, torn: bool);
}

/// What the owner is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// Nothing in particular.
    Other,
    /// Commits one message.
    Commit,
    /// Commits several as one.
    Batch,
    /// Commits an answer and consumes what it answers.
    Reply,
    /// Consumes.
    Consume,
    /// Takes in what the peer says.
    Input,
    /// Logs in.
    Login,
    /// Opens what an earlier life left.
    Recovery,
    /// Leaves a connection.
    Leave,
}

#[derive(Debug)]
struct State {
    now: Directory,
    steps: u64,
    fuse: Option<u64>,
    /// Whether the writes that were under way at death have been settled.
    death: Option<Death>,
    recording: Option<Vec<Directory>>,
    witness: Option<Box<dyn Witness>>,
    /// What the owner is doing, as it says itself, and how many things it has done.
    doing: (Doing, u64),
    /// How many of the next files cannot be made.
    full: u32,
    /// What it was doing at its death.
    died_doing: Option<(Doing, u64)>,
    /// Whether more of that was to come.
    died_inside: bool,
    random: fastrand::Rng,
    /// Stores of an earlier life count for nothing.
    life: u64,
    next_file: u64,
    /// Files without a name, which somebody may still have mapped.
    unlinked: BTreeMap<FileId, Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    Unsettled,
    Settled,
}

/// A write that no store has published yet: where it goes, and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) range: Range<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// What a kill makes of bytes written since the last store.
#[derive(Clone, Copy, Debug)]
enum Mixture {
    New,
    Mixed,
}

impl Disk {
    /// A disk with this content. `seed` decides what becomes of half-written bytes.
    pub fn new(content: Directory, seed: u64) -> Self {
        let next_file = content.files.keys().next_back().map_or(0, |last| last.0 + 1);
        let state = State {
            now: content,
            steps: 0,
            fuse: None,
            death: None,
            recording: None,
            witness: None,
            doing: (Doing::Other, 0),
            full: 0,
            died_doing: None,
            died_inside: false,
            random: fastrand::Rng::with_seed(seed),
            life: 0,
            next_file,
            unlinked: BTreeMap::new(),
        };
        Self { state: Rc::new(RefCell::new(state)), loads: Rc::default() }
    }

    // ---- what a test does ----

    /// What is there now.
    pub fn content(&self) -> Directory {
        self.state.borrow().now.clone()
    }

    /// For somebody who looks at it and does not keep it.
    pub fn distant(&self) -> Distant {
        Distant(Rc::downgrade(&self.state))
    }

    /// Begins a new life, in which copies of what `content` holds are found. They are other files than
    /// those there were, which somebody may still have mapped.
    pub fn replace(&self, content: Directory) {
        let mut state = self.state.borrow_mut();
        let first = state.next_file;
        state.next_file += content.files.keys().next_back().map_or(0, |last| last.0 + 1);
        let old = std::mem::replace(&mut state.now, content.renumbered(first));
        state.unlinked.extend(old.files);
        state.revive();
    }

    /// Begins a new life with what the last one left.
    pub fn revive(&self) {
        self.state.borrow_mut().revive();
    }

    /// Dies after `steps` more steps; 0 at once.
    pub fn burn_after(&self, steps: u64) {
        let mut state = self.state.borrow_mut();
        state.fuse = Some(state.steps + steps);
        if steps == 0 {
            state.death = Some(Death::Unsettled);
            state.died_doing = Some(state.doing);
        }
    }

    /// Puts the fuse out.
    pub fn defuse(&self) {
        self.state.borrow_mut().fuse = None;
    }

    /// Whether this life is over.
    pub fn is_dead(&self) -> bool {
        self.state.borrow().death.is_some()
    }

    /// How many steps were ever taken.
    pub fn steps(&self) -> u64 {
        self.state.borrow().steps
    }

    /// From now on keeps what every kill would leave.
    pub fn record(&self) {
        let mut state = self.state.borrow_mut();
        state.recording = Some(vec![state.now.clone()]);
    }

    /// What every kill since [`Disk::record`] would have left: after each step, and for writes under
    /// way, with all of them in place and with a mixture of old, new and other bytes.
    pub fn crashes(&self) -> Vec<Directory> {
        self.state.borrow_mut().recording.take().unwrap_or_default()
    }

    /// From now on every image is shown to `witness`.
    pub fn watch(&self, witness: Box<dyn Witness>) {
        self.state.borrow_mut().witness = Some(witness);
    }

    /// From now on no image is shown to anybody. Returns who was watching.
    pub fn unwatch(&self) -> Option<Box<dyn Witness>> {
        self.state.borrow_mut().witness.take()
    }

    /// What the owner was doing when it died, and whether more of it was to come.
    pub fn death(&self) -> Option<(Doing, bool)> {
        let state = self.state.borrow();
        state.died_doing.map(|(doing, _)| (doing, state.died_inside))
    }

    /// Somebody takes away the files that were kept aside.
    pub fn release_kept(&self) {
        let mut state = self.state.borrow_mut();
        for file in std::mem::take(&mut state.now.kept) {
            let image = state.now.files.remove(&file).unwrap_or_default();
            state.unlinked.insert(file, image);
        }
    }

    /// The next `files` files cannot be made.
    pub fn fill_up(&self, files: u32) {
        self.state.borrow_mut().full = files;
    }

    /// How many words were ever loaded.
    pub fn loads(&self) -> u64 {
        self.loads.get()
    }

    // ---- what a host does ----

    /// Says what it does next.
    pub(crate) fn begin(&self, doing: Doing) {
        let mut state = self.state.borrow_mut();
        state.doing = (doing, state.doing.1 + 1);
    }

    /// The main file, opened by its owner.
    pub fn open_main(&self) -> Option<Journal> {
        let file = self.state.borrow().now.main?;
        Some(self.open(file))
    }

    /// The fresh file, opened by its owner.
    pub fn open_fresh(&self) -> Option<Journal> {
        let file = self.state.borrow().now.fresh?;
        Some(self.open(file))
    }

    fn open(&self, file: FileId) -> Journal {
        let state = self.state.borrow();
        Journal::new(self.clone(), state.life, file, state.now.files[&file].clone())
    }

    /// The main file, for somebody else to read.
    pub fn view_main(&self) -> Option<LiveFile> {
        let file = self.state.borrow().now.main?;
        Some(LiveFile::new(self.clone(), file))
    }

    /// The fresh file, for somebody else to read.
    pub fn view_fresh(&self) -> Option<LiveFile> {
        let file = self.state.borrow().now.fresh?;
        Some(LiveFile::new(self.clone(), file))
    }

    /// Whether there is no room for the file that is about to be made.
    pub(crate) fn is_full(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let full = state.full > 0;
        state.full = state.full.saturating_sub(1);
        full
    }

    /// Makes a fresh file of zeros. There is none yet.
    pub fn create_fresh(&self, size: usize) -> Journal {
        let mut state = self.state.borrow_mut();
        assert!(state.now.fresh.is_none(), "a fresh file is in the way");
        let file = FileId(state.next_file);
        state.next_file += 1;
        let life = state.life;
        state.step(|directory| {
            directory.files.insert(file, vec![0; size]);
            directory.fresh = Some(file);
        });
        drop(state);
        Journal::new(self.clone(), life, file, vec![0; size])
    }

    /// Removes the fresh file, if there is one.
    pub fn remove_fresh(&self) {
        let mut state = self.state.borrow_mut();
        if let Some(file) = state.now.fresh {
            let image = state.now.files[&file].clone();
            state.unlinked.insert(file, image);
            state.step(|directory| {
                directory.fresh = None;
                directory.files.remove(&file);
            });
        }
    }

    /// Makes the fresh file the main one, in one step, and keeps the old one aside.
    pub fn switch(&self) {
        self.state.borrow_mut().step(|directory| {
            directory.kept.extend(directory.main.take());
            directory.main = directory.fresh.take();
        });
    }

    // ---- what a mapping does ----

    pub(crate) fn count_load(&self) {
        self.loads.set(self.loads.get() + 1);
    }

    pub(crate) fn read<R>(&self, file: FileId, read: impl FnOnce(&[u8]) -> R) -> R {
        let state = self.state.borrow();
        let image = state.now.files.get(&file).or_else(|| state.unlinked.get(&file));
        read(image.expect("a file that was there when it was mapped"))
    }

    // ---- what a storage does ----

    pub(crate) fn store(&self, life: u64, file: FileId, claims: &[Claim], at: usize, value: u64) {
        let mut state = self.state.borrow_mut();
        if life != state.life {
            return;
        }
        state.settle(file, claims);
        state.step(|directory| {
            if let Some(image) = directory.files.get_mut(&file) {
                image[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        });
        if state.death.is_none() || state.fuse == Some(state.steps) {
            state.show(file, false);
        }
    }

    /// Writes that no store followed.
    pub(crate) fn leave(&self, life: u64, file: FileId, claims: &[Claim]) {
        // A witness that objects does so while the disk is in use.
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        if life == state.life {
            state.settle(file, claims);
        }
    }
}

impl State {
    fn revive(&mut self) {
        self.life += 1;
        self.death = None;
        self.fuse = None;
        (self.died_doing, self.died_inside) = (None, false);
    }

    /// Somebody looks at what a kill would leave.
    fn show(&mut self, file: FileId, torn: bool) {
        if let Some(witness) = &mut self.witness
            && self.now.files.contains_key(&file)
        {
            witness.see(&self.now, file, torn);
        }
    }

    fn step(&mut self, change: impl FnOnce(&mut Directory)) {
        if self.death.is_some() {
            self.death = Some(Death::Settled);
            self.died_inside |= self.died_doing == Some(self.doing);
            return;
        }
        change(&mut self.now);
        self.steps += 1;
        if let Some(crashes) = &mut self.recording {
            crashes.push(self.now.clone());
        }
        if self.fuse == Some(self.steps) {
            self.death = Some(Death::Unsettled);
            self.died_doing = Some(self.doing);
        }
    }

    /// Writes reach the disk, as far as they do.
    fn settle(&mut self, file: FileId, claims: &[Claim]) {
        if claims.is_empty() || self.death == Some(Death::Settled) {
            return;
        }
        if self.death == Some(Death::Unsettled) {
            // Some of what was written after the last store had reached the memory.
            self.death = Some(Death::Settled);
            let mut directory = std::mem::take(&mut self.now);
            self.mix(&mut directory, file, claims, Mixture::Mixed);
            self.now = directory;
            return;
        }
        if self.recording.is_some() {
            for mixture in [Mixture::Mixed, Mixture::New] {
                let mut directory = self.now.clone();
                self.mix(&mut directory, file, claims, mixture);
                self.recording.iter_mut().for_each(|crashes| crashes.push(directory.clone()));
            }
        }
        let mut directory = std::mem::take(&mut self.now);
        if self.witness.is_some() {
            let old = self.mix(&mut directory, file, claims, Mixture::Mixed);
            self.now = directory;
            self.show(file, true);
            directory = std::mem::take(&mut self.now);
            directory
                .write(file, claims.iter().zip(&old).map(|(claim, old)| (claim.range.clone(), &old[..])));
        }
        self.mix(&mut directory, file, claims, Mixture::New);
        self.now = directory;
    }

    /// Returns what was there before.
    fn mix(
        &mut self,
        directory: &mut Directory,
        file: FileId,
        claims: &[Claim],
        mixture: Mixture,
    ) -> Vec<Vec<u8>> {
        let Some(image) = directory.files.get_mut(&file) else { return Vec::new() };
        let mut old = Vec::new();
        for claim in claims {
            let bytes = &mut image[claim.range.clone()];
            if let Mixture::New = mixture {
                bytes.copy_from_slice(&claim.bytes);
                continue;
            }
            old.push(bytes.to_vec());
            for (byte, new) in bytes.iter_mut().zip(&claim.bytes) {
                *byte = match self.random.u8(..3) {
                    0 => *new,
                    1 => *byte,
                    _ => self.random.u8(..),
                };
            }
        }
        old
    }
}
