//! The client's process: what a driver does around a login, with the file operations of a real one.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use tcpshm_protocol::login::{
    Carrier, CarrierWish, ClientLogin, ClientStep, Confirm, Hello, Outcome, Proposal, Ready, Refusal,
    RefusalCode, Silence, Streams, UserData, Welcome, limits_agreed,
};
use tcpshm_protocol::{Header, Name, Nonce, ResetToken, Role, Session, SessionId, Timing, ViewFault, survey};

use crate::violation::Invariant;
use crate::world::disk::{Disk, Doing};
use crate::world::endpoint::{Configuration, Endpoint, Note, Policy, promised, sound};
use crate::world::journal::Journal;
use crate::world::ruling::Shown;
use crate::world::shared::LiveFile;

/// A client with one link.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    /// The server it means to reach; `None` for any.
    pub expects: Option<Name>,
    /// An unconfirmed link file, with a session of its own.
    proposed: Option<Session<Journal>>,
    /// Leave to reset the link, from the last refusal.
    token: Option<ResetToken>,
    /// The last Ready did not fit.
    disputed: bool,
    peer_silence: Silence,
    peer_undelivered: Option<tcpshm_protocol::Undelivered>,
    /// What it said of itself last.
    pub(crate) shown: Option<Shown>,
}

/// The peer's file, proven to be the memory that the peer writes.
pub(crate) fn view_of_peer(
    neighbour: Option<&Disk>,
    ours: &Header,
    nonce: Nonce,
) -> Result<LiveFile, Option<ViewFault>> {
    neighbour.map_or(Err(None), |disk| LiveFile::find(disk, ours, nonce))
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The login goes on.
    Login,
    /// The stream begins.
    Stream,
    /// It ends here.
    Close,
}

impl Client {
    pub(crate) fn new(disk: Disk, configuration: Configuration, seed: u64) -> Self {
        Self {
            endpoint: Endpoint::new(Role::Client, "client", disk, configuration, seed),
            expects: None,
            proposed: None,
            token: None,
            disputed: false,
            peer_silence: Silence::default(),
            peer_undelivered: None,
            shown: None,
        }
    }

    /// Ends the process where it stands.
    pub(crate) fn kill(&mut self) {
        self.kill_process();
        (self.proposed, self.token, self.disputed) = (None, None, false);
        self.peer_undelivered = None;
    }

    /// Starts the process on what the disk holds.
    pub fn start(&mut self) {
        self.disk.revive();
        self.open();
    }

    /// Starts the process and kills it after so many steps of its start.
    pub fn start_until(&mut self, steps: u64) {
        self.disk.revive();
        self.disk.burn_after(steps);
        self.open();
        self.kill();
    }

    /// Finishes what a kill interrupted, and opens what there is.
    fn open(&mut self) {
        self.disk.begin(Doing::Recovery);
        let confirmed =
            self.disk.open_fresh().map(|file| survey(&file).map(|found| found.current().is_some()));
        match confirmed {
            // Whoever made it was interrupted.
            Some(Err(_)) => self.disk.remove_fresh(),
            // Its Ready came; only the switch is missing.
            Some(Ok(true)) => self.disk.switch(),
            Some(Ok(false)) | None => {}
        }
        if self.disk.is_dead() {
            return;
        }
        self.open_main();
        let nonce = self.nonce();
        self.proposed = self.disk.open_fresh().map(|file| sound(Session::open(file, nonce)));
    }

    /// The session it proposes.
    pub fn proposal(&self) -> Option<SessionId> {
        self.proposed.as_ref().map(Session::id)
    }

    /// Whether it will ask for a reset at the next login.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    // ---- login ----

    pub(crate) fn dial(&mut self, wish: CarrierWish) -> ClientLogin {
        ClientLogin::new(&Hello {
            client: self.name.clone(),
            server: self.expects.clone(),
            limits: self.configuration.limits,
            wish,
            silence: self.configuration.silence,
            user_data: UserData::default(),
        })
    }

    pub(crate) fn handle_login(
        &mut self,
        now: Instant,
        login: &mut ClientLogin,
        inbox: &mut Vec<u8>,
    ) -> (Next, bool) {
        self.disk.begin(Doing::Login);
        let bytes = std::mem::take(inbox);
        let mut input = &bytes[..];
        let step = login.handle_input(&mut input);
        inbox.extend_from_slice(input);
        match step {
            Ok(None) => (Next::Login, false),
            Ok(Some(ClientStep::Welcome(welcome))) => (self.welcome(login, &welcome), true),
            Ok(Some(ClientStep::Ready(ready))) => (self.ready(now, &ready), true),
            Ok(Some(ClientStep::Refused(refusal))) => (self.refused(&refusal), true),
            Err(error) => {
                self.notes.push(Note::BadLogin(error.to_string()));
                login.refuse(&error.refusal());
                (Next::Close, true)
            }
        }
    }

    fn welcome(&mut self, login: &mut ClientLogin, welcome: &Welcome) -> Next {
        self.peer_silence = welcome.silence;
        let before = self.proposed.is_some();
        if self.proposed.is_none() && (self.session.is_none() || self.token.is_some()) {
            if self.disk.is_full() {
                login.refuse(&Refusal::new(RefusalCode::Storage, ""));
                self.notes.push(Note::Refused(RefusalCode::Storage));
                return Next::Close;
            }
            self.propose(welcome);
        }
        let nonce = self.nonce();
        let sleeps = self.configuration.sleeps;
        self.prepare_sleep();
        let held = self.session.as_mut().and_then(|session| session.show(nonce));
        let proposed = self.proposed.as_mut().map(|session| {
            session.set_may_sleep(sleeps);
            session.show(nonce);
            let Header { outgoing, incoming, .. } = *session.header();
            Proposal { session: session.id(), streams: Streams { client: outgoing, server: incoming } }
        });
        let undelivered = held.and_then(|_| self.tell());
        let disputed = self.disputed && held.is_some();
        let token = self.token.take();
        self.shown = Some(self.say(held.is_some(), before, token.is_some(), disputed));
        let confirm = Confirm { held, proposed, disputed, token, undelivered, nonce };
        login.confirm(&confirm).expect("it is the turn of a confirm");
        Next::Login
    }

    /// What a Confirm is about to say.
    fn say(&self, held: bool, before: bool, token: bool, disputed: bool) -> Shown {
        let held = self.session.as_ref().filter(|_| held);
        let counts = held.and_then(|session| {
            self.history.read(session.id().get(), |truth| [truth.committed.len(), truth.consumed.len()])
        });
        Shown {
            held: held.map(|session| session.id().get()),
            counts: counts.unwrap_or_default(),
            acked: held.map_or(0, |session| session.standing().acked.get()),
            proposed: self.proposal().map(SessionId::get),
            proposed_before: before,
            token,
            disputed,
            past: self.history.past(),
        }
    }

    /// Makes a whole new file for a fresh session.
    fn propose(&mut self, welcome: &Welcome) {
        let limits = self.configuration.limits;
        let streams = limits_agreed(&limits, &welcome.limits).expect("any two limits agree");
        let header = Header {
            role: Role::Client,
            session: self.session_id(),
            owner: self.name.clone(),
            peer: welcome.server.clone(),
            outgoing: streams.client,
            incoming: streams.server,
            asked: limits.send,
        };
        let nonce = self.nonce();
        let mut file = self.disk.create_fresh(Header::file_size(header.outgoing).expect("small"));
        header.format(&mut file, nonce);
        let session = sound(Session::open(file, nonce));
        self.history.change(session.id().get(), |_| ());
        self.proposed = Some(session);
    }

    fn ready(&mut self, now: Instant, ready: &Ready) -> Next {
        let timing = Timing::new(self.configuration.silence, self.peer_silence);
        let is_proposed = self.proposal() == Some(ready.session);
        let session = if is_proposed { self.proposed.as_mut() } else { self.endpoint.session.as_mut() };
        let session = promised(session.ok_or("another session than was shown"), Invariant::Decided);
        let view = match ready.carrier {
            Carrier::Tcp => None,
            Carrier::Shm => {
                match view_of_peer(self.endpoint.neighbour.as_ref(), session.header(), ready.nonce) {
                    Ok(view) => Some(view),
                    // It left right behind its Ready, and has taken the nonce with it.
                    Err(Some(ViewFault::OtherMemory { current })) if current == Some(ready.attachment) => {
                        return Next::Close;
                    }
                    Err(fault) => {
                        self.notes.push(Note::NotShared(fault));
                        return Next::Close;
                    }
                }
            }
        };
        if let Err(fault) = session.establish(now, ready, &timing) {
            self.disputed = !is_proposed;
            self.notes.push(Note::Misfit(fault));
            return Next::Close;
        }
        self.disputed = false;
        if is_proposed {
            self.disk.switch();
            let old = std::mem::replace(&mut self.endpoint.session, self.proposed.take());
            self.forget_lent();
            let theirs = self.peer_undelivered.take();
            let mine = old.map(|old| self.endpoint.check_report(&old));
            // One whose Ready was lost is resumed, and is a reset all the same.
            if ready.outcome == Outcome::Reset || mine.is_some() || theirs.is_some() {
                self.notes.push(Note::Reset { mine, theirs });
            }
        }
        self.view = view;
        let past = self.peer_history.past();
        self.connected(past);
        self.notes.push(Note::Connected(ready.outcome));
        Next::Stream
    }

    fn refused(&mut self, refusal: &Refusal) -> Next {
        self.notes.push(Note::Refused(refusal.code));
        if refusal.code == RefusalCode::ProposalDead {
            self.proposed = None;
            self.disk.remove_fresh();
        }
        if self.configuration.policy == Policy::Fresh && refusal.token.is_some() {
            self.token = refusal.token;
            self.peer_undelivered = refusal.undelivered;
        }
        Next::Close
    }

    /// Whether the last login ended in a reset rather than in a session that goes on.
    pub fn was_reset(&self) -> bool {
        self.notes.iter().rev().find_map(|note| match note {
            Note::Connected(outcome) => Some(*outcome == Outcome::Reset),
            _ => None,
        }) == Some(true)
    }
}

impl Deref for Client {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }
}
