//! A group's turns: orders, events, timers, rings.

use std::io;
use std::ops::Range;
use std::time::Instant;

use mio::event::Event;
use mio::{Registry, Token};

use super::Group;
use crate::attended::Attended;
use crate::connection::{Visit, tell};
use crate::disconnected::Disconnected;
use crate::driver::Driver;
use crate::handler::Handler;
use crate::link::Link;
use crate::places::Place;
use crate::ready::Ready;

impl Group {
    /// Arranges a visit without an event.
    pub(super) fn enqueue(&mut self, index: usize) {
        if let Some(Place::Live(live)) = self.places.get_mut(index)
            && !std::mem::replace(&mut live.queued, true)
        {
            self.queue.push_back(index);
        }
    }

    /// Arranges to wake peers that sleep.
    fn enqueue_rousing(&mut self) {
        let Self { links, places, queue, .. } = self;
        links.take_rousing(|index| {
            if let Some(Place::Live(live)) = places.get_mut(index)
                && !std::mem::replace(&mut live.queued, true)
            {
                queue.push_back(index);
            }
        });
    }

    fn waker_token(&self) -> Option<Token> {
        self.tokens.end.checked_sub(1).filter(|_| !self.tokens.is_empty()).map(Token)
    }

    fn visit_queued(&mut self, now: Instant, app: &mut impl Handler) {
        // Those that are queued meanwhile have their turn next time.
        for _ in 0..self.queue.len() {
            let Some(index) = self.queue.pop_front() else {
                return;
            };
            if let Some(Place::Live(live)) = self.places.get_mut(index) {
                live.queued = false;
                self.visit(now, index, app);
            }
        }
    }

    fn handle_due(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        if self.links.get(index).is_none() {
            return self.drop_farewell(index);
        }
        // Before the application has its say, which may be a panic: no link is ever without a timer.
        self.timers.schedule(index, now + self.config.link.check_every());
        self.check_files(now, index, app);
        let (Some(Place::Live(live)), Some(session)) =
            (self.places.get_mut(index), self.links.get_mut(index))
        else {
            return;
        };
        let silent = live.connection.handle_timeout(now, session, app);
        self.visit_live(now, index, app);
        if let Some(session) = self.links.get_mut(index)
            && silent
            && let Err(timed_out) = session.handle_timeout(now)
        {
            self.end_live(now, index, &timed_out.into(), app);
        }
    }

    /// A handler panicked while it was told of a link, and the host went on.
    #[cold]
    pub(super) fn end_after_panic(&mut self, app: &mut impl Handler) {
        let Some(index) = self.telling.take() else {
            return;
        };
        // First of all: the application may panic again.
        if let Some(Place::Live(live)) = self.places.get_mut(index) {
            live.ended = Some(Disconnected::HandlerPanicked);
        }
        self.enqueue(index);
        if let Some(session) = self.links.get_mut(index) {
            session.stop();
            // Where it stands, or it would block the link without a word.
            if let Some(position) = session.reclaim() {
                app.unconsumed(&mut Link::new(session.outbox()), position);
            }
        }
    }

    /// Orders, timers, and what was left over.
    fn do_what_is_due(&mut self, now: Instant, app: &mut impl Handler) {
        // What waits goes first: a peer that sleeps, say, for the frame that wakes it. Each link has one visit.
        let waited = !self.queue.is_empty();
        self.visit_queued(now, app);
        self.poll(app);
        self.hear_orders(now, app);
        self.deliver_mail();
        if !waited {
            self.visit_queued(now, app);
        }
        // Each place once, whatever deadline it sets itself meanwhile.
        for _ in 0..self.timers.len() {
            let Some(index) = self.timers.take_due(now) else {
                return;
            };
            self.handle_due(now, index, app);
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
        self.registry = Some(registry.try_clone()?);
        self.tokens = tokens;
        Ok(())
    }

    fn owns(&self, token: Token) -> bool {
        self.tokens.contains(&token.0)
    }

    fn handle_event(&mut self, now: Instant, event: &Event, app: &mut impl Handler) -> io::Result<()> {
        if !self.owns(event.token()) {
            return Ok(());
        }
        if self.waker_token() == Some(event.token()) {
            self.answer();
            self.hear_orders(now, app);
            self.deliver_mail();
            self.visit_queued(now, app);
            return Ok(());
        }
        let index = event.token().0 - self.tokens.start;
        let ready = Ready::of(event);
        match self.places.get_mut(index) {
            Some(Place::Live(live)) => live.connection.set_ready(ready),
            Some(Place::Pending(_) | Place::Lent(_)) | None => return Ok(()),
            Some(Place::Farewell(handshake)) => handshake.set_ready(ready),
        }
        self.visit(now, index, app);
        Ok(())
    }

    fn handle_timeout(&mut self, now: Instant, app: &mut impl Handler) {
        self.answer();
        self.do_what_is_due(now, app);
    }

    fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn poll(&mut self, app: &mut impl Handler) -> bool {
        if self.telling.is_some() {
            self.end_after_panic(app);
        }
        let mail = self.has_mail() && self.deliver_mail_to_memory();
        let Self { links, places, queue, telling, post, .. } = self;
        let mut attended = Attended { app, post: post.as_deref_mut() };
        let found = links.poll(|index, polled| {
            *telling = Some(index);
            if let Some(reason) = tell(polled, &mut attended)
                && let Some(Place::Live(live)) = places.get_mut(index)
            {
                live.ended.get_or_insert(reason);
                if !std::mem::replace(&mut live.queued, true) {
                    queue.push_back(index);
                }
            }
            *telling = None;
        });
        if self.links.is_rousing() {
            self.enqueue_rousing();
        }
        found || mail
    }

    fn has_work(&self) -> bool {
        (self.desk.is_leaving() && !self.is_stopped())
            || self.desk.has_orders()
            || self.has_mail()
            || !self.queue.is_empty()
    }

    fn is_polling(&self) -> bool {
        !self.links.is_idle()
    }

    /// Peers are told at login, so it holds for links that log in from here on; one that moves here keeps what it was told.
    fn set_may_sleep(&mut self, may_sleep: bool) {
        self.desk.set_may_sleep(may_sleep);
    }

    fn set_spinning(&mut self, spinning: bool) {
        self.spinning = spinning;
        for index in 0..self.places.len() {
            self.follow_spinning(index);
            self.enqueue(index);
        }
    }

    fn park(&mut self) -> bool {
        if self.telling.is_some() || self.has_work() {
            return false;
        }
        let parked = self.links.park();
        self.enqueue_rousing();
        parked
    }

    fn is_parked(&self) -> bool {
        self.links.is_parked()
    }

    fn spin(&mut self, now: Instant, app: &mut impl Handler) -> bool {
        let mut found = false;
        for index in 0..self.places.len() {
            // On shared memory the connection has next to nothing to say, and a read costs a system call.
            let mapped = self.links.get(index).is_some_and(|session| session.peer_file().is_some());
            if let Some(Place::Live(live)) = self.places.get_mut(index).filter(|_| !mapped) {
                live.connection.try_out(false);
                found |= self.visit_live(now, index, app) != Visit::Nothing;
            }
        }
        self.do_what_is_due(now, app);
        found
    }

    /// Ends all connections; their sessions go to the server, and later logins to other groups.
    fn shut_down(&mut self, now: Instant, app: &mut impl Handler) {
        if self.registry.is_some() {
            // What has come by now is told, or it would be a connection that nobody heard of.
            self.hear_orders(now, app);
        }
        if !self.is_stopped() {
            self.end_all(now, app);
        }
    }
}
