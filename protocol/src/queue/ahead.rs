//! Zeroing free places before they are needed.
//!
//! A commit stores 0 at the place behind its frame, a line that a reader may still have, or that was not
//! touched for a lap. Zeroed while there is nothing else to do, it is here and known to be 0, and the
//! commit touches the frame's own lines only.

use super::Queue;
use crate::frame;
use crate::position::Position;
use crate::storage::Storage;

/// How far ahead of the tail places are zeroed while there is nothing else to do: the next message or
/// two then publish without writing to a line that is not in this core's cache. More gains nothing.
const AHEAD: u64 = 256;

/// What was zeroed ahead of the tail, on loan to whoever writes there.
#[derive(Debug)]
pub(crate) struct Zeroed(pub(super) Position);

impl<S: Storage> Queue<S> {
    /// What was zeroed ahead, for a claim: whoever writes behind the tail takes it, and
    /// [`Queue::publish`] is given it back. A claim that is abandoned, or forgotten, has dirtied it.
    #[inline]
    pub(crate) fn take_zeroed(&mut self) -> Zeroed {
        let ahead = Zeroed(self.zeroed);
        if !zoo!(ClaimKeepsZeroed) {
            self.zeroed = self.tail.saturating_add(frame::ALIGNMENT);
        }
        ahead
    }

    /// Gives back what a claim took and did not write to.
    pub(crate) fn give_back(&mut self, Zeroed(ahead): Zeroed) {
        self.zeroed = ahead;
    }

    /// Zeroes free places ahead of the tail. Costs a comparison when that is done already.
    #[inline]
    pub(crate) fn zero_ahead(&mut self) {
        let idle = zoo!(NextPlaceNotZeroed | LapTag);
        if self.zeroed < self.tail.saturating_add(AHEAD) && !idle {
            self.zero_more();
        }
    }

    fn zero_more(&mut self) {
        let free = self.bound().saturating_add(self.ring.capacity());
        let target = self.tail.saturating_add(AHEAD).min(free);
        while self.zeroed < target {
            let upto = target.min(self.ring.lap_end(self.zeroed));
            let len = usize::try_from(upto.since(self.zeroed)).expect("at most what is zeroed ahead");
            let place = self.place(self.zeroed);
            self.storage.bytes_mut(place, len).fill(0);
            self.zeroed = upto;
        }
    }
}
