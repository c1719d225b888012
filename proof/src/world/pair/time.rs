//! Time passes for a pair.

use std::time::{Duration, Instant};

use tcpshm_protocol::Session;

use super::{Connection, Note, Pair, ServerEnd};
use crate::violation::{Invariant, ensure};

impl Pair {
    /// Lets time pass, waking each side when it asked to be woken and no sooner. Panics if a side asks
    /// to be woken again and again with nothing to do.
    #[track_caller]
    pub fn elapse(&mut self, duration: Duration) {
        let end = self.clock.now() + duration;
        let mut wakes = 0;
        loop {
            self.settle();
            let now = self.clock.now();
            let Some(next) = self.next_wake().filter(|next| *next <= end) else { break };
            self.clock.advance(next.saturating_duration_since(now));
            self.tick();
            wakes += 1;
            ensure(wakes < 100_000, Invariant::Live, || format!("woken {wakes} times in {duration:?}"));
            self.settle();
            let busy = self.next_wake().is_some_and(|again| again <= self.clock.now());
            ensure(!busy, Invariant::Live, || "woken with nothing to do".into());
        }
        let left = end.saturating_duration_since(self.clock.now());
        self.clock.advance(left);
        self.tick();
    }

    /// When a side first asks to be woken. A server whose Ready the carrier does not take has nothing to add, and
    /// is not.
    fn next_wake(&self) -> Option<Instant> {
        let blocked = self.connections.iter().any(|connection| {
            matches!(&connection.server, ServerEnd::Stream(visit) if !visit.login.poll_transmit().is_empty())
        });
        let server = self.server.session.as_ref().filter(|_| !blocked);
        let sessions = [self.client.session.as_ref(), server];
        sessions.into_iter().flatten().filter_map(Session::poll_timeout).min()
    }

    /// Tells both sides the time.
    pub fn tick(&mut self) {
        let now = self.clock.now();
        self.observe();
        let told = |session: Option<&mut Session<_>>| session.map(|session| session.handle_timeout(now));
        match told(self.client.session.as_mut()) {
            Some(Err(timed_out)) => {
                self.client.notes.push(Note::TimedOut(timed_out));
                self.abandon();
            }
            Some(Ok(Some(stalled))) => self.client.notes.push(Note::Stalled(stalled)),
            _ => {}
        }
        match told(self.server.session.as_mut()) {
            Some(Err(timed_out)) => {
                self.server.notes.push(Note::TimedOut(timed_out));
                self.server.disconnected();
                self.connections.iter_mut().for_each(Connection::leave_server);
            }
            Some(Ok(Some(stalled))) => self.server.notes.push(Note::Stalled(stalled)),
            _ => {}
        }
    }
}
