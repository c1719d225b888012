//! What other threads send on a client's link.

use std::io;
use std::time::Instant;

use mio::{Registry, Token};
use tcpshm_protocol::Name;

use super::{Client, State};
use crate::driver::Driver;
use crate::handler::Handler;
use crate::mailbox::Ended;
use crate::post::{Post, SenderError};
use crate::sender::Sender;

impl Client {
    /// A sender for the link, for any thread; see [`Sender`].
    ///
    /// There is one as soon as the server is known: from the configuration, from the one link file that there is, or
    /// because it was met. What is sent before the first login waits for it. The sender stays with that server's link
    /// if the client meets another one.
    pub fn sender(&mut self) -> Result<Sender, SenderError> {
        if matches!(self.state, State::Stopped) {
            return Err(Ended::ShutDown.into());
        }
        let session = self.session.as_deref().or(self.proposed.as_deref());
        let met = session.map(|session| session.peer());
        let peer: Name = met.or(self.config.server.as_ref()).ok_or(SenderError::NoLink)?.clone();
        let agreed = session.filter(|session| session.is_established());
        let largest =
            agreed.map_or(self.config.link.limits.send.largest(), |it| it.header().outgoing.largest());
        let bounds = self.config.link.mailbox();
        let registered = self.registry.as_ref().zip(self.waker_token());
        let post = open_post(&mut self.post, registered).map_err(SenderError::Wake)?;
        Ok(post.sender(&peer).unwrap_or_else(|| post.open(&peer, bounds, largest)))
    }

    /// The second of its tokens.
    pub(super) fn waker_token(&self) -> Option<Token> {
        self.token.map(|token| Token(token.0 + 1))
    }

    /// Commits what other threads have sent, within a budget.
    pub(super) fn deliver_mail(&mut self) {
        let connected = self.is_connected();
        let (Some(post), touched) = (&mut self.post, &mut self.touched) else {
            return;
        };
        for _ in 0..post.collect() {
            let Some((number, peer)) = post.next_due() else {
                return;
            };
            match self.session.as_deref_mut().filter(|session| session.peer() == peer) {
                Some(session) => {
                    post.deliver(number, &mut session.outbox());
                    *touched |= connected;
                }
                // It is with another server now, or has met none yet.
                None => post.put_off(number),
            }
        }
    }

    /// Whether anything waits in a mailbox.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.has_work())
    }

    /// The same, where what is committed needs no writing. Returns whether it was so.
    #[cold]
    pub(super) fn deliver_mail_to_memory(&mut self) -> bool {
        if !self.is_polling() {
            return false;
        }
        let touched = self.touched;
        self.deliver_mail();
        self.touched = touched;
        true
    }

    /// The loop is awake: whoever sends from here on wakes it again.
    pub(super) fn answer_mail(&mut self) {
        if let Some(post) = &self.post {
            post.answer();
        }
    }

    /// Writes what other threads have sent.
    pub(super) fn handle_mail(&mut self, now: Instant, app: &mut impl Handler) {
        self.answer_mail();
        self.deliver_mail();
        if self.touched {
            self.visit(now, app);
        }
    }

    /// The end of all senders. What there is room for is committed.
    pub(super) fn close_post(&mut self, end: Ended) {
        let Some(mut post) = self.post.take() else {
            return;
        };
        if let Some(registry) = &self.registry {
            post.deregister(registry);
        }
        if let Some(session) = self.session.as_deref_mut() {
            let peer = session.peer().clone();
            post.empty(&peer, &mut session.outbox());
        }
        post.set_end(end);
    }
}

/// The post of a driver, made and registered if it is the first time that anybody asks.
pub(crate) fn open_post<'p>(
    post: &'p mut Option<Box<Post>>,
    registered: Option<(&Registry, Token)>,
) -> io::Result<&'p mut Post> {
    if post.is_none() {
        let new = Post::new()?;
        if let Some((registry, token)) = registered {
            new.register(registry, token)?;
        }
        *post = Some(Box::new(new));
    }
    Ok(post.as_mut().expect("made above"))
}
