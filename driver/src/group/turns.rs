//! A group's turns: orders, events, timers, rings.

use std::io;
use std::ops::Range;
use std::time::Instant;

use mio::event::Event;
use mio::{Registry, Token};
use tcpshm_protocol::Name;
use tcpshm_shm::LinkDirectory;

use super::{Group, Parting};
use crate::disconnected::Disconnected;
use crate::driver::Driver;
use crate::freight::Parted;
use crate::hall::{Hall, Keeper};
use crate::handler::Handler;
use crate::link::Link;
use crate::places::Place;
use crate::ready::Ready;

impl Group {
    /// The loop is awake: whoever sends, or orders, from here on wakes it again.
    fn answer_wake(&self) {
        self.desk.answer();
        if let Some(post) = &self.hall.post {
            post.answer();
        }
    }
}

impl Keeper for Group {
    fn hall(&mut self) -> &mut Hall {
        &mut self.hall
    }

    fn hall_and_files(&mut self) -> (&mut Hall, Option<&LinkDirectory>) {
        (&mut self.hall, self.directory.as_deref())
    }

    fn visit_other(&mut self, _: Instant, index: usize, _: &mut impl Handler) {
        match self.hall.places.take(index) {
            Some(Place::Farewell(handshake)) => self.hall.visit_farewell(index, handshake),
            Some(other) => self.hall.places.put(index, other),
            None => {}
        }
    }

    fn drop_place(&mut self, index: usize) {
        match self.hall.places.take(index) {
            Some(Place::Farewell(handshake)) => self.hall.drop_farewell(index, *handshake),
            Some(other) => self.hall.places.put(index, other),
            None => {}
        }
    }

    /// The session goes to the server when the application was told, and also when that panics.
    fn end_live(&mut self, now: Instant, index: usize, reason: &Disconnected, app: &mut impl Handler) {
        let Some(session) = self.hall.end(now, index, reason) else {
            return;
        };
        let mail = self.hall.post.as_mut().and_then(|post| post.lend(session.peer()));
        let mut parting = Parting { group: self, parted: Some(Parted { session, mail }) };
        if let Some(parted) = &mut parting.parted {
            app.disconnected(&mut Link::new(parted.session.outbox()), reason);
        }
    }

    fn hear(&mut self, now: Instant, app: &mut impl Handler) {
        self.hear_orders(now, app);
    }

    /// Its link has left without it, which does not happen.
    fn deliver_elsewhere(&mut self, _: Instant, number: usize, _: &Name, _: &mut impl Handler) {
        if let Some(post) = &mut self.hall.post {
            post.put_off(number);
        }
    }
}

impl Driver for Group {
    /// Needs one token for each link, each connection that is being refused, and one to be woken.
    fn register(&mut self, registry: &Registry, tokens: Range<usize>) -> io::Result<()> {
        if tokens.len() < 2 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too few tokens for a link"));
        }
        self.wake.register(registry, Token(tokens.end - 1))?;
        self.hall.open(registry, tokens)
    }

    fn owns(&self, token: Token) -> bool {
        self.hall.owns(token)
    }

    fn handle_event(&mut self, now: Instant, event: &Event, app: &mut impl Handler) -> io::Result<()> {
        if !self.owns(event.token()) {
            return Ok(());
        }
        if self.hall.waker_token() == Some(event.token()) {
            self.answer_wake();
            self.handle_wake(now, app);
            return Ok(());
        }
        self.handle_socket(now, event.token(), Ready::of(event), app);
        Ok(())
    }

    fn handle_timeout(&mut self, now: Instant, app: &mut impl Handler) {
        self.answer_wake();
        self.do_what_is_due(now, app);
    }

    fn deadline(&self) -> Option<Instant> {
        self.hall.timers.next()
    }

    fn poll(&mut self, app: &mut impl Handler) -> bool {
        self.hall.poll(app)
    }

    fn has_work(&self) -> bool {
        (self.desk.is_leaving() && !self.is_stopped())
            || self.desk.has_orders()
            || self.hall.has_mail()
            || !self.hall.queue.is_empty()
    }

    fn is_polling(&self) -> bool {
        !self.hall.links.is_idle()
    }

    /// Peers are told at login, so it holds for links that log in from here on; one that moves here keeps what it was told.
    fn set_may_sleep(&mut self, may_sleep: bool) {
        self.desk.set_may_sleep(may_sleep);
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
        self.do_what_is_due(now, app);
        found
    }

    /// Ends all connections; their sessions go to the server, and later logins to other groups.
    fn shut_down(&mut self, now: Instant, app: &mut impl Handler) {
        if self.hall.registry.is_some() {
            // What has come by now is told, or it would be a connection that nobody heard of.
            self.hear_orders(now, app);
        }
        if !self.is_stopped() {
            self.end_all(now, app);
        }
    }
}
