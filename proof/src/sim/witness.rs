//! Every image that a kill would leave is recovered and judged.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use fastrand::Rng;
use tcpshm_protocol::{HeaderError, Nonce, Published, RecoverError, Session, Storage, survey};

use crate::sim::counters::Counters;
use crate::violation::{Invariant, ensure, violate};
use crate::world::disk::{Directory, Distant, FileId, Witness};
use crate::world::ring::{self, Words};
use crate::world::ruling::Found;
use crate::world::truth::{History, Truth};

/// Looks at one side's files after every store, and at what is torn between two.
#[derive(Debug)]
pub(super) struct Onlooker {
    mine: History,
    theirs: History,
    /// The other side's disk, for images of both.
    peer: Distant,
    /// Whether a copy is about: then the two sides may contradict each other until a login finds it.
    tainted: Rc<Cell<bool>>,
    seen: BTreeMap<FileId, Seen>,
    scratch: Vec<u8>,
    random: Rng,
    pub(super) tally: Rc<RefCell<Tally>>,
}

/// What the onlookers of a world found.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counters: Counters,
    images: u64,
    torn: u64,
    /// Both sides as a kill of both would leave them, now and then.
    pub(super) samples: Vec<Sample>,
}

/// Both sides at one instant: the one that was storing, and the other.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) directories: [Directory; 2],
    pub(super) truths: [BTreeMap<u128, Truth>; 2],
    pub(super) tainted: bool,
}

/// How far a file had come.
#[derive(Debug)]
struct Seen {
    words: Words,
    tail: u64,
    /// What each frame that is not freed says was consumed.
    acks: VecDeque<(u64, u64)>,
}

impl Tally {
    pub(super) fn into_counters(self) -> Counters {
        let mut counters = self.counters;
        counters.add("images: recovered and judged", self.images);
        counters.add("images: torn", self.torn);
        counters
    }
}

impl Onlooker {
    pub(super) fn new(
        [mine, theirs]: [History; 2],
        peer: Distant,
        tainted: Rc<Cell<bool>>,
        seed: u64,
        tally: Rc<RefCell<Tally>>,
    ) -> Self {
        let (seen, scratch) = Default::default();
        Self { mine, theirs, peer, tainted, seen, scratch, random: Rng::with_seed(seed), tally }
    }

    /// I3: the image shows the state before what is under way, or after it, and each frame is whole.
    fn judge_atomic(&self, image: &[u8], truth: &Truth, recovered: [u64; 2]) {
        let (before, after) = (truth.ends(), truth.ends_after());
        ensure(recovered == before || recovered == after, Invariant::CrashAtomic, || {
            format!("recovered to {recovered:?}, before {before:?}, after {after:?}")
        });
        let acked = ring::words(image).acked;
        let mut committed = truth.committed_from(truth.committed_below(acked));
        let mut end = acked;
        for frame in ring::frames(image) {
            let Some(frame) = frame else { violate(Invariant::CrashAtomic, format!("no frame at {end}")) };
            let placed = committed.next();
            let same = placed.is_some_and(|(end, message)| {
                *end == frame.end && message.kind.get() == frame.kind && message.payload == frame.payload
            });
            ensure(same, Invariant::Monotonic, || format!("{frame:?} stands where {placed:?} was committed"));
            end = frame.end;
        }
        ensure(end == recovered[0], Invariant::CrashAtomic, || {
            format!("the frames end at {end}, and recovery at {}", recovered[0])
        });
    }

    /// I4: recovery is bounded, changes no frame, and may be killed and done again.
    fn judge_recovery(&mut self, image: &[u8], depth: u32) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(image);
        let mut file = Scratch { image: &mut scratch, stores: 0, loads: Cell::new(0), depth };
        let expected = survey(&file).unwrap_or_else(|error| violate(Invariant::CrashAtomic, error));
        let opened = Session::open(&mut file, Nonce::new(1)).map(|session| session.standing());
        ensure(opened == Ok(expected.standing()), Invariant::Idempotent, || {
            format!("looked at {:?}, opened {opened:?}", expected.standing())
        });
        let most = 64 + ring::capacity(image) / 4;
        // The consumption, the floor of what was sent and whose it is, the nonce.
        ensure(file.stores <= 4 && file.loads.get() <= most, Invariant::Bounded, || {
            format!("recovery took {} stores and {} loads", file.stores, file.loads.get())
        });
        let same = image[crate::world::image::at::FRAMES..] == scratch[crate::world::image::at::FRAMES..];
        ensure(same, Invariant::Idempotent, || "recovery changed a frame".into());
        self.scratch = scratch;
    }

    /// I5 and I6: nothing goes back, nothing is ahead of what it stands for.
    fn judge_words(&mut self, file: FileId, image: &[u8], tail: u64, session: u128, torn: bool) {
        let words = ring::words(image);
        ensure(words.acked <= tail, Invariant::Ordered, || format!("{words:?} beyond the tail {tail}"));
        if !self.tainted.get() {
            let theirs = self.theirs.read(session, |truth| [truth.ends_after()[1], truth.ends_after()[0]]);
            if let Some([consumed, committed]) = theirs {
                ensure(words.acked <= consumed, Invariant::Ordered, || {
                    format!("acked {}, and the peer consumed {consumed}", words.acked)
                });
                ensure(words.consumed <= committed, Invariant::Ordered, || {
                    format!("consumed {}, and the peer committed {committed}", words.consumed)
                });
            }
        }
        if torn {
            return;
        }
        let seen = self.seen.entry(file).or_insert_with(|| Seen { words, tail, acks: VecDeque::new() });
        let back = words.acked < seen.words.acked || words.consumed < seen.words.consumed || tail < seen.tail;
        ensure(!back, Invariant::Monotonic, || format!("{words:?} and tail {tail} after {seen:?}"));
        let known = seen.acks.back().map_or(words.acked, |(end, _)| *end);
        for frame in ring::frames(image).flatten().filter(|frame| frame.end > known) {
            seen.acks.push_back((frame.end, frame.ack));
            self.tally.borrow_mut().counters.count_if(frame.over_end, "ring: frame over the end");
        }
        while let Some((_, ack)) = seen.acks.front().filter(|(end, _)| *end <= words.acked) {
            ensure(words.consumed >= *ack, Invariant::Ordered, || {
                format!("a frame that told {ack} was freed, and the word says {}", words.consumed)
            });
            seen.acks.pop_front();
        }
        let full = tail - words.acked + 8 == ring::capacity(image) && tail != seen.tail;
        self.tally.borrow_mut().counters.count_if(full, "ring: exactly full");
        (seen.words, seen.tail) = (words, tail);
    }

    fn sample(&mut self, directory: &Directory) {
        if self.random.u32(..SAMPLED) != 0 {
            return;
        }
        let Some(peer) = self.peer.content() else { return };
        self.tally.borrow_mut().samples.push(Sample {
            directories: [directory.clone(), peer],
            truths: [self.mine.copy(), self.theirs.copy()],
            tainted: self.tainted.get(),
        });
    }
}

/// One image in so many is played to the end.
const SAMPLED: u32 = 2_000;
/// One image in so many has its recovery killed three deep rather than once.
const DEEP: u32 = 64;

impl Witness for Onlooker {
    fn see(&mut self, directory: &Directory, file: FileId, torn: bool) {
        let Some(image) = directory.image(file) else { return };
        let is_main = directory.main().is_some_and(|main| std::ptr::eq(main, image));
        {
            let mut tally = self.tally.borrow_mut();
            tally.images += 1;
            tally.torn += u64::from(torn);
        }
        let found = match survey(&View(image)) {
            Err(RecoverError::Header(HeaderError::Unfinished)) if !is_main => return,
            Err(error) => violate(Invariant::CrashAtomic, error),
            Ok(found) => found,
        };
        let standing = found.standing();
        let recovered = [found.undelivered().upto.get(), standing.consumed.get()];
        let session = Found::read(image).map_or(0, |found| found.session);
        let nothing = Truth::default();
        let mine = self.mine.clone();
        mine.read(session, |truth| self.judge_atomic(image, truth, recovered))
            .unwrap_or_else(|| self.judge_atomic(image, &nothing, recovered));
        self.judge_words(file, image, recovered[0], session, torn);
        let depth = if self.random.u32(..DEEP) == 0 { 3 } else { 1 };
        self.judge_recovery(image, depth);
        self.sample(directory);
    }
}

/// A file to look at.
struct View<'a>(&'a [u8]);

impl Published for View<'_> {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn load(&self, at: usize) -> u64 {
        crate::world::image::load(self.0, at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        &self.0[at..at + len]
    }
}

/// A file that is recovered: after each store what would be found is what was found before.
#[derive(Debug)]
struct Scratch<'a> {
    image: &'a mut [u8],
    stores: u64,
    loads: Cell<u64>,
    /// How often in a row recovery is killed; 0 for a file that may be damaged.
    depth: u32,
}

impl Published for Scratch<'_> {
    fn size(&self) -> usize {
        self.image.len()
    }

    fn load(&self, at: usize) -> u64 {
        self.loads.set(self.loads.get() + 1);
        crate::world::image::load(self.image, at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        &self.image[at..at + len]
    }
}

impl Storage for &mut Scratch<'_> {
    fn store(&mut self, at: usize, value: u64) {
        if self.depth == 0 {
            return crate::world::image::set(self.image, at, value);
        }
        let before = survey(&View(self.image)).map(|found| found.standing());
        self.stores += 1;
        crate::world::image::set(self.image, at, value);
        let again = survey(&View(self.image)).map(|found| found.standing());
        ensure(before == again, Invariant::Idempotent, || {
            format!("recovery killed after its store at {at}: {before:?}, then {again:?}")
        });
        if self.depth > 1 {
            let mut memory = Scratch {
                image: &mut self.image.to_vec(),
                stores: 0,
                loads: Cell::new(0),
                depth: self.depth - 1,
            };
            let opened = Session::open(&mut memory, Nonce::new(2)).map(|session| session.standing());
            ensure(opened == again, Invariant::Idempotent, || format!("{again:?}, then {opened:?}"));
        }
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        &mut self.image[at..at + len]
    }
}

impl Published for &mut Scratch<'_> {
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

/// I12: a damaged file is opened, or refused with a typed error and left as it is. Returns the error.
pub(super) fn open_damaged(mut image: Vec<u8>) -> Option<RecoverError> {
    let before = image.clone();
    let mut file = Scratch { image: &mut image, stores: 0, loads: Cell::new(0), depth: 0 };
    let error = Session::open(&mut file, Nonce::new(3)).err();
    let most = 64 + before.len() as u64;
    ensure(file.loads.get() <= most, Invariant::Typed, || format!("{} loads", file.loads.get()));
    let untouched = error.is_none() || image == before;
    ensure(untouched, Invariant::Typed, || format!("a file was changed, and refused: {error:?}"));
    error
}
