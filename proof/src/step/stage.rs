//! Two sides of one link in one process and one directory, and nothing simulated: real link files, real
//! sessions over their mappings, over either carrier. What would go through a socket is carried by hand.

mod files;
mod login;

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use tcpshm_protocol::login::{Carrier, Confirm, Ready};
use tcpshm_protocol::{Event, Kind, Received, Role};
use tcpshm_shm::{LinkDirectory, MappedSession, Outbox, Polled};

use crate::step::act::{Act, Who};
use crate::step::case::Setting;
use crate::world::clock::Clock;
use crate::world::image;
use crate::world::message::Message;

/// Longer than any delay after which an acknowledgement is due, and shorter than any silence.
const A_MOMENT: Duration = Duration::from_millis(50);

/// Both sides, and what lies between them.
#[derive(Debug)]
pub struct Stage {
    setting: Setting,
    clock: Clock,
    client: Side,
    server: Side,
    confirm: Option<Confirm>,
    ready: Option<Ready>,
    /// Files and logins are told apart by their numbers.
    sessions: u128,
    logins: u64,
}

/// One of the two processes, as it would be.
#[derive(Debug)]
pub struct Side {
    role: Role,
    directory: LinkDirectory,
    main: Option<MappedSession>,
    fresh: Option<MappedSession>,
    /// Messages in hand, oldest first.
    lent: VecDeque<Received<'static>>,
    /// How many messages it committed in its session.
    sent: u64,
    /// Its `consumed` word before the last reply.
    lagging: Option<u64>,
    /// Bytes from the other side that have not been read.
    inbox: Vec<u8>,
    /// Every message it was given, in order.
    pub(super) given: Vec<Message>,
}

impl Stage {
    /// Opens the directory at `path` for both sides, without a file.
    pub fn new(path: &Path, setting: Setting) -> Self {
        let side = |role| {
            let owner = image::header(role, 1, setting.geometry).owner;
            let directory = LinkDirectory::open(path, role, &owner).expect("a private directory");
            Side::new(role, directory)
        };
        Self {
            setting,
            clock: Clock::new(),
            client: side(Role::Client),
            server: side(Role::Server),
            confirm: None,
            ready: None,
            sessions: 0,
            logins: 0,
        }
    }

    /// The same for a directory that was used before: no number of a session or a login comes twice.
    pub fn again(path: &Path, setting: Setting) -> Self {
        Self { sessions: 1 << 32, logins: 1 << 16, ..Self::new(path, setting) }
    }

    /// Lets one side do one thing. Whatever goes wrong is a panic: in a child it ends the run, and the sides
    /// of a recovered link are watched by [`crate::violation::catch`].
    #[inline]
    pub fn act(&mut self, who: Who, act: &Act) {
        let role = self.setting.role_of(who);
        let now = self.clock.now();
        let over_tcp = self.setting.carrier == Carrier::Tcp;
        match act {
            Act::Send(len) => self.side(role).send(*len),
            Act::Abandon(len) => self.side(role).abandon(*len),
            Act::AbandonBatch(lens) => self.side(role).abandon_batch(lens),
            Act::Reply(len) => self.side(role).reply(*len),
            Act::Batch(lens, consuming) => self.side(role).batch(lens, *consuming),
            Act::Consume => self.side(role).consume(),
            Act::ConsumeThrough(count) => self.side(role).consume_through(*count),
            Act::Echo(len) if over_tcp => self.side(role).echo_input(now, *len),
            Act::Echo(len) => self.side(role).echo_in_place(*len),
            Act::Take if over_tcp => self.side(role).read(now),
            Act::Take | Act::Look => self.side(role).poll(),
            Act::Learn if over_tcp => self.side(role).read(now),
            Act::Learn => self.side(role).session().observe(),
            Act::LearnAndSend(len) if over_tcp => self.side(role).read_and_send(now, *len),
            Act::LearnAndSend(len) => self.side(role).observe_and_send(*len),
            Act::Transmit if over_tcp => self.transmit(role),
            Act::Transmit => {}
            Act::Show => self.show(),
            Act::Accept => self.accept(),
            Act::Establish => self.establish(),
            Act::Create => self.create(role),
            Act::Switch => self.switch(role),
            Act::Detach => self.side(role).session().detach(image::CLIENT_NONCE),
            Act::Exit => self.side(role).exit(),
            Act::LagConsumed => self.side(role).lag_consumed(),
            Act::Open => self.side(role).open(),
            Act::Remove => self.side(role).remove(),
            Act::Restore => self.side(role).restore(),
            Act::Lose => self.side(role).lose(),
        }
    }

    /// One of the two sides.
    pub fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Carries everything that waits on one side to the other, acknowledgements that are due in a moment too.
    pub fn transmit(&mut self, role: Role) {
        for _ in 0..2 {
            let now = self.clock.now();
            let bytes = self.side(role).written(now);
            self.side(role.other()).inbox.extend(bytes);
            self.clock.advance(A_MOMENT);
        }
    }
}

impl Side {
    fn new(role: Role, directory: LinkDirectory) -> Self {
        Self {
            role,
            directory,
            main: None,
            fresh: None,
            lent: VecDeque::new(),
            sent: 0,
            lagging: None,
            inbox: Vec::new(),
            given: Vec::new(),
        }
    }

    /// The session that is connected, or was last.
    fn session(&mut self) -> &mut MappedSession {
        let session = self.fresh.as_mut().filter(|fresh| fresh.is_established());
        session.or(self.main.as_mut()).expect("a session")
    }

    fn next_message(&mut self, len: usize) -> Message {
        self.sent += 1;
        Message::numbered(self.role, self.sent - 1, len)
    }

    // ---- sending ----

    fn send(&mut self, len: usize) {
        let message = self.next_message(len);
        self.session().outbox().send(message.kind, &message.payload).expect("room");
    }

    fn abandon(&mut self, len: usize) {
        let mut outbox = self.session().outbox();
        outbox.claim(Kind::new(9).expect("not 0"), len).expect("room").fill(0xff);
    }

    fn abandon_batch(&mut self, lens: &[usize]) {
        let mut outbox = self.session().outbox();
        let mut batch = outbox.batch();
        for len in lens {
            batch.claim(Kind::new(9).expect("not 0"), *len).expect("room").fill(0xff);
        }
    }

    fn reply(&mut self, len: usize) {
        let message = self.next_message(len);
        let request = self.lent.pop_front().expect("a message in hand");
        self.lagging = Some(self.session().consumed().position().get());
        answer(&mut self.session().outbox(), &message, request);
    }

    fn batch(&mut self, lens: &[usize], consuming: usize) {
        let messages: Vec<_> = lens.iter().map(|len| self.next_message(*len)).collect();
        let requests: Vec<_> = self.lent.drain(..consuming).collect();
        let mut outbox = self.session().outbox();
        let mut batch = outbox.batch();
        for message in &messages {
            batch.send(message.kind, &message.payload).expect("room");
        }
        for request in requests {
            batch.consume(request).expect("the oldest");
        }
        batch.commit();
    }

    // ---- receiving ----

    fn consume(&mut self) {
        let received = self.lent.pop_front().expect("a message in hand");
        self.session().outbox().consume(received).expect("the oldest");
    }

    fn consume_through(&mut self, count: usize) {
        let upto = self.lent[count - 1].position();
        self.lent.drain(..count);
        self.session().outbox().consume_through(upto).expect("delivered and not held");
    }

    /// Takes what has come over TCP.
    fn read(&mut self, now: Instant) {
        let bytes = std::mem::take(&mut self.inbox);
        let (mut input, mut held) = (&bytes[..], Vec::new());
        let result = self.session().handle_input(now, &mut input, |polled| hold(polled, &mut held));
        result.expect("a sound stream");
        self.keep(held);
    }

    /// Takes what has come over shared memory.
    fn poll(&mut self) {
        let mut held = Vec::new();
        self.session().poll(u32::MAX, |polled| hold(polled, &mut held));
        self.keep(held);
    }

    fn keep(&mut self, held: Vec<tcpshm_protocol::Held>) {
        for held in held {
            let received = self.session().outbox().redeem(held).expect("held here");
            self.given.push(Message { kind: received.kind(), payload: received.payload().to_vec() });
            self.lent.push_back(received);
        }
    }

    fn echo_input(&mut self, now: Instant, len: usize) {
        let message = self.next_message(len);
        let bytes = std::mem::take(&mut self.inbox);
        let result = self.session().handle_input(now, &mut &bytes[..], |polled| echo(polled, &message));
        assert!(result.expect("a sound stream"), "a message was on its way");
    }

    fn echo_in_place(&mut self, len: usize) {
        let message = self.next_message(len);
        assert!(self.session().poll(1, |polled| echo(polled, &message)), "a message was there");
    }

    /// An acknowledgement frees a frame, and the next message goes where it was.
    fn read_and_send(&mut self, now: Instant, len: usize) {
        let message = self.next_message(len);
        let bytes = std::mem::take(&mut self.inbox);
        let session = self.session();
        session.handle_input(now, &mut &bytes[..], |_| {}).expect("a sound stream");
        session.outbox().send(message.kind, &message.payload).expect("room");
    }

    fn observe_and_send(&mut self, len: usize) {
        let message = self.next_message(len);
        let session = self.session();
        session.observe();
        session.outbox().send(message.kind, &message.payload).expect("room");
    }

    fn written(&mut self, now: Instant) -> Vec<u8> {
        let mut outbox = self.session().outbox();
        let mut bytes = Vec::new();
        loop {
            let chunk = outbox.poll_transmit(now);
            if chunk.is_empty() {
                return bytes;
            }
            bytes.extend_from_slice(chunk);
            let count = chunk.len();
            outbox.handle_transmitted(now, count);
        }
    }
}

fn hold(polled: Polled<'_>, held: &mut Vec<tcpshm_protocol::Held>) {
    match polled {
        Polled::Event(mut outbox, Event::Message(received)) => {
            held.push(outbox.hold(received).expect("it was just lent"));
        }
        Polled::Event(_, Event::Writable) => {}
        other => panic!("{other:?}"),
    }
}

fn echo(polled: Polled<'_>, message: &Message) {
    let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
    answer(&mut outbox, message, received);
}

#[inline]
fn answer(outbox: &mut Outbox<'_>, message: &Message, request: Received<'_>) {
    let mut slot = outbox.claim(message.kind, message.payload.len()).expect("room");
    slot.copy_from_slice(&message.payload);
    slot.commit_consuming(request).expect("the oldest");
}
