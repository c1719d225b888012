//! One direction of a connection.

use std::collections::VecDeque;

/// Bytes on their way, and where they will be lost.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    bytes: VecDeque<u8>,
    /// How many bytes ever arrived.
    arrived: u64,
    /// The connection is cut when so many bytes have arrived.
    cut_after: Option<u64>,
    /// How many bytes can be on their way; `None` for any number.
    room: Option<usize>,
    /// Everything that was ever written, if it is kept.
    record: Option<Vec<u8>>,
}

impl Pipe {
    pub(crate) fn new(cut_after: Option<u64>, room: Option<usize>, keep: bool) -> Self {
        Self { cut_after, room, record: keep.then(Vec::new), ..Self::default() }
    }

    /// Takes bytes from the front of `bytes`, at most `most`; returns how many.
    pub(crate) fn write(&mut self, bytes: &[u8], most: usize) -> usize {
        let room = self.room.map_or(usize::MAX, |room| room.saturating_sub(self.bytes.len()));
        let taken = &bytes[..bytes.len().min(most).min(room)];
        self.bytes.extend(taken);
        self.record.iter_mut().for_each(|record| record.extend_from_slice(taken));
        taken.len()
    }

    /// Moves at most `most` bytes to the end of `inbox`; returns how many.
    pub(crate) fn read(&mut self, inbox: &mut Vec<u8>, most: usize) -> usize {
        let left = self.cut_after.map_or(u64::MAX, |cut| cut.saturating_sub(self.arrived));
        let count = self.bytes.len().min(most).min(usize::try_from(left).unwrap_or(usize::MAX));
        inbox.extend(self.bytes.drain(..count));
        self.arrived += count as u64;
        count
    }

    /// Whether the connection ends here.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut_after.is_some_and(|cut| self.arrived >= cut)
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes ever arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Everything that was ever written to it, if that is kept.
    pub fn record(&self) -> &[u8] {
        self.record.as_deref().unwrap_or_default()
    }

    /// Bytes that nobody sent.
    pub fn inject(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }
}

/// How many bytes a read or a write moves at once.
#[derive(Clone, Debug)]
pub enum Chunks {
    /// All there are.
    Whole,
    /// So many, every time.
    Fixed(usize),
    /// First so many, then all there are.
    First(usize),
    /// One to so many.
    Random(fastrand::Rng, usize),
}

impl Chunks {
    pub(crate) fn next(&mut self) -> usize {
        match self {
            Chunks::Whole => usize::MAX,
            Chunks::Fixed(count) => *count,
            Chunks::First(count) => {
                let first = *count;
                *self = Chunks::Whole;
                first
            }
            Chunks::Random(random, most) => random.usize(1..=*most),
        }
    }
}
