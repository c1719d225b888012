//! A server's turns: events, timers, rings.

use std::io;
use std::ops::Range;
use std::time::Instant;

use mio::event::Event;
use mio::{Interest, Registry, Token};
use tcpshm_protocol::Name;
use tcpshm_shm::LinkDirectory;

use super::Server;
use crate::disconnected::Disconnected;
use crate::driver::Driver;
use crate::hall::{Hall, Keeper};
use crate::handler::Handler;
use crate::link::Link;
use crate::mailbox::Ended;
use crate::places::Place;
use crate::ready::Ready;
use crate::watch;

impl Server {
    /// What an event does.
    pub(crate) fn handle_ready(&mut self, now: Instant, token: Token, ready: Ready, app: &mut impl Handler) {
        if !self.owns(token) {
            return;
        }
        if self.hall.waker_token() == Some(token) {
            self.answer_wake();
            return self.handle_wake(now, app);
        }
        let index = token.0 - self.tokens.start;
        if index < self.listeners.len() {
            self.accepting[index] = true;
            return self.accept(now, index, app);
        }
        self.handle_socket(now, token, ready, app);
    }

    /// Connections that wait, and everything else.
    fn do_all(&mut self, now: Instant, app: &mut impl Handler) {
        if self.accept_after.is_some_and(|after| after <= now) {
            self.accept_after = None;
        }
        for index in 0..self.listeners.len() {
            self.accept(now, index, app);
        }
        self.do_what_is_due(now, app);
    }

    /// The loop is awake: whoever sends, or reports, from here on wakes it again.
    fn answer_wake(&self) {
        if let Some(post) = &self.hall.post {
            post.answer();
        }
        self.answer_groups();
    }
}

impl Keeper for Server {
    fn hall(&mut self) -> &mut Hall {
        &mut self.hall
    }

    fn hall_and_files(&mut self) -> (&mut Hall, Option<&LinkDirectory>) {
        (&mut self.hall, Some(&self.directory))
    }

    fn visit_other(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        match self.hall.places.take(index) {
            Some(Place::Pending(pending)) => self.visit_pending(now, index, pending, app),
            Some(Place::Farewell(handshake)) => self.hall.visit_farewell(index, handshake),
            Some(other) => self.hall.places.put(index, other),
            None => {}
        }
    }

    fn drop_place(&mut self, index: usize) {
        match self.hall.places.take(index) {
            Some(Place::Pending(mut pending)) => {
                self.logins.leave(pending.arrival, pending.name());
                self.hall.deregister(&mut pending.handshake.stream);
            }
            Some(Place::Farewell(handshake)) => return self.hall.drop_farewell(index, *handshake),
            Some(link @ (Place::Live(_) | Place::Lent(_))) => return self.hall.places.put(index, link),
            // Free, or lost to a handler that panicked while it logged in.
            None => {
                if !self.logins.forget(index) {
                    return;
                }
            }
        }
        self.hall.timers.cancel(index);
        self.hall.places.vacate(index);
    }

    /// The session stays open, so that held messages stay redeemable.
    fn end_live(&mut self, now: Instant, index: usize, reason: &Disconnected, app: &mut impl Handler) {
        let Some(mut session) = self.hall.end(now, index, reason) else {
            return;
        };
        // Last: a handler that panics takes no place with it.
        app.disconnected(&mut Link::new(session.outbox()), reason);
        self.keep_detached(session);
        self.bound_detached(app);
    }

    fn hear(&mut self, now: Instant, app: &mut impl Handler) {
        self.hear_groups(now, app);
    }

    /// A link without a connection: into its file, for the next one.
    fn deliver_elsewhere(&mut self, now: Instant, number: usize, peer: &Name, app: &mut impl Handler) {
        self.deliver_to_file(now, number, peer, app);
    }
}

impl Driver for Server {
    fn register(&mut self, registry: &Registry, tokens: Range<usize>) -> io::Result<()> {
        if tokens.len() <= self.listeners.len() + 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too few tokens for the listeners"));
        }
        if let Some(post) = &self.hall.post {
            post.register(registry, Token(tokens.end - 1))?;
        }
        self.register_groups(registry, Token(tokens.end - 1))?;
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            registry.register(listener, Token(tokens.start + index), Interest::READABLE)?;
        }
        self.hall.open(registry, tokens.start + self.listeners.len()..tokens.end)?;
        self.tokens = tokens;
        self.accepting.fill(true);
        Ok(())
    }

    fn owns(&self, token: Token) -> bool {
        self.tokens.contains(&token.0)
    }

    fn handle_event(&mut self, now: Instant, event: &Event, app: &mut impl Handler) -> io::Result<()> {
        self.handle_ready(now, event.token(), Ready::of(event), app);
        Ok(())
    }

    fn handle_timeout(&mut self, now: Instant, app: &mut impl Handler) {
        self.answer_wake();
        self.do_all(now, app);
    }

    fn deadline(&self) -> Option<Instant> {
        let accepting = self.accepting.iter().any(|accepting| *accepting);
        self.hall.timers.next().into_iter().chain(self.accept_after.filter(|_| accepting)).min()
    }

    fn poll(&mut self, app: &mut impl Handler) -> bool {
        self.hall.poll(app)
    }

    fn has_work(&self) -> bool {
        let accepting = self.accepting.iter().any(|accepting| *accepting) && self.accept_after.is_none();
        accepting || self.hall.has_mail() || self.has_reports() || !self.hall.queue.is_empty()
    }

    fn is_polling(&self) -> bool {
        !self.hall.links.is_idle()
    }

    fn set_may_sleep(&mut self, may_sleep: bool) {
        self.may_sleep = may_sleep;
    }

    fn set_spinning(&mut self, spinning: bool) {
        self.hall.set_spinning(spinning);
    }

    fn park(&mut self) -> bool {
        !self.has_work() && self.hall.park()
    }

    fn is_parked(&self) -> bool {
        self.hall.links.is_parked()
    }

    fn spin(&mut self, now: Instant, app: &mut impl Handler) -> bool {
        let found = self.visit_all(now, app);
        self.do_all(now, app);
        found
    }

    fn shut_down(&mut self, now: Instant, app: &mut impl Handler) {
        self.is_stopped = true;
        self.stop_groups(now, app);
        self.close_post(Ended::ShutDown);
        for index in 0..self.hall.places.len() {
            self.end_live(now, index, &Disconnected::ShutDown, app);
            self.drop_place(index);
        }
        if let Some(registry) = self.hall.registry.take() {
            for mut listener in self.listeners.drain(..) {
                // It is closed here, which ends its registration too.
                let _ = registry.deregister(&mut listener);
            }
        }
        self.accepting.clear();
        self.hall.queue.clear();
        for session in self.detached.drain(..) {
            watch::leave(&self.directory, session);
        }
    }
}
