//! The turns of a hall: events, timers, rings.

use std::time::Instant;

use mio::Token;
use tcpshm_protocol::Name;
use tcpshm_shm::{LinkDirectory, MappedSession};

use super::Hall;
use crate::attended::Attended;
use crate::connection::{Visit, drain, tell};
use crate::disconnected::Disconnected;
use crate::handler::Handler;
use crate::link::Link;
use crate::places::Place;
use crate::ready::Ready;
use crate::watch;

impl Hall {
    /// Arranges a visit without an event.
    pub(crate) fn enqueue(&mut self, index: usize) {
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

    /// Looks at the links on shared memory. Returns whether anything came.
    pub(crate) fn poll(&mut self, app: &mut impl Handler) -> bool {
        if self.telling.is_some() {
            self.end_after_panic(app);
        }
        let mail = self.has_mail() && self.deliver_to_memory();
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

    /// Whether the host may sleep, if it has nothing else to do.
    pub(crate) fn park(&mut self) -> bool {
        if self.telling.is_some() {
            return false;
        }
        let parked = self.links.park();
        self.enqueue_rousing();
        parked
    }

    pub(crate) fn set_spinning(&mut self, spinning: bool) {
        self.spinning = spinning;
        for index in 0..self.places.len() {
            self.follow_spinning(index);
            self.enqueue(index);
        }
    }

    /// A live connection stands in the poll unless the host tries it all the time, which it does not on shared memory.
    pub(super) fn follow_spinning(&mut self, index: usize) {
        let mapped = self.is_mapped(index);
        let (in_poll, token) = (!self.spinning || mapped, self.token_of(index));
        if let (Some(Place::Live(live)), Some(registry)) = (self.places.get_mut(index), &self.registry) {
            live.connection.set_in_poll(in_poll, registry, token);
        }
    }

    fn is_mapped(&self, index: usize) -> bool {
        self.links.get(index).is_some_and(|session| session.peer_file().is_some())
    }

    /// Tells the application of a link that is live. The link stays in its place, and is found again if that panics.
    pub(crate) fn tell_of(&mut self, index: usize, tell: impl FnOnce(&mut MappedSession)) {
        let before = self.telling.replace(index);
        if let Some(session) = self.links.get_mut(index) {
            tell(session);
        }
        self.telling = before;
    }

    /// A handler panicked while it was told of a link, and the host went on.
    #[cold]
    pub(crate) fn end_after_panic(&mut self, app: &mut impl Handler) {
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

    /// Reads, delivers and writes at a live place, whose link stays there meanwhile: a handler that panics takes nothing
    /// with it. An error is why the connection is to end.
    fn visit(&mut self, now: Instant, index: usize, app: &mut impl Handler) -> Result<Visit, Disconnected> {
        let (Some(Place::Live(live)), Some(session)) =
            (self.places.get_mut(index), self.links.get_mut(index))
        else {
            return Ok(Visit::Nothing);
        };
        let budget = self.read_budget;
        let mut attended = Attended { app, post: self.post.as_deref_mut() };
        if let Some(reason) = live.ended.take() {
            let connection = &mut live.connection;
            return Err(connection.hear_out(reason, now, session, &mut self.scratch, budget, &mut attended));
        }
        match live.connection.visit(now, session, &mut self.scratch, budget, &mut attended) {
            Ok(Visit::Nothing) => Ok(Visit::Nothing),
            Ok(visit) => {
                let deadline = session.poll_timeout().into_iter().chain([live.next_check]).min();
                if let Some(deadline) = deadline {
                    self.timers.schedule(index, deadline);
                }
                if visit == Visit::More {
                    self.enqueue(index);
                }
                Ok(visit)
            }
            Err(reason) => {
                // Another link's handler may have panicked, and nobody has seen to it yet.
                let before = self.telling.replace(index);
                drain(session, &reason, |polled| {
                    tell(polled, &mut attended);
                });
                self.telling = before;
                Err(reason)
            }
        }
    }

    /// Looks after a link whose time has come. Returns whether its peer was silent for too long, as far as was read;
    /// `None` if there is no link.
    fn handle_due(
        &mut self,
        now: Instant,
        index: usize,
        directory: Option<&LinkDirectory>,
        app: &mut impl Handler,
    ) -> Option<bool> {
        let (Some(Place::Live(live)), Some(session)) =
            (self.places.get_mut(index), self.links.get_mut(index))
        else {
            return None;
        };
        // Before the application has its say, which may be a panic: no link is ever without a timer.
        if !zoo!(TimerLostInPanic) {
            self.timers.schedule(index, now + self.check_every);
        }
        if now >= live.next_check
            && let Some(directory) = directory
        {
            live.next_check = now + self.check_every;
            live.ended = live.ended.take().or_else(|| watch::missing(directory, session, app));
        }
        Some(live.connection.handle_timeout(now, session, app))
    }
}

/// Who keeps a hall, and what happens in its turns to what is not in it.
pub(crate) trait Keeper {
    fn hall(&mut self) -> &mut Hall;

    /// The hall, and where its links have their files; `None` when that is known no more.
    fn hall_and_files(&mut self) -> (&mut Hall, Option<&LinkDirectory>);

    /// Looks at a place where there is no live link.
    fn visit_other(&mut self, now: Instant, index: usize, app: &mut impl Handler);

    /// The time is over of what is no live link.
    fn drop_place(&mut self, index: usize);

    /// Ends a connection, and does what is right with its session.
    fn end_live(&mut self, now: Instant, index: usize, reason: &Disconnected, app: &mut impl Handler);

    /// Does what other loops have said.
    fn hear(&mut self, now: Instant, app: &mut impl Handler);

    /// Empties a mailbox, by its number, whose link is not in the hall.
    fn deliver_elsewhere(&mut self, now: Instant, number: usize, peer: &Name, app: &mut impl Handler);

    /// Something has happened to a socket. It may be told late, twice, or for a connection that had the token before.
    fn handle_socket(&mut self, now: Instant, token: Token, ready: Ready, app: &mut impl Handler) {
        let hall = self.hall();
        // No place has the token of a listener that was closed.
        let Some(index) = hall.index_of(token) else {
            return;
        };
        match hall.places.get_mut(index) {
            Some(Place::Live(live)) => live.connection.set_ready(ready),
            Some(Place::Pending(pending)) => pending.handshake.set_ready(ready),
            Some(Place::Farewell(handshake)) => handshake.set_ready(ready),
            Some(Place::Lent(_)) | None => return,
        }
        self.visit(now, index, app);
    }

    /// Looks at a place, whatever stands there.
    fn visit(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        if let Some(Place::Live(_)) = self.hall().places.get_mut(index) {
            self.visit_live(now, index, app);
        } else {
            self.visit_other(now, index, app);
        }
    }

    /// Looks at a live link, if there is one.
    fn visit_live(&mut self, now: Instant, index: usize, app: &mut impl Handler) -> Visit {
        self.hall().visit(now, index, app).unwrap_or_else(|reason| {
            self.end_live(now, index, &reason, app);
            Visit::Idle
        })
    }

    /// Tries every connection that carries messages, whether or not anything says that it has some. Returns whether one had.
    fn visit_all(&mut self, now: Instant, app: &mut impl Handler) -> bool {
        let mut found = false;
        for index in 0..self.hall().places.len() {
            let hall = self.hall();
            // On shared memory the connection has next to nothing to say, and a read costs a system call.
            let mapped = hall.is_mapped(index);
            if let Some(Place::Live(live)) = hall.places.get_mut(index).filter(|_| !mapped) {
                live.connection.try_out(false);
                found |= self.visit_live(now, index, app) != Visit::Nothing;
            }
        }
        found
    }

    /// Something other than a socket woke the loop.
    fn handle_wake(&mut self, now: Instant, app: &mut impl Handler) {
        self.hear(now, app);
        self.deliver_mail(now, app);
        self.visit_queued(now, app);
    }

    /// What was left over, what others have said, and timers.
    fn do_what_is_due(&mut self, now: Instant, app: &mut impl Handler) {
        // What waits goes first: a peer that sleeps, say, for the frame that wakes it. Each link has one visit.
        let waited = !self.hall().queue.is_empty();
        self.visit_queued(now, app);
        self.hall().poll(app);
        self.hear(now, app);
        self.deliver_mail(now, app);
        if !waited {
            self.visit_queued(now, app);
        }
        // Each place once, whatever deadline it sets itself meanwhile.
        for _ in 0..self.hall().timers.len() {
            let Some(index) = self.hall().timers.take_due(now) else {
                return;
            };
            self.handle_due(now, index, app);
        }
    }

    /// Commits what other threads have sent, within a budget for each link.
    fn deliver_mail(&mut self, now: Instant, app: &mut impl Handler) {
        for _ in 0..self.hall().collect_mail() {
            match self.hall().deliver_next() {
                None => return,
                Some(Ok(())) => {}
                Some(Err((number, peer))) => self.deliver_elsewhere(now, number, &peer, app),
            }
        }
    }

    /// Looks at the links that are to be visited without an event.
    fn visit_queued(&mut self, now: Instant, app: &mut impl Handler) {
        // Those that are queued meanwhile have their turn next time.
        for _ in 0..self.hall().queue.len() {
            let hall = self.hall();
            let Some(index) = hall.queue.pop_front() else {
                return;
            };
            if let Some(Place::Live(live)) = hall.places.get_mut(index) {
                live.queued = false;
                self.visit(now, index, app);
            }
        }
    }

    /// The time of a place has come.
    fn handle_due(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        let (hall, directory) = self.hall_and_files();
        let Some(silent) = hall.handle_due(now, index, directory, app) else {
            return self.drop_place(index);
        };
        self.visit_live(now, index, app);
        if let Some(session) = self.hall().links.get_mut(index)
            && silent
            && let Err(timed_out) = session.handle_timeout(now)
        {
            self.end_live(now, index, &timed_out.into(), app);
        }
    }
}
