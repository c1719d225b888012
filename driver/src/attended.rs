//! The application, with its driver's mailboxes beside it.

use tcpshm_protocol::{Delivered, Received, Stalled};

use crate::handler::Handler;
use crate::link::Link;
use crate::post::Post;

/// What a connection is given for its application: all that it tells goes there, and room is for the link's mailbox too.
pub(crate) struct Attended<'a, A> {
    pub(crate) app: &'a mut A,
    pub(crate) post: Option<&'a mut Post>,
}

impl<A: Handler> Handler for Attended<'_, A> {
    #[inline]
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.app.message(link, received);
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        match &mut self.post {
            Some(post) => post.share_room(link, self.app),
            None => self.app.writable(link),
        }
    }

    fn unconsumed(&mut self, link: &mut Link<'_>, position: Delivered) {
        self.app.unconsumed(link, position);
    }

    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        self.app.stalled(link, stalled);
    }
}
