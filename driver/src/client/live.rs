//! A client's link while a connection carries it.

use std::time::Instant;

use tcpshm_shm::Rings;

use super::{Client, Live, State};
use crate::attended::Attended;
use crate::connection::{Visit, drain, tell};
use crate::disconnected::Disconnected;
use crate::driver::Driver;
use crate::handler::Handler;
use crate::link::Link;
use crate::random;
use crate::watch;

impl Client {
    /// The connection stays in its place meanwhile: a handler that panics takes nothing with it.
    pub(super) fn visit_live(&mut self, now: Instant, app: &mut impl Handler) -> Visit {
        self.touched = false;
        let (State::Live(live), Some(session)) = (&mut self.state, &mut self.session) else {
            return Visit::Nothing;
        };
        let budget = self.config.link.read_budget;
        let mut attended = Attended { app: &mut *app, post: self.post.as_deref_mut() };
        if let Some(reason) = live.ended.take() {
            let connection = &mut live.connection;
            let reason = connection.hear_out(reason, now, session, &mut self.scratch, budget, &mut attended);
            self.end_live(now, &reason, app);
            return Visit::Idle;
        }
        match live.connection.visit(now, session, &mut self.scratch, budget, &mut attended) {
            Ok(visit) => {
                self.touched |= visit == Visit::More;
                visit
            }
            Err(reason) => {
                self.telling = true;
                drain(session, &reason, |polled| {
                    tell(polled, &mut attended);
                });
                self.telling = false;
                self.end_live(now, &reason, app);
                Visit::Idle
            }
        }
    }

    /// The connection stands in the poll unless the host tries it all the time, which it does not on shared memory.
    pub(super) fn follow_spinning(&mut self) {
        let in_poll = !self.spinning || self.is_polling();
        if let (State::Live(live), Some(registry), Some(token)) =
            (&mut self.state, &self.registry, self.token)
        {
            live.connection.set_in_poll(in_poll, registry, token);
        }
    }

    pub(super) fn end_live(&mut self, now: Instant, reason: &Disconnected, app: &mut impl Handler) {
        if !self.is_connected() {
            return;
        }
        let state = std::mem::replace(&mut self.state, State::Waiting { until: Some(now) });
        let State::Live(live) = state else {
            return;
        };
        let Live { mut connection, since, .. } = *live;
        let at_once = std::mem::take(&mut self.at_once);
        self.telling = false;
        if let Some(session) = &mut self.session {
            connection.say_farewell(now, session, reason);
            session.detach(random::nonce());
            app.disconnected(&mut Link::new(session.outbox()), reason);
        }
        self.close(&mut connection.stream);
        self.scratch.shrink();
        self.not_shared = false;
        // A link that lasted longer than the wait for it has made the wait worth while.
        let worth = self.config.back_off.delay(self.failures, u64::MAX);
        if now.saturating_duration_since(since) >= worth || zoo!(RetryWithoutProgress) {
            self.failures = 0;
        }
        if at_once {
            self.try_again(now);
        } else {
            self.pause(now);
        }
    }

    /// A timer of the link is due.
    pub(super) fn handle_due(&mut self, now: Instant, app: &mut impl Handler) {
        let (State::Live(live), Some(session)) = (&mut self.state, &mut self.session) else {
            return;
        };
        if now >= live.next_check {
            live.next_check = now + self.config.link.check_every();
            live.ended = live.ended.take().or_else(|| watch::missing(&self.directory, session, app));
        }
        let silent = live.connection.handle_timeout(now, session, app);
        self.visit_live(now, app);
        if silent
            && self.is_connected()
            && let Some(Err(timed_out)) = self.session.as_mut().map(|session| session.handle_timeout(now))
        {
            self.end_live(now, &timed_out.into(), app);
        }
    }

    /// Looks at shared memory, if that carries the link.
    #[inline]
    pub(super) fn poll_memory(&mut self, app: &mut impl Handler) -> bool {
        if self.telling {
            self.end_after_panic(app);
        }
        let mail = self.has_mail() && self.deliver_mail_to_memory();
        let Self { state: State::Live(live), session: Some(session), telling, touched, post, .. } = self
        else {
            return false;
        };
        let mut attended = Attended { app, post: post.as_deref_mut() };
        let found = session.poll(Rings::BURST, |polled| {
            *telling = true;
            if let Some(reason) = tell(polled, &mut attended) {
                live.ended.get_or_insert(reason);
                *touched = true;
            }
            *telling = false;
        });
        *touched |= session.take_rousing();
        found || mail
    }

    /// A handler panicked while it was told of a message on shared memory, and the host went on.
    #[cold]
    fn end_after_panic(&mut self, app: &mut impl Handler) {
        self.telling = false;
        let (State::Live(live), Some(session)) = (&mut self.state, &mut self.session) else {
            return;
        };
        session.stop();
        live.ended = Some(Disconnected::HandlerPanicked);
        self.touched = true;
        // Where it stands, or it would block the link without a word.
        if let Some(position) = session.reclaim() {
            app.unconsumed(&mut Link::new(session.outbox()), position);
        }
    }
}
