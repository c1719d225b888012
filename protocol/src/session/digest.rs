//! What an exhaustive search sees of a session: whatever can make a difference to what follows, and the
//! storage. Not the time, which stands still there.

use std::hash::{Hash, Hasher};

use super::Session;
use crate::storage::Storage;

impl<S: Storage> Session<S> {
    /// The storage that the session was opened over.
    pub fn storage(&self) -> &S {
        self.queue.storage()
    }
}

impl<S: Storage> Hash for Session<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The header never changes, and stands in the storage, as does whether it sleeps. What is only counted makes no
        // difference.
        let Self {
            header: _,
            queue,
            lending,
            told,
            behind_since: _,
            may_sleep,
            parked: _,
            logins: _,
            attached,
        } = self;
        queue.hash(state);
        lending.hash(state);
        (told, may_sleep).hash(state);
        attached.hash(state);
    }
}
