//! An application that gets everything wrong: late, twice, of another, out of turn.

use std::time::Instant;

use tcpshm_protocol::{Delivered, Event, Kind, RefusedReason};

use crate::violation::{Invariant, ensure};
use crate::world::application::consumes;
use crate::world::disk::Doing;
use crate::world::endpoint::{Endpoint, promised};

impl Endpoint {
    /// Consumes up to where it has consumed already.
    pub fn consume_again(&mut self) -> Option<RefusedReason> {
        let session = self.session.as_mut()?;
        let consumed = session.consumed();
        session.consume_through(consumed).err()
    }

    /// Consumes up to a position of another stream.
    pub fn consume_foreign(&mut self, foreign: Delivered) -> Option<RefusedReason> {
        let refused = self.session.as_mut()?.consume_through(foreign).err();
        ensure(refused.is_some(), Invariant::ExactlyOnce, || format!("{foreign:?} was taken for its own"));
        refused
    }

    /// Consumes what it was given in its life before, and not yet in this one.
    pub fn consume_of_earlier_life(&mut self) -> Option<RefusedReason> {
        let earlier = self.earlier_life?;
        let session = self.session.as_mut()?;
        if earlier.session() == session.id() && earlier.position() <= session.delivered().position() {
            return None;
        }
        let refused = session.consume_through(earlier).err();
        ensure(refused.is_some(), Invariant::ExactlyOnce, || format!("{earlier:?} was not delivered"));
        refused
    }

    /// Consumes a held message twice, in two ways.
    pub fn consume_twice(&mut self) -> Option<RefusedReason> {
        let (at, message) = self.unconsumed.front().filter(|_| self.held.len() == 1)?.clone();
        if self.disk.is_dead() || self.held.front()?.position() != at {
            return None;
        }
        let held = self.held.pop_front()?;
        let received = promised(self.session().redeem(held), Invariant::ExactlyOnce);
        self.announce(Doing::Consume, consumes(at, message));
        let first = self.session().consume_through(at);
        let second = self.session().consume(received).err().map(|refused| refused.reason);
        ensure(first.is_ok() && second.is_some(), Invariant::ExactlyOnce, || {
            format!("consumed once: {first:?}, and again: {second:?}")
        });
        self.consumed(at);
        second
    }

    /// Writes a message and does not commit it.
    pub fn abandon_claim(&mut self, len: usize) {
        self.disk.begin(Doing::Other);
        let kind = Kind::new(7).expect("not 0");
        if let Some(session) = &mut self.session
            && let Ok(mut slot) = session.claim(kind, len)
        {
            slot.fill(0xff);
        }
    }

    /// Without a connection, says that bytes came and went and that time passed.
    pub fn call_out_of_turn(&mut self, now: Instant, bytes: usize) {
        let Some(session) = self.session.as_mut().filter(|session| !session.is_attached()) else { return };
        session.handle_transmitted(now, bytes);
        let noise = vec![0xa5; bytes];
        let event = session.handle_input(now, &mut &noise[..]);
        let quiet = matches!(event, Ok(None | Some(Event::Writable)));
        let idle = session.poll_transmit(now).is_empty() && session.poll_timeout().is_none();
        ensure(quiet && idle, Invariant::Fenced, || "a session without a connection reads or speaks".into());
    }

    /// Looks into the peer's file as it was mapped for an earlier connection.
    pub fn look_at_old_mapping(&mut self) {
        let same =
            self.old_view.as_ref().zip(self.view.as_ref()).is_some_and(|(old, view)| old.is_same(view));
        let (Some(view), Some(session)) = (&self.old_view, &mut self.session) else { return };
        if same || self.disk.is_dead() {
            return;
        }
        let looked = session.receive(view);
        let message = matches!(looked, Ok(Some(Event::Message(_))));
        ensure(!message, Invariant::Fenced, || {
            "a message came from a mapping of an earlier connection".into()
        });
    }
}
