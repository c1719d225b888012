//! What other threads send on the links of a hall.

use tcpshm_protocol::Name;

use super::Hall;

impl Hall {
    /// Whether anything waits in a mailbox.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.has_work())
    }

    /// How many mailboxes are due.
    pub(super) fn collect_mail(&mut self) -> usize {
        self.post.as_mut().map_or(0, |post| post.collect())
    }

    /// Commits what waits in the next mailbox that is due, within a budget, and arranges for it to be written. `None` if
    /// none is; the mailbox's number and peer if its link is not here.
    pub(super) fn deliver_next(&mut self) -> Option<Result<(), (usize, Name)>> {
        let post = self.post.as_mut()?;
        let (number, peer) = post.next_due()?;
        let Some(index) = self.live.get(peer).copied() else {
            return Some(Err((number, peer.clone())));
        };
        if let Some(session) = self.links.get_mut(index) {
            post.deliver(number, &mut session.outbox());
        }
        self.enqueue(index);
        Some(Ok(()))
    }

    /// The same for all links where what is committed needs no writing. Returns whether there was any.
    #[cold]
    pub(super) fn deliver_to_memory(&mut self) -> bool {
        let Some(post) = self.post.as_mut().filter(|_| !self.links.is_idle()) else {
            return false;
        };
        let mut any = false;
        for _ in 0..post.collect() {
            let Some((number, peer)) = post.next_due() else {
                break;
            };
            let live = self.live.get(peer).and_then(|index| self.links.get_mut(*index));
            match live.filter(|session| session.peer_file().is_some()) {
                Some(session) => {
                    any = true;
                    post.deliver(number, &mut session.outbox());
                }
                None => post.put_back(number),
            }
        }
        any
    }

    /// Commits what there is room for, for the last time.
    pub(crate) fn empty_mailboxes(&mut self) {
        let Some(post) = &mut self.post else {
            return;
        };
        for index in self.live.values() {
            if let Some(session) = self.links.get_mut(*index) {
                let peer = session.peer().clone();
                post.empty(&peer, &mut session.outbox());
            }
        }
    }
}
