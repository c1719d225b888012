//! A link file read by hand, from the written format alone.

use crate::world::image::{at, load};
use crate::world::wire::frame_size;

/// The words that tell how far a file's owner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) acked: u64,
    pub(super) consumed: u64,
}

/// A frame as it stands in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing<'a> {
    pub(super) end: u64,
    pub(super) kind: u16,
    pub(super) ack: u64,
    pub(super) payload: &'a [u8],
    /// Whether it begins before the end of the ring and ends behind it.
    pub(super) over_end: bool,
}

pub(super) fn words(image: &[u8]) -> Words {
    Words { acked: load(image, at::ACKED), consumed: load(image, at::CONSUMED) }
}

pub(super) fn capacity(image: &[u8]) -> u64 {
    load(image, CAPACITY)
}

/// The frames from `acked` on, up to the first place without one. `None` stands for what is no frame.
pub(super) fn frames(image: &[u8]) -> impl Iterator<Item = Option<Standing<'_>>> {
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

/// Where a header has the size of its ring.
const CAPACITY: usize = 16;
