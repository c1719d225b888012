//! The server's process: what a driver does around a login, with the file operations of a real one.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use tcpshm_protocol::login::{
    Carrier, Carriers, Confirm, Hello, Outcome, Refusal, RefusalCode, ServerLogin, ServerStep, Streams,
    UserData, Verdict, Welcome, decide, limits_agreed,
};
use tcpshm_protocol::{
    AttachmentId, Challenge, Grant, Header, Position, Published, ResetToken, Role, Session, SessionId,
    Timing, ViewFault, survey,
};

use crate::violation::Invariant;
use crate::world::client::{Next, view_of_peer};
use crate::world::disk::{Disk, Doing};
use crate::world::endpoint::{Configuration, Endpoint, Note, Policy, promised, sound};
use crate::world::image::at;
use crate::world::journal::Journal;
use crate::world::ruling::{Found, Row, Ruling};
use crate::world::shared::LiveFile;
use crate::world::truth::Truth;

/// A server that serves one link.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    /// The token given out last, until it is used or void.
    token: Option<ResetToken>,
    /// How many Hellos were read.
    hellos: u64,
    /// The Hello of the last Confirm that was accepted: that of an earlier one decides nothing any more.
    overtaken: u64,
    /// The proposals that clients were told to forget.
    dead: Vec<SessionId>,
    /// What the application, or the directory, says to the next login.
    pub refuses: Option<RefusalCode>,
    /// What it said to logins that were none.
    pub bad_logins: Vec<RefusalCode>,
    /// Where challenges are drawn. What else is random does not depend on how many were.
    challenges: fastrand::Rng,
    /// The last decision.
    pub(crate) ruling: Option<Ruling>,
}

/// How many files it keeps aside.
const MOST_KEPT: usize = 2;

/// One login on the server's side.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) login: ServerLogin,
    hello: Option<(u64, Hello)>,
    /// With which of the client's pasts: by the time that its Confirm is read, a clone may be in its place.
    past: u32,
}

impl Visit {
    pub(crate) fn new(past: u32) -> Self {
        Self { login: ServerLogin::new(), hello: None, past }
    }
}

impl Server {
    pub(crate) fn new(disk: Disk, configuration: Configuration, seed: u64) -> Self {
        let endpoint = Endpoint::new(Role::Server, "server", disk, configuration, seed);
        Self {
            endpoint,
            token: None,
            hellos: 0,
            overtaken: 0,
            dead: Vec::new(),
            refuses: None,
            bad_logins: Vec::new(),
            challenges: fastrand::Rng::with_seed(seed.rotate_left(32)),
            ruling: None,
        }
    }

    /// Ends the process where it stands.
    pub(crate) fn kill(&mut self) {
        self.kill_process();
        (self.token, self.hellos, self.overtaken) = (None, 0, 0);
        self.dead.clear();
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
        let accepted =
            self.disk.open_fresh().map(|file| survey(&file).map(|found| found.current().is_some()));
        match accepted {
            // The Confirm was accepted; only the switch is missing.
            Some(Ok(true)) => self.disk.switch(),
            // It was promised to nobody.
            Some(_) => self.disk.remove_fresh(),
            None => {}
        }
        self.open_main();
    }

    // ---- login ----

    pub(crate) fn handle_login(
        &mut self,
        now: Instant,
        visit: &mut Visit,
        live: bool,
        inbox: &mut Vec<u8>,
    ) -> (Next, bool) {
        self.disk.begin(Doing::Login);
        let bytes = std::mem::take(inbox);
        let mut input = &bytes[..];
        let step = visit.login.handle_input(&mut input);
        inbox.extend_from_slice(input);
        match step {
            Ok(None) => (Next::Login, false),
            Ok(Some(ServerStep::Hello(hello))) => {
                self.hello(visit, hello);
                (Next::Login, true)
            }
            Ok(Some(ServerStep::Confirm(confirm))) => (self.confirm(now, visit, live, &confirm), true),
            Ok(Some(ServerStep::Refused(refusal))) => {
                self.notes.push(Note::Refused(refusal.code));
                (Next::Close, true)
            }
            Err(error) => {
                self.notes.push(Note::BadLogin(error.to_string()));
                self.bad_logins.push(error.refusal().code);
                visit.login.refuse(&error.refusal());
                (Next::Close, true)
            }
        }
    }

    fn hello(&mut self, visit: &mut Visit, hello: Hello) {
        if hello.server.as_ref().is_some_and(|server| *server != self.name) {
            return self.refuse(visit, Refusal::new(RefusalCode::WrongServer, ""));
        }
        self.hellos += 1;
        visit.hello = Some((self.hellos, hello));
        let welcome = Welcome {
            server: self.name.clone(),
            limits: self.configuration.limits,
            carriers: Carriers::BOTH,
            silence: self.configuration.silence,
            challenge: Challenge::new(self.challenges.u64(..)),
        };
        visit.login.welcome(&welcome).expect("it is the turn of a welcome");
    }

    fn confirm(&mut self, now: Instant, visit: &mut Visit, live: bool, confirm: &Confirm) -> Next {
        let (number, hello) = visit.hello.clone().expect("a confirm follows a hello");
        let streams = limits_agreed(&hello.limits, &self.configuration.limits).expect("any two limits agree");
        let mut ruling = self.facts(number, &hello, confirm, &streams, live);
        let next = self.rule(now, visit, confirm, &streams, &mut ruling);
        self.ruling = Some(ruling);
        next
    }

    /// Whether a reset would keep one file more than it may.
    fn keeps_too_many(&self) -> bool {
        self.session.is_some() && self.disk.content().kept().count() >= MOST_KEPT
    }

    /// What the decision depends on.
    fn facts(&self, number: u64, hello: &Hello, confirm: &Confirm, streams: &Streams, live: bool) -> Ruling {
        let directory = self.disk.content();
        Ruling {
            shown: None,
            found: directory.main().and_then(Found::read),
            live,
            token_valid: confirm.token.is_some() && confirm.token == self.token,
            stale: number < self.overtaken,
            dead: confirm.proposed.is_some_and(|proposed| self.dead.contains(&proposed.session)),
            copy: live && self.is_copy(confirm),
            refuses: self.refuses,
            promises: self.keeps_promises(hello),
            sizes: confirm.proposed.is_some_and(|proposed| proposed.streams == *streams),
            fits: None,
            positions: false,
            row: Row::Refused(RefusalCode::Internal),
        }
    }

    /// Whether the live connection is on shared memory, and this login comes from somewhere else: what a
    /// copy says it has consumed, the original may be reading.
    fn is_copy(&self, confirm: &Confirm) -> bool {
        let ours = self
            .session
            .as_ref()
            .is_some_and(|session| confirm.held.is_some_and(|held| held.session == session.id()));
        let shown = |view: &LiveFile| view.load(at::NONCE) == confirm.nonce.get();
        ours && self.view.as_ref().is_some_and(|view| !shown(view))
    }

    fn rule(
        &mut self,
        now: Instant,
        visit: &mut Visit,
        confirm: &Confirm,
        streams: &Streams,
        ruling: &mut Ruling,
    ) -> Next {
        let (number, hello) = visit.hello.clone().expect("a confirm follows a hello");
        let code = if ruling.stale {
            Some(RefusalCode::StaleConfirm)
        } else if let Some(code) = self.refuses.take() {
            Some(code)
        } else if ruling.dead {
            Some(RefusalCode::ProposalDead)
        } else {
            ruling.copy.then_some(RefusalCode::Busy)
        };
        if let Some(code) = code {
            ruling.row = Row::Refused(code);
            self.refuse(visit, Refusal::new(code, ""));
            return Next::Close;
        }
        let shown = |session: &Session<Journal>| {
            let held = confirm.held.filter(|held| held.session == session.id());
            session.record(held.map_or(Position::ZERO, |held| held.standing.consumed))
        };
        let record = self.session.as_ref().map(shown);
        let verdict = decide(confirm, record.as_ref(), streams, ruling.live, ruling.token_valid);
        let (outcome, header) = match verdict {
            Verdict::Resume { .. } if !ruling.promises => {
                ruling.row = Row::Refused(RefusalCode::LimitsShrunk);
                self.refuse(visit, Refusal::new(RefusalCode::LimitsShrunk, ""));
                return Next::Close;
            }
            Verdict::Resume { .. } => (Outcome::Resumed, self.session().header().clone()),
            Verdict::Fresh(session) => (Outcome::Fresh, self.header(session, *streams, &hello)),
            Verdict::Reset(session) => (Outcome::Reset, self.header(session, *streams, &hello)),
            verdict => {
                if verdict == Verdict::ProposalDead {
                    self.dead.extend(confirm.proposed.map(|proposed| proposed.session));
                }
                let refusal = verdict.refusal().expect("everything else is a refusal");
                ruling.row = Row::Refused(refusal.code);
                self.refuse_by(visit, &verdict, refusal);
                return Next::Close;
            }
        };
        let unable = match self.view_for(&hello, &header, confirm) {
            Err(fault) => {
                self.notes.push(Note::NotShared(fault));
                RefusalCode::NoCarrier
            }
            Ok(_) if outcome != Outcome::Resumed && self.disk.is_full() => RefusalCode::Storage,
            Ok(_) if outcome == Outcome::Reset && self.keeps_too_many() => RefusalCode::KeptFull,
            Ok(view) => {
                ruling.row = Row::Accepted(outcome);
                self.overtaken = number;
                self.take_on(now, visit, confirm, &header, outcome, ruling.live, view);
                return Next::Stream;
            }
        };
        ruling.row = Row::Refused(unable);
        self.refuse(visit, Refusal::new(unable, ""));
        Next::Close
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one login")]
    fn take_on(
        &mut self,
        now: Instant,
        visit: &mut Visit,
        confirm: &Confirm,
        header: &Header,
        outcome: Outcome,
        live: bool,
        view: Option<LiveFile>,
    ) {
        if outcome != Outcome::Resumed {
            self.begin(header, confirm, outcome);
        } else if live {
            // The older connection delivers nothing more from here on.
            self.notes.push(Note::Replaced);
            self.disconnected();
            self.disk.begin(Doing::Login);
        }
        self.accept(now, visit, confirm, outcome, view);
    }

    /// The client's file, if shared memory is to carry the link; `None` if TCP is.
    fn view_for(
        &self,
        hello: &Hello,
        ours: &Header,
        confirm: &Confirm,
    ) -> Result<Option<LiveFile>, Option<ViewFault>> {
        match view_of_peer(self.neighbour.as_ref(), ours, confirm.nonce) {
            _ if !hello.wish.allows(Carrier::Shm) => Ok(None),
            Ok(view) => Ok(Some(view)),
            Err(_) if hello.wish.allows(Carrier::Tcp) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Whether both sides still take what the session carries.
    fn keeps_promises(&self, hello: &Hello) -> bool {
        self.session.as_ref().is_some_and(|session| {
            let Header { outgoing, incoming, .. } = session.header();
            outgoing.fits(hello.limits.accept) && incoming.fits(self.configuration.limits.accept)
        })
    }

    fn header(&self, session: SessionId, streams: Streams, hello: &Hello) -> Header {
        Header {
            role: Role::Server,
            session,
            owner: self.name.clone(),
            peer: hello.client.clone(),
            outgoing: streams.server,
            incoming: streams.client,
            asked: self.configuration.limits.send,
        }
    }

    /// Makes the file of a fresh session. The old one stays in its place until the new one is accepted.
    fn begin(&mut self, header: &Header, confirm: &Confirm, outcome: Outcome) {
        // Whatever it did in it before a loss of all files is forgotten: nobody ever heard of it.
        self.history.change(header.session.get(), |truth| *truth = Truth::default());
        let nonce = self.nonce();
        self.disk.remove_fresh();
        let mut file = self.disk.create_fresh(Header::file_size(header.outgoing).expect("small"));
        header.format(&mut file, nonce);
        let session = sound(Session::open(file, nonce));
        self.endpoint.forget_lent();
        let old = self.endpoint.session.replace(session);
        let mine = old.map(|old| self.endpoint.check_report(&old));
        if outcome == Outcome::Reset || mine.is_some() {
            self.notes.push(Note::Reset { mine, theirs: confirm.undelivered });
        }
    }

    fn accept(
        &mut self,
        now: Instant,
        visit: &mut Visit,
        confirm: &Confirm,
        outcome: Outcome,
        view: Option<LiveFile>,
    ) {
        let (_, hello) = visit.hello.as_ref().expect("a confirm follows a hello");
        let grant = Grant {
            outcome,
            attachment: AttachmentId::new(self.random.u64(1..)).expect("not 0"),
            nonce: self.nonce(),
            carrier: if view.is_some() { Carrier::Shm } else { Carrier::Tcp },
            user_data: UserData::default(),
            timing: Timing::new(self.configuration.silence, hello.silence),
        };
        self.prepare_sleep();
        let session = promised(self.endpoint.session.as_mut().ok_or("nothing to resume"), Invariant::Decided);
        let ready = promised(session.accept(now, confirm, grant), Invariant::Decided);
        if outcome != Outcome::Resumed {
            self.disk.switch();
        }
        self.view = view;
        self.connected(visit.past);
        self.token = None;
        visit.login.ready(&ready).expect("it is the turn of a ready");
        self.notes.push(Note::Connected(outcome));
    }

    fn refuse_by(&mut self, visit: &mut Visit, verdict: &Verdict, mut refusal: Refusal) {
        let policy =
            matches!(verdict, Verdict::PeerLostClient | Verdict::PeerLostServer | Verdict::Diverged(_));
        if policy && self.configuration.policy == Policy::Fresh {
            self.token = ResetToken::new(self.random.u128(1..));
            refusal.token = self.token;
        }
        if policy {
            refusal.undelivered = self.tell();
        }
        self.refuse(visit, refusal);
    }

    fn refuse(&mut self, visit: &mut Visit, refusal: Refusal) {
        self.notes.push(Note::Refused(refusal.code));
        visit.login.refuse(&refusal);
    }
}

impl Deref for Server {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }
}
