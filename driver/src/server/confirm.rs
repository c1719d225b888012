//! A server's decision about a login, and what it does about it.

use std::time::Instant;

use tcpshm_protocol::login::{
    Carrier, Confirm, Outcome, Ready, Record, Refusal, RefusalCode, Streams, Verdict, decide, limits_agreed,
};
use tcpshm_protocol::{Grant, Header, Name, Position, Role, SessionId, Survey, Undelivered};
use tcpshm_shm::{FileError, MappedSession, PeerFile};

use super::Server;
use crate::boot;
use crate::connection::Connection;
use crate::disconnected::Disconnected;
use crate::freight::{Migrant, News, greet};
use crate::hall::Keeper;
use crate::handler::{Connected, Dispute, Handler, Policy, Quarrel, ResetReport};
use crate::handover::{Greeting, GroupId};
use crate::limits::check_promises;
use crate::places::{Admitted, Live, Pending};
use crate::random;
use crate::watch;

/// A login that was accepted: what was stored is stored, only the answer is still to be sent.
struct Accepted {
    session: Box<MappedSession>,
    ready: Ready,
    report: Option<ResetReport>,
    /// Where the link goes.
    group: GroupId,
}

/// Why a login is not accepted now.
enum NotNow {
    Refused(Refusal),
    /// The link that it takes over is a group's, which has to end the connection first.
    NotEnded,
}

impl From<Refusal> for NotNow {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What the server holds under a link's names.
pub(super) struct Holdings {
    header: Header,
    record: Record,
    undelivered: Undelivered,
}

impl Server {
    pub(super) fn hear_confirm(
        &mut self,
        now: Instant,
        index: usize,
        pending: Box<Pending>,
        confirm: Confirm,
        app: &mut impl Handler,
    ) {
        let Some((mut pending, confirm)) = self.wait_for_link(index, pending, confirm) else {
            return;
        };
        let Some(mut admitted) = pending.admitted.take() else {
            let refusal = Refusal::new(RefusalCode::Internal, "a Confirm before a Hello");
            return self.refuse(now, index, pending, refusal, app);
        };
        let answer = self.answer(now, &mut admitted, &confirm, app);
        let client = admitted.hello.client.clone();
        let connected = Connected {
            outcome: Outcome::Fresh,
            address: admitted.address,
            carrier: Carrier::Tcp,
            user_data: admitted.hello.user_data.clone(),
            machine_restarted: false,
        };
        pending.admitted = Some(admitted);
        match answer {
            Ok(accepted) => self.go_live(now, index, *pending, &client, accepted, connected, app),
            Err(NotNow::Refused(refusal)) => self.refuse(now, index, pending, refusal, app),
            Err(NotNow::NotEnded) => self.wait_for_end(index, pending, confirm),
        }
    }

    /// The answer to a Confirm. An error has changed nothing that a later login could notice.
    fn answer(
        &mut self,
        now: Instant,
        admitted: &mut Admitted,
        confirm: &Confirm,
        app: &mut impl Handler,
    ) -> Result<Accepted, NotNow> {
        let client = &admitted.hello.client;
        let decides = zoo!(DelayedConfirmAccepted) && !self.hall.live.contains_key(client);
        if self.logins.is_stale(client, admitted.order) && !decides {
            return Err(Refusal::new(RefusalCode::StaleConfirm, "log in again").into());
        }
        if confirm.proposed.is_some_and(|proposed| self.logins.is_dead(client, proposed.session)) {
            // Its client was told to forget it, and this comes late.
            return Err(Refusal::new(RefusalCode::ProposalDead, "it was refused before").into());
        }
        let streams = limits_agreed(&admitted.hello.limits, &self.config.link.limits)
            .map_err(|error| Refusal::new(RefusalCode::LimitsShrunk, error))?;
        if let Some(session) = self.session_away(client) {
            return Err(self.refuse_stranger(client, session, confirm, &streams, app).into());
        }
        let storage = |error: FileError, app: &mut _| storage_refusal(client, &error, app);
        let holdings = self.holdings(client, confirm).map_err(|error| storage(error, app))?;
        let record = holdings.as_ref().map(|holdings| &holdings.record);
        let live = self.hall.live.contains_key(client);
        if self.is_copy(client, confirm) {
            let refusal = Refusal::new(RefusalCode::Busy, "its client runs on the original of these files");
            return Err(refusal.into());
        }
        let token_valid = confirm.token.is_some_and(|token| self.reset_tokens.is_valid(client, token));
        let verdict = decide(confirm, record, &streams, live, token_valid);
        let accepts = matches!(verdict, Verdict::Resume { .. } | Verdict::Fresh(_) | Verdict::Reset(_));
        let full = accepts && !live && self.connections() >= self.config.max_links;
        let overloaded = || Refusal::new(RefusalCode::Overloaded, "no place for another link");
        if full && !zoo!(SlotTakenEarly) {
            return Err(overloaded().into());
        }
        let accepted = match verdict {
            Verdict::Resume { .. } => self.resume(now, admitted, confirm, holdings.as_ref(), app)?,
            Verdict::Fresh(session) => self.begin(now, admitted, confirm, session, &streams, None, app)?,
            Verdict::Reset(session) => {
                self.check_kept(client, holdings.as_ref(), app)?;
                self.begin(now, admitted, confirm, session, &streams, holdings, app)?
            }
            _ => {
                if verdict == Verdict::ProposalDead
                    && let Some(dead) = confirm.proposed
                {
                    self.logins.bury(client, dead.session);
                }
                return Err(self.refusal(client, &verdict, confirm, holdings.as_ref(), app).into());
            }
        };
        if full {
            return Err(overloaded().into());
        }
        let client = &admitted.hello.client;
        self.reset_tokens.void(client);
        self.logins.overtake(client, admitted.order);
        Ok(accepted)
    }

    /// Whether a link under the name is live on shared memory, and this login comes from somewhere else: a client
    /// stores the nonce that it tells in its file, whatever carrier it wishes, and that file is mapped here.
    /// What a copy says it has consumed, the original may be reading.
    fn is_copy(&self, client: &Name, confirm: &Confirm) -> bool {
        let session = self.hall.session(client);
        let shown = |session: &MappedSession| confirm.held.is_some_and(|held| held.session == session.id());
        session
            .filter(|session| shown(session) && !zoo!(CopyNotNoticed))
            .is_some_and(|session| !session.is_shown(confirm.nonce))
    }

    /// What is held under the link's names, in memory or in a file that is only looked at.
    fn holdings(&mut self, client: &Name, confirm: &Confirm) -> Result<Option<Holdings>, FileError> {
        let shown = |session: SessionId| {
            let held = confirm.held.filter(|held| held.session == session);
            held.map_or(Position::ZERO, |held| held.standing.consumed)
        };
        let detached = self.detached.iter().find(|session| session.peer() == client);
        if let Some(session) = self.hall.session(client).or(detached.map(|session| &**session)) {
            return Ok(Some(Holdings {
                header: session.header().clone(),
                record: session.record(shown(session.id())),
                undelivered: session.undelivered(),
            }));
        }
        self.settle(client)?;
        if zoo!(OpenedBeforeDecided) {
            self.directory.open_link(client, self.configured_geometry(), random::nonce())?;
        }
        let survey = self.directory.look(client)?;
        Ok(survey.map(|survey: Survey| Holdings {
            header: survey.header().clone(),
            record: survey.record(shown(survey.header().session)),
            undelivered: survey.undelivered(),
        }))
    }

    fn resume(
        &mut self,
        now: Instant,
        admitted: &mut Admitted,
        confirm: &Confirm,
        holdings: Option<&Holdings>,
        app: &mut impl Handler,
    ) -> Result<Accepted, NotNow> {
        let client = &admitted.hello.client;
        let nothing = || Refusal::new(RefusalCode::Internal, "nothing to resume");
        let ours = &holdings.ok_or_else(nothing)?.header;
        check_promises(ours, self.config.link.limits.accept, admitted.hello.limits.accept)?;
        let peer = match admitted.view.take() {
            Some(found) => found,
            None => self.view_for(admitted, confirm, ours, app)?,
        };
        // By takeover: the older connection delivers nothing more from here on.
        if let Some(index) = self.hall.live.get(client).copied() {
            if self.is_visiting(index) {
                admitted.view = Some(peer);
                return Err(NotNow::NotEnded);
            }
            self.end_live(now, index, &Disconnected::Replaced, app);
        }
        let mut session = match self.take_detached(client) {
            Some(session) => session,
            None => self.open_for(client, app)?,
        };
        if let Err(error) = watch::restore(&self.directory, &mut session) {
            self.keep_detached(session);
            return Err(storage_refusal(client, &error, app).into());
        }
        let grant = self.grant(admitted, Outcome::Resumed);
        let (group, may_sleep) = self.group_for(admitted, app);
        session.set_may_sleep(may_sleep);
        match session.accept(now, confirm, grant, peer) {
            Ok(ready) => Ok(Accepted { session, ready, report: None, group }),
            Err(fault) => {
                self.keep_detached(session);
                Err(Refusal::new(RefusalCode::Internal, fault).into())
            }
        }
    }

    /// The client's file, if shared memory is to carry the link; `None` if TCP is.
    fn view_for(
        &self,
        admitted: &Admitted,
        confirm: &Confirm,
        ours: &Header,
        app: &mut impl Handler,
    ) -> Result<Option<PeerFile>, Refusal> {
        let (wish, offered) = (admitted.hello.wish, self.config.carriers);
        let wished = |carrier| wish.allows(carrier) || zoo!(CarrierUnasked);
        let possible = |carrier| wished(carrier) && offered.contains(carrier);
        if !possible(Carrier::Shm) {
            return Ok(None);
        }
        match self.directory.view(ours, confirm.nonce) {
            Ok(file) => Ok(Some(file)),
            Err(error) => {
                app.not_shared(&ours.peer, &error);
                let text =
                    "the server does not see the client's link file: another host, container or directory";
                let refusal = || Refusal::new(RefusalCode::NoCarrier, text);
                if possible(Carrier::Tcp) { Ok(None) } else { Err(refusal()) }
            }
        }
    }

    fn open_for(&mut self, client: &Name, app: &mut impl Handler) -> Result<Box<MappedSession>, Refusal> {
        match self.directory.open_link(client, self.configured_geometry(), random::nonce()) {
            Ok(Some(link)) => Ok(Box::new(MappedSession::new(link))),
            Ok(None) => Err(Refusal::new(RefusalCode::Storage, "the link file has just gone")),
            Err(error) => Err(storage_refusal(client, &error, app)),
        }
    }

    /// Begins a session: the new file is whole and attached before it takes the place of the old one.
    #[expect(clippy::too_many_arguments, reason = "the facts of one login")]
    fn begin(
        &mut self,
        now: Instant,
        admitted: &Admitted,
        confirm: &Confirm,
        session: SessionId,
        streams: &Streams,
        old: Option<Holdings>,
        app: &mut impl Handler,
    ) -> Result<Accepted, Refusal> {
        let client = &admitted.hello.client;
        let reset = confirm.token.is_some();
        let header = Header {
            role: Role::Server,
            session,
            owner: self.config.link.name.clone(),
            peer: client.clone(),
            outgoing: streams.server,
            incoming: streams.client,
            asked: self.config.link.limits.send,
        };
        let peer = self.view_for(admitted, confirm, &header, app)?;
        let storage = |error: FileError, app: &mut _| storage_refusal(client, &error, app);
        let created = self.directory.create(&header, random::nonce());
        // Until the switch is done a failure leaves something to put in order, as one did that left a file.
        if matches!(created, Ok(_) | Err(FileError::Exists { .. })) {
            self.unsettled.insert(client.clone());
        }
        let created = created.map_err(|error| storage(error, app))?;
        let mut session = Box::new(MappedSession::new(created));
        let grant = self.grant(admitted, if reset { Outcome::Reset } else { Outcome::Fresh });
        let (group, may_sleep) = self.group_for(admitted, app);
        session.set_may_sleep(may_sleep);
        let ready = session.accept(now, confirm, grant, peer);
        let ready = ready.map_err(|fault| Refusal::new(RefusalCode::Internal, fault))?;
        // Its file is about to be another session's.
        if let Some(old) = self.take_detached(client) {
            watch::leave(&self.directory, old);
        }
        let kept = match self.directory.switch(client, session.id()) {
            Ok(kept) => kept,
            // The client has not been answered; its next login finishes the switch.
            Err(error) => return Err(storage(error, app)),
        };
        self.unsettled.remove(client);
        let report = reset.then(|| ResetReport {
            peer: client.clone(),
            ended: old.as_ref().map(|old| old.record.session),
            undelivered: old.as_ref().map(|old| old.undelivered),
            peer_undelivered: confirm.undelivered,
            kept,
        });
        Ok(Accepted { session, ready, report, group })
    }

    fn grant(&self, admitted: &Admitted, outcome: Outcome) -> Grant {
        Grant {
            outcome,
            attachment: random::attachment(),
            nonce: random::nonce(),
            // Shared memory, once there is a view of the client's file.
            carrier: Carrier::Tcp,
            user_data: admitted.user_data.clone(),
            timing: self.config.link.timing(admitted.hello.silence),
        }
    }

    /// Whether the file that a reset would put aside has room there.
    fn check_kept(
        &self,
        client: &Name,
        holdings: Option<&Holdings>,
        app: &mut impl Handler,
    ) -> Result<(), Refusal> {
        if holdings.is_none() && !zoo!(NothingKeptCounts) {
            return Ok(());
        }
        let kept = self.directory.kept_count(client);
        let kept = kept.map_err(|error| storage_refusal(client, &error, app))?;
        let allowed = self.config.link.max_kept;
        if kept < allowed {
            return Ok(());
        }
        let mut refusal = Refusal::new(RefusalCode::KeptFull, "the server keeps too many files of this link");
        refusal.numbers = [kept as u64, allowed as u64];
        Err(refusal)
    }

    /// The refusal for a verdict that is no acceptance. Where a policy may end the matter, it is asked.
    pub(super) fn refusal(
        &mut self,
        client: &Name,
        verdict: &Verdict,
        confirm: &Confirm,
        holdings: Option<&Holdings>,
        app: &mut impl Handler,
    ) -> Refusal {
        let Some(mut refusal) = verdict.refusal() else {
            return Refusal::new(RefusalCode::Internal, "an accepted login was about to be refused");
        };
        let quarrel = match verdict {
            Verdict::PeerLostClient => Quarrel::ClientLost,
            Verdict::PeerLostServer => Quarrel::ServerLost,
            Verdict::Diverged(_) => Quarrel::Diverged,
            _ => return refusal,
        };
        refusal.undelivered = holdings.map(|holdings| holdings.undelivered);
        let dispute = Dispute {
            peer: client.clone(),
            quarrel,
            undelivered: refusal.undelivered,
            peer_undelivered: confirm.undelivered,
        };
        if app.dispute(&dispute) == Policy::Reset {
            if let Err(refusal) = self.check_kept(client, holdings, app) {
                return refusal;
            }
            let token = random::reset_token();
            self.reset_tokens.give(client, token);
            refusal.token = Some(token);
        }
        refusal
    }

    /// The login is over: the answer goes out in front of the stream.
    #[expect(clippy::too_many_arguments, reason = "the facts of one login")]
    fn go_live(
        &mut self,
        now: Instant,
        index: usize,
        mut pending: Pending,
        client: &Name,
        accepted: Accepted,
        mut connected: Connected,
        app: &mut impl Handler,
    ) {
        let Accepted { mut session, ready, report, group } = accepted;
        (connected.outcome, connected.carrier) = (ready.outcome, ready.carrier);
        connected.machine_restarted = boot::id().is_some_and(|boot| session.note_boot(boot));
        let queued = pending.login.ready(&ready);
        let arrival = pending.arrival;
        let preamble = pending.login.poll_transmit().to_vec();
        let (stream, address, rest) = pending.handshake.into_parts();
        let connection = Connection::new(stream, address, &preamble, &rest);
        if zoo!(PlaceLostInPanic) {
            self.logins.leave(arrival, Some(client));
        }
        let ended = queued.is_err().then_some(Disconnected::Closed);
        let next_check = now + self.config.link.check_every();
        let live = Box::new(Live { connection, queued: false, ended, next_check });
        let greeting = Greeting::Connected(News { report, connected });
        if group != GroupId::SERVER {
            self.logins.leave(arrival, Some(client));
            self.hall.timers.cancel(index);
            self.hall.places.vacate(index);
            let link = Migrant { session, live, mail: None };
            return self.send_to(now, group, link, greeting, app);
        }
        greet(&mut session, &greeting, app);
        // Not before: the place of a login whose handler panics is found by its arrival.
        self.logins.leave(arrival, Some(client));
        if let Some(post) = &mut self.hall.post {
            post.recall(client);
        }
        self.hall.timers.cancel(index);
        self.hall.put_live(index, session, live);
        self.visit_live(now, index, app);
    }
}

fn storage_refusal(client: &Name, error: &FileError, app: &mut impl Handler) -> Refusal {
    app.failed(client, error);
    // The peer learns that there is a fault, not where our files lie.
    Refusal::new(RefusalCode::Storage, "see the server's own report")
}
