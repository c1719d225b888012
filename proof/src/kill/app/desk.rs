//! One link, as the application works on it.

use std::collections::VecDeque;

use fastrand::Rng;
use tcpshm_driver::{Committed, Delivered, Held, Kind, Link, Received, SendError, SessionId};

use super::message::{Front, hash};
use super::outgoing::{Composed, Outgoing};
use crate::kill::log::Log;
use crate::kill::record::{Act, Record, class};

/// The kind of all messages: what they are stands in them.
const KIND: Kind = Kind::new(7).expect("not 0");
/// Most messages that are committed or consumed together.
const GROUP: usize = 6;
/// Most times that something is sent in one step: a process that is mostly at work is mostly killed at work.
const BURST: u8 = 100;

/// What all desks of a process use.
#[derive(Debug)]
pub(super) struct Tools {
    /// Where everything is written down first.
    pub(super) log: Log,
    /// What is left to chance.
    pub(super) random: Rng,
    /// 0 for the server, 1 for the client.
    pub(super) side: u8,
    /// How often this process has been started.
    pub(super) life: u32,
    /// Bytes of each ring.
    pub(super) capacity: u64,
    /// Nothing is sent but what is owed.
    pub(super) drain: bool,
}

impl Tools {
    /// True once in `many` times.
    pub(super) fn once_in(&mut self, many: u32) -> bool {
        self.random.u32(..many) == 0
    }

    /// Writes these down.
    pub(super) fn write(&mut self, records: &[Record]) {
        self.log.write(records).expect("a log that can be written");
    }

    fn front(&self, link: u16, class: u8) -> Front {
        let (side, life) = (self.side, self.life);
        Front { link, class, side, life, number: 0, previous: 0, answers: 0 }
    }
}

/// One link.
#[derive(Debug)]
pub(super) struct Desk {
    link: u16,
    /// What an earlier life last intended.
    remembered: Option<Record>,
    /// The session, once it was looked at in this life.
    session: Option<u64>,
    out: Outgoing,
    /// Kept for later, with what is to be written down then.
    held: VecDeque<(Held, Record)>,
    /// Given and left where they are, to be consumed in one go.
    passed: Vec<(Delivered, Record)>,
}

impl Desk {
    /// The desk of link number `link`.
    pub(super) fn new(link: u16, remembered: Option<Record>) -> Self {
        let out = Outgoing::default();
        Self { link, remembered, session: None, out, held: VecDeque::new(), passed: Vec::new() }
    }

    /// Looks where the streams stand, once in a life and session. False before anything can be sent.
    pub(super) fn meet(&mut self, link: &mut Link<'_>, tools: &mut Tools) -> bool {
        let session = fold(link.session());
        if self.session == Some(session) {
            return true;
        }
        if let Err(SendError::NotEstablished) = link.claim(KIND, 0).map(drop) {
            return false;
        }
        let (committed, consumed) = (place(link.committed()), link.consumed().position().get());
        let found = Record::new(Act::Found, self.link, session);
        tools.write(&[Record { start: committed, end: consumed, ..found }]);
        let remembered = self.remembered.filter(|intent| intent.session == session);
        self.out = Outgoing::resume(remembered, committed).expect("a stream that ends where an intent does");
        // What was held of another session is void.
        self.held.clear();
        self.passed.clear();
        self.session = Some(session);
        true
    }

    /// A message came.
    pub(super) fn message(&mut self, link: &mut Link<'_>, received: Received<'_>, tools: &mut Tools) {
        let effect = self.effect(&received);
        let request = effect.flag == class::REQUEST;
        if request || tools.random.bool() {
            self.consume_passed(link, tools);
        }
        if !self.passed.is_empty() {
            self.passed.push((received.position(), effect));
        } else if !self.held.is_empty() || tools.once_in(6) {
            self.hold(link, received, effect);
        } else if request {
            self.answer_one(link, received, effect, tools);
        } else if tools.once_in(4) {
            self.passed.push((received.position(), effect));
        } else {
            self.consume(link, received, effect, tools);
        }
    }

    /// Does what there is to do without a message.
    pub(super) fn step(&mut self, link: &mut Link<'_>, tools: &mut Tools) {
        if !self.meet(link, tools) {
            return;
        }
        if tools.drain || tools.random.bool() {
            self.consume_passed(link, tools);
            self.take_held(link, tools);
        }
        if tools.drain {
            return;
        }
        if tools.once_in(32) {
            abandon(link, tools);
        }
        for _ in 0..tools.random.u8(1..=BURST) {
            // A server keeps half of its ring for what it owes.
            let room = tools.side == 1 || link.space() > tools.capacity / 2;
            if !room || !self.send(link, tools) {
                break;
            }
        }
    }

    // ---- receiving ----

    fn effect(&self, received: &Received<'_>) -> Record {
        let place = received.position();
        let front = Front::read(received.payload());
        let read = |field: fn(Front) -> u64| front.map_or(0, field);
        Record {
            flag: front.map_or(0, |front| front.class),
            count: 1,
            number: read(|front| front.number),
            end: place.position().get(),
            hash: hash(received.payload()),
            previous: read(|front| front.previous),
            extra: read(|front| front.answers),
            ..Record::new(Act::Effect, self.link, fold(place.session()))
        }
    }

    fn hold(&mut self, link: &mut Link<'_>, received: Received<'_>, effect: Record) {
        let held = link.hold(received).expect("a message of this link");
        self.held.push_back((held, effect));
    }

    fn consume(&mut self, link: &mut Link<'_>, received: Received<'_>, effect: Record, tools: &mut Tools) {
        tools.write(&[effect]);
        let consumed = link.consume(received).expect("in order");
        self.consumed(consumed, tools);
    }

    fn consume_passed(&mut self, link: &mut Link<'_>, tools: &mut Tools) {
        let Some((last, _)) = self.passed.last().copied() else {
            return;
        };
        let effects: Vec<Record> = self.passed.drain(..).map(|(_, effect)| effect).collect();
        tools.write(&effects);
        link.consume_through(last).expect("given, and none held");
        self.consumed(last, tools);
    }

    fn consumed(&self, upto: Delivered, tools: &mut Tools) {
        let done = Record::new(Act::Consumed, self.link, fold(upto.session()));
        tools.write(&[Record { end: upto.position().get(), ..done }]);
    }

    /// Takes what is held, in order, as long as there is room to answer.
    fn take_held(&mut self, link: &mut Link<'_>, tools: &mut Tools) {
        while let Some((_, effect)) = self.held.front() {
            let most = tools.random.usize(1..=GROUP);
            let requests = self.held.iter().take_while(|(_, effect)| effect.flag == class::REQUEST);
            let requests = requests.take(most).count();
            if requests == 0 {
                let effect = *effect;
                let received = self.redeem(link);
                self.consume(link, received, effect, tools);
            } else if !self.answer_several(link, requests, tools) {
                return;
            }
        }
    }

    fn redeem(&mut self, link: &mut Link<'_>) -> Received<'static> {
        let (held, _) = self.held.pop_front().expect("looked at before");
        link.redeem(held).expect("held by this link")
    }

    // ---- answering ----

    fn answer_one(&mut self, link: &mut Link<'_>, request: Received<'_>, effect: Record, tools: &mut Tools) {
        let reply = self.replies(std::iter::once(effect), tools);
        let intent = reply.intent(Act::Answer, self.link, effect.session, place(link.committed()));
        match link.claim(KIND, reply.messages[0].len()) {
            Ok(mut slot) => {
                tools.write(&[effect, intent]);
                slot.copy_from_slice(&reply.messages[0]);
                let committed = slot.commit_consuming(request).expect("in order");
                self.answered(link, &reply, committed, tools);
            }
            Err(_) => self.hold(link, request, effect),
        }
    }

    /// Answers the first requests that are held in one batch. False if there is no room.
    fn answer_several(&mut self, link: &mut Link<'_>, count: usize, tools: &mut Tools) -> bool {
        let effects: Vec<Record> = self.held.iter().take(count).map(|(_, effect)| *effect).collect();
        let replies = self.replies(effects.iter().copied(), tools);
        let session = effects[0].session;
        let intent = replies.intent(Act::Answer, self.link, session, place(link.committed()));
        let requests: Vec<Received<'static>> = (0..count).map(|_| self.redeem(link)).collect();
        let mut batch = link.batch();
        if replies.messages.iter().any(|reply| batch.send(KIND, reply).is_err()) {
            drop(batch);
            for (request, effect) in requests.into_iter().zip(effects).rev() {
                let held = link.hold(request).expect("a message of this link");
                self.held.push_front((held, effect));
            }
            return false;
        }
        tools.write(&[&effects[..], &[intent]].concat());
        for request in requests {
            batch.consume(request).expect("in order");
        }
        let committed = batch.commit();
        self.answered(link, &replies, committed, tools);
        true
    }

    fn replies(&self, effects: impl Iterator<Item = Record>, tools: &mut Tools) -> Composed {
        let mut replies = Composed::after(self.out);
        for effect in effects {
            let front = Front { answers: effect.number, ..tools.front(self.link, class::REPLY) };
            replies.add(front, &mut tools.random);
        }
        replies
    }

    fn answered(&mut self, link: &Link<'_>, replies: &Composed, committed: Committed, tools: &mut Tools) {
        self.out = replies.done();
        let done = Record::new(Act::Answered, self.link, fold(committed.session()));
        tools.write(&[Record { end: place(committed), start: link.consumed().position().get(), ..done }]);
    }

    // ---- sending ----

    /// Sends some messages, in one of the ways there are. False if there is no room.
    fn send(&mut self, link: &mut Link<'_>, tools: &mut Tools) -> bool {
        let count = if tools.random.bool() { 1 } else { tools.random.usize(2..=GROUP) };
        let mut composed = Composed::after(self.out);
        for _ in 0..count {
            let request = tools.side == 1 && tools.random.bool();
            let class = if request { class::REQUEST } else { class::ONE_WAY };
            composed.add(tools.front(self.link, class), &mut tools.random);
        }
        let session = fold(link.session());
        let intent = composed.intent(Act::Intend, self.link, session, place(link.committed()));
        let committed = if let [message] = &composed.messages[..] {
            let Ok(mut slot) = link.claim(KIND, message.len()) else {
                return false;
            };
            tools.write(&[intent]);
            slot.copy_from_slice(message);
            slot.commit()
        } else {
            let mut batch = link.batch();
            if composed.messages.iter().any(|message| batch.send(KIND, message).is_err()) {
                return false;
            }
            tools.write(&[intent]);
            batch.commit()
        };
        self.out = composed.done();
        let done = Record::new(Act::Committed, self.link, session);
        tools.write(&[Record { end: place(committed), ..done }]);
        true
    }
}

/// Claims room, writes into it and thinks better of it.
fn abandon(link: &mut Link<'_>, tools: &mut Tools) {
    if let Ok(mut slot) = link.claim(KIND, tools.random.usize(..400)) {
        tools.random.fill(&mut slot);
    }
}

fn place(committed: Committed) -> u64 {
    committed.position().get()
}

/// A session id in one word: they are random.
#[expect(clippy::cast_possible_truncation, reason = "the halves")]
pub(super) fn fold(session: SessionId) -> u64 {
    let bits = session.get();
    bits as u64 ^ (bits >> 64) as u64
}
