//! What a client and a server have in common: a process with one link, a disk and an application.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use tcpshm_protocol::{
    Event, Held, Kind, Name, Nonce, ProtocolError, Received, RecoverError, Role, SendError, Session,
    SessionId,
};

use crate::violation::{Invariant, violate};
use crate::world::disk::Disk;
use crate::world::journal::Journal;
use crate::world::message::Message;
use crate::world::shared::LiveFile;
use crate::world::truth::Truth;
use crate::world::wire::frame_size;

pub use crate::world::host::{App, Configuration, Note, Policy};

/// One process.
#[derive(Debug)]
pub struct Endpoint {
    /// Which side it is.
    pub role: Role,
    /// Its name.
    pub name: Name,
    /// Its directory.
    pub disk: Disk,
    /// Its configuration.
    pub configuration: Configuration,
    /// What it does with messages.
    pub app: App,
    /// What it was told, in this life and all before.
    pub notes: Vec<Note>,
    /// Every message delivered in this life.
    pub delivered: Vec<Message>,
    /// Added to the numbers of messages, so that two histories differ.
    pub salt: u64,
    /// What it really did, for each session.
    pub truths: BTreeMap<u128, Truth>,
    /// The directory in which it looks for the peer's file; `None` if it sees none of it.
    pub neighbour: Option<Disk>,
    pub(crate) session: Option<Session<Journal>>,
    /// The peer's file, while shared memory carries the session.
    pub(crate) view: Option<LiveFile>,
    pub(crate) random: fastrand::Rng,
    held: VecDeque<Held>,
    alive: bool,
}

impl Endpoint {
    pub(crate) fn new(role: Role, name: &str, disk: Disk, configuration: Configuration, seed: u64) -> Self {
        Self {
            role,
            name: name.parse().expect("a valid name"),
            disk,
            configuration,
            app: App::Consume,
            notes: Vec::new(),
            delivered: Vec::new(),
            salt: 0,
            truths: BTreeMap::new(),
            neighbour: None,
            session: None,
            view: None,
            random: fastrand::Rng::with_seed(seed ^ role as u64),
            held: VecDeque::new(),
            alive: false,
        }
    }

    // ---- the application ----

    /// Commits the next message.
    pub fn send(&mut self, len: usize) -> Result<(), SendError> {
        let message = self.next_message(len);
        self.make_room(len);
        let session = self.session.as_mut().ok_or(SendError::NotEstablished)?;
        let end = session.send(message.kind, &message.payload)?.position().get();
        self.truth().commit([(end, message)]);
        Ok(())
    }

    /// Commits several messages as one.
    pub fn send_batch(&mut self, lens: &[usize]) -> Result<(), SendError> {
        let first = self.truth().committed.len() as u64 + self.salt;
        let messages: Vec<_> = lens
            .iter()
            .zip(first..)
            .map(|(len, number)| Message::numbered(self.role, number, *len))
            .collect();
        self.observe();
        let session = self.session.as_mut().ok_or(SendError::NotEstablished)?;
        let mut end = session.committed().position().get();
        let mut batch = session.batch();
        for message in &messages {
            batch.send(message.kind, &message.payload)?;
        }
        batch.commit();
        let ends = messages.into_iter().map(|message| {
            end += frame_size(message.payload.len());
            (end, message)
        });
        self.truth().commit(ends);
        Ok(())
    }

    /// Commits messages until the ring is full.
    pub fn fill(&mut self, len: usize) -> usize {
        let mut count = 0;
        while self.send(len).is_ok() {
            count += 1;
        }
        count
    }

    /// Gives the held messages to the application again, which does with them what it does now.
    pub fn release(&mut self) {
        for _ in 0..self.held.len() {
            let Some(held) = self.held.pop_front() else { return };
            let session = self.session.as_mut().expect("messages are held of a session");
            let received = session.redeem(held).expect("a message of this session");
            self.handle_message(received);
        }
    }

    /// How many messages it holds.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The session, while the process lives and there is one.
    #[track_caller]
    pub fn session(&mut self) -> &mut Session<Journal> {
        self.session.as_mut().expect("there is a session")
    }

    /// Whether the peer is known to have consumed everything.
    pub fn is_idle(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.undelivered().messages == 0)
    }

    /// Whether shared memory carries the session.
    pub fn is_shared(&self) -> bool {
        self.view.is_some()
    }

    /// Whether a connection carries the session.
    pub fn is_attached(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_attached)
    }

    /// Whether the process runs.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// How often it was told something.
    pub fn count(&self, what: impl Fn(&Note) -> bool) -> usize {
        self.notes.iter().filter(|note| what(note)).count()
    }

    /// What it really did in the session it has now.
    pub fn truth(&mut self) -> &mut Truth {
        let id = self.session.as_ref().map_or(0, |session| session.id().get());
        self.truths.entry(id).or_default()
    }

    fn next_message(&mut self, len: usize) -> Message {
        let number = self.truth().committed.len() as u64;
        Message::numbered(self.role, number + self.salt, len)
    }

    // ---- its life ----

    pub(crate) fn kill_process(&mut self) {
        self.alive = false;
        (self.session, self.view) = (None, None);
        self.held.clear();
        self.delivered.clear();
    }

    /// Whether the disk died under it.
    pub(crate) fn is_dying(&self) -> bool {
        self.alive && self.disk.is_dead()
    }

    /// Opens what is on the disk. The switch of files must be done by now.
    pub(crate) fn open_main(&mut self, uncertain: bool) {
        self.alive = true;
        let nonce = self.nonce();
        self.session = self.disk.open_main().map(|file| sound(Session::open(file, nonce)));
        if let Some(session) = &self.session
            && let Some(truth) = self.truths.get_mut(&session.id().get())
        {
            truth.reconcile(session, uncertain);
        }
    }

    // ---- its session on a connection ----

    pub(crate) fn handle_stream(&mut self, now: Instant, inbox: &mut Vec<u8>) -> Result<bool, ProtocolError> {
        let bytes = std::mem::take(inbox);
        let mut input = &bytes[..];
        let mut moved = false;
        let result = loop {
            let Some(session) = self.session.as_mut().filter(|_| !self.disk.is_dead()) else {
                break Ok(moved);
            };
            match session.handle_input(now, &mut input) {
                Ok(Some(event)) => self.handle_event(event),
                Ok(None) => break Ok(moved),
                Err(fault) => break Err(fault),
            }
            moved = true;
        };
        inbox.extend_from_slice(input);
        result
    }

    /// Looks once in the peer's file. Whether anything came of it.
    pub(crate) fn poll(&mut self) -> Result<bool, ProtocolError> {
        let (Some(view), Some(session)) = (self.view.clone(), &mut self.session) else { return Ok(false) };
        if self.disk.is_dead() {
            return Ok(false);
        }
        let event = session.receive(&view)?;
        let any = event.is_some();
        event.into_iter().for_each(|event| self.handle_event(event));
        Ok(any)
    }

    /// Learns what the peer has consumed, if its file tells.
    pub(crate) fn observe(&mut self) {
        if let (Some(view), Some(session)) = (&self.view, &mut self.session) {
            session.observe(view);
        }
    }

    /// The peer's progress is looked up when there seems to be no room.
    fn make_room(&mut self, len: usize) {
        if self.session.as_ref().is_some_and(|session| !session.has_room(len)) {
            self.observe();
        }
    }

    fn handle_event(&mut self, event: Event<'_>) {
        // A dead process does nothing with it.
        if self.disk.is_dead() {
            return;
        }
        match event {
            Event::Message(received) => {
                let payload = received.payload().to_vec();
                self.delivered.push(Message { kind: received.kind(), payload });
                self.handle_message(received);
            }
            Event::Writable => {
                self.notes.push(Note::Writable);
                if self.app == App::Echo {
                    self.release();
                }
            }
            Event::Closed(reason) => self.notes.push(Note::Closed(reason)),
        }
    }

    fn handle_message(&mut self, received: Received<'_>) {
        if self.disk.is_dead() {
            return;
        }
        let message = Message { kind: received.kind(), payload: received.payload().to_vec() };
        let end = received.position().position().get();
        match self.app {
            App::Drop => {}
            App::Hold => self.hold(received),
            App::Consume => match self.session().consume(received) {
                Ok(_) => self.truth().consumed.push((end, message)),
                Err(refused) => self.hold(refused.received),
            },
            App::Echo => self.echo(received, message, end),
        }
    }

    fn echo(&mut self, request: Received<'_>, message: Message, end: u64) {
        let (kind, len) = (message.kind, message.payload.len());
        let reply = Message { kind: Kind::new(!kind.get()).unwrap_or(kind), ..message.clone() };
        self.make_room(len);
        let mut slot = match self.session().claim(reply.kind, len) {
            Ok(slot) => slot,
            Err(SendError::Full { .. }) => return self.hold(request),
            Err(error) => panic!("{error}"),
        };
        slot.copy_from_slice(&reply.payload);
        match slot.commit_consuming(request) {
            Ok(committed) => {
                let truth = self.truth();
                truth.commit([(committed.position().get(), reply)]);
                truth.consumed.push((end, message));
            }
            Err(refused) => self.hold(refused.received),
        }
    }

    fn hold(&mut self, received: Received<'_>) {
        let held = self.session().hold(received).expect("a message of this session");
        self.held.push_back(held);
    }

    pub(crate) fn disconnected(&mut self) {
        self.observe();
        self.view = None;
        let nonce = self.nonce();
        if let Some(session) = &mut self.session {
            session.detach(nonce);
        }
    }

    // ---- random numbers ----

    pub(crate) fn nonce(&mut self) -> Nonce {
        Nonce::new(self.random.u64(..))
    }

    pub(crate) fn session_id(&mut self) -> SessionId {
        SessionId::new(self.random.u128(1..)).expect("not 0")
    }
}

/// A file that its owner left, however it was killed, can be opened.
#[track_caller]
pub(crate) fn sound<T>(opened: Result<T, RecoverError>) -> T {
    opened.unwrap_or_else(|error| violate(Invariant::CrashAtomic, error))
}
