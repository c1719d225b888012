//! A peer's link file that changes while it is read.

use std::cell::{Cell, OnceCell, RefCell};

use super::session::{
    ATTACHMENT, CLIENT_NONCE, Shared, attach, check_changes, header, now, session_id, word,
};
use super::{Bytes, geometry};
use crate::frame::{self, FrameRule};
use crate::geometry::Geometry;
use crate::id::{Kind, Nonce, Role};
use crate::layout;
use crate::login::Carrier;
use crate::position::Position;
use crate::ring::Ring;
use crate::session::{Event, Session};
use crate::storage::Published;

/// A session on shared memory, whose peer publishes frames and stores anything else anywhere in its file,
/// between two looks or between two loads of one. Each look takes a few loads, reads no word of a frame twice
/// and nothing outside the frames, and ends in nothing, in a message that is one, or in a typed error; the
/// session's own file changes only as an honest peer may change it.
pub fn reader(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let geometry = geometry(&mut bytes);
    let mut trial = Trial::new(geometry, bytes.byte());
    while !bytes.0.is_empty() {
        trial.step(&mut bytes);
    }
}

struct Trial {
    session: Session<Shared>,
    own: Shared,
    peer: Peer,
    /// Where each message of ours ends, after where the first starts.
    ends: Vec<u64>,
    consumes: bool,
}

impl Trial {
    fn new(geometry: Geometry, how: u8) -> Self {
        let own = Shared::formatted(&header(geometry));
        let mut session = Session::open(own.clone(), Nonce::new(2)).expect("a sound file");
        attach(Carrier::Shm, &mut session, now(), geometry);
        let peer = Peer::new(geometry);
        Self { session, own, peer, ends: vec![0], consumes: how & 1 == 0 }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.byte() % 8 {
            0 | 1 => self.peer.publish(bytes),
            2 => self.send(usize::from(bytes.byte())),
            3 => self.peer.consume(self.ends[usize::from(bytes.byte()) % self.ends.len()]),
            4 => {
                let change = self.peer.change(bytes);
                self.peer.apply(change);
            }
            5 => {
                let after = 1 + usize::from(bytes.byte() % 8);
                let change = self.peer.change(bytes);
                self.peer.later.borrow_mut().push((after, change));
            }
            6 => self.checked(|trial| trial.session.observe(&Look::at(&trial.peer))),
            _ => self.checked(Self::look),
        }
    }

    /// Does what reads the peer's file, which changes our own as an honest peer may change it.
    fn checked(&mut self, read: impl FnOnce(&mut Self)) {
        let before = self.own.image();
        self.peer.begin();
        read(self);
        self.peer.check_loads();
        let after = self.own.image();
        check_changes(&before, &after, self.session.committed().position().get(), self.consumes);
        let acked = self.session.standing().acked.get();
        assert!(self.ends.contains(&acked), "acknowledged up to {acked}");
        assert_eq!(word(&after, layout::ACKED), acked);
    }

    fn send(&mut self, len: usize) {
        let payload = [7; 256];
        if let Ok(committed) = self.session.send(Kind::new(5).expect("not 0"), &payload[..len]) {
            self.ends.push(committed.position().get());
        }
    }

    fn look(&mut self) {
        let expected = self.session.delivered().position();
        let before = self.session.standing();
        let look = Look::at(&self.peer);
        match self.session.receive(&look) {
            Ok(Some(Event::Message(received))) => {
                let end = received.position().position();
                let len = u32::try_from(received.payload().len()).expect("short");
                assert_eq!(end.since(expected), frame::padded_size(len));
                assert!(end.since(before.consumed) + frame::ALIGNMENT <= self.peer.capacity);
                if self.consumes {
                    self.session.consume(received).expect("each in turn");
                }
            }
            Ok(Some(Event::Writable) | None) => {}
            Ok(Some(Event::Closed(reason))) => panic!("nobody closed for {reason:?}"),
            Err(_) => {
                assert_eq!(self.session.standing().consumed, before.consumed);
                assert_eq!(self.session.delivered().position(), expected);
            }
        }
    }
}

/// The peer's file, and what will happen to it.
struct Peer {
    image: RefCell<Vec<u8>>,
    capacity: u64,
    ring: Ring,
    rule: FrameRule,
    /// Where its next frame starts.
    next: Position,
    largest: usize,
    /// Changes after so many loads.
    later: RefCell<Vec<(usize, Change)>>,
    loads: RefCell<Vec<usize>>,
    lent: Cell<u32>,
}

/// A word to be stored.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: usize,
    word: u64,
}

impl Peer {
    fn new(geometry: Geometry) -> Self {
        let size = usize::try_from(geometry.capacity() + geometry.largest_frame()).expect("small");
        let mut image = vec![0; layout::FRAMES + size];
        for (at, word) in [(layout::NONCE, CLIENT_NONCE.get()), (layout::CURRENT, ATTACHMENT)] {
            image[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        Self {
            image: RefCell::new(image),
            capacity: geometry.capacity(),
            ring: Ring::new(geometry),
            rule: FrameRule::new(session_id(), Role::Client, geometry.largest()),
            next: Position::ZERO,
            largest: usize::try_from(geometry.largest()).expect("small"),
            later: RefCell::default(),
            loads: RefCell::default(),
            lent: Cell::new(0),
        }
    }

    fn apply(&self, Change { at, word }: Change) {
        self.image.borrow_mut()[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// A sound frame, as far as there is room for the peer to know.
    fn publish(&mut self, bytes: &mut Bytes<'_>) {
        let len = usize::from(bytes.byte()).min(self.largest);
        let payload = bytes.take(len);
        let kind = Kind::new(1 + u16::from(bytes.byte())).expect("not 0");
        let header = self.rule.header(self.next, kind, u32::try_from(payload.len()).expect("short"));
        let place = self.ring.place(self.next);
        let Some(end) = self.next.checked_add(header.size()) else { return };
        {
            let mut image = self.image.borrow_mut();
            image[place + header.payload().start..][..payload.len()].copy_from_slice(payload);
            image[place + header.padding().start..][..header.padding().len()].fill(0);
        }
        self.apply(Change { at: self.ring.place(end), word: 0 });
        self.apply(Change { at: place, word: header.word() });
        self.next = end;
    }

    fn consume(&self, position: u64) {
        self.apply(Change { at: layout::CONSUMED, word: position });
    }

    /// A change where it hurts, or anywhere.
    fn change(&self, bytes: &mut Bytes<'_>) -> Change {
        let image = self.image.borrow();
        let next = self.ring.place(self.next);
        let at = match bytes.byte() % 8 {
            0..3 => next,
            3 => next + 8 * (1 + usize::from(bytes.byte() % 7)),
            4 => layout::CONSUMED,
            5 => [layout::NONCE, layout::CURRENT][usize::from(bytes.byte() % 2)],
            6 => layout::FRAMES + 8 * usize::from(bytes.byte()),
            _ => 8 * usize::from(bytes.byte()) * usize::from(bytes.byte()),
        };
        let at = at.min(image.len() - 8);
        let word = match bytes.byte() % 4 {
            // Sound but for what the input says.
            0 => {
                let kind = Kind::new(1).expect("not 0");
                let sound = self.rule.header(self.next, kind, u32::from(bytes.byte())).word();
                sound ^ u64::from(bytes.byte()) << (bytes.byte() % 64)
            }
            1 => word(&image, at) ^ 1 << (bytes.byte() % 64),
            2 => u64::from(bytes.byte()) * 8,
            _ => bytes.word(),
        };
        Change { at, word }
    }

    fn begin(&self) {
        self.loads.borrow_mut().clear();
        self.lent.set(0);
    }

    /// A load was made, or bytes were borrowed: what is due happens.
    fn tick(&self) {
        let mut due = Vec::new();
        self.later.borrow_mut().retain_mut(|(after, change)| {
            *after -= 1;
            if *after == 0 {
                due.push(*change);
            }
            *after > 0
        });
        due.into_iter().for_each(|change| self.apply(change));
    }

    fn check_loads(&self) {
        let loads = self.loads.borrow();
        assert!(loads.len() <= 7 && self.lent.get() <= 1, "{loads:?}");
        for load in &*loads {
            // The nonce stands behind the acknowledgement and behind the frame; the attachment proves the login, and
            // stands behind the acknowledgement.
            let times = loads.iter().filter(|other| *other == load).count();
            let again = [layout::NONCE, layout::CURRENT].contains(load);
            assert!(times == 1 || times == 2 && again, "{loads:?}");
        }
    }
}

/// One look at the file: bytes are lent once, as they are at that moment.
struct Look<'p> {
    peer: &'p Peer,
    copy: OnceCell<Vec<u8>>,
}

impl<'p> Look<'p> {
    fn at(peer: &'p Peer) -> Self {
        Self { peer, copy: OnceCell::new() }
    }
}

impl Published for Look<'_> {
    fn size(&self) -> usize {
        self.peer.image.borrow().len()
    }

    fn load(&self, at: usize) -> u64 {
        assert!(at.is_multiple_of(8) && at >= layout::ACKED, "a load at {at}");
        self.peer.loads.borrow_mut().push(at);
        let word = word(&self.peer.image.borrow(), at);
        self.peer.tick();
        word
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        assert!(at >= layout::FRAMES && len <= self.peer.largest, "{len} bytes at {at}");
        self.peer.lent.set(self.peer.lent.get() + 1);
        let copy = self.copy.get_or_init(|| self.peer.image.borrow()[at..at + len].to_vec());
        assert_eq!(copy.len(), len, "lent once");
        copy
    }
}
