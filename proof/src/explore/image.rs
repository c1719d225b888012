//! A link file that takes a few hundred bytes, since a state holds several and there are millions of states.

use std::hash::Hasher;

use tcpshm_protocol::{Published, Storage};

use super::journal;
use crate::world::image::at;

/// Where the words stand here, behind the header.
const WORDS: usize = at::HEADER_END;
/// Where the frames stand here, behind the words: three of progress, one of consumption, six of logins, of which the
/// fourth says whether the owner sleeps and the fifth is a position.
const FRAMES: usize = WORDS + 10 * 8;

/// The bytes of a link file that mean something: header, words and frames, without the gaps between them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Image {
    /// Which file it is, whatever its name is: what somebody may have mapped.
    pub(crate) file: u8,
    bytes: Box<[u8]>,
}

impl Image {
    /// A file of zeros.
    pub(crate) fn zeroed(file: u8, size: usize) -> Self {
        Self { file, bytes: vec![0; size - at::FRAMES + FRAMES].into() }
    }

    /// A copy of a whole link file.
    pub(crate) fn packed(file: u8, whole: &[u8]) -> Self {
        let mut image = Self::zeroed(file, whole.len());
        for (to, from, len) in [
            (0, 0, at::HEADER_END),
            (WORDS, at::ACKED, 24),
            (WORDS + 24, at::CONSUMED, 8),
            (WORDS + 32, at::NONCE, 24),
            (WORDS + 56, at::PARKED, 24),
            (FRAMES, at::FRAMES, whole.len() - at::FRAMES),
        ] {
            image.bytes[to..to + len].copy_from_slice(&whole[from..from + len]);
        }
        image
    }

    /// Bytes that a kill left, put where they belong.
    pub(crate) fn put(&mut self, place: usize, bytes: &[u8]) {
        self.bytes[place..place + bytes.len()].copy_from_slice(bytes);
    }

    /// What stands at these places.
    pub(crate) fn kept(&self, place: usize, len: usize) -> &[u8] {
        &self.bytes[place..place + len]
    }

    /// Feeds everything but the ids of file and logins to `state`.
    pub(crate) fn digest(&self, state: &mut impl Hasher) {
        state.write(&self.bytes[..place(at::NONCE)]);
        state.write(&self.bytes[place(at::PARKED)..place(at::SENT_FLOOR_OF)]);
        state.write(&self.bytes[FRAMES..]);
    }

    /// Whether the two hold the same, but for the nonce.
    pub(crate) fn equals_but_for_nonce(&self, other: &Image) -> bool {
        let nonce = place(at::NONCE);
        self.bytes[..nonce] == other.bytes[..nonce] && self.bytes[nonce + 8..] == other.bytes[nonce + 8..]
    }
}

/// Where the byte at `offset` of a link file stands here.
fn place(offset: usize) -> usize {
    match offset {
        0..at::HEADER_END => offset,
        at::ACKED..=1047 => offset - at::ACKED + WORDS,
        at::CONSUMED..=1159 => offset - at::CONSUMED + WORDS + 24,
        at::NONCE..=1303 => offset - at::NONCE + WORDS + 32,
        at::PARKED..=1335 => offset - at::PARKED + WORDS + 56,
        at::FRAMES.. => offset - at::FRAMES + FRAMES,
        _ => panic!("a session has no business with the byte at {offset}"),
    }
}

impl Published for Image {
    fn size(&self) -> usize {
        self.bytes.len() - FRAMES + at::FRAMES
    }

    fn load(&self, offset: usize) -> u64 {
        let at = place(offset);
        u64::from_le_bytes(*self.bytes[at..].first_chunk().expect("a word within the file"))
    }

    fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        let at = place(offset);
        &self.bytes[at..at + len]
    }
}

impl Storage for Image {
    fn store(&mut self, offset: usize, value: u64) {
        let at = place(offset);
        journal::stored(self, at, value);
        self.put(at, &value.to_le_bytes());
    }

    fn bytes_mut(&mut self, offset: usize, len: usize) -> &mut [u8] {
        let at = place(offset);
        journal::claimed(self.file, at..at + len);
        &mut self.bytes[at..at + len]
    }
}
