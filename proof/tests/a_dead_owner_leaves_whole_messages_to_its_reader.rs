//! Over shared memory the peer reads the file between any two stores of its owner, and when the owner has died
//! there. It sees whole messages only, a batch whole or not at all, and waits for nothing. What the next owner
//! of the file commits is not read through the old mapping: its nonce tells.

use std::mem::ManuallyDrop;

use proof::image::{self, CLIENT_NONCE, SERVER_NONCE};
use proof::{Clock, Directory, Disk, Message, Solo};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{
    Event, Geometry, InboundFault, Kind, Memory, Nonce, ProtocolError, Role, Session, Standing, prove,
};

const CAPACITY: u64 = 128;

fn geometry() -> Geometry {
    Geometry::new(CAPACITY, 24).expect("a geometry")
}

/// The peer of a [`Solo`], which has consumed as much as that one knows.
struct Reader {
    session: Session<Memory>,
    messages: Vec<Message>,
}

/// What a reader starts from.
struct Start {
    role: Role,
    id: u128,
    standing: Standing,
    image: Vec<u8>,
}

impl Start {
    fn of(solo: &Solo) -> Self {
        let role = solo.session.header().role;
        let id = solo.session.id().get();
        Self { role, id, standing: solo.session.standing(), image: solo.image() }
    }

    fn reader(&self) -> Reader {
        let Standing { acked, sent, consumed } = self.standing;
        let header = image::header(self.role.other(), self.id, geometry());
        let file = image::midway(&header, consumed.get(), acked.get(), 0xa77a);
        let mut session = Session::open(Memory::from_image(file), Nonce::new(1)).expect("a sound file");
        let attachment = image::load(&self.image, image::at::CURRENT);
        let peer = Standing { acked, sent, consumed };
        image::attach_over(Carrier::Shm, &mut session, Clock::new().now(), peer, attachment);
        let nonce = if self.role == Role::Client { CLIENT_NONCE } else { SERVER_NONCE };
        let view = Memory::from_image(&*self.image);
        prove(&view, session.header(), nonce).expect("the owner's file");
        Reader { session, messages: Vec::new() }
    }
}

impl Reader {
    /// Takes and consumes everything that is there.
    fn look(&mut self, image: &[u8]) -> Result<(), ProtocolError> {
        let view = Memory::from_image(image);
        while let Some(event) = self.session.receive(&view)? {
            let Event::Message(received) = event else { panic!("no message but {event:?}") };
            self.messages.push(Message { kind: received.kind(), payload: received.payload().to_vec() });
            self.session.consume(received).expect("the oldest");
        }
        Ok(())
    }
}

/// A session at every place of its ring, with a lap of earlier frames in it, one message out and two of the
/// peer's delivered.
fn everywhere(test: impl Fn(&mut Solo)) {
    for role in [Role::Client, Role::Server] {
        for place in 0..CAPACITY / 8 {
            let mut solo = Solo::midway(Carrier::Shm, role, geometry(), (7 << 32) + place * 8, 64);
            while solo.committed() < (7 << 32) + place * 8 + 2 * CAPACITY {
                solo.send(20).expect("room");
                solo.peer_consumes(solo.model.outgoing.committed.len());
            }
            solo.send(5).expect("room");
            solo.peer_sends(8, solo.model.outgoing.freed);
            solo.peer_sends(0, solo.model.outgoing.freed);
            test(&mut solo);
        }
    }
}

fn main_of(directory: &Directory) -> &[u8] {
    directory.main().expect("the main file never vanishes")
}

/// Lets `operation` be watched between any two stores, and after a death at each of them.
fn watched(solo: &mut Solo, operation: impl FnOnce(&mut Solo)) {
    let freed = solo.model.outgoing.freed;
    let before = solo.model.outgoing.committed.len() - freed;
    let start = Start::of(solo);
    let mut reader = start.reader();
    solo.disk.record();
    operation(solo);
    let images = solo.disk.crashes();
    let sent = &solo.model.outgoing.committed[freed..];
    for (number, image) in images.iter().enumerate() {
        let image = main_of(image);
        reader.look(image).expect("it is there");
        let seen = reader.messages.len();
        assert!(seen == before || seen == sent.len(), "{seen} of {before} or {}", sent.len());
        assert_eq!(reader.messages, sent[..seen], "image {number}");
        reader.look(image).expect("dead, and nothing waits for it");
        assert_eq!(reader.messages.len(), seen);
        for looks in [true, false] {
            let mut heir = start.reader();
            if looks {
                heir.look(image).expect("it is there");
            }
            succession(image, heir, sent);
        }
    }
    assert_eq!(reader.messages, sent, "all of it in the end");
}

/// The owner died and left `image`; another opens it and commits more, while `reader` looks on.
fn succession(image: &[u8], mut reader: Reader, sent: &[Message]) {
    let disk = Disk::new(Directory::with_main(image.to_vec()), 0xdead);
    disk.record();
    let journal = disk.open_main().expect("it was just put there");
    let mut successor = Session::open(journal, Nonce::new(9)).expect("a sound file");
    let committed = successor.send(Kind::new(77).expect("not 0"), b"the next").is_ok();
    let mut result = Ok(());
    for left in disk.crashes() {
        result = result.and_then(|()| reader.look(main_of(&left)));
    }
    assert_eq!(reader.messages, sent[..reader.messages.len()], "nothing of the successor's");
    if committed {
        assert_eq!(result, Err(ProtocolError::Inbound(InboundFault::Left)));
    }
}

#[test]
fn in_a_send_a_reply_and_a_batch() {
    everywhere(|solo| watched(solo, |solo| solo.send(13).expect("room")));
    everywhere(|solo| watched(solo, |solo| solo.reply(0).expect("room")));
    everywhere(|solo| watched(solo, |solo| solo.batch(&[3, 0, 8], 0).expect("room")));
    everywhere(|solo| watched(solo, |solo| solo.batch(&[8, 8], 2).expect("room")));
}

#[test]
fn in_a_send_after_an_idle_moment_or_an_abandoned_claim() {
    everywhere(|solo| {
        watched(solo, |solo| {
            solo.look();
            solo.send(13).expect("room");
        });
    });
    everywhere(|solo| {
        watched(solo, |solo| {
            solo.look();
            let kind = Kind::new(9).expect("not 0");
            solo.session.claim(kind, 24).expect("room").fill(0xff);
            let _ = ManuallyDrop::new(solo.session.claim(kind, 24).expect("room"));
            solo.send(0).expect("room");
        });
    });
}

#[test]
fn in_a_batch_that_is_abandoned_and_a_ring_that_is_filled() {
    everywhere(|solo| {
        watched(solo, |solo| {
            let mut batch = solo.session.batch();
            for _ in 0..2 {
                batch.claim(Kind::new(9).expect("not 0"), 16).expect("room").fill(0xff);
            }
            drop(batch);
            solo.consume();
        });
    });
    everywhere(|solo| {
        // 128 - 8 bytes, of which 24 are taken already.
        solo.send(24).expect("room");
        solo.send(24).expect("room");
        watched(solo, |solo| solo.send(0).expect("exactly the room that is left"));
        assert_eq!(solo.session.space(), 0);
    });
}

#[test]
fn and_one_that_left_on_purpose_is_not_read_any_more() {
    everywhere(|solo| {
        let start = Start::of(solo);
        solo.disk.record();
        solo.detach();
        solo.send(8).expect("room");
        let mut reader = start.reader();
        let images = solo.disk.crashes();
        let mut results: Vec<_> = images.iter().map(|image| reader.look(main_of(image))).collect();
        assert_eq!(results.pop(), Some(Err(ProtocolError::Inbound(InboundFault::Left))));
        assert!(reader.messages.len() <= 1, "what was there before, and nothing that came after");
    });
}
