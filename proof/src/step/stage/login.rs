//! Logins, decided as a server decides them.

use tcpshm_protocol::login::{
    Carrier, Confirm, Outcome, Proposal, Ready, Silence, Streams, UserData, Verdict, decide,
};
use tcpshm_protocol::{AttachmentId, Grant, Nonce, Position, Role, Timing};
use tcpshm_shm::PeerFile;

use super::Stage;
use crate::world::image::{CLIENT_NONCE, SERVER_NONCE};

impl Stage {
    /// The client shows its session, or the fresh file that it has made.
    pub(super) fn show(&mut self) {
        let streams = Streams { client: self.setting.geometry, server: self.setting.geometry };
        let nonce = self.nonce(CLIENT_NONCE);
        let (main, fresh) = (&mut self.client.main, &mut self.client.fresh);
        let proposed = fresh.as_mut().map(|fresh| {
            fresh.show(nonce);
            Proposal { session: fresh.id(), streams }
        });
        let held = main.as_mut().and_then(|main| main.show(nonce));
        let undelivered = held.and(main.as_ref()).map(|main| main.undelivered());
        self.confirm = Some(Confirm { held, proposed, disputed: false, token: None, undelivered, nonce });
    }

    /// The server accepts what was shown: the session it has, or the fresh file that it has made.
    pub(super) fn accept(&mut self) {
        let confirm = self.confirm.clone().expect("a Confirm");
        self.logins += 1;
        let grant = Grant {
            outcome: if self.server.fresh.is_some() { Outcome::Fresh } else { Outcome::Resumed },
            attachment: AttachmentId::new(self.setting.attachment(self.logins)).expect("not 0"),
            nonce: self.nonce(SERVER_NONCE),
            carrier: self.setting.carrier,
            user_data: UserData::default(),
            timing: timing(),
        };
        let now = self.clock.now();
        let view = self.view(Role::Server, confirm.nonce);
        let server = &mut self.server;
        let session = server.fresh.as_mut().or(server.main.as_mut()).expect("a session");
        self.ready = Some(session.accept(now, &confirm, grant, view).expect("the two agree"));
        server.inbox.clear();
    }

    /// The client is told that it was accepted.
    pub(super) fn establish(&mut self) {
        let ready: Ready = self.ready.clone().expect("a Ready");
        let now = self.clock.now();
        let view = self.view(Role::Client, ready.nonce);
        let client = &mut self.client;
        let fresh = client.fresh.as_mut().filter(|fresh| fresh.id() == ready.session);
        let session = fresh.or(client.main.as_mut()).expect("a session");
        session.establish(now, &ready, &timing(), view).expect("the two agree");
        client.inbox.clear();
    }

    /// A whole login of whatever the two sides hold, over TCP or shared memory, and what the server made of it.
    pub fn log_in(&mut self) -> Verdict {
        let has_main = self.client.main.as_ref().is_some_and(|main| main.is_established());
        if !has_main && self.client.fresh.is_none() {
            self.create(Role::Client);
        }
        self.show();
        let verdict = self.verdict();
        match verdict {
            Verdict::Resume { .. } => {}
            Verdict::Fresh(_) => self.create(Role::Server),
            Verdict::ProposalDead => {
                let dead = self.client.fresh.take().expect("it was shown");
                let peer = self.client.peer_name();
                let id = dead.id();
                drop(dead);
                self.client.directory.discard_proposed(&peer, id).expect("it was not confirmed");
                return self.log_in();
            }
            _ => return verdict,
        }
        self.accept();
        if self.server.fresh.is_some() {
            self.switch(Role::Server);
        }
        self.establish();
        let accepted = self.ready.as_ref().expect("it was just given").session;
        if !self.client.is_session(accepted) {
            self.switch(Role::Client);
        }
        verdict
    }

    fn verdict(&self) -> Verdict {
        let confirm = self.confirm.as_ref().expect("it was just shown");
        let record = self.server.main.as_ref().map(|main| {
            let held = confirm.held.filter(|held| held.session == main.id());
            main.record(held.map_or(Position::ZERO, |held| held.standing.consumed))
        });
        let agreed = Streams { client: self.setting.geometry, server: self.setting.geometry };
        decide(confirm, record.as_ref(), &agreed, false, false)
    }

    /// The memory of `role`'s peer, over shared memory.
    fn view(&self, role: Role, nonce: Nonce) -> Option<PeerFile> {
        if self.setting.carrier == Carrier::Tcp {
            return None;
        }
        let side = if role == Role::Client { &self.client } else { &self.server };
        let session = match &self.ready {
            Some(ready) if role == Role::Client => {
                side.fresh.as_ref().filter(|fresh| fresh.id() == ready.session).or(side.main.as_ref())
            }
            _ => side.fresh.as_ref().or(side.main.as_ref()),
        };
        let header = session.expect("a session").header();
        Some(side.directory.view(header, nonce).expect("the same memory"))
    }

    /// Nonces differ from login to login.
    fn nonce(&self, base: Nonce) -> Nonce {
        Nonce::new(base.get() + 16 * (self.logins + 1))
    }
}

fn timing() -> Timing {
    Timing::new(Silence::default(), Silence::default())
}
