//! A link file read by hand, from the written format alone.

use crate::world::image::{at, load};
use crate::world::wire::frame_size;

/// The words that tell how far a file's owner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) acked: u64,
    pub(crate) consumed: u64,
}

/// A frame as it stands in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing<'a> {
    pub(crate) end: u64,
    pub(crate) kind: u16,
    pub(crate) ack: u64,
    pub(crate) payload: &'a [u8],
    /// Whether it begins before the end of the ring and ends behind it.
    pub(crate) over_end: bool,
}

pub(crate) fn words(image: &[u8]) -> Words {
    Words { acked: load(image, at::ACKED), consumed: load(image, at::CONSUMED) }
}

pub(crate) fn capacity(image: &[u8]) -> u64 {
    load(image, CAPACITY)
}

/// The frames from `acked` on, up to the first place without one. `None` stands for what is no frame.
pub(crate) fn frames(image: &[u8]) -> impl Iterator<Item = Option<Standing<'_>>> {
    let (capacity, mut position) = (capacity(image), words(image).acked);
    let start = position;
    let mut ended = false;
    std::iter::from_fn(move || {
        let offset = position & (capacity - 1);
        let place = at::FRAMES + usize::try_from(offset).expect("a small ring");
        let word = load(image, place);
        if word == 0 || ended {
            return None;
        }
        let [len, kind] = [word & 0xffff_ffff, word >> 32 & 0xffff];
        let payload = usize::try_from(len).ok().and_then(|len| image.get(place + 16..place + len));
        let (Some(payload), Ok(kind)) = (payload, u16::try_from(kind)) else {
            ended = true;
            return Some(None);
        };
        let size = frame_size(payload.len());
        position = position.saturating_add(size);
        ended = position - start > capacity;
        let over_end = offset + size > capacity;
        Some(Some(Standing { end: position, kind, ack: load(image, place + 8), payload, over_end }))
    })
}

/// Whether two images hold the same identity, words and frames; the nonce aside, whether the owner sleeps, and what
/// stands in free space.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let head = |image: &[u8]| {
        let mut head = image[..at::FRAMES].to_vec();
        for word in [at::NONCE, at::PARKED] {
            head[word..word + 8].fill(0);
        }
        head
    };
    let begun = |image: &[u8]| load(image, 0) != 0;
    head(one) == head(other) && (!begun(one) || frames(one).eq(frames(other)))
}

/// Where a header has the size of its ring.
const CAPACITY: usize = 16;
