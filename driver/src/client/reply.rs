//! A client's side of a login in progress: what it makes of the answer.

use std::io;
use std::time::Instant;

use tcpshm_protocol::Name;
use tcpshm_protocol::login::{Carrier, CarrierWish, Outcome, Ready, Refusal, RefusalCode};
use tcpshm_shm::ViewError;

use super::login::{Login, refused};
use super::{Client, Live, State};
use crate::boot;
use crate::connection::Connection;
use crate::handler::{Connected, Dispute, Handler, LoginRefused, Policy, Quarrel, ResetReport};
use crate::link::Link;

impl Client {
    /// The login was accepted: stores the attachment, switches to a fresh file if there is one, and only
    /// then lets anything be transmitted.
    pub(super) fn hear_ready(
        &mut self,
        now: Instant,
        mut login: Login,
        ready: &Ready,
        app: &mut impl Handler,
    ) {
        let Some(welcome) = login.welcome.take() else {
            return self.fail(now, login);
        };
        let timing = self.config.link.timing(welcome.silence);
        let fresh = self.proposed.as_ref().is_some_and(|session| session.id() == ready.session);
        let target = if fresh { &mut self.proposed } else { &mut self.session };
        let Some(session) = target else {
            return self.fail(now, login);
        };
        let on_memory = ready.carrier == Carrier::Shm;
        let viewed = on_memory.then(|| self.directory.view(session.header(), ready.nonce));
        let peer = match viewed.transpose() {
            Ok(peer) => peer,
            Err(error) if error.shows(ready.attachment) => {
                // It left right behind its Ready, and has taken the nonce with it: no matter of memory.
                self.close(&mut login.handshake.stream);
                return self.give_way(now, io::ErrorKind::UnexpectedEof.into(), app);
            }
            Err(error) => return self.do_without_memory(now, login, &welcome.server, &error, app),
        };
        if let Err(fault) = session.establish(now, ready, &timing, peer) {
            // The next login says so, and the policies of both sides decide.
            self.disputed = true;
            let refusal = Refusal::new(RefusalCode::Diverged, fault);
            app.refused(&refused(&login, Some(welcome.server), true, refusal));
            return self.fail(now, login);
        }
        let switched = if fresh { self.switch(&welcome.server, ready.outcome, app) } else { Some(None) };
        let (Some(report), Some(session)) = (switched, &mut self.session) else {
            return self.fail(now, login);
        };
        self.disputed = false;
        self.peer_undelivered = None;
        self.retries = 0;
        if let Some(report) = &report {
            app.reset(&mut Link::new(session.outbox()), report);
        }
        let connected = Connected {
            outcome: ready.outcome,
            address: login.handshake.address,
            carrier: ready.carrier,
            user_data: ready.user_data.clone(),
            machine_restarted: boot::id().is_some_and(|boot| session.note_boot(boot)),
        };
        app.connected(&mut Link::new(session.outbox()), &connected);
        if let Some(post) = &mut self.post {
            post.recall(&welcome.server);
        }
        let (stream, address, rest) = login.handshake.into_parts();
        let connection = Connection::new(stream, address, &[], &rest);
        let next_check = now + self.config.link.check_every();
        self.state = State::Live(Box::new(Live { connection, since: now, ended: None, next_check }));
        self.follow_spinning();
        self.visit_live(now, app);
    }

    /// The server grants memory that this side does not see. Nothing was stored.
    fn do_without_memory(
        &mut self,
        now: Instant,
        mut login: Login,
        server: &Name,
        error: &ViewError,
        app: &mut impl Handler,
    ) {
        app.not_shared(server, error);
        self.not_shared = true;
        if self.config.carrier == CarrierWish::Auto {
            self.close(&mut login.handshake.stream);
            return self.try_again(now);
        }
        let refusal = Refusal::new(RefusalCode::NoCarrier, "the client does not see the server's link file");
        app.refused(&refused(&login, Some(server.clone()), true, refusal));
        self.fail(now, login);
    }

    /// Makes the fresh session the link's, and says what a reset gave up. On `None` nothing of the link
    /// stays open: the next login finishes what was begun.
    fn switch(
        &mut self,
        server: &Name,
        outcome: Outcome,
        app: &mut impl Handler,
    ) -> Option<Option<ResetReport>> {
        let old = self.session.take();
        let fresh = self.proposed.take()?;
        match self.directory.switch(server, fresh.id()) {
            Ok(kept) => {
                self.session = Some(fresh);
                // A reset whose Ready was lost is resumed, and is a reset all the same.
                let reset = outcome == Outcome::Reset || old.is_some() || self.peer_undelivered.is_some();
                Some(reset.then(|| ResetReport {
                    peer: server.clone(),
                    ended: old.as_ref().map(|old| old.id()),
                    undelivered: old.as_ref().map(|old| old.undelivered()),
                    peer_undelivered: self.peer_undelivered.take(),
                    kept,
                }))
            }
            Err(error) => {
                app.failed(server, &error);
                None
            }
        }
    }

    pub(super) fn hear_refusal(
        &mut self,
        now: Instant,
        mut login: Login,
        refusal: Refusal,
        app: &mut impl Handler,
    ) {
        self.close(&mut login.handshake.stream);
        let server = login.welcome.as_ref().map(|welcome| welcome.server.clone());
        match (refusal.code, server) {
            (RefusalCode::ProposalDead, Some(server)) => {
                if let Some(dead) = self.proposed.take().map(|session| session.id())
                    && let Err(error) = self.directory.discard_proposed(&server, dead)
                {
                    app.failed(&server, &error);
                }
                self.try_again(now);
            }
            (RefusalCode::TokenVoid, Some(_)) => self.try_again(now),
            (code, Some(server)) if self.may_reset(code, &server, &refusal, app) => {
                self.reset_token = refusal.token.map(|token| (server, token));
                self.peer_undelivered = refusal.undelivered;
                self.try_again(now);
            }
            (_, server) => {
                app.refused(&refused(&login, server, false, refusal));
                self.next_address(now);
            }
        }
    }

    /// Whether the matter is one that a reset ends, and both sides' policies allow it.
    fn may_reset(&self, code: RefusalCode, server: &Name, refusal: &Refusal, app: &mut impl Handler) -> bool {
        let quarrel = match code {
            RefusalCode::PeerLostClient => Quarrel::ClientLost,
            RefusalCode::PeerLostServer => Quarrel::ServerLost,
            RefusalCode::Diverged => Quarrel::Diverged,
            _ => return false,
        };
        let dispute = Dispute {
            peer: server.clone(),
            quarrel,
            undelivered: self.session.as_ref().map(|session| session.undelivered()),
            peer_undelivered: refusal.undelivered,
        };
        app.dispute(&dispute) == Policy::Reset && refusal.token.is_some() && self.has_room_aside(server, app)
    }

    fn has_room_aside(&self, server: &Name, app: &mut impl Handler) -> bool {
        let allowed = self.config.link.max_kept;
        match self.directory.kept_count(server) {
            Ok(kept) if kept < allowed || self.session.is_none() => true,
            Ok(kept) => {
                let mut refusal =
                    Refusal::new(RefusalCode::KeptFull, "this client keeps too many files of this link");
                refusal.numbers = [kept as u64, allowed as u64];
                let address = self.config.addresses[self.address];
                app.refused(&LoginRefused { peer: Some(server.clone()), address, by_us: true, refusal });
                false
            }
            Err(error) => {
                app.failed(server, &error);
                false
            }
        }
    }

    fn fail(&mut self, now: Instant, mut login: Login) {
        self.close(&mut login.handshake.stream);
        self.next_address(now);
    }
}
