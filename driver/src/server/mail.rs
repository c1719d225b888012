//! What other threads send on a server's links.

use std::time::Instant;

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
        if let Some(sender) = self.hall.post.as_ref().and_then(|post| post.sender(client)) {
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
        let registered = self.hall.registry.as_ref().zip(self.hall.waker_token());
        open_post(&mut self.hall.post, registered).map_err(SenderError::Wake)
    }

    /// The session of a link that is connected, or was.
    fn open_session(&self, client: &Name) -> Option<&MappedSession> {
        self.hall.session(client).or_else(|| {
            self.detached.iter().map(|session| &**session).find(|session| session.peer() == client)
        })
    }

    /// A link without a connection: into its file, for the next one.
    pub(super) fn deliver_to_file(
        &mut self,
        now: Instant,
        number: usize,
        peer: &Name,
        app: &mut impl Handler,
    ) {
        let away = self.is_away(peer);
        let opened = self.open_link(now, peer).map(|link| link.is_some());
        let Some(post) = &mut self.hall.post else { return };
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

    /// The end of all senders. What there is room for in open sessions is committed.
    pub(super) fn close_post(&mut self, end: Ended) {
        self.hall.empty_mailboxes();
        let Some(mut post) = self.hall.post.take() else {
            return;
        };
        if let Some(registry) = &self.hall.registry {
            post.deregister(registry);
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
