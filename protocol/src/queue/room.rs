//! Waiting for room after a claim was refused.
//!
//! Over TCP the peer's acknowledgements come by themselves. Over shared memory they are looked up in the
//! peer's file, at a price: the peer stores there with every message that it consumes, and the two would pass
//! that line to and fro for each. So a writer looks now and then only, and goes on when there is room for
//! more than the one message. But it does go on soon, since the peer may be waiting for just that one.

use super::Queue;
use crate::frame;
use crate::storage::Storage;

/// Polls for one look at what the peer has consumed: some hundred nanoseconds of waiting for a ring that takes
/// the peer tens of microseconds to empty.
const LOOK_EVERY: u32 = 16;
/// Looks that a claim which would fit again waits for more room.
const PATIENCE: u32 = 4;

/// What a refused claim is waiting for.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone, Hash))]
pub(super) struct Wanted {
    /// Bytes of frames.
    size: u64,
    /// Polls since it was refused.
    polls: u32,
    /// Looks since it fits.
    fitting: u32,
}

impl Wanted {
    pub(super) fn new(size: u64) -> Self {
        Self { size, polls: 0, fitting: 0 }
    }
}

impl<S: Storage> Queue<S> {
    /// Whether a claim was refused and has not been told of room.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether a claim that was refused would succeed now. Says so once.
    pub(crate) fn take_writable(&mut self) -> bool {
        let writable = self.wanted.as_ref().is_some_and(|wanted| self.fits(self.tail, wanted.size));
        if writable {
            self.wanted = None;
        }
        writable
    }

    /// Whether to look, in this poll, at what the peer has consumed. The first poll does.
    pub(crate) fn is_time_to_look(&mut self) -> bool {
        let Some(wanted) = &mut self.wanted else {
            return false;
        };
        let look = wanted.polls.is_multiple_of(LOOK_EVERY);
        wanted.polls = wanted.polls.wrapping_add(1);
        look
    }

    /// After a look: whether it is time to try the claim again. Says so once.
    pub(crate) fn take_roomy(&mut self) -> bool {
        let roomy = self.space() >= self.ring.capacity() / 4 || self.acked == self.tail;
        let tail = self.tail;
        let fits = self.wanted.as_ref().is_some_and(|wanted| self.fits(tail, wanted.size));
        let Some(wanted) = self.wanted.as_mut().filter(|_| fits) else {
            return false;
        };
        wanted.fitting += 1;
        if !roomy && wanted.fitting < PATIENCE {
            return false;
        }
        self.wanted = None;
        true
    }

    /// After a look before a sleep: whether the claim that was refused would succeed now. Then there is no more
    /// patience: the next poll says so.
    pub(crate) fn would_fit(&mut self) -> bool {
        let fits = self.wanted.as_ref().is_some_and(|wanted| self.fits(self.tail, wanted.size));
        if let Some(wanted) = self.wanted.as_mut().filter(|_| fits) {
            (wanted.polls, wanted.fitting) = (0, PATIENCE);
        }
        fits
    }

    /// Whether a message of `len` bytes fits, as far as is known of what the peer has consumed.
    #[inline]
    pub(crate) fn has_room(&self, len: usize) -> bool {
        u32::try_from(len).is_ok_and(|len| self.fits(self.tail, frame::padded_size(len)))
    }
}
