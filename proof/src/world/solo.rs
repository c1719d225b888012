//! One session over a storage that can die, and a peer that follows a script.

use std::collections::VecDeque;

use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{
    Delivered, Event, Geometry, Nonce, Position, ProtocolError, Received, Role, SendError, Session, Standing,
};

use crate::world::clock::Clock;
use crate::world::disk::{Directory, Disk};
use crate::world::image::{self, Contents};
use crate::world::journal::Journal;
use crate::world::message::Message;
use crate::world::model::{Model, Seen, View, judge};
use crate::world::scripted::ScriptedFile;
use crate::world::wire::{self, Stream};

/// One side of a link, attached to a peer that does and says exactly what a test tells it to.
///
/// Each operation here does the same to the session and to the model; [`Solo::every_kill`] compares the
/// two over everything that a kill during an operation can leave.
#[derive(Debug)]
pub struct Solo {
    /// The session under test.
    pub session: Session<Journal>,
    /// Where its link file lies.
    pub disk: Disk,
    /// What time it is.
    pub clock: Clock,
    /// What must be true of it.
    pub model: Model,
    /// What carries the link. Over shared memory the peer does in its file what it would say over TCP.
    pub carrier: Carrier,
    /// The peer's file, for shared memory.
    pub file: &'static ScriptedFile,
    role: Role,
    /// Where each message of ours ends, after where the first starts.
    outgoing: Vec<u64>,
    /// The same for the peer's.
    incoming: Vec<u64>,
    /// Messages that were delivered and not given back, oldest first.
    lent: VecDeque<Received<'static>>,
}

impl Solo {
    /// A session at the start of its streams, attached over TCP.
    pub fn new(role: Role, geometry: Geometry) -> Self {
        Self::over(Carrier::Tcp, role, geometry)
    }

    /// A session at the start of its streams, attached over `carrier`.
    pub fn over(carrier: Carrier, role: Role, geometry: Geometry) -> Self {
        let header = image::header(role, 0xabcd_0123_4567, geometry);
        Self::open(carrier, role, geometry, image::fresh(&header), [0, 0])
    }

    /// An attached session whose own stream has come to `sent` and who has consumed the peer's up to
    /// `consumed`; nothing is on its way.
    pub fn midway(carrier: Carrier, role: Role, geometry: Geometry, sent: u64, consumed: u64) -> Self {
        let header = image::header(role, 0xabcd_0123_4567, geometry);
        let file = image::midway(&header, sent, consumed, 0xa77a);
        Self::open(carrier, role, geometry, file, [sent, consumed])
    }

    fn open(carrier: Carrier, role: Role, geometry: Geometry, file: Vec<u8>, stands: [u64; 2]) -> Self {
        let disk = Disk::new(Directory::with_main(file), 0xd15c);
        let journal = disk.open_main().expect("it was just put there");
        let [sent, consumed] = stands;
        let mut solo = Self {
            session: Session::open(journal, Nonce::new(5)).expect("a sound file"),
            disk,
            clock: Clock::new(),
            model: Model::default(),
            carrier,
            // Leaked, so that messages can be kept as they are lent. Tests are short.
            file: Box::leak(Box::new(ScriptedFile::new(geometry))),
            role,
            outgoing: vec![sent],
            incoming: vec![consumed],
            lent: VecDeque::new(),
        };
        solo.attach(0);
        // The peer's first frame ends the doubt about the attachment; over shared memory its file does.
        solo.input(wire::control(wire::ACK, sent)).expect("a sound frame");
        solo
    }

    /// The scripted peer's stream.
    pub fn peer(&self) -> Stream {
        Stream { session: self.session.id(), sender: self.role.other() }
    }

    // ---- what this side does ----

    /// Commits one message.
    pub fn send(&mut self, len: usize) -> Result<(), SendError> {
        let message = self.next_message(len);
        let committed = self.session.send(message.kind, &message.payload)?;
        self.outgoing.push(committed.position().get());
        self.model.commit([message], 0);
        Ok(())
    }

    /// Commits one message, and consumes the oldest of the peer's with it.
    pub fn reply(&mut self, len: usize) -> Result<(), SendError> {
        let message = self.next_message(len);
        let mut slot = self.session.claim(message.kind, len)?;
        slot.copy_from_slice(&message.payload);
        let request = self.lent.pop_front().expect("a message was delivered");
        let committed = slot.commit_consuming(request).expect("the oldest message");
        self.outgoing.push(committed.position().get());
        self.model.commit([message], 1);
        Ok(())
    }

    /// Commits messages of these lengths as one, and consumes `consuming` of the peer's with them.
    pub fn batch(&mut self, lens: &[usize], consuming: usize) -> Result<(), SendError> {
        let first = self.model.outgoing.committed.len() as u64;
        let numbered =
            lens.iter().zip(first..).map(|(len, number)| Message::numbered(self.role, number, *len));
        let messages: Vec<_> = numbered.collect();
        let mut batch = self.session.batch();
        for message in &messages {
            batch.send(message.kind, &message.payload)?;
        }
        for _ in 0..consuming {
            let request = self.lent.pop_front().expect("a message was delivered");
            batch.consume(request).expect("the oldest message");
        }
        batch.commit();
        for message in &messages {
            let end = self.committed() + wire::frame_size(message.payload.len());
            self.outgoing.push(end);
        }
        self.model.commit(messages, consuming);
        Ok(())
    }

    /// Consumes the oldest message of the peer's.
    pub fn consume(&mut self) {
        let received = self.lent.pop_front().expect("a message was delivered");
        self.session.consume(received).expect("the oldest message");
        self.model.consume(1);
    }

    /// Consumes the `count` oldest messages at once, whatever became of them.
    pub fn consume_through(&mut self, count: usize) {
        let end: Delivered = self.lent[count - 1].position();
        self.lent.drain(..count);
        self.session.reclaim();
        self.session.consume_through(end).expect("delivered and not held");
        self.model.consume(count);
    }

    /// Hands everything that waits to the carrier.
    pub fn transmit(&mut self) -> Vec<u8> {
        let now = self.clock.now();
        let mut bytes = Vec::new();
        loop {
            let chunk = self.session.poll_transmit(now);
            if chunk.is_empty() {
                return bytes;
            }
            bytes.extend_from_slice(chunk);
            let sent = chunk.len();
            self.session.handle_transmitted(now, sent);
        }
    }

    /// The connection ends.
    pub fn detach(&mut self) {
        self.session.detach(Nonce::new(6));
    }

    /// Another login, of a peer that has consumed `consumed` of our messages in all.
    pub fn attach(&mut self, consumed: usize) {
        let acked = self.session.standing().consumed;
        let peer = Standing {
            acked,
            sent: at(*self.incoming.last().expect("it has a start")),
            consumed: at(self.outgoing[consumed.max(self.model.outgoing.freed)]),
        };
        let attachment = 0xb000 + self.disk.steps();
        image::attach_over(self.carrier, &mut self.session, self.clock.now(), peer, attachment);
        let nonce = if self.role == Role::Client { image::SERVER_NONCE } else { image::CLIENT_NONCE };
        self.file.attach(nonce.get(), attachment);
        self.file.consume(peer.consumed.get());
        self.model.learn(consumed);
    }

    /// The process ends and starts again.
    pub fn restart(&mut self) -> Result<(), tcpshm_protocol::RecoverError> {
        self.lent.clear();
        self.disk.revive();
        let journal = self.disk.open_main().expect("there is a main file");
        self.session = Session::open(journal, Nonce::new(7))?;
        Ok(())
    }

    // ---- what the peer does ----

    /// The peer sends its next message, telling that it consumed `acks` of ours in all.
    pub fn peer_sends(&mut self, len: usize, acks: usize) {
        let number = self.model.incoming.committed.len() as u64;
        let message = Message::numbered(self.role.other(), number, len);
        let start = *self.incoming.last().expect("it has a start");
        let frame = self.peer().message(start, self.outgoing[acks], &message);
        self.incoming.push(start + frame.len() as u64);
        self.model.receive(message.clone());
        if self.carrier == Carrier::Shm {
            self.peer_consumes(acks);
        }
        let event = self.peer_says(start, frame).expect("a sound frame");
        let Some(Event::Message(received)) = event else { panic!("no message but {event:?}") };
        assert_eq!((received.kind(), received.payload()), (message.kind, &message.payload[..]));
        self.lent.push_back(received);
        self.model.learn(acks);
    }

    /// The peer says that it consumed `count` of our messages in all.
    pub fn peer_consumes(&mut self, count: usize) {
        self.peer_acks(self.outgoing[count]).expect("a true ack");
        self.model.learn(count);
    }

    /// The peer has this frame at `start`, whatever it is.
    pub fn peer_says(&mut self, start: u64, frame: Vec<u8>) -> Result<Option<Event<'static>>, ProtocolError> {
        match self.carrier {
            Carrier::Tcp => self.input(frame),
            Carrier::Shm => {
                self.file.publish(start, &frame);
                self.session.receive(self.file)
            }
        }
    }

    /// The peer says that it consumed up to here, true or not. Over shared memory what cannot be true is told
    /// at the next look.
    pub fn peer_acks(&mut self, position: u64) -> Result<(), ProtocolError> {
        match self.carrier {
            Carrier::Tcp => self.input(wire::control(wire::ACK, position)).map(drop),
            Carrier::Shm => {
                self.file.consume(position);
                self.session.observe(self.file);
                let looked = self.session.receive(self.file);
                looked.map(|event| assert!(!matches!(event, Some(Event::Message(_)))))
            }
        }
    }

    /// Over shared memory: looks in the peer's ring, where nothing new is. The time is used to zero places
    /// ahead.
    pub fn look(&mut self) {
        let event = self.session.receive(self.file).expect("a sound ring");
        assert!(event.is_none(), "{event:?}");
    }

    /// Bytes arrive. At most one event comes of them.
    pub fn input(&mut self, bytes: Vec<u8>) -> Result<Option<Event<'static>>, ProtocolError> {
        // Leaked, so that messages can be kept as they are lent. Tests are short.
        let mut input: &'static [u8] = Vec::leak(bytes);
        let event = self.session.handle_input(self.clock.now(), &mut input)?;
        assert!(input.is_empty(), "{} bytes were not taken", input.len());
        Ok(event)
    }

    // ---- what is true ----

    /// The link file as it is.
    pub fn image(&self) -> Vec<u8> {
        self.disk.content().main().expect("there is a main file").to_vec()
    }

    /// Where our last message ends.
    pub fn committed(&self) -> u64 {
        *self.outgoing.last().expect("it has a start")
    }

    /// Where each of our messages ends, after where the first starts.
    pub fn ends(&self) -> &[u64] {
        &self.outgoing
    }

    /// Where the peer's last message ends.
    pub fn received(&self) -> u64 {
        *self.incoming.last().expect("it has a start")
    }

    /// What an image shows, in messages.
    pub fn view(&self, image: &[u8]) -> Result<View, String> {
        let contents = image::read(image).map_err(|error| error.to_string())?;
        let Contents { acked, pending, consumed } = contents;
        let count =
            |ends: &[u64], end| ends.binary_search(&end).map_err(|_| format!("{end} is no end of a message"));
        let freed = count(&self.outgoing, acked)?;
        for (number, (end, _)) in pending.iter().enumerate() {
            let expected = self.outgoing.get(freed + 1 + number);
            if expected.is_some_and(|expected| expected != end) {
                return Err(format!("message {} ends at {end}, not at {expected:?}", freed + number));
            }
        }
        let consumed = count(&self.incoming, consumed)?;
        Ok(View { freed, pending: pending.into_iter().map(|(_, message)| message).collect(), consumed })
    }

    /// The file shows what the model says.
    #[track_caller]
    pub fn check(&self) {
        assert_eq!(self.view(&self.image()), Ok(self.model.view()));
        assert_eq!(self.session.committed().position().get(), self.committed());
    }

    /// Runs `operation` and judges everything that a kill in the course of it, and up to two more in the
    /// course of recovery, can leave. Returns whether states before and after were both seen.
    #[track_caller]
    pub fn every_kill(&mut self, operation: impl FnOnce(&mut Solo)) -> Vec<Seen> {
        let before = self.model.clone();
        self.disk.record();
        operation(self);
        let crashes = self.disk.crashes();
        let after = self.model.clone();
        self.check();
        let judged = |crash: &Directory| {
            let image = crash.main().expect("the main file never vanishes");
            let view = self.view(image)?;
            self.recover_killed(image, &view, 2)?;
            judge(&before, &after, &view)
        };
        let seen: Result<Vec<_>, String> = crashes.iter().map(judged).collect();
        seen.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Recovers `image` and kills that at every store, and the recovery of what is left, `depth` deep.
    fn recover_killed(&self, image: &[u8], expected: &View, depth: u32) -> Result<(), String> {
        let disk = Disk::new(Directory::with_main(image.to_vec()), 0xdead);
        disk.record();
        let journal = disk.open_main().expect("it was just put there");
        let session = Session::open(journal, Nonce::new(8)).map_err(|error| error.to_string())?;
        let standing = session.standing();
        let crashes = disk.crashes();
        assert!(crashes.len() <= 5, "recovery has at most four stores");
        for crash in &crashes {
            let left = crash.main().expect("the main file never vanishes");
            let view = self.view(left)?;
            if view != *expected {
                return Err(format!("recovery killed: found {view:?}\nexpected {expected:?}"));
            }
            let again = Session::open(disk_of(left), Nonce::new(9)).map_err(|error| error.to_string())?;
            if again.standing() != standing {
                return Err(format!("recovered twice: {:?}, once: {standing:?}", again.standing()));
            }
            if depth > 1 {
                self.recover_killed(left, expected, depth - 1)?;
            }
        }
        Ok(())
    }

    fn next_message(&self, len: usize) -> Message {
        Message::numbered(self.role, self.model.outgoing.committed.len() as u64, len)
    }
}

fn disk_of(image: &[u8]) -> tcpshm_protocol::Memory {
    tcpshm_protocol::Memory::from_image(image)
}

fn at(bytes: u64) -> Position {
    Position::new(bytes).expect("a multiple of 8")
}
