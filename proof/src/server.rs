//! The server's process: what a driver does around a login, with the file operations of a real one.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use tcpshm_protocol::login::{
    Carrier, Carriers, Confirm, Hello, Outcome, Refusal, RefusalCode, ServerLogin, ServerStep, Streams,
    UserData, Verdict, Welcome, decide, limits_agreed,
};
use tcpshm_protocol::{
    AttachmentId, Grant, Header, Position, ResetToken, Role, Session, SessionId, Timing, Undelivered, survey,
};

use crate::client::Next;
use crate::disk::Disk;
use crate::endpoint::{Configuration, Endpoint, Note, Policy};
use crate::journal::Journal;

/// A server that serves one link.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    /// The token given out last, until it is used or void.
    token: Option<ResetToken>,
    /// How many Hellos were read.
    hellos: u64,
    /// The Hello of the last Confirm that was accepted, or that made the client delete its proposal: the
    /// Confirm of an earlier one decides nothing any more.
    overtaken: u64,
}

/// One login on the server's side.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) login: ServerLogin,
    hello: Option<(u64, Hello)>,
}

impl Visit {
    pub(crate) fn new() -> Self {
        Self { login: ServerLogin::new(), hello: None }
    }
}

impl Server {
    pub(crate) fn new(disk: Disk, configuration: Configuration, seed: u64) -> Self {
        let endpoint = Endpoint::new(Role::Server, "server", disk, configuration, seed);
        Self { endpoint, token: None, hellos: 0, overtaken: 0 }
    }

    /// Ends the process where it stands.
    pub(crate) fn kill(&mut self) {
        self.kill_process();
        (self.token, self.hellos, self.overtaken) = (None, 0, 0);
    }

    /// Starts the process on what the disk holds.
    pub fn start(&mut self) {
        let uncertain = self.disk.is_dead();
        self.disk.revive();
        self.open(uncertain);
    }

    /// Starts the process and kills it after so many steps of its start.
    pub fn start_until(&mut self, steps: u64) {
        let uncertain = self.disk.is_dead();
        self.disk.revive();
        self.disk.burn_after(steps);
        self.open(uncertain);
        self.kill();
    }

    /// Finishes what a kill interrupted, and opens what there is.
    fn open(&mut self, uncertain: bool) {
        let accepted =
            self.disk.open_fresh().map(|file| survey(&file).map(|found| found.current().is_some()));
        match accepted {
            // The Confirm was accepted; only the switch is missing.
            Some(Ok(true)) => self.disk.switch(),
            // It was promised to nobody.
            Some(_) => self.disk.remove_fresh(),
            None => {}
        }
        self.open_main(uncertain);
    }

    // ---- login ----

    pub(crate) fn handle_login(
        &mut self,
        now: Instant,
        visit: &mut Visit,
        live: bool,
        inbox: &mut Vec<u8>,
    ) -> (Next, bool) {
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
            carriers: Carriers::TCP,
            silence: self.configuration.silence,
        };
        visit.login.welcome(&welcome).expect("it is the turn of a welcome");
    }

    fn confirm(&mut self, now: Instant, visit: &mut Visit, live: bool, confirm: &Confirm) -> Next {
        let (number, hello) = visit.hello.clone().expect("a confirm follows a hello");
        if number < self.overtaken {
            self.refuse(visit, Refusal::new(RefusalCode::StaleConfirm, ""));
            return Next::Close;
        }
        let shown = |session: &Session<Journal>| {
            let held = confirm.held.filter(|held| held.session == session.id());
            session.record(held.map_or(Position::ZERO, |held| held.standing.consumed))
        };
        let record = self.session.as_ref().map(shown);
        let token_valid = confirm.token.is_some() && confirm.token == self.token;
        let streams = limits_agreed(&hello.limits, &self.configuration.limits).expect("any two limits agree");
        let outcome = match decide(confirm, record.as_ref(), &streams, live, token_valid) {
            Verdict::Resume { .. } if !self.keeps_promises(&hello) => {
                self.refuse(visit, Refusal::new(RefusalCode::LimitsShrunk, ""));
                return Next::Close;
            }
            Verdict::Resume { takeover, .. } => {
                if takeover {
                    self.notes.push(Note::Replaced);
                }
                Outcome::Resumed
            }
            Verdict::Fresh(session) => {
                self.begin(session, streams, &hello, confirm);
                Outcome::Fresh
            }
            Verdict::Reset(session) => {
                self.begin(session, streams, &hello, confirm);
                Outcome::Reset
            }
            verdict => {
                if verdict == Verdict::ProposalDead {
                    self.overtaken = number;
                }
                let refusal = verdict.refusal().expect("everything else is a refusal");
                self.refuse_by(visit, &verdict, refusal);
                return Next::Close;
            }
        };
        self.accept(now, visit, number, &hello, confirm, outcome);
        Next::Stream
    }

    /// Whether both sides still take what the session carries.
    fn keeps_promises(&self, hello: &Hello) -> bool {
        self.session.as_ref().is_some_and(|session| {
            let Header { outgoing, incoming, .. } = session.header();
            outgoing.fits(hello.limits.accept) && incoming.fits(self.configuration.limits.accept)
        })
    }

    /// Makes the file of a fresh session. The old one stays in its place until the new one is accepted.
    fn begin(&mut self, session: SessionId, streams: Streams, hello: &Hello, confirm: &Confirm) {
        let header = Header {
            role: Role::Server,
            session,
            owner: self.name.clone(),
            peer: hello.client.clone(),
            outgoing: streams.server,
            incoming: streams.client,
            asked: self.configuration.limits.send,
        };
        let nonce = self.nonce();
        self.disk.remove_fresh();
        let mut file = self.disk.create_fresh(Header::file_size(header.outgoing).expect("small"));
        header.format(&mut file, nonce);
        let session = Session::open(file, nonce).expect("it was just made");
        if let Some(old) = self.endpoint.session.replace(session) {
            let note = Note::Reset { mine: old.undelivered(), theirs: confirm.undelivered };
            self.notes.push(note);
        }
    }

    fn accept(
        &mut self,
        now: Instant,
        visit: &mut Visit,
        number: u64,
        hello: &Hello,
        confirm: &Confirm,
        outcome: Outcome,
    ) {
        let grant = Grant {
            outcome,
            attachment: AttachmentId::new(self.random.u64(1..)).expect("not 0"),
            nonce: self.nonce(),
            carrier: Carrier::Tcp,
            user_data: UserData::default(),
            timing: Timing::new(self.configuration.silence, hello.silence),
        };
        let session = self.endpoint.session.as_mut().expect("resumed or just made");
        let ready = session.accept(now, confirm, grant).expect("it was decided that they agree");
        if outcome != Outcome::Resumed {
            self.disk.switch();
        }
        self.token = None;
        self.overtaken = number;
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
            refusal.undelivered = self.undelivered();
        }
        self.refuse(visit, refusal);
    }

    fn refuse(&mut self, visit: &mut Visit, refusal: Refusal) {
        self.notes.push(Note::Refused(refusal.code));
        visit.login.refuse(&refusal);
    }

    fn undelivered(&self) -> Option<Undelivered> {
        self.session.as_ref().map(Session::undelivered)
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
