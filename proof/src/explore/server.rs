//! What a server's driver does around a login.

use tcpshm_protocol::login::{
    Carrier, Confirm, Outcome, Record, Refusal, RefusalCode, ServerLogin, ServerStep, UserData, Verdict,
    decide,
};
use tcpshm_protocol::{Grant, Position, Session, SessionId, Undelivered, survey};

use super::client::{Said, create, view_of};
use super::files::Slot;
use super::ids::Ids;
use super::rules::Rules;
use super::side::Side;
use super::truth::Truth;
use crate::violation::{Invariant, violate};

/// One login on the server's side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visit {
    pub(crate) login: ServerLogin,
    /// When its Hello was read, among those that are logging in.
    pub(crate) order: Option<u8>,
    /// A Confirm whose Hello was read later has been accepted.
    pub(crate) stale: bool,
}

impl Side {
    /// A server starts: finishes what a kill interrupted. Files are opened when a login needs them.
    pub(crate) fn start_server(&mut self) {
        self.alive = true;
        match self.fresh.image().map(|file| survey(file).map(|found| found.current().is_some())) {
            // The Confirm was accepted; only the switch is missing.
            Some(Ok(true)) => self.switch(),
            // It was promised to nobody.
            Some(_) => self.remove_fresh(),
            None => {}
        }
        if let Some(Ok(found)) = self.main.image().map(survey)
            && found.header().session.get() != self.truth.session
        {
            self.truth = Truth::new(found.header().session);
        }
    }

    /// Takes one message of the client's from the front of `input`, and puts the answer into `output`.
    #[expect(clippy::too_many_arguments, reason = "the facts of one login")]
    pub(crate) fn hear_as_server(
        &mut self,
        rules: &Rules,
        ids: &mut Ids,
        client: &Side,
        visit: &mut Visit,
        live: bool,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Said {
        let said = match visit.login.handle_input(input) {
            Ok(None) => Said::Nothing,
            Ok(Some(ServerStep::Hello(_))) => {
                visit.login.welcome(&rules.welcome(ids.challenge())).expect("it is the turn of a welcome");
                Said::Nothing
            }
            Ok(Some(ServerStep::Confirm(confirm))) => self.answer(rules, ids, client, visit, live, &confirm),
            Ok(Some(ServerStep::Refused(refusal))) => Said::Refused(refusal.code),
            Err(error) => violate(Invariant::Decided, format_args!("an honest client is faulted: {error}")),
        };
        output.extend_from_slice(visit.login.poll_transmit());
        visit.login.handle_transmitted(usize::MAX);
        said
    }

    fn answer(
        &mut self,
        rules: &Rules,
        ids: &mut Ids,
        client: &Side,
        visit: &mut Visit,
        live: bool,
        confirm: &Confirm,
    ) -> Said {
        if visit.stale {
            return refuse(visit, Refusal::new(RefusalCode::StaleConfirm, ""));
        }
        let proposed = confirm.proposed.map(|proposed| proposed.session);
        if proposed.is_some() && proposed == self.dead {
            return refuse(visit, Refusal::new(RefusalCode::ProposalDead, ""));
        }
        if live && self.is_copy(client, confirm) {
            return refuse(visit, Refusal::new(RefusalCode::Busy, ""));
        }
        let record = self.record(confirm);
        let token_valid = confirm.token.is_some() && confirm.token == self.token;
        let verdict = decide(confirm, record.as_ref(), &rules.streams(), live, token_valid);
        let (outcome, session) = match verdict {
            Verdict::Resume { session, .. } => (Outcome::Resumed, session),
            Verdict::Fresh(session) => (Outcome::Fresh, session),
            Verdict::Reset(session) => (Outcome::Reset, session),
            verdict => return self.refuse_by(ids, visit, verdict, proposed),
        };
        let view = if rules.carrier == Carrier::Shm {
            let Some(file) = view_of(client, &rules.header(self.role, session), confirm.nonce) else {
                return refuse(visit, Refusal::new(RefusalCode::NoCarrier, ""));
            };
            Some((file, confirm.nonce))
        } else {
            None
        };
        if outcome == Outcome::Resumed {
            if live {
                // The older connection delivers nothing more from here on.
                self.detach(ids.nonce());
            }
            self.open_main(ids.nonce());
        } else {
            self.fresh = create(ids, &rules.header(self.role, session)).into();
        }
        self.accept(rules, ids, visit, confirm, outcome);
        self.view = view;
        self.token = None;
        Said::Accepted(outcome)
    }

    fn accept(
        &mut self,
        rules: &Rules,
        ids: &mut Ids,
        visit: &mut Visit,
        confirm: &Confirm,
        outcome: Outcome,
    ) {
        let grant = Grant {
            outcome,
            attachment: ids.attachment(),
            nonce: ids.nonce(),
            carrier: rules.carrier,
            user_data: UserData::default(),
            timing: rules.timing(),
        };
        let resumed = outcome == Outcome::Resumed;
        let target = if resumed { &mut self.main } else { &mut self.fresh };
        let Some(session) = target.session_mut() else {
            violate(Invariant::Decided, "resumed, and there is no file");
        };
        let ready = match session.accept(rules.now, confirm, grant) {
            Ok(ready) => ready,
            Err(fault) => violate(Invariant::Decided, format_args!("decided, and then refused: {fault}")),
        };
        if !resumed {
            self.switch();
            self.held.clear();
            self.truth = Truth::new(ready.session);
        }
        visit.login.ready(&ready).expect("it is the turn of a ready");
    }

    /// What is held under the link's names, in memory or in a file that is only looked at.
    fn record(&self, confirm: &Confirm) -> Option<Record> {
        let shown = |session: SessionId| {
            let held = confirm.held.filter(|held| held.session == session);
            held.map_or(Position::ZERO, |held| held.standing.consumed)
        };
        match &self.main {
            Slot::Empty => None,
            Slot::Open(session) => Some(session.record(shown(session.id()))),
            Slot::Closed(file) => match survey(file) {
                Ok(found) => Some(found.record(shown(found.header().session))),
                Err(error) => {
                    violate(Invariant::CrashAtomic, format_args!("a file that a kill left: {error}"))
                }
            },
        }
    }

    /// Whether the link is live on shared memory, and this login comes from somewhere else: a client stores the
    /// nonce that it tells in its file, and that file is mapped here.
    fn is_copy(&self, client: &Side, confirm: &Confirm) -> bool {
        let shown = confirm.held.filter(|held| held.session.get() == self.truth.session);
        let (Some(_), Some((file, _))) = (shown, self.view) else { return false };
        let ours = self.session().map(Session::header);
        ours.is_some_and(|ours| view_of(client, ours, confirm.nonce) != Some(file))
    }

    fn refuse_by(
        &mut self,
        ids: &mut Ids,
        visit: &mut Visit,
        verdict: Verdict,
        proposed: Option<SessionId>,
    ) -> Said {
        let mut refusal = verdict.refusal().expect("everything else is a refusal");
        match verdict {
            Verdict::ProposalDead => self.dead = proposed,
            Verdict::PeerLostClient | Verdict::PeerLostServer | Verdict::Diverged(_) => {
                self.token = self.lenient.then(|| ids.token());
                refusal.token = self.token;
                refusal.undelivered = self.undelivered();
            }
            _ => {}
        }
        refuse(visit, refusal)
    }

    fn undelivered(&self) -> Option<Undelivered> {
        match &self.main {
            Slot::Empty => None,
            Slot::Open(session) => Some(session.undelivered()),
            Slot::Closed(file) => survey(file).ok().map(|found| found.undelivered()),
        }
    }
}

fn refuse(visit: &mut Visit, refusal: Refusal) -> Said {
    let code = refusal.code;
    visit.login.refuse(&refusal);
    Said::Refused(code)
}
