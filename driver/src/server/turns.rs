//! A server's turns: events, timers, rings.

use std::io;
use std::ops::Range;
use std::time::Instant;

use mio::event::Event;
use mio::{Interest, Registry, Token};

use super::Server;
use crate::attended::Attended;
use crate::connection::{Visit, tell};
use crate::disconnected::Disconnected;
use crate::driver::Driver;
use crate::handler::Handler;
use crate::link::Link;
use crate::mailbox::Ended;
use crate::places::Place;
use crate::ready::Ready;
use crate::watch;

impl Server {
    /// Arranges a visit without an event.
    pub(super) fn enqueue(&mut self, index: usize) {
        if let Some(Place::Live(live)) = self.places.get_mut(index)
            && !std::mem::replace(&mut live.queued, true)
        {
            self.queue.push_back(index);
        }
    }

    /// What an event does. It may come late, twice, or for a connection that had the token before.
    pub(crate) fn handle_ready(&mut self, now: Instant, token: Token, ready: Ready, app: &mut impl Handler) {
        if !self.owns(token) {
            return;
        }
        if self.waker_token() == Some(token) {
            self.answer_mail();
            self.hear_groups(now, app);
            self.deliver_mail(now, app);
            return self.visit_queued(now, app);
        }
        let index = token.0 - self.tokens.start;
        if index < self.listeners.len() {
            self.accepting[index] = true;
            return self.accept(now, index, app);
        }
        let index = index - self.listeners.len();
        match self.places.get_mut(index) {
            Some(Place::Live(live)) => live.connection.set_ready(ready),
            Some(Place::Pending(pending)) => pending.handshake.set_ready(ready),
            Some(Place::Farewell(handshake)) => handshake.set_ready(ready),
            Some(Place::Lent(_)) | None => return,
        }
        self.visit(now, index, app);
    }

    /// A live connection stands in the poll unless the host tries it all the time, which it does not on shared memory.
    pub(super) fn follow_spinning(&mut self, index: usize) {
        let mapped = self.links.get(index).is_some_and(|session| session.peer_file().is_some());
        let (in_poll, token) = (!self.spinning || mapped, self.token_of(index));
        if let (Some(Place::Live(live)), Some(registry)) = (self.places.get_mut(index), &self.registry) {
            live.connection.set_in_poll(in_poll, registry, token);
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
        let (Some(Place::Live(live)), Some(session)) =
            (self.places.get_mut(index), self.links.get_mut(index))
        else {
            // Whatever it was waiting for, its time is over.
            return self.drop_place(index);
        };
        // Before the application has its say, which may be a panic: no link is ever without a timer.
        if !zoo!(TimerLostInPanic) {
            self.timers.schedule(index, now + self.config.link.check_every());
        }
        if now >= live.next_check {
            live.next_check = now + self.config.link.check_every();
            live.ended = live.ended.take().or_else(|| watch::missing(&self.directory, session, app));
        }
        let silent = live.connection.handle_timeout(now, session, app);
        self.visit_live(now, index, app);
        if let Some(session) = self.links.get_mut(index)
            && silent
            && let Err(timed_out) = session.handle_timeout(now)
        {
            self.end_live(now, index, &timed_out.into(), app);
        }
    }

    /// A handler panicked while it was told of a message on shared memory, and the host went on.
    #[cold]
    fn end_after_panic(&mut self, app: &mut impl Handler) {
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

    /// Timers, and what was left over.
    fn do_what_is_due(&mut self, now: Instant, app: &mut impl Handler) {
        if self.accept_after.is_some_and(|after| after <= now) {
            self.accept_after = None;
        }
        for index in 0..self.listeners.len() {
            self.accept(now, index, app);
        }
        // What waits goes first: a peer that sleeps, say, for the frame that wakes it. Each link has one visit.
        let waited = !self.queue.is_empty();
        self.visit_queued(now, app);
        self.poll(app);
        self.hear_groups(now, app);
        self.deliver_mail(now, app);
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

impl Driver for Server {
    fn register(&mut self, registry: &Registry, tokens: Range<usize>) -> io::Result<()> {
        if tokens.len() <= self.listeners.len() + 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too few tokens for the listeners"));
        }
        if let Some(post) = &self.post {
            post.register(registry, Token(tokens.end - 1))?;
        }
        self.register_groups(registry, Token(tokens.end - 1))?;
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            registry.register(listener, Token(tokens.start + index), Interest::READABLE)?;
        }
        self.registry = Some(registry.try_clone()?);
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
        self.answer_mail();
        self.do_what_is_due(now, app);
    }

    fn deadline(&self) -> Option<Instant> {
        let accepting = self.accepting.iter().any(|accepting| *accepting);
        self.timers.next().into_iter().chain(self.accept_after.filter(|_| accepting)).min()
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
        let accepting = self.accepting.iter().any(|accepting| *accepting) && self.accept_after.is_none();
        accepting || self.has_mail() || self.has_reports() || !self.queue.is_empty()
    }

    fn is_polling(&self) -> bool {
        !self.links.is_idle()
    }

    fn set_may_sleep(&mut self, may_sleep: bool) {
        self.may_sleep = may_sleep;
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

    fn shut_down(&mut self, now: Instant, app: &mut impl Handler) {
        self.is_stopped = true;
        self.stop_groups(now, app);
        self.close_post(Ended::ShutDown);
        for index in 0..self.places.len() {
            self.end_live(now, index, &Disconnected::ShutDown, app);
            self.drop_place(index);
        }
        if let Some(registry) = self.registry.take() {
            for mut listener in self.listeners.drain(..) {
                // It is closed here, which ends its registration too.
                let _ = registry.deregister(&mut listener);
            }
        }
        self.accepting.clear();
        self.queue.clear();
        for session in self.detached.drain(..) {
            watch::leave(&self.directory, session);
        }
    }
}
