//! What an application does with a link, and what it must never see.

use tcpshm_protocol::{Delivered, Kind, Received, RefusedReason, SendError, Session, Undelivered};

use crate::violation::{Invariant, ensure};
use crate::world::disk::Doing;
use crate::world::endpoint::{App, Endpoint, promised};
use crate::world::journal::Journal;
use crate::world::message::Message;
use crate::world::truth::{Intent, Placed};
use crate::world::wire::frame_size;

impl Endpoint {
    // ---- sending ----

    /// Commits the next message.
    pub fn send(&mut self, len: usize) -> Result<(), SendError> {
        if self.disk.is_dead() {
            return Err(SendError::NotEstablished);
        }
        let message = self.next_message(0, len);
        self.make_room(len);
        let Some(session) = &mut self.session else { return Err(SendError::NotEstablished) };
        let end = session.committed().position().get().saturating_add(frame_size(len));
        let id = session.id().get();
        self.disk.begin(Doing::Commit);
        self.history.change(id, |truth| truth.intent = Some(commits(vec![(end, message.clone())])));
        let sent = session.send(message.kind, &message.payload);
        self.conclude(sent.is_ok());
        let committed = sent?.position().get();
        ensure(committed == end, Invariant::Ordered, || format!("it ends at {committed}, not at {end}"));
        Ok(())
    }

    /// Commits several messages as one.
    pub fn send_batch(&mut self, lens: &[usize]) -> Result<(), SendError> {
        let messages: Vec<_> =
            lens.iter().enumerate().map(|(number, len)| self.next_message(number as u64, *len)).collect();
        if self.disk.is_dead() {
            return Err(SendError::NotEstablished);
        }
        self.observe();
        let Some(session) = &mut self.session else { return Err(SendError::NotEstablished) };
        let mut end = session.committed().position().get();
        let placed = |message: &Message| {
            end = end.saturating_add(frame_size(message.payload.len()));
            (end, message.clone())
        };
        let placed: Vec<_> = messages.iter().map(placed).collect();
        let id = session.id().get();
        self.disk.begin(Doing::Batch);
        self.history.change(id, |truth| truth.intent = Some(commits(placed)));
        let mut batch = session.batch();
        let sent = messages.iter().try_for_each(|message| batch.send(message.kind, &message.payload));
        if sent.is_ok() {
            batch.commit();
        }
        self.conclude(sent.is_ok());
        sent
    }

    /// Commits messages until the ring is full.
    pub fn fill(&mut self, len: usize) -> usize {
        let mut count = 0;
        while self.send(len).is_ok() {
            count += 1;
        }
        count
    }

    fn next_message(&self, ahead: u64, len: usize) -> Message {
        let number = self.history.read(self.session_number(), |truth| truth.committed.len());
        Message::numbered(self.role, number.unwrap_or(0) as u64 + self.salt + ahead, len)
    }

    // ---- receiving ----

    /// Gives the held messages to the application again, which does with them what it does now.
    pub fn release(&mut self) {
        for _ in 0..self.held.len() {
            let Some(held) = self.held.pop_front() else { return };
            let session = self.session.as_mut().expect("messages are held of a session");
            let received = promised(session.redeem(held), Invariant::ExactlyOnce);
            self.handle_message(received);
        }
    }

    /// Consumes everything up to the `number`th message that was given to it and is not consumed.
    pub fn consume_through(&mut self, number: usize) -> Result<(), RefusedReason> {
        let Some((upto, _)) = self.unconsumed.get(number) else { return Ok(()) };
        let upto = *upto;
        if self.disk.is_dead() {
            return Ok(());
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        session.reclaim();
        let taken = self.unconsumed.iter().take(number + 1);
        let consumed = taken.map(|(at, message)| (at.position().get(), message.clone())).collect();
        self.announce(Doing::Consume, Intent { consumed, ..Intent::default() });
        let done = self.session().consume_through(upto);
        self.conclude(done.is_ok());
        if done.is_ok() {
            self.unconsumed.drain(..=number);
        }
        done
    }

    pub(super) fn handle_message(&mut self, received: Received<'_>) {
        if self.disk.is_dead() {
            return;
        }
        let message = Message { kind: received.kind(), payload: received.payload().to_vec() };
        match self.app {
            App::Drop => {}
            App::Hold => self.hold(received),
            App::Consume => self.consume(received, message),
            App::Echo => self.echo(received, message),
            // What it did with the message is done; that it did is not stored.
            App::Die => self.disk.burn_after(0),
        }
    }

    fn consume(&mut self, received: Received<'_>, message: Message) {
        let at = received.position();
        self.announce(Doing::Consume, consumes(at, message));
        match self.session().consume(received) {
            Ok(_) => self.consumed(at),
            Err(refused) => {
                self.conclude(false);
                self.refusals.push(refused.reason);
                self.hold(refused.received);
            }
        }
    }

    fn echo(&mut self, request: Received<'_>, message: Message) {
        let (kind, len, at) = (message.kind, message.payload.len(), request.position());
        let reply = Message { kind: Kind::new(!kind.get()).unwrap_or(kind), ..message.clone() };
        self.make_room(len);
        let start = self.session().committed().position().get();
        let end = start.saturating_add(frame_size(len));
        let answer = commits(vec![(end, reply.clone())]);
        self.announce(Doing::Reply, Intent { committed: answer.committed, ..consumes(at, message) });
        let mut slot = match self.session().claim(reply.kind, len) {
            Ok(slot) => slot,
            // It fits when there is room, or never: then it is not answered.
            Err(_) => {
                self.conclude(false);
                return self.hold(request);
            }
        };
        slot.copy_from_slice(&reply.payload);
        match slot.commit_consuming(request) {
            Ok(_) => self.consumed(at),
            Err(refused) => {
                self.conclude(false);
                self.refusals.push(refused.reason);
                self.hold(refused.received);
            }
        }
    }

    fn hold(&mut self, received: Received<'_>) {
        let held = promised(self.session().hold(received), Invariant::ExactlyOnce);
        self.held.push_back(held);
    }

    /// Whether a message was dropped, so that those behind it cannot be consumed one by one.
    pub fn is_blocked(&self) -> bool {
        self.unconsumed.len() > self.held.len()
    }

    // ---- what it knows ----

    /// What is about to be reported, here or to the peer, is what was committed and is not known to be consumed:
    /// all of it up to the last message, and nothing else.
    pub(super) fn check_report(&self, session: &Session<Journal>) -> Undelivered {
        let report = session.undelivered();
        if self.believes_anything {
            return report;
        }
        let owed = self.history.read(session.id().get(), |truth| {
            let known = truth.committed_below(report.from.get());
            (truth.end(known), truth.ends()[0], (truth.committed.len() - known) as u64)
        });
        if let Some(owed) = owed {
            let told = (report.from.get(), report.upto.get(), report.messages);
            ensure(told == owed, Invariant::Decided, || format!("told is {report}, and owed are {owed:?}"));
        } else {
            ensure(report.messages == 0, Invariant::Decided, || format!("{report} of nothing"));
        }
        report
    }

    /// The same, to the peer.
    pub(super) fn tell(&mut self) -> Option<Undelivered> {
        let session = self.session.as_ref()?;
        let (id, report) = (session.id().get(), self.check_report(session));
        self.told.push((id, report));
        Some(report)
    }

    /// What it is about to do, written down before it does it.
    pub(super) fn announce(&mut self, doing: Doing, intent: Intent) {
        self.disk.begin(doing);
        let id = self.session_number();
        self.history.change(id, |truth| truth.intent = Some(intent));
    }

    /// It did, or it could not. What a process did when it was killed is found out when it starts again.
    pub(super) fn conclude(&mut self, done: bool) {
        if self.disk.is_dead() {
            return;
        }
        let id = self.session_number();
        if done && self.knows_peer() {
            let intent = self.history.read(id, |truth| truth.intent.clone()).flatten().unwrap_or_default();
            for (number, placed) in intent.consumed.iter().enumerate() {
                self.check_consumed(number, placed);
            }
        }
        self.history.change(id, |truth| {
            if !done {
                truth.intent = None;
            }
            truth.finish();
        });
        self.disk.begin(Doing::Other);
    }

    pub(super) fn consumed(&mut self, at: Delivered) {
        self.conclude(true);
        self.unconsumed.retain(|(delivered, _)| *delivered != at);
    }

    /// A message is one that the peer committed, and comes in order, and was not consumed before.
    pub(super) fn check_delivered(&mut self, received: &Received<'_>) {
        let message = Message { kind: received.kind(), payload: received.payload().to_vec() };
        let at = received.position();
        let placed = (at.position().get(), message);
        if !self.knows_peer() {
            return self.unconsumed.push_back((at, placed.1));
        }
        let last = self.unconsumed.back().map_or_else(|| self.truth_end(), |(at, _)| at.position().get());
        ensure(placed.0 > last, Invariant::ExactlyOnce, || {
            format!("{placed:?} was delivered again: it had come to {last}")
        });
        self.check_consumed(self.unconsumed.len(), &placed);
        self.delivered.push(placed.1.clone());
        self.unconsumed.push_back((at, placed.1));
    }

    /// Whether what it is given comes from the one whose history is known: not from a program that says anything,
    /// nor from what a host that has vanished left on its way.
    fn knows_peer(&self) -> bool {
        !self.believes_anything && self.connected_to == self.peer_history.past()
    }

    fn truth_end(&self) -> u64 {
        self.history.read(self.session_number(), |truth| truth.ends()[1]).unwrap_or(0)
    }

    /// The message `ahead` places behind the last consumed one is what the peer committed there.
    fn check_consumed(&self, ahead: usize, found: &Placed) {
        let id = self.session_number();
        let number = self.history.read(id, |truth| truth.consumed.len()).unwrap_or(0) + ahead;
        let sent = self.peer_history.read(id, |truth| truth.committed_from(number).next().cloned());
        ensure(
            sent.as_ref().is_some_and(|sent| sent.as_ref() == Some(found)),
            Invariant::ExactlyOnce,
            || {
                format!(
                    "{:?} message {number} ({ahead} ahead) is {found:?}, committed was {sent:?}: {:?} {:?}",
                    self.role,
                    self.unconsumed,
                    self.history.read(id, Clone::clone)
                )
            },
        );
    }
}

fn commits(committed: Vec<Placed>) -> Intent {
    Intent { committed, ..Intent::default() }
}

pub(super) fn consumes(at: Delivered, message: Message) -> Intent {
    Intent { consumed: vec![(at.position().get(), message)], ..Intent::default() }
}
