//! What a client and a server have in common: a process with one link, a disk and an application.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use tcpshm_protocol::{
    Delivered, Event, Held, Name, Nonce, ProtocolError, RecoverError, RefusedReason, Role, Session,
    SessionId, Undelivered,
};

use crate::violation::{Invariant, ensure, violate};
use crate::world::disk::{Disk, Doing};
use crate::world::image;
use crate::world::journal::Journal;
use crate::world::message::Message;
use crate::world::shared::LiveFile;
use crate::world::truth::{History, Truth};

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
    pub history: History,
    /// What it told the peer that it is owed, and of which session, in this life and all before.
    pub(crate) told: Vec<(u128, Undelivered)>,
    /// With which of the other's pasts it is connected.
    pub(super) connected_to: u32,
    /// What the other side really did.
    pub(crate) peer_history: History,
    /// The directory in which it looks for the peer's file; `None` if it sees none of it.
    pub neighbour: Option<Disk>,
    pub(crate) session: Option<Session<Journal>>,
    /// The peer's file, while shared memory carries the session.
    pub(crate) view: Option<LiveFile>,
    /// The same of the connection before.
    pub(super) old_view: Option<LiveFile>,
    /// The last message that it was given in its life before, and did not consume.
    pub(super) earlier_life: Option<Delivered>,
    /// Whether its peer may say anything: what it is given is not looked at.
    pub(crate) believes_anything: bool,
    pub(crate) random: fastrand::Rng,
    /// Why it could not consume.
    pub(crate) refusals: Vec<RefusedReason>,
    pub(super) held: VecDeque<Held>,
    /// What it was given in this life and has not consumed, oldest first.
    pub(super) unconsumed: VecDeque<(Delivered, Message)>,
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
            history: History::default(),
            told: Vec::new(),
            connected_to: 0,
            peer_history: History::default(),
            neighbour: None,
            session: None,
            view: None,
            old_view: None,
            earlier_life: None,
            believes_anything: false,
            random: fastrand::Rng::with_seed(seed ^ role as u64),
            refusals: Vec::new(),
            held: VecDeque::new(),
            unconsumed: VecDeque::new(),
            alive: false,
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

    /// How far it knows the peer to have consumed.
    pub(crate) fn learned(&self) -> Option<u64> {
        self.session.as_ref().map(|session| session.standing().acked.get())
    }

    /// Whether shared memory carries the session.
    pub fn is_shared(&self) -> bool {
        self.view.is_some()
    }

    /// Whether it looks at nothing until it is woken.
    pub fn is_asleep(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_parked)
    }

    /// How often it went to sleep in the session it has, as its file says, and a few times more.
    pub(crate) fn sleeps(&self) -> u64 {
        self.disk.content().main().map_or(0, |file| image::load(file, image::at::PARKED) >> 2)
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

    /// The session it has now; 0 if there is none.
    pub fn session_number(&self) -> u128 {
        self.session.as_ref().map_or(0, |session| session.id().get())
    }

    /// What it really did in the session it has now.
    pub fn truth(&self) -> Truth {
        self.history.read(self.session_number(), Truth::clone).unwrap_or_default()
    }

    // ---- its life ----

    pub(crate) fn kill_process(&mut self) {
        self.alive = false;
        (self.session, self.view, self.old_view) = (None, None, None);
        self.earlier_life = self.unconsumed.back().map(|(at, _)| *at);
        self.forget_lent();
        self.delivered.clear();
    }

    /// Whether the disk died under it.
    pub(crate) fn is_dying(&self) -> bool {
        self.alive && self.disk.is_dead()
    }

    /// Opens what is on the disk. The switch of files must be done by now.
    pub(crate) fn open_main(&mut self) {
        self.alive = true;
        self.disk.begin(Doing::Recovery);
        let nonce = self.nonce();
        self.session = self.disk.open_main().map(|file| sound(Session::open(file, nonce)));
        if let Some(session) = &self.session {
            let id = session.id().get();
            // A file that somebody brought along.
            let base = [session.committed().position().get(), session.consumed().position().get()];
            if self.history.read(id, |_| ()).is_none() {
                self.history.change(id, |truth| truth.base = base);
            }
            self.history.change(id, |truth| truth.reconcile(session));
        }
    }

    /// A connection begins, with this one of the other's pasts.
    pub(super) fn connected(&mut self, past: u32) {
        self.connected_to = past;
    }

    /// What was held or lent belongs to a life or a session that is over.
    pub(crate) fn forget_lent(&mut self) {
        self.held.clear();
        self.unconsumed.clear();
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
            self.disk.begin(Doing::Input);
            let most = self.disk.loads() + STEPS + input.len() as u64;
            let taken = session.handle_input(now, &mut input);
            check_steps(&self.disk, most);
            match taken {
                Ok(Some(event)) => self.handle_event(event),
                Ok(None) => break Ok(moved),
                Err(fault) => break Err(fault),
            }
            moved = true;
        };
        inbox.extend_from_slice(input);
        result
    }

    /// Whether it may sleep, as its peer learns at the login that begins.
    pub(crate) fn prepare_sleep(&mut self) {
        let sleeps = self.configuration.sleeps;
        self.session.iter_mut().for_each(|session| session.set_may_sleep(sleeps));
    }

    /// What ends every burst: a peer that sleeps is woken for what was done.
    pub(crate) fn rouse(&mut self) {
        if let (Some(view), Some(session)) = (&self.view, &mut self.session) {
            session.rouse(view);
        }
    }

    /// It has nothing to do.
    fn go_to_sleep(&mut self) {
        if let (Some(view), Some(session)) = (&self.view, &mut self.session) {
            self.disk.begin(Doing::Other);
            session.park(view);
        }
    }

    /// Looks once in the peer's file, unless it sleeps. Whether anything came of it.
    pub(crate) fn poll(&mut self) -> Result<bool, ProtocolError> {
        if self.is_asleep() {
            return Ok(false);
        }
        let any = self.look()?;
        if !any && self.configuration.sleeps {
            self.go_to_sleep();
        }
        Ok(any)
    }

    fn look(&mut self) -> Result<bool, ProtocolError> {
        let (Some(view), Some(session)) = (self.view.clone(), &mut self.session) else { return Ok(false) };
        if self.disk.is_dead() {
            return Ok(false);
        }
        self.disk.begin(Doing::Input);
        let mine = self.disk.loads() + STEPS;
        let theirs = view.loads() + STEPS;
        let event = session.receive(&view)?;
        check_steps(&self.disk, mine);
        ensure(view.loads() <= theirs, Invariant::Bounded, || {
            "a look into the peer's file has no end".into()
        });
        let any = event.is_some();
        event.into_iter().for_each(|event| self.handle_event(event));
        Ok(any)
    }

    /// Learns what the peer has consumed, if its file tells.
    pub(crate) fn observe(&mut self) {
        if let (Some(view), Some(session)) = (&self.view, &mut self.session) {
            self.disk.begin(Doing::Input);
            session.observe(view);
        }
    }

    /// The peer's progress is looked up when there seems to be no room.
    pub(super) fn make_room(&mut self, len: usize) {
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
                self.check_delivered(&received);
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

    pub(crate) fn disconnected(&mut self) {
        self.observe();
        self.old_view = self.view.take();
        let nonce = self.nonce();
        self.disk.begin(Doing::Leave);
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

/// Loads that a call takes at most, and one more for each byte that it was given.
const STEPS: u64 = 64;

/// I10: a call takes a bounded number of steps.
#[track_caller]
fn check_steps(disk: &Disk, most: u64) {
    ensure(disk.loads() <= most, Invariant::Bounded, || {
        format!("{} loads, {most} expected at most", disk.loads())
    });
}

/// What cannot fail while `invariant` holds.
#[track_caller]
pub(crate) fn promised<T, E: fmt::Debug>(result: Result<T, E>, invariant: Invariant) -> T {
    result.unwrap_or_else(|error| violate(invariant, format!("{error:?}")))
}

/// A file that its owner left, however it was killed, can be opened.
#[track_caller]
pub(crate) fn sound<T>(opened: Result<T, RecoverError>) -> T {
    promised(opened, Invariant::CrashAtomic)
}
