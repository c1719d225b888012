//! What a client's driver does around a login.

use tcpshm_protocol::login::{
    Carrier, ClientLogin, ClientStep, Confirm, Outcome, Proposal, Ready, Refusal, RefusalCode,
};
use tcpshm_protocol::{Header, Nonce, Session, prove, survey};

use super::files::Slot;
use super::ids::Ids;
use super::image::Image;
use super::journal::{self, Step};
use super::rules::Rules;
use super::side::Side;
use super::truth::Truth;
use crate::violation::{Invariant, violate};

/// What a message of the login amounted to, on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing is decided yet.
    Nothing,
    /// The session goes on or begins: the stream follows.
    Accepted(Outcome),
    /// It ends here, for this reason.
    Refused(RefusalCode),
    /// The server's Ready does not fit.
    Disputed,
    /// Over shared memory: the server has left behind its Ready.
    Left,
}

impl Side {
    /// A client starts: finishes what a kill interrupted, and opens what there is.
    pub(crate) fn start_client(&mut self, ids: &mut Ids) {
        self.alive = true;
        match self.fresh.image().map(|file| survey(file).map(|found| found.current().is_some())) {
            // Whoever made it was interrupted.
            Some(Err(_)) => self.remove_fresh(),
            // Its Ready came; only the switch is missing.
            Some(Ok(true)) => self.switch(),
            Some(Ok(false)) | None => {}
        }
        self.open_main(ids.nonce());
        if let Slot::Closed(file) = &self.fresh {
            self.fresh = open(file.clone(), ids.nonce()).into();
        }
    }

    /// Takes one message of the server's from the front of `input`, and puts the answer into `output`.
    pub(crate) fn hear_as_client(
        &mut self,
        rules: &Rules,
        ids: &mut Ids,
        server: &Side,
        login: &mut ClientLogin,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Said {
        let said = match login.handle_input(input) {
            Ok(None) => Said::Nothing,
            Ok(Some(ClientStep::Welcome(_))) => {
                self.confirm(rules, ids, login);
                Said::Nothing
            }
            Ok(Some(ClientStep::Ready(ready))) => self.ready(rules, server, &ready),
            Ok(Some(ClientStep::Refused(refusal))) => self.refused(&refusal),
            Err(error) => violate(Invariant::Decided, format_args!("an honest server is faulted: {error}")),
        };
        output.extend_from_slice(login.poll_transmit());
        login.handle_transmitted(usize::MAX);
        said
    }

    fn confirm(&mut self, rules: &Rules, ids: &mut Ids, login: &mut ClientLogin) {
        let nonce = ids.nonce();
        let held = self.main.session_mut().and_then(|session| session.show(nonce));
        let token = self.token.take();
        if self.fresh.session().is_none() && (held.is_none() || token.is_some()) {
            let header = rules.header(self.role, ids.session());
            let session = create(ids, &header);
            self.fresh = session.into();
        }
        let proposed = self.fresh.session_mut().map(|session| {
            session.show(nonce);
            Proposal { session: session.id(), streams: rules.streams() }
        });
        let confirm = Confirm {
            held,
            proposed,
            disputed: held.is_some() && self.disputed,
            token: token.filter(|_| proposed.is_some()),
            undelivered: held.and(self.session()).map(Session::undelivered),
            nonce,
        };
        login.confirm(&confirm).expect("it is the turn of a confirm");
    }

    fn ready(&mut self, rules: &Rules, server: &Side, ready: &Ready) -> Said {
        let is_fresh = self.fresh.session().is_some_and(|session| session.id() == ready.session);
        let view = match ready.carrier {
            Carrier::Tcp => None,
            Carrier::Shm => {
                let ours = rules.header(self.role, ready.session);
                let Some(file) = view_of(server, &ours, ready.nonce) else {
                    return Said::Left;
                };
                Some((file, ready.nonce))
            }
        };
        let target = if is_fresh { &mut self.fresh } else { &mut self.main };
        let Some(session) = target.session_mut() else {
            violate(Invariant::Decided, "a Ready for a session that was not shown");
        };
        if session.establish(rules.now, ready, &rules.timing()).is_err() {
            self.disputed = true;
            return Said::Disputed;
        }
        self.disputed = false;
        if is_fresh {
            self.switch();
            self.held.clear();
            self.truth = Truth::new(ready.session);
        }
        self.view = view;
        Said::Accepted(ready.outcome)
    }

    fn refused(&mut self, refusal: &Refusal) -> Said {
        match refusal.code {
            RefusalCode::ProposalDead => self.remove_fresh(),
            RefusalCode::PeerLostClient | RefusalCode::PeerLostServer | RefusalCode::Diverged => {
                self.token = refusal.token.filter(|_| self.lenient);
            }
            _ => {}
        }
        Said::Refused(refusal.code)
    }

    // ---- files, as either side has them ----

    pub(crate) fn remove_fresh(&mut self) {
        if self.fresh.image().is_some() {
            self.fresh = Slot::Empty;
            journal::done(Step::Remove);
        }
    }

    /// The fresh file takes the place of the main one, which is kept aside, where nobody looks at it.
    pub(crate) fn switch(&mut self) {
        self.main = std::mem::take(&mut self.fresh);
        journal::done(Step::Switch);
    }

    pub(crate) fn open_main(&mut self, nonce: Nonce) {
        if let Slot::Closed(file) = &self.main {
            let session = open(file.clone(), nonce);
            if session.id().get() != self.truth.session {
                self.truth = Truth::new(session.id());
            }
            self.main = session.into();
        }
    }
}

pub(super) fn open(file: Image, nonce: Nonce) -> Session<Image> {
    match Session::open(file, nonce) {
        Ok(session) => session,
        Err(error) => violate(Invariant::CrashAtomic, format_args!("a file that a kill left: {error}")),
    }
}

/// Makes the whole file of a fresh session.
pub(super) fn create(ids: &mut Ids, header: &Header) -> Session<Image> {
    let size = Header::file_size(header.outgoing).expect("small");
    let mut file = Image::zeroed(ids.file(), size);
    journal::done(Step::Create(file.clone()));
    header.format(&mut file, ids.nonce());
    open(file, ids.nonce())
}

/// The file of `peer` that belongs to the session of `ours` and holds `nonce`.
pub(super) fn view_of(peer: &Side, ours: &Header, nonce: Nonce) -> Option<u8> {
    let mut files = [&peer.main, &peer.fresh].into_iter().filter_map(Slot::image);
    files.find(|file| prove(file, ours, nonce).is_ok()).map(|file| file.file)
}
