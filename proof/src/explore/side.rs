//! One process: its files, its application, and what a driver keeps for it.

use std::collections::VecDeque;
use std::time::Instant;

use tcpshm_protocol::{Event, Held, Nonce, ProtocolError, Received, ResetToken, Role, Session, SessionId};

use super::files::{Files, Slot};
use super::image::Image;
use super::rules::Rules;
use super::truth::{Message, Sent, Truth};
use crate::violation::{Invariant, ensure, violate};
use crate::world::host::Policy;

/// What an application does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    Consume,
    /// Keeps it for later.
    Hold,
    /// Sends a message and consumes this one, in one.
    Reply {
        large: bool,
    },
}

/// A process, or what a kill left of it.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) role: Role,
    pub(crate) alive: bool,
    /// Whether it begins anew with a peer of another history.
    pub(crate) lenient: bool,
    pub(crate) main: Slot,
    pub(crate) fresh: Slot,
    pub(crate) truth: Truth,
    /// Added to the tags of messages, so that two histories differ.
    pub(crate) salt: u8,
    /// Messages that it may still commit.
    pub(crate) sends: u8,
    /// Messages that it may still hold.
    pub(crate) holds: u8,
    pub(crate) held: VecDeque<Held>,
    /// Over shared memory: the peer's file, and the nonce that it was told.
    pub(crate) view: Option<(u8, Nonce)>,
    /// Leave to reset the link: which a client has, and a server gave.
    pub(crate) token: Option<ResetToken>,
    /// A client's: the last Ready did not fit.
    pub(crate) disputed: bool,
    /// A server's: the proposal that it told the client to forget.
    pub(crate) dead: Option<SessionId>,
}

/// What became of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// No event.
    Nothing,
    /// A message, and the application has done with it what it was to do.
    Message,
}

impl Side {
    /// A process that is not running.
    pub(crate) fn new(rules: &Rules, role: Role, main: Option<Image>) -> Self {
        Self {
            role,
            alive: false,
            lenient: rules.policies[role as usize] == Policy::Fresh,
            main: main.into(),
            fresh: Slot::Empty,
            truth: Truth::new(Rules::session(1)),
            salt: 0,
            sends: rules.budget.sends[role as usize],
            holds: rules.budget.holds,
            held: VecDeque::new(),
            view: None,
            token: None,
            disputed: false,
            dead: None,
        }
    }

    pub(crate) fn files(&self) -> Files {
        Files { main: self.main.image().cloned(), fresh: self.fresh.image().cloned() }
    }

    /// The session, if it is open.
    pub(crate) fn session(&self) -> Option<&Session<Image>> {
        self.main.session()
    }

    /// Whether a connection carries the session.
    pub(crate) fn is_attached(&self) -> bool {
        self.session().is_some_and(Session::is_attached)
    }

    /// The peer's file as it is mapped.
    pub(crate) fn viewed<'p>(&self, peer: &'p Side) -> Option<&'p Image> {
        let (file, _) = self.view?;
        [&peer.main, &peer.fresh].into_iter().filter_map(Slot::image).find(|image| image.file == file)
    }

    /// The process ends where it stands.
    pub(crate) fn kill(&mut self) {
        self.alive = false;
        self.main.close();
        self.fresh.close();
        self.held.clear();
        (self.view, self.token, self.disputed, self.dead) = (None, None, false, None);
    }

    // ---- sending ----

    /// Whether so many bytes of payload, with headers between them counted as payload, can be committed.
    pub(crate) fn has_room(&self, payload: usize) -> bool {
        self.session().is_some_and(|session| session.is_established() && session.has_room(payload))
    }

    fn next_message(&self, ahead: usize, large: bool) -> Message {
        let number = self.truth.sent.len() + ahead;
        Message { tag: u8::try_from(number).expect("few") + self.salt, large }
    }

    /// Commits one message; there is room.
    pub(crate) fn send(&mut self, rules: &Rules, large: bool) {
        let message = self.next_message(0, large);
        let Some(session) = self.main.session_mut() else { return };
        let start = session.committed().position().get();
        let (kind, payload) = rules.content(self.role, session.id(), start, message);
        if let Err(error) = session.send(kind, &payload) {
            violate(Invariant::Bounded, format_args!("there was room, and then: {error}"));
        }
        self.committed(message);
    }

    /// Commits a small and a large message as one; there is room.
    pub(crate) fn send_batch(&mut self, rules: &Rules) {
        let messages = [self.next_message(0, false), self.next_message(1, true)];
        let Some(session) = self.main.session_mut() else { return };
        let mut start = session.committed().position().get();
        let id = session.id();
        let mut batch = session.batch();
        for message in messages {
            let (kind, payload) = rules.content(self.role, id, start, message);
            if let Err(error) = batch.send(kind, &payload) {
                violate(Invariant::Bounded, format_args!("there was room, and then: {error}"));
            }
            start += rules.frame(message);
        }
        batch.commit();
        messages.into_iter().for_each(|message| self.committed(message));
    }

    fn committed(&mut self, message: Message) {
        let told = u8::try_from(self.truth.consumed.len()).expect("few");
        self.truth.sent.push(Sent { message, told });
        self.sends -= 1;
    }

    // ---- receiving ----

    /// Takes frames from the front of `input`, up to a message.
    pub(crate) fn hear(
        &mut self,
        rules: &Rules,
        now: Instant,
        input: &mut &[u8],
        app: App,
        peer: &Truth,
    ) -> Result<Heard, ProtocolError> {
        let Some(session) = self.main.session_mut() else { return Ok(Heard::Nothing) };
        match session.handle_input(now, input)? {
            Some(Event::Message(received)) => self.take(rules, received, app, peer),
            Some(event) => violate(Invariant::Decided, format_args!("an event without a reason: {event:?}")),
            None => return Ok(Heard::Nothing),
        }
        Ok(Heard::Message)
    }

    /// Looks once in the peer's file.
    pub(crate) fn poll(
        &mut self,
        rules: &Rules,
        view: &Image,
        app: App,
        peer: &Truth,
    ) -> Result<Heard, ProtocolError> {
        let Some(session) = self.main.session_mut() else { return Ok(Heard::Nothing) };
        match session.receive(view)? {
            Some(Event::Message(received)) => self.take(rules, received, app, peer),
            Some(event) => violate(Invariant::Decided, format_args!("an event without a reason: {event:?}")),
            None => return Ok(Heard::Nothing),
        }
        Ok(Heard::Message)
    }

    /// Gives the oldest message that is held to the application again.
    pub(crate) fn release(&mut self, rules: &Rules, app: App) {
        let Some(held) = self.held.pop_front() else { return };
        let Some(session) = self.main.session_mut() else { return };
        let tag = held.kind().get() - 1;
        let received = match session.redeem(held) {
            Ok(received) => received,
            Err((_, reason)) => violate(Invariant::ExactlyOnce, format_args!("a held message: {reason}")),
        };
        let large = received.payload().len() == rules.sizes[1];
        let message = Message { tag: u8::try_from(tag).expect("a tag"), large };
        self.finish(rules, received, message, app);
    }

    /// The next message was delivered: is it what the peer committed?
    fn take(&mut self, rules: &Rules, received: Received<'_>, app: App, peer: &Truth) {
        let number = self.truth.consumed.len() + self.held.len();
        let session = received.position().session();
        let sent = peer.sent.get(number).filter(|_| peer.session == session.get());
        let Some(Sent { message, .. }) = sent.copied() else {
            violate(Invariant::ExactlyOnce, format_args!("message {number} was never committed"));
        };
        let start = received.position().position().get().saturating_sub(rules.frame(message));
        let expected = rules.content(self.role.other(), session, start, message);
        ensure(
            (received.kind(), received.payload()) == (expected.0, &expected.1),
            Invariant::ExactlyOnce,
            || format!("message {number} arrived as {:?} {:x?}", received.kind(), received.payload()),
        );
        // Consumption goes in order: behind a message that is held all are.
        let app = if self.held.is_empty() { app } else { App::Hold };
        self.finish(rules, received, message, app);
    }

    fn finish(&mut self, rules: &Rules, received: Received<'_>, message: Message, app: App) {
        let reply = match app {
            App::Reply { large } => Some(self.next_message(0, large)),
            App::Consume | App::Hold => None,
        };
        let reply = reply.filter(|reply| self.sends > 0 && self.has_room(rules.len(*reply)));
        let Some(session) = self.main.session_mut() else { return };
        let done = match (app, reply) {
            (App::Hold, _) => session.hold(received).map(|held| self.held.push_back(held)),
            (_, None) => session.consume(received).map(|_| self.truth.consumed.push(message)),
            (_, Some(reply)) => {
                let start = session.committed().position().get();
                let (kind, payload) = rules.content(self.role, session.id(), start, reply);
                let mut slot = match session.claim(kind, payload.len()) {
                    Ok(slot) => slot,
                    Err(error) => violate(Invariant::Bounded, format_args!("there was room: {error}")),
                };
                slot.copy_from_slice(&payload);
                slot.commit_consuming(received).map(|_| {
                    self.truth.consumed.push(message);
                    self.committed(reply);
                })
            }
        };
        if let Err(refused) = done {
            violate(Invariant::ExactlyOnce, format_args!("the oldest message: {}", refused.reason));
        }
    }

    // ---- the end of a connection ----

    /// The connection is gone.
    pub(crate) fn detach(&mut self, nonce: Nonce) {
        self.view = None;
        if let Some(session) = self.main.session_mut() {
            session.detach(nonce);
        }
    }
}
