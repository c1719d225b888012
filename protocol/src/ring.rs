//! Where a position lies in the frame area.

use crate::geometry::Geometry;
use crate::layout;
use crate::position::Position;

/// The frame area of one stream: a power of two of bytes, and an overhang that lets a frame which
/// starts before the end run past it, so that every frame is contiguous.
///
/// Only frame *starts* are masked. A place inside a frame is (frame start, bytes into it); masking it
/// would land at the wrong end of the ring for a frame in the overhang.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring {
    capacity: u64,
}

impl Ring {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self { capacity: geometry.capacity() }
    }

    pub(crate) fn capacity(self) -> u64 {
        self.capacity
    }

    /// The offset in the file of the frame that starts at `start`.
    #[expect(clippy::cast_possible_truncation, reason = "less than the capacity, which is addressable")]
    pub(crate) fn place(self, start: Position) -> usize {
        layout::FRAMES + (start.get() & (self.capacity - 1)) as usize
    }

    /// The end of the lap that `start` is in: up to there places are contiguous.
    pub(crate) fn lap_end(self, start: Position) -> Position {
        let rest = self.capacity - (start.get() & (self.capacity - 1));
        start.saturating_add(rest)
    }

    /// Whether what follows a frame from `start` to `end` lies at the front of the ring.
    pub(crate) fn crosses_lap(self, start: Position, end: Position) -> bool {
        end.get() & !(self.capacity - 1) > start.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: u64) -> Position {
        Position::new(bytes).unwrap()
    }

    #[test]
    fn a_frame_that_ends_exactly_at_the_end_of_the_ring_is_followed_by_its_front() {
        let ring = Ring::new(Geometry::new(64, 24).unwrap());
        assert!(ring.crosses_lap(at(40), at(64)) && ring.crosses_lap(at(40), at(72)));
        assert!(!ring.crosses_lap(at(0), at(56)) && !ring.crosses_lap(at(64), at(120)));
        assert_eq!(ring.place(at(64)), layout::FRAMES);
        assert_eq!(ring.place(at(u64::MAX - 7)), layout::FRAMES + 56);
    }
}
