//! Over shared memory the peer's words are read while it may write them. Whatever it stores there, and whenever,
//! even between two loads of one look: a typed error, or a message that is one; a few loads, of which none
//! reads the same word of a frame twice; nothing read outside the frames; and nothing stored of what is wrong.

use std::cell::{Cell, RefCell};

use fastrand::Rng;
use proof::image::{self, CLIENT_NONCE, SERVER_NONCE, at};
use proof::shared::Copies;
use proof::wire::{self, Stream};
use proof::{Clock, Directory, Disk, Journal, Message, Solo};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{
    AckFault, Event, FrameFault, Geometry, InboundFault, Kind, Nonce, Position, ProtocolError, Published,
    Role, Session, Standing,
};

const CAPACITY: u64 = 128;
const LARGEST: u32 = 40;
const MOST: u32 = LARGEST + wire::HEADER;

fn position(position: u64) -> Position {
    Position::new(position).expect("a multiple of 8")
}

fn geometry() -> Geometry {
    Geometry::new(CAPACITY, LARGEST).expect("a geometry")
}

// ---- one wrong word at a time ----

/// A session with two messages of 24 bytes out, one of the peer's delivered and its next one expected at 24.
fn solo(role: Role) -> Solo {
    let mut solo = Solo::over(Carrier::Shm, role, geometry());
    solo.send(8).expect("room");
    solo.send(3).expect("room");
    solo.peer_sends(8, 0);
    solo
}

#[track_caller]
fn refused(scribble: impl Fn(&Solo), expected: ProtocolError) {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        let before = solo.image();
        scribble(&solo);
        for _ in 0..3 {
            solo.session.observe(solo.file);
            let fault = solo.session.receive(solo.file).expect_err("it cannot be");
            assert_eq!(fault, expected);
        }
        assert_eq!(solo.image(), before, "something was stored");
        solo.check();
    }
}

#[track_caller]
fn refused_frame(make: impl Fn(&Solo) -> Vec<u8>, fault: FrameFault) {
    refused(
        |solo| solo.file.publish(24, &make(solo)),
        InboundFault::Frame { at: position(24), fault }.into(),
    );
}

#[test]
fn of_every_wrong_length() {
    for len in [0, 1, 7, 8, 15, MOST + 1, MOST + 8, 0x7fff_ffff, 0xffff_ffff] {
        let fault = FrameFault::Length { len, least: 16, most: MOST };
        refused_frame(|solo| wire::frame(wire::word(len, 9, solo.peer().mark(24)), 0, &[]), fault);
    }
}

#[test]
fn of_a_kind_that_is_the_protocols_own_and_of_padding_that_is_something() {
    refused_frame(|_| wire::control(wire::ACK, 0), FrameFault::Kind);
    for len in 1..8 {
        let message = Message::numbered(Role::Client, 1, len);
        for bit in 0..8 * (8 - len) {
            let make = |solo: &Solo| {
                let mut frame = solo.peer().message(24, 0, &message);
                frame[16 + len + bit / 8] ^= 1 << (bit % 8);
                frame
            };
            refused_frame(make, FrameFault::Padding);
        }
    }
}

#[test]
fn of_a_frame_from_another_place_lap_or_side() {
    let message = Message::numbered(Role::Client, 1, 8);
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        let other = Stream { session: solo.session.id(), sender: role };
        let expected = solo.peer().mark(24);
        for (frame, mark) in [
            (solo.peer().message(0, 0, &message), solo.peer().mark(0)),
            (solo.peer().message(24 + CAPACITY, 0, &message), solo.peer().mark(24 + CAPACITY)),
            (other.message(24, 0, &message), other.mark(24)),
        ] {
            solo.file.publish(24, &frame);
            let fault =
                InboundFault::Frame { at: position(24), fault: FrameFault::Mark { found: mark, expected } };
            assert_eq!(solo.session.receive(solo.file).expect_err("not here"), fault.into());
        }
    }
}

#[test]
fn of_more_than_the_ring_can_hold() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        for start in [24, 80] {
            let frame = solo.peer().message(start, 0, &Message::numbered(Role::Client, 1, 40));
            solo.file.publish(start, &frame);
            let result = solo.session.receive(solo.file);
            if start == 24 {
                assert!(matches!(result, Ok(Some(Event::Message(_)))));
            } else {
                // 24 + 56 + 56 of the 120 bytes that can be unconsumed.
                let fault = InboundFault::Overrun { at: position(80), window: CAPACITY - 8 };
                assert_eq!(result.expect_err("too much"), fault.into());
            }
        }
    }
}

#[test]
fn of_a_consumption_that_cannot_be() {
    for found in [1, 7, 47, u64::MAX] {
        refused(|solo| solo.file.consume(found), ProtocolError::Consumed { found });
    }
    for ack in [8, 16, 32, 40] {
        refused(|solo| solo.file.consume(ack), AckFault::InsideFrame { ack }.into());
    }
    for ack in [56, 1 << 32, u64::MAX - 7] {
        refused(|solo| solo.file.consume(ack), AckFault::BeyondSent { ack, sent: position(48) }.into());
    }
}

#[test]
fn of_a_peer_that_has_left() {
    for nonce in [0, 1, u64::MAX] {
        refused(|solo| solo.file.attach(nonce, 5), InboundFault::Left.into());
    }
}

// ---- anything at any time ----

/// A file that changes under its reader's eyes.
struct Scribbled {
    image: RefCell<Vec<u8>>,
    random: RefCell<Rng>,
    /// Where the reader's next frame starts, and how much the reader has sent.
    expected: Cell<u64>,
    sent: Vec<u64>,
    stream: Stream,
    nonce: u64,
    /// What was loaded in this look.
    loads: RefCell<Vec<usize>>,
    copies: Copies,
}

impl Scribbled {
    /// Puts one word somewhere, likely where it hurts.
    fn scribble(&self) {
        let mut random = self.random.borrow_mut();
        let place = at::FRAMES + usize::try_from(self.expected.get() % CAPACITY).expect("small");
        let word = self.word(&mut random);
        let mut image = self.image.borrow_mut();
        let at = match random.u32(..16) {
            0..8 => place,
            8 => place + 8 * random.usize(1..7),
            9..11 => at::CONSUMED,
            11 => at::NONCE,
            12 => at::CURRENT,
            13 => at::FRAMES + 8 * random.usize(..usize::try_from(CAPACITY / 8).expect("small")),
            _ => 8 * random.usize(..image.len() / 8),
        };
        image::set(&mut image, at, word);
    }

    fn word(&self, random: &mut Rng) -> u64 {
        let at = self.expected.get();
        let kind = Kind::new(random.u16(1..)).expect("not 0");
        let len = [0, 1, 15, 16, MOST - 1, MOST, MOST + 1, u32::MAX][random.usize(..8)];
        match random.u32(..12) {
            // A sound frame, as far as its first word tells.
            0..4 => self.stream.word(at, kind, random.usize(..=LARGEST as usize)),
            4 => wire::word(len, kind.get(), self.stream.mark(at)),
            5 => wire::word(random.u32(..64), random.u16(..2), self.stream.mark(at + 8 * random.u64(..4))),
            6 => self.sent[random.usize(..self.sent.len())],
            7 => self.sent[random.usize(..self.sent.len())] + random.u64(..17),
            8 => self.nonce,
            9 => [0, 1, 7, 8, u64::MAX, u64::MAX - 7, 1 << 63, 1 << 32][random.usize(..8)],
            10 => 0,
            _ => random.u64(..),
        }
    }

    fn maybe(&self) {
        let count = self.random.borrow_mut().u32(..4);
        (1..count).for_each(|_| self.scribble());
    }
}

impl Published for Scribbled {
    fn size(&self) -> usize {
        self.image.borrow().len()
    }

    fn load(&self, at: usize) -> u64 {
        self.loads.borrow_mut().push(at);
        self.maybe();
        let word = image::load(&self.image.borrow(), at);
        self.maybe();
        word
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        assert!(at >= at::FRAMES && len <= LARGEST as usize, "{len} bytes at {at}");
        self.maybe();
        self.copies.keep(self.image.borrow()[at..at + len].to_vec())
    }
}

/// How often what came of a look.
#[derive(Debug, Default)]
struct Counters {
    nothing: usize,
    messages: usize,
    writable: usize,
    acks: usize,
    left: usize,
    frames: [usize; 4],
    overruns: usize,
    words: usize,
    beyond: usize,
    inside: usize,
}

impl Counters {
    fn count(&mut self, fault: ProtocolError) {
        *match fault {
            ProtocolError::Inbound(InboundFault::Left) => &mut self.left,
            ProtocolError::Inbound(InboundFault::Overrun { .. }) => &mut self.overruns,
            ProtocolError::Inbound(InboundFault::Frame { fault, .. }) => match fault {
                FrameFault::Length { .. } => &mut self.frames[0],
                FrameFault::Kind => &mut self.frames[1],
                FrameFault::Mark { .. } => &mut self.frames[2],
                FrameFault::Padding => &mut self.frames[3],
            },
            ProtocolError::Consumed { .. } => &mut self.words,
            ProtocolError::Ack(AckFault::BeyondSent { .. }) => &mut self.beyond,
            ProtocolError::Ack(AckFault::InsideFrame { .. }) => &mut self.inside,
            fault @ ProtocolError::Inbound(_) => panic!("{fault}"),
        } += 1;
    }
}

/// A session that has sent `sent`, and its peer.
struct Trial {
    session: Session<Journal>,
    disk: Disk,
    sent: Vec<(u64, Message)>,
    view: Scribbled,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let role = if random.bool() { Role::Client } else { Role::Server };
        let start = [0, 120, (1 << 32) - 64, u64::MAX - 1023][random.usize(..4)];
        let header = image::header(role, 0x5c21_bb1e, geometry());
        let disk = Disk::new(Directory::with_main(image::midway(&header, start, start, 0xa)), seed);
        let journal = disk.open_main().expect("it was just put there");
        let mut session = Session::open(journal, Nonce::new(1)).expect("a sound file");
        let stand = Standing { acked: position(start), sent: position(start), consumed: position(start) };
        image::attach_over(Carrier::Shm, &mut session, Clock::new().now(), stand, 0xb);
        let mut sent = Vec::new();
        for number in 0..random.u64(..5) {
            let message = Message::numbered(role, number, random.usize(..24));
            if let Ok(committed) = session.send(message.kind, &message.payload) {
                sent.push((committed.position().get(), message));
            }
        }
        let theirs = image::header(role.other(), 0x5c21_bb1e, geometry());
        let mut peer = image::midway(&theirs, start, start, 0xb);
        let nonce = if role == Role::Client { SERVER_NONCE } else { CLIENT_NONCE }.get();
        image::set(&mut peer, at::NONCE, nonce);
        let view = Scribbled {
            image: RefCell::new(peer),
            random: RefCell::new(random),
            expected: Cell::new(start),
            sent: [start].into_iter().chain(sent.iter().map(|(end, _)| *end)).collect(),
            stream: Stream { session: header.session, sender: role.other() },
            nonce,
            loads: RefCell::default(),
            copies: Copies::default(),
        };
        Self { session, disk, sent, view }
    }

    fn file(&self) -> Vec<u8> {
        self.disk.content().main().expect("the main file never vanishes").to_vec()
    }

    /// One look; whether the connection goes on.
    fn look(&mut self, counters: &mut Counters) -> bool {
        let before = self.session.standing();
        self.view.loads.borrow_mut().clear();
        let result = self.session.receive(&self.view);
        check_loads(&self.view.loads.borrow());
        let fault = match result {
            Ok(Some(Event::Message(received))) => {
                counters.messages += 1;
                let end = received.position().position().get();
                assert_eq!(end, self.view.expected.get() + wire::frame_size(received.payload().len()));
                self.view.expected.set(end);
                if self.view.random.borrow_mut().bool() {
                    // In order, or it is dropped, which is as good as held.
                    let _ = self.session.consume(received);
                }
                None
            }
            Ok(Some(Event::Writable)) => {
                counters.writable += 1;
                None
            }
            Ok(Some(Event::Closed(_))) => panic!("nothing says so"),
            Ok(None) => {
                counters.nothing += 1;
                None
            }
            Err(fault) => {
                counters.count(fault);
                assert_eq!(self.session.standing().consumed, before.consumed);
                Some(fault)
            }
        };
        counters.acks += usize::from(self.session.standing().acked > before.acked);
        fault.is_none()
    }

    /// The session's own file holds what the peer may not have consumed, whole.
    fn check(&self) {
        let contents = image::read(&self.file()).expect("a sound file");
        assert!(self.view.sent.contains(&contents.acked), "acknowledged up to {}", contents.acked);
        let kept: Vec<_> = self.sent.iter().filter(|(end, _)| *end > contents.acked).cloned().collect();
        assert_eq!(contents.pending, kept);
        let standing = self.session.standing();
        assert_eq!((contents.acked, contents.consumed), (standing.acked.get(), standing.consumed.get()));
    }
}

/// A handful. Read twice are the nonce, once for the frame, once for the acknowledgement, and the attachment, once for the
/// login, once for the acknowledgement: both are only compared.
fn check_loads(loads: &[usize]) {
    assert!(loads.len() <= 7, "{loads:?}");
    for load in loads {
        let times = loads.iter().filter(|other| *other == load).count();
        assert!(times == 1 || times == 2 && [at::NONCE, at::CURRENT].contains(load), "{loads:?}");
    }
}

#[test]
fn whatever_it_stores_and_whenever() {
    let mut counters = Counters::default();
    for seed in 0..200_000 {
        let run = || {
            let mut trial = Trial::new(seed);
            for look in 0..20 {
                if look % 3 == 2 {
                    // Full, perhaps: then the peer's progress is looked up too.
                    let _ = trial.session.claim(Kind::new(1).expect("not 0"), 40);
                }
                if look % 5 == 4 {
                    trial.session.observe(&trial.view);
                }
                if !trial.look(&mut counters) {
                    break;
                }
            }
            trial.check();
        };
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            panic!("seed {seed}: {}", text.unwrap_or_default());
        }
    }
    let Counters { nothing, messages, acks, left, frames, overruns, words, beyond, inside, .. } = counters;
    let rare = [nothing, messages, acks, left, overruns, words, beyond, inside];
    let enough = rare.iter().chain(&frames).all(|count| *count > 100) && counters.writable > 10;
    assert!(enough, "something hardly ever happened: {counters:?}");
}
