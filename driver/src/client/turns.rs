//! A client's turns: events, timers, shared memory.

use std::io;
use std::ops::Range;
use std::time::Instant;

use mio::event::Event;
use mio::{Registry, Token};

use super::{Client, State};
use crate::connection::Visit;
use crate::disconnected::Disconnected;
use crate::driver::Driver;
use crate::handler::Handler;
use crate::mailbox::Ended;
use crate::ready::Ready;
use crate::watch;

impl Client {
    /// Whether it was just made: then it connects as soon as it is in a loop.
    fn is_new(&self) -> bool {
        matches!(self.state, State::Waiting { until: None } if self.failures == 0)
    }

    /// Until when it is without a connection on purpose.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn waits_until(&self) -> Option<Instant> {
        if let State::Waiting { until } = self.state { until } else { None }
    }

    /// What an event does. It may come late, twice, or for a connection that had the token before.
    pub(crate) fn handle_ready(&mut self, now: Instant, token: Token, ready: Ready, app: &mut impl Handler) {
        if !self.owns(token) {
            return;
        }
        if self.token != Some(token) {
            return self.handle_mail(now, app);
        }
        match &mut self.state {
            State::Connecting(handshake) => handshake.set_ready(ready),
            State::LoggingIn(login) => login.handshake.set_ready(ready),
            State::Live(live) => live.connection.set_ready(ready),
            State::Waiting { .. } | State::Stopped => return,
        }
        self.visit(now, app);
    }

    /// Timers, and what was left over.
    fn do_what_is_due(&mut self, now: Instant, app: &mut impl Handler) {
        // What waits goes first: a peer that sleeps, say, for the frame that wakes it. There is one visit.
        let waited = std::mem::take(&mut self.touched);
        if waited {
            self.visit(now, app);
        }
        self.poll_memory(app);
        self.deliver_mail();
        if !waited && std::mem::take(&mut self.touched) {
            self.visit(now, app);
        }
        if !self.is_new() && self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        if self.is_connected() {
            return self.handle_due(now, app);
        }
        match std::mem::replace(&mut self.state, State::Waiting { until: None }) {
            State::Waiting { .. } => self.connect(now, app),
            State::Connecting(mut handshake) => {
                self.close(&mut handshake.stream);
                self.give_way(now, io::ErrorKind::TimedOut.into(), app);
            }
            State::LoggingIn(mut login) => {
                self.close(&mut login.handshake.stream);
                self.give_way(now, io::ErrorKind::TimedOut.into(), app);
            }
            other => self.state = other,
        }
    }
}

impl Driver for Client {
    fn register(&mut self, registry: &Registry, tokens: Range<usize>) -> io::Result<()> {
        if tokens.len() < 2 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a client needs two tokens"));
        }
        if let Some(post) = &self.post {
            post.register(registry, Token(tokens.start + 1))?;
        }
        self.registry = Some(registry.try_clone()?);
        self.token = Some(Token(tokens.start));
        Ok(())
    }

    fn owns(&self, token: Token) -> bool {
        self.token == Some(token) || self.waker_token() == Some(token)
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
        match &self.state {
            State::Waiting { until } => *until,
            State::Connecting(handshake) => Some(handshake.deadline),
            State::LoggingIn(login) => Some(login.handshake.deadline),
            State::Live(live) => {
                let timer = self.session.as_ref().and_then(|session| session.poll_timeout());
                timer.into_iter().chain([live.next_check]).min()
            }
            State::Stopped => None,
        }
    }

    fn poll(&mut self, app: &mut impl Handler) -> bool {
        self.poll_memory(app)
    }

    fn has_work(&self) -> bool {
        self.has_mail() || self.touched || (self.is_new() && self.registry.is_some())
    }

    fn is_polling(&self) -> bool {
        self.is_connected() && self.session.as_ref().is_some_and(|session| session.peer_file().is_some())
    }

    fn set_may_sleep(&mut self, may_sleep: bool) {
        self.may_sleep = may_sleep;
    }

    fn set_spinning(&mut self, spinning: bool) {
        self.spinning = spinning;
        self.follow_spinning();
        self.touched |= self.is_connected();
    }

    fn park(&mut self) -> bool {
        if self.telling || self.has_work() {
            return false;
        }
        if !self.is_polling() {
            return true;
        }
        let Some(session) = &mut self.session else {
            return true;
        };
        let parked = session.park();
        self.touched |= session.take_rousing();
        parked
    }

    fn is_parked(&self) -> bool {
        !self.is_polling() || self.session.as_ref().is_some_and(|session| session.is_parked())
    }

    fn spin(&mut self, now: Instant, app: &mut impl Handler) -> bool {
        // On shared memory the connection has next to nothing to say, and a read costs a system call.
        let (mapped, touched) = (self.is_polling(), self.touched);
        let mut found = false;
        if let State::Live(live) = &mut self.state
            && !mapped
        {
            live.connection.try_out(touched);
            found = self.visit_live(now, app) != Visit::Nothing;
        }
        self.do_what_is_due(now, app);
        found
    }

    fn shut_down(&mut self, now: Instant, app: &mut impl Handler) {
        self.close_post(Ended::ShutDown);
        self.end_live(now, &Disconnected::ShutDown, app);
        self.stop();
        if let Some(session) = &mut self.session {
            // What cannot be made again here is made at the next login, if there is one.
            let _ = watch::restore(&self.directory, session);
        }
    }
}
