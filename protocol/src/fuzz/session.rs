//! A peer that says anything, cut anywhere.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use super::{Bytes, geometry};
use crate::control::{CloseReason, Control};
use crate::frame::FrameRule;
use crate::geometry::Geometry;
use crate::header::Header;
use crate::id::{AttachmentId, Kind, Nonce, Role, SessionId};
use crate::layout;
use crate::liveness::Timing;
use crate::login::{Carrier, Confirm, Outcome, Proposal, Silence, Streams, UserData};
use crate::position::Position;
use crate::session::{Event, Grant, ProtocolError, Session};
use crate::storage::{Memory, Published, Storage};

/// A session that is attached and has sent three messages is given a stream whole, and once more in
/// pieces: the same comes of both, and of the link file no more changes than an honest peer may change.
pub fn session_input(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let geometry = geometry(&mut bytes);
    let how = bytes.byte();
    let pieces: Vec<_> = (0..4).map(|_| usize::from(bytes.byte()) + 1).collect();
    let now = now();
    let whole = Trial::new(now, geometry, how);
    let stream = stream(&mut bytes, geometry, whole.sent);
    let expected = whole.run(now, &stream, &[stream.len().max(1)]);
    let cut = Trial::new(now, geometry, how).run(now, &stream, &pieces);
    assert_eq!(expected, cut, "the same however it is cut");
}

/// What came of a stream.
#[derive(Debug, PartialEq)]
struct Outcomes {
    events: Vec<Seen>,
    fault: Option<ProtocolError>,
    image: Vec<u8>,
    taken: usize,
}

#[derive(Debug, PartialEq)]
enum Seen {
    Message { kind: u16, end: Position, payload: Vec<u8> },
    Writable,
    Closed(CloseReason),
}

struct Trial {
    session: Session<Shared>,
    file: Shared,
    sent: Position,
    /// Whether the application consumes what it is given.
    consumes: bool,
}

impl Trial {
    fn new(now: Instant, geometry: Geometry, how: u8) -> Self {
        let header = header(geometry);
        let file = Shared::formatted(&header);
        let mut session = Session::open(file.clone(), Nonce::new(2)).expect("a sound file");
        attach(Carrier::Tcp, &mut session, now, geometry);
        let kind = Kind::new(5).expect("not 0");
        // As many as fit, and one that waits for room.
        while session.send(kind, &[7; 8][..8.min(geometry.largest() as usize)]).is_ok() {}
        while let len @ 1.. = session.poll_transmit(now).len() {
            session.handle_transmitted(now, len);
        }
        let sent = session.standing().sent;
        Self { session, file, sent, consumes: how & 1 == 0 }
    }

    fn run(mut self, now: Instant, stream: &[u8], pieces: &[usize]) -> Outcomes {
        let before = self.file.image();
        let mut events = Vec::new();
        let mut fault = None;
        let (mut given, mut taken) = (0, 0);
        for piece in pieces.iter().cycle() {
            given = stream.len().min(given + piece);
            let mut input = &stream[taken..given];
            fault = self.feed(now, &mut input, &mut events).err();
            taken = given - input.len();
            if fault.is_some() || given == stream.len() {
                break;
            }
        }
        let image = self.file.image();
        check_changes(&before, &image, self.sent.get(), self.consumes);
        let standing = self.session.standing();
        assert!(standing.acked <= standing.sent && standing.acked.get() == word(&image, layout::ACKED));
        assert!(self.session.poll_timeout().is_some(), "still attached: ending it is the host's business");
        Outcomes { events, fault, image, taken }
    }

    fn feed(&mut self, now: Instant, input: &mut &[u8], events: &mut Vec<Seen>) -> Result<(), ProtocolError> {
        loop {
            let (before, loads, stores) = (input.len(), self.file.loads(), self.file.stores());
            let handled = self.session.handle_input(now, input);
            // Of each frame that was taken at most the ack, the floor and the end of a doubt are stored.
            let most = 3 * (before - input.len()) as u64 / 16;
            let (loads, stores) = (self.file.loads() - loads, self.file.stores() - stores);
            assert!(loads <= most && stores <= most, "{loads} loads and {stores} stores, {most}");
            match handled {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Message(received))) => {
                    let (kind, end) = (received.kind().get(), received.position().position());
                    events.push(Seen::Message { kind, end, payload: received.payload().to_vec() });
                    if self.consumes {
                        self.session.consume(received).expect("each in turn");
                    }
                }
                Ok(Some(Event::Writable)) => events.push(Seen::Writable),
                Ok(Some(Event::Closed(reason))) => events.push(Seen::Closed(reason)),
                Err(fault) => {
                    assert!(stores == 0 || input.len() < before, "the offending frame stored something");
                    return Err(fault);
                }
            }
        }
    }
}

/// Only `acked` (and `floor` with it), `consumed` and `previous` can change by what a peer does, and only
/// forwards.
pub(super) fn check_changes(before: &[u8], after: &[u8], sent: u64, consumes: bool) {
    for at in (0..before.len() & !7).step_by(8) {
        let (old, new) = (word(before, at), word(after, at));
        match at {
            layout::ACKED => assert!(old <= new && new <= sent),
            layout::FLOOR => assert!(new <= sent),
            layout::CONSUMED => assert!(old == new || consumes && old < new),
            layout::PREVIOUS => assert!(new == old || new == word(after, layout::CURRENT)),
            _ => assert_eq!(old, new, "the word at {at}"),
        }
    }
}

pub(super) fn word(image: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*image[at..].first_chunk().expect("a word"))
}

/// A stream of frames that are sound as far as the input wants them to be.
fn stream(bytes: &mut Bytes<'_>, geometry: Geometry, sent: Position) -> Vec<u8> {
    let rule = FrameRule::new(session_id(), Role::Client, geometry.largest());
    let mut stream = Vec::new();
    let mut at = Position::ZERO;
    while !bytes.0.is_empty() && stream.len() < 1024 {
        let start = stream.len();
        let what = bytes.byte();
        // Acks near the truth.
        let ack = Position::new(u64::from(bytes.byte()) * 8 % (sent.get() + 16)).unwrap_or(sent);
        match what % 8 {
            0..4 => {
                let kind = Kind::new(1 + u16::from(what)).expect("not 0");
                let payload = bytes.take(usize::from(bytes.0.first().copied().unwrap_or(0)));
                let payload = &payload[..payload.len().min(geometry.largest() as usize)];
                let header = rule.header(at, kind, u32::try_from(payload.len()).expect("short"));
                stream.extend(header.word().to_le_bytes());
                stream.extend(ack.get().to_le_bytes());
                stream.extend_from_slice(payload);
                stream.resize(start + header.padding().end, 0);
                at = at.checked_add(header.size()).expect("far from the end");
            }
            4 => put(&mut stream, Control::Ack, ack),
            5 => put(&mut stream, Control::Heartbeat, ack),
            6 if what < 64 => put(&mut stream, Control::Close(CloseReason::Application), ack),
            6 => stream.extend_from_slice(bytes.take(usize::from(what) / 8)),
            // One bit of the last frame is not as it should be.
            _ => {
                let bit = usize::from(bytes.byte());
                if let Some(byte) =
                    stream.len().checked_sub(1 + bit / 8).and_then(|last| stream.get_mut(last))
                {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }
    stream
}

fn put(stream: &mut Vec<u8>, control: Control, ack: Position) {
    let (bytes, len) = control.encode(ack);
    stream.extend_from_slice(&bytes[..len]);
}

pub(super) const CLIENT_NONCE: Nonce = Nonce::new(3);
pub(super) const ATTACHMENT: u64 = 6;

pub(super) fn session_id() -> SessionId {
    SessionId::new(0xcafe << 110 | 5).expect("not 0")
}

pub(super) fn header(geometry: Geometry) -> Header {
    Header {
        role: Role::Server,
        session: session_id(),
        owner: "server".parse().expect("a name"),
        peer: "client".parse().expect("a name"),
        outgoing: geometry,
        incoming: geometry,
        asked: geometry,
    }
}

/// Attaches a fresh session to a client whose file holds [`CLIENT_NONCE`].
pub(super) fn attach(carrier: Carrier, session: &mut Session<Shared>, now: Instant, geometry: Geometry) {
    let streams = Streams { client: geometry, server: geometry };
    let confirm = Confirm {
        held: None,
        proposed: Some(Proposal { session: session_id(), streams }),
        disputed: false,
        token: None,
        undelivered: None,
        nonce: CLIENT_NONCE,
    };
    let grant = Grant {
        outcome: Outcome::Fresh,
        attachment: AttachmentId::new(ATTACHMENT).expect("not 0"),
        nonce: Nonce::new(4),
        carrier,
        user_data: UserData::default(),
        timing: Timing::new(Silence::default(), Silence::default()),
    };
    session.accept(now, &confirm, grant).expect("a fresh session agrees with anybody");
}

#[expect(clippy::disallowed_methods, reason = "an instant cannot be made otherwise; nothing depends on it")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// A storage that can be looked at while a session owns it: every store reaches a second copy.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    memory: Memory,
    copy: Rc<RefCell<Memory>>,
    stores: Rc<Cell<u64>>,
    /// Words that were read, of bytes too.
    loads: Rc<Cell<u64>>,
}

impl Shared {
    pub(super) fn formatted(header: &Header) -> Self {
        let mut memory = Memory::zeroed(Header::file_size(header.outgoing).expect("small"));
        header.format(&mut memory, Nonce::new(1));
        Self::of(memory)
    }

    pub(super) fn of(memory: Memory) -> Self {
        let copy = Rc::new(RefCell::new(memory.clone()));
        Self { memory, copy, stores: Rc::default(), loads: Rc::default() }
    }

    pub(super) fn stores(&self) -> u64 {
        self.stores.get()
    }

    pub(super) fn loads(&self) -> u64 {
        self.loads.get()
    }

    pub(super) fn image(&self) -> Vec<u8> {
        self.copy.borrow().image().to_vec()
    }
}

impl Published for Shared {
    fn size(&self) -> usize {
        self.memory.size()
    }

    fn load(&self, at: usize) -> u64 {
        self.loads.set(self.loads.get() + 1);
        self.memory.load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.loads.set(self.loads.get() + len.div_ceil(8) as u64);
        self.memory.bytes(at, len)
    }
}

impl Storage for Shared {
    fn store(&mut self, at: usize, value: u64) {
        self.memory.store(at, value);
        self.copy.borrow_mut().store(at, value);
        self.stores.set(self.stores.get() + 1);
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        // Payloads are not compared: only what input makes of the file, and that writes none.
        self.stores.set(self.stores.get() + 1);
        self.memory.bytes_mut(at, len)
    }
}
