//! One owner and one reader of a link file on two threads, in every interleaving (see below) and with every value that
//! the memory model lets a load return: messages arrive whole, once and in order; a batch is seen whole; a
//! reply and the consumption of its request are one; bytes are written again when their reader has done with
//! them and not before; a reader waits for nothing when the owner dies between any two stores, and notices
//! the next owner before it reads anything of it.
//!
//! loom and not shuttle: whether the orderings suffice is the question here, and shuttle knows no weak memory.
//! The sessions are the real ones; what is modelled is the memory under them, see [`words`].
//!
//! Schedules with three preemptions at most; with `PROOF_LOOM_COMPLETE=1`, which is how CI runs it, all that there are.
//! `PROOF_LOOM_MESSAGES` asks for more than three messages.

mod asleep;
mod words;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;
use proof::image::{self, CLIENT_NONCE, SERVER_NONCE};
use proof::{Clock, Message};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{
    Event, Geometry, InboundFault, Nonce, Position, ProtocolError, Received, Role, Session, Standing, prove,
};

use words::{Fault, File, Owner, View};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A link that is about to be attached over shared memory, next to the end of a lap.
#[derive(Clone, Copy)]
struct Link {
    geometry: Geometry,
    /// Bytes of each payload.
    len: usize,
    /// Who sends; the other side receives.
    sender: Role,
    /// What is wrong with the sender's memory, and with the receiver's.
    faults: [Fault; 2],
}

/// One side of it.
struct Side {
    session: Session<Owner>,
    file: Rc<File>,
    view: View,
    len: usize,
    received: u64,
}

/// Where both streams stand.
const START: u64 = (1 << 32) - 16;

impl Link {
    /// Rings that hold `frames` frames of the size that is sent, two or three, and not one more.
    fn of(frames: u64, sender: Role) -> Self {
        // 24 + 24 + 8 of 64 bytes, 40 + 40 + 40 + 8 of 128.
        let (capacity, len) = if frames == 2 { (64, 8) } else { (128, 24) };
        let geometry = Geometry::new(capacity, u32::try_from(len).expect("short")).expect("a geometry");
        Self { geometry, len, sender, faults: [Fault::None; 2] }
    }

    /// The sender and the receiver.
    fn attach(self) -> [Side; 2] {
        self.attach_sleepy(false)
    }

    /// The same, of which each may sleep.
    fn attach_sleepy(self, may_sleep: bool) -> [Side; 2] {
        let headers =
            [self.sender, self.sender.other()].map(|role| image::header(role, 0x100_3a11, self.geometry));
        let files = [0, 1].map(|side| File::new(image::midway(&headers[side], START, START, 0xa)));
        let sides = [0, 1].map(|side| {
            let storage = Owner::open(&files[side], self.faults[side]);
            let mut session = Session::open(storage, Nonce::new(1)).expect("a sound file");
            session.set_may_sleep(may_sleep);
            let at = Position::new(START).expect("a multiple of 8");
            let peer = Standing { acked: at, sent: at, consumed: at };
            image::attach_over(Carrier::Shm, &mut session, Clock::new().now(), peer, 0xb);
            let view = View::of(&files[1 - side], self.faults[side]);
            Side { session, file: Rc::clone(&files[side]), view, len: self.len, received: 0 }
        });
        for (side, header) in sides.iter().zip(&headers) {
            let nonce = if header.role == Role::Client { SERVER_NONCE } else { CLIENT_NONCE };
            prove(&side.view, header, nonce).expect("the peer's file");
        }
        sides
    }
}

impl Side {
    fn message(&self, sender: Role, number: u64) -> Message {
        Message::numbered(sender, number, self.len)
    }

    fn mine(&self, number: u64) -> Message {
        self.message(self.session.header().role, number)
    }

    /// Waits until there is room for `messages` at once.
    fn wait_for_room(&mut self, messages: usize) {
        let size = messages * (self.len + 16) - 16;
        while !self.session.has_room(size) {
            self.session.observe(&self.view);
            if !self.session.has_room(size) {
                thread::yield_now();
            }
        }
    }

    fn send(&mut self, number: u64) {
        self.wait_for_room(1);
        let message = self.mine(number);
        self.session.send(message.kind, &message.payload).expect("there is room");
    }

    fn send_batch(&mut self, numbers: [u64; 2]) {
        self.wait_for_room(2);
        let messages = numbers.map(|number| self.mine(number));
        let mut batch = self.session.batch();
        for message in &messages {
            batch.send(message.kind, &message.payload).expect("there is room");
        }
        batch.commit();
    }

    /// Takes the next message, which must be the next one that the peer sent, if it has come.
    fn look(&mut self, then: impl FnOnce(&mut Session<Owner>, Received<'_>)) -> Result<bool, ProtocolError> {
        let expected = self.message(self.session.header().role.other(), self.received);
        let Some(event) = self.session.receive(&self.view)? else { return Ok(false) };
        let Event::Message(received) = event else { panic!("no message but {event:?}") };
        assert_eq!((received.kind(), received.payload()), (expected.kind, &expected.payload[..]));
        self.received += 1;
        then(&mut self.session, received);
        Ok(true)
    }

    fn consume_next(&mut self) -> Result<bool, ProtocolError> {
        self.look(|session, received| {
            session.consume(received).expect("the oldest");
        })
    }

    /// Waits for the next message, and consumes it.
    fn take(&mut self) {
        while !self.consume_next().expect("a sound ring") {
            thread::yield_now();
        }
    }

    /// The peer has consumed everything.
    fn check_acked(&mut self) {
        self.session.observe(&self.view);
        assert_eq!(self.session.undelivered().messages, 0);
    }
}

/// Runs `body` in every way there is, and says how many that were.
#[expect(clippy::print_stdout, reason = "how much was explored")]
fn explore(what: &str, body: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = std::env::var_os("PROOF_LOOM_COMPLETE").is_none().then_some(3);
    let count = Arc::new(AtomicUsize::new(0));
    let executions = Arc::clone(&count);
    model.check(move || {
        executions.fetch_add(1, Ordering::Relaxed);
        body();
    });
    println!("{what}: {} executions", count.load(Ordering::Relaxed));
}

fn messages() -> u64 {
    let asked = std::env::var("PROOF_LOOM_MESSAGES").ok();
    asked.map_or(3, |asked| asked.parse().expect("PROOF_LOOM_MESSAGES is a number"))
}

/// One side sends, the other receives and consumes.
fn stream(link: Link, looks: bool) {
    let [mut sender, mut receiver] = link.attach();
    let sending = thread::spawn(move || {
        for number in 0..messages() {
            sender.send(number);
            if looks {
                // Nothing has come; the time is used to zero places ahead.
                assert_eq!(sender.consume_next(), Ok(false));
            }
        }
        sender
    });
    (0..messages()).for_each(|_| receiver.take());
    assert_eq!(receiver.consume_next(), Ok(false), "there is no more");
    sending.join().expect("no panic").check_acked();
}

#[test]
fn messages_arrive_whole_once_and_in_order() {
    for sender in ROLES {
        for frames in [2, 3] {
            let link = Link::of(frames, sender);
            explore(&format!("from the {sender:?}, {frames} frames"), move || stream(link, false));
        }
    }
}

#[test]
fn so_they_do_when_places_are_zeroed_ahead() {
    for frames in [2, 3] {
        let link = Link::of(frames, Role::Server);
        explore(&format!("zeroing ahead, {frames} frames"), move || stream(link, true));
    }
}

#[test]
fn a_reply_comes_with_the_consumption_of_its_request() {
    for sender in ROLES {
        let link = Link::of(2, sender);
        explore(&format!("requests of the {sender:?}"), move || {
            let [mut asking, mut answering] = link.attach();
            let asked = thread::spawn(move || {
                for number in 0..messages() - 1 {
                    asking.send(number);
                    asking.take();
                }
                asking
            });
            for number in 0..messages() - 1 {
                let reply = answering.mine(number);
                let answer = |session: &mut Session<Owner>, request: Received<'_>| {
                    let mut slot = session.claim(reply.kind, reply.payload.len()).expect("one at a time");
                    slot.copy_from_slice(&reply.payload);
                    slot.commit_consuming(request).expect("the oldest");
                };
                while !answering.look(answer).expect("a sound ring") {
                    thread::yield_now();
                }
                answering.session.observe(&answering.view);
            }
            asked.join().expect("no panic").check_acked();
        });
    }
}

#[test]
fn a_batch_is_there_whole_or_not_at_all() {
    for frames in [2, 3] {
        let link = Link::of(frames, Role::Client);
        explore(&format!("batches, {frames} frames"), move || {
            let [mut sender, mut receiver] = link.attach();
            let sending = thread::spawn(move || {
                for batch in 0..messages() / 2 + 1 {
                    sender.send_batch([2 * batch, 2 * batch + 1]);
                }
                sender
            });
            for _ in 0..messages() / 2 + 1 {
                receiver.take();
                assert_eq!(receiver.consume_next(), Ok(true), "the first came without the second");
            }
            sending.join().expect("no panic").check_acked();
        });
    }
}

/// An owner dies before the store after `stores`, and another comes and commits more.
fn succession(stores: u32, fault: Fault, survived: &AtomicUsize) {
    let link = Link::of(3, Role::Server);
    let [mut owner, mut receiver] = link.attach();
    owner.file.burn_after(stores);
    let owning = thread::spawn(move || {
        for number in 0..2 {
            owner.send(number);
        }
        let Side { session, file, .. } = owner;
        let died = file.is_dead();
        drop(session);
        file.revive();
        let storage = Owner::open(&file, fault);
        let mut successor = Session::open(storage, Nonce::new(9)).expect("a sound file");
        let found = (successor.committed().position().get() - START) / (link.len as u64 + 16);
        let other = Message::numbered(link.sender, 1_000, link.len);
        successor.send(other.kind, &other.payload).expect("room for three");
        (died, found)
    });
    let fault = loop {
        match receiver.consume_next() {
            Ok(true) => {}
            Ok(false) => thread::yield_now(),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault, ProtocolError::Inbound(InboundFault::Left));
    let (died, found) = owning.join().expect("no panic");
    assert!(receiver.received <= found, "{} received of {found}", receiver.received);
    if !died {
        survived.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_owner_that_dies_after_any_store_leaves_whole_messages_and_its_successor_is_noticed() {
    for stores in 0.. {
        let survived = Arc::new(AtomicUsize::new(0));
        let survivors = Arc::clone(&survived);
        explore(&format!("dead after {stores} stores"), move || succession(stores, Fault::None, &survivors));
        if survived.load(Ordering::Relaxed) > 0 {
            assert!(stores >= 4, "two messages have at least four stores");
            return;
        }
    }
}

// ---- and what is wrong is noticed ----

/// A link that is wrong in one thing.
fn wrong(faults: [Fault; 2]) -> Link {
    Link { faults, ..Link::of(2, Role::Server) }
}

#[test]
#[should_panic(expected = "Causality violation")]
fn stores_that_do_not_release_are_noticed() {
    explore("relaxed stores", || stream(wrong([Fault::StoresRelaxed, Fault::None]), false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn loads_that_do_not_acquire_are_noticed() {
    explore("relaxed loads", || stream(wrong([Fault::None, Fault::LoadsRelaxed]), false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn bytes_that_are_freed_too_early_are_noticed() {
    explore("relaxed consumption", || stream(wrong([Fault::None, Fault::StoresRelaxed]), false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn room_that_is_taken_too_early_is_noticed() {
    explore("relaxed acks", || stream(wrong([Fault::LoadsRelaxed, Fault::None]), false));
}

#[test]
#[should_panic(expected = "there is no more")]
fn a_frame_that_is_published_before_the_place_behind_it_is_zeroed_is_noticed() {
    explore("published first", || stream(wrong([Fault::PublishesFirst, Fault::None]), false));
}

#[test]
#[should_panic(expected = "left == right")]
fn a_successor_that_does_not_say_so_is_noticed() {
    let survived = AtomicUsize::new(0);
    explore("unnoticed", move || succession(2, Fault::Unnoticed, &survived));
}
