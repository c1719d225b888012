//! What other threads send on a group's links.

use crate::mailbox::Ended;
use crate::places::Place;

use super::Group;

impl Group {
    /// Whether anything waits in a mailbox.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.has_work())
    }

    /// Commits what other threads have sent, within a budget for each link.
    pub(super) fn deliver_mail(&mut self) {
        let Self { post: Some(post), live, links, places, queue, .. } = self else {
            return;
        };
        for _ in 0..post.collect() {
            let Some((number, peer)) = post.next_due() else {
                return;
            };
            let index = live.get(peer).copied();
            let Some((index, session)) = index.and_then(|index| Some((index, links.get_mut(index)?))) else {
                // Its link has left without it, which does not happen.
                post.put_off(number);
                continue;
            };
            post.deliver(number, &mut session.outbox());
            if let Some(Place::Live(live)) = places.get_mut(index)
                && !std::mem::replace(&mut live.queued, true)
            {
                queue.push_back(index);
            }
        }
    }

    /// The same, where what is committed needs no writing. Returns whether there was any.
    #[cold]
    pub(super) fn deliver_mail_to_memory(&mut self) -> bool {
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

    /// The loop is awake: whoever sends, or orders, from here on wakes it again.
    pub(super) fn answer(&mut self) {
        self.desk.answer();
        if let Some(post) = &self.post {
            post.answer();
        }
    }

    /// Nobody wakes the loop any more.
    pub(super) fn let_sleep(&self) {
        if let Some(registry) = &self.registry {
            self.wake.deregister(registry);
        }
    }

    /// The end of all senders. What there is room for is committed.
    pub(super) fn close_post(&mut self, end: Ended) {
        let Some(mut post) = self.post.take() else {
            return;
        };
        for index in self.live.values() {
            if let Some(session) = self.links.get_mut(*index) {
                let peer = session.peer().clone();
                post.empty(&peer, &mut session.outbox());
            }
        }
        post.set_end(end);
    }
}
