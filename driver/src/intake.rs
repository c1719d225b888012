//! Memory into which sockets are read.

use tcpshm_protocol::frame_size;

/// What all connections of a driver share. A connection has memory of its own for an incomplete frame only.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Where all reading begins.
    pub(crate) bytes: Box<[u8]>,
    /// The memory of a long frame that is over, for the next one: new pages for each would cost more than its bytes.
    pub(crate) spare: Vec<u8>,
}

impl Scratch {
    /// Bytes read at once: enough for TCP to run at memory speed, small against the cache.
    const SIZE: usize = 256 * 1024;

    pub(crate) fn new() -> Self {
        Self::with_size(Self::SIZE)
    }

    /// With few bytes, every read is one that may have left some.
    pub(crate) fn with_size(size: usize) -> Self {
        Self { bytes: vec![0; size].into(), spare: Vec::new() }
    }

    /// A connection is over, and long frames with it, perhaps.
    pub(crate) fn shrink(&mut self) {
        self.spare = Vec::new();
    }
}

/// An incomplete frame that is read in place.
#[derive(Debug)]
pub(crate) struct LongFrame {
    /// Grows with what comes, since what the peer says it will be is only said; or is another one's, and about as long.
    buffer: Vec<u8>,
    filled: usize,
    /// Where it ends.
    size: usize,
}

impl LongFrame {
    /// Incomplete frames up to this part of the scratch are moved to its front and completed there.
    const MOVED: usize = 4;
    /// How many times as much memory as it needs a frame may take over from another one.
    const GENEROUS: usize = 4;

    /// Whether so much of an incomplete frame is worth memory of its own, where `most` is read at once.
    pub(crate) fn is_worth(bytes: usize, most: usize) -> bool {
        bytes > most / Self::MOVED
    }

    /// A frame of which this much has come.
    pub(crate) fn begin(front: &[u8], spare: &mut Vec<u8>) -> Self {
        let size = frame_size(front).unwrap_or(0);
        // One that stops half-way must not keep the memory of the longest.
        let fits = spare.len() <= size.saturating_mul(Self::GENEROUS);
        let mut buffer = if fits { std::mem::take(spare) } else { Vec::new() };
        if buffer.len() < front.len() {
            buffer.resize(front.len(), 0);
        }
        buffer[..front.len()].copy_from_slice(front);
        Self { buffer, filled: front.len(), size }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Where to read on: `most` bytes, but nothing behind the frame.
    pub(crate) fn room(&mut self, most: usize) -> &mut [u8] {
        let most = self.filled + most;
        // Of some bytes nobody knows what they will be: those that came with a login, say.
        let end = if self.size > self.filled { most.min(self.size) } else { most };
        if self.buffer.len() < end {
            // Twice as much each time, so that moving it costs little in all.
            self.buffer.resize((2 * self.filled).min(self.size).max(end), 0);
        }
        &mut self.buffer[self.filled..end]
    }

    /// So many bytes were read.
    pub(crate) fn add(&mut self, count: usize) {
        self.filled += count;
    }

    /// The frame is over: its memory goes to the next one, unless that is larger already.
    pub(crate) fn end(self, spare: &mut Vec<u8>) {
        if self.buffer.len() > spare.len() {
            *spare = self.buffer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The front of a frame that will have `len` bytes.
    fn front(len: u32, come: usize) -> Vec<u8> {
        let mut front = vec![7; come];
        front[..4].copy_from_slice(&len.to_le_bytes());
        front
    }

    #[test]
    fn a_frame_is_read_to_its_end_and_no_further_in_memory_that_grows_with_it() {
        let mut long = LongFrame::begin(&front(1001, 30), &mut Vec::new());
        let mut rooms = Vec::new();
        while long.bytes().len() < 1008 {
            let room = long.room(100);
            room.fill(8);
            rooms.push(room.len());
            long.add(*rooms.last().unwrap());
            assert!(long.buffer.len() <= 1008.min(2 * long.filled));
        }
        assert_eq!(rooms, [100, 100, 100, 100, 100, 100, 100, 100, 100, 78]);
        assert_eq!((&long.bytes()[..4], long.bytes()[1007]), (&1001_u32.to_le_bytes()[..], 8));
    }

    #[test]
    fn its_memory_is_used_again_and_of_two_the_larger_one() {
        let mut spare = Vec::new();
        let [mut long, mut other] = [200, 9000].map(|len| LongFrame::begin(&front(len, 30), &mut spare));
        long.room(100);
        long.end(&mut spare);
        other.room(1000);
        let larger = other.buffer.as_ptr();
        other.end(&mut spare);
        let next = LongFrame::begin(&front(5000, 40), &mut spare);
        assert_eq!((next.buffer.as_ptr(), next.bytes()), (larger, &front(5000, 40)[..]));
        LongFrame::begin(&front(5000, 40), &mut spare).end(&mut spare);
        next.end(&mut spare);
        assert_eq!(spare.as_ptr(), larger);
        // A short one leaves it to those that need it, and nothing outlives its connection.
        assert_ne!(LongFrame::begin(&front(200, 40), &mut spare).buffer.as_ptr(), larger);
        let mut scratch = Scratch { bytes: Box::default(), spare };
        scratch.shrink();
        assert_eq!(scratch.spare.capacity(), 0);
    }

    #[test]
    fn what_is_no_frame_is_read_all_the_same() {
        for said in [0, 16, u32::MAX] {
            let mut long = LongFrame::begin(&front(said, 30), &mut Vec::new());
            assert_eq!(long.room(100).len(), 100, "{said}");
        }
    }
}
