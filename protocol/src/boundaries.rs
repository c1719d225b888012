//! Which positions of a ring are frame starts.

use crate::frame::ALIGNMENT;
use crate::position::Position;

/// One bit for every place of a ring where a frame can start, set where an unacknowledged one does.
///
/// An ack is judged by it instead of by a walk over the frames: one load whatever the ack covers. Never
/// by the bytes in the ring, since a payload may look like anything.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "explore", derive(Hash))]
pub(crate) struct Boundaries {
    bits: Box<[u64]>,
    /// Places in the ring minus one; their number is a power of two.
    mask: u64,
}

impl Boundaries {
    /// No frame starts anywhere in a ring of `capacity` bytes.
    pub(crate) fn new(capacity: u64) -> Self {
        let places = capacity / ALIGNMENT;
        let words = usize::try_from(places.div_ceil(64)).expect("the ring itself fits in memory");
        Self { bits: vec![0; words].into_boxed_slice(), mask: places - 1 }
    }

    pub(crate) fn insert(&mut self, start: Position) {
        let (word, bit) = self.place(start);
        self.bits[word] |= bit;
    }

    pub(crate) fn contains(&self, start: Position) -> bool {
        let (word, bit) = self.place(start);
        self.bits[word] & bit != 0
    }

    /// Forgets the frames that start in `from..to`, which is at most one lap.
    pub(crate) fn remove(&mut self, from: Position, to: Position) {
        let mut place = from.get() / ALIGNMENT;
        let end = to.get() / ALIGNMENT;
        while place < end {
            let slot = place & self.mask;
            let bit = slot % 64;
            // To the end of this word, of the ring, or of the range, whichever comes first.
            let run = (64 - bit).min(self.mask + 1 - slot).min(end - place);
            let ones = if run == 64 { u64::MAX } else { (1 << run) - 1 };
            self.bits[index(slot / 64)] &= !(ones << bit);
            place += run;
        }
    }

    /// How many frames there are.
    pub(crate) fn count(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn place(&self, start: Position) -> (usize, u64) {
        let slot = (start.get() / ALIGNMENT) & self.mask;
        (index(slot / 64), 1 << (slot % 64))
    }
}

fn index(word: u64) -> usize {
    usize::try_from(word).expect("the ring itself fits in memory")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(place: u64) -> Position {
        Position::new(place * 8).unwrap()
    }

    #[test]
    fn removal_of_any_range_leaves_exactly_the_rest() {
        for places in [8, 64, 256] {
            let mut random = fastrand::Rng::with_seed(places);
            for _ in 0..500 {
                let lap = random.u64(0..1 << 40);
                let all: BTreeSet<u64> =
                    (0..random.u64(0..places)).map(|_| lap + random.u64(0..places)).collect();
                let mut boundaries = Boundaries::new(places * 8);
                all.iter().for_each(|place| boundaries.insert(at(*place)));
                assert_eq!(boundaries.count(), all.len() as u64);
                let from = lap + random.u64(0..=places);
                let to = from + random.u64(0..=lap + places - from);
                boundaries.remove(at(from), at(to));
                for place in lap..lap + places {
                    let expected = all.contains(&place) && !(from..to).contains(&place);
                    assert_eq!(boundaries.contains(at(place)), expected, "{places} {from} {to} {place}");
                }
            }
        }
    }
}
