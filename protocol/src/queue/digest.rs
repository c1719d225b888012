//! What an exhaustive search sees of a queue besides its storage.

use std::hash::{Hash, Hasher};

use super::Queue;

impl<S> Queue<S> {
    pub(crate) fn storage(&self) -> &S {
        &self.storage
    }
}

impl<S> Hash for Queue<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The first line never changes, what is left out of the second stands in the storage too or follows
        // from the rest.
        let Self { storage: _, ring: _, rule: _, geometry: _, session: _, .. } = self;
        let Self { current: _, limit: _, acked, tail, handed, consumed, newest_ack, .. } = self;
        let Self { boundaries, lap_end, writing, mapped, zeroed, wanted, .. } = self;
        (acked, tail, handed, consumed, newest_ack).hash(state);
        (boundaries, lap_end, writing, mapped, zeroed, wanted).hash(state);
    }
}
