//! What other threads send on a server's links.

use std::time::Instant;

use mio::Token;
use tcpshm_protocol::Name;
use tcpshm_shm::MappedSession;

use super::Server;
use crate::client::open_post;
use crate::freight::Migrant;
use crate::handler::Handler;
use crate::mailbox::{Ended, NotAccepted};
use crate::post::{Post, SenderError};
use crate::sender::Sender;
use crate::{random, watch};

impl Server {
    /// A sender for the link with `client`, for any thread; see [`Sender`].
    ///
    /// There is one as soon as the link exists, that is, when the client has once logged in. While it is not connected,
    /// its file is opened for what is sent.
    pub fn sender(&mut self, client: &Name) -> Result<Sender, SenderError> {
        if self.is_stopped {
            return Err(Ended::ShutDown.into());
        }
        if let Some(sender) = self.post.as_ref().and_then(|post| post.sender(client)) {
            return Ok(sender);
        }
        if self.groups.is_some() {
            self.open_own_post()?;
            if let Some(sender) = self.sender_away(client) {
                return Ok(sender);
            }
        }
        let largest = match self.open_session(client) {
            Some(session) => session.header().outgoing.largest(),
            None => {
                self.settle(client)?;
                let survey = self.directory.look(client)?.ok_or(SenderError::NoLink)?;
                survey.header().outgoing.largest()
            }
        };
        let bounds = self.config.link.mailbox();
        Ok(self.open_own_post()?.open(client, bounds, largest))
    }

    fn open_own_post(&mut self) -> Result<&mut Post, SenderError> {
        let registered = self.registry.as_ref().zip(self.waker_token());
        open_post(&mut self.post, registered).map_err(SenderError::Wake)
    }

    /// The last of its tokens, once it has any.
    pub(super) fn waker_token(&self) -> Option<Token> {
        self.tokens.end.checked_sub(1).filter(|_| !self.tokens.is_empty()).map(Token)
    }

    /// The session of a link that is connected, or was.
    fn open_session(&self, client: &Name) -> Option<&MappedSession> {
        let live = self.live.get(client).and_then(|index| self.links.get(*index));
        live.or_else(|| {
            self.detached.iter().map(|session| &**session).find(|session| session.peer() == client)
        })
    }

    /// Commits what other threads have sent, within a budget for each link.
    pub(super) fn deliver_mail(&mut self, now: Instant, app: &mut impl Handler) {
        let due = self.post.as_mut().map_or(0, |post| post.collect());
        for _ in 0..due {
            let Some((number, peer)) = self.post.as_mut().and_then(|post| post.next_due()) else {
                return;
            };
            let (live, peer) = match self.live.get(peer).copied() {
                Some(index) => (Some(index), None),
                None => (None, Some(peer.clone())),
            };
            if let Some(index) = live {
                self.deliver_to_live(number, index);
                self.enqueue(index);
            } else if let Some(peer) = peer {
                self.deliver_to_file(now, number, &peer, app);
            }
        }
    }

    /// Whether anything waits in a mailbox.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.has_work())
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

    fn deliver_to_live(&mut self, number: usize, index: usize) {
        if let (Some(post), Some(session)) = (&mut self.post, self.links.get_mut(index)) {
            post.deliver(number, &mut session.outbox());
        }
    }

    /// A link without a connection: into its file, for the next one.
    fn deliver_to_file(&mut self, now: Instant, number: usize, peer: &Name, app: &mut impl Handler) {
        let away = self.is_away(peer);
        let opened = self.open_link(now, peer).map(|link| link.is_some());
        let Some(post) = &mut self.post else { return };
        match opened {
            Ok(true) => {
                if let Some(session) = self.detached.iter_mut().find(|session| session.peer() == peer) {
                    post.deliver(number, &mut session.outbox());
                }
            }
            // Its group was gone. The link is in another one by now, or what brings it is in the next reports.
            Ok(false) if away => self.send_mail_after(peer),
            Ok(false) => post.refuse(number, NotAccepted::NoFile),
            Err(error) => {
                post.refuse(number, NotAccepted::NoFile);
                app.failed(peer, &error);
            }
        }
    }

    /// The loop is awake: whoever sends from here on wakes it again.
    pub(super) fn answer_mail(&mut self) {
        if let Some(post) = &self.post {
            post.answer();
        }
        self.answer_groups();
    }

    /// The end of all senders. What there is room for in open sessions is committed.
    pub(super) fn close_post(&mut self, end: Ended) {
        let Some(mut post) = self.post.take() else {
            return;
        };
        if let Some(registry) = &self.registry {
            post.deregister(registry);
        }
        for index in self.live.values() {
            if let Some(session) = self.links.get_mut(*index) {
                let peer = session.peer().clone();
                post.empty(&peer, &mut session.outbox());
            }
        }
        for session in &mut self.detached {
            let peer = session.peer().clone();
            post.empty(&peer, &mut session.outbox());
        }
        post.set_end(end);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A handler may have panicked while a link was here to be decided about.
        if let Some((Migrant { mut session, .. }, _)) = self.return_visit() {
            session.detach(random::nonce());
            watch::leave(&self.directory, session);
        }
        drop(self.close_groups(Ended::Dropped));
        self.close_post(Ended::Dropped);
    }
}
