//! Two sides of one link, attached to each other's memory by hand: without a socket, a driver or a login.
#![expect(unreachable_pub, reason = "a module of several programs")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::Instant;

use tcpshm_protocol::login::{Carrier, Confirm, Outcome, Proposal, Silence, Streams, UserData};
use tcpshm_protocol::{AttachmentId, Geometry, Grant, Header, Name, Nonce, Role, SessionId, Timing};
use tcpshm_shm::{LinkDirectory, MappedSession};

pub const CLIENTS_NONCE: Nonce = Nonce::new(0xc11e);
pub const SERVERS_NONCE: Nonce = Nonce::new(0x5e67);

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The header of either side's file for their link.
pub fn header(role: Role, id: u128) -> Header {
    let geometry = Geometry::new(4096, 512).unwrap();
    let (owner, peer) = if role == Role::Client { ("owner", "peer") } else { ("peer", "owner") };
    Header {
        role,
        session: SessionId::new(id).unwrap(),
        owner: name(owner),
        peer: name(peer),
        outgoing: geometry,
        incoming: geometry,
        asked: geometry,
    }
}

/// The directory at `path`, opened for either side.
#[track_caller]
pub fn open(path: &Path, role: Role) -> LinkDirectory {
    LinkDirectory::open(path, role, &header(role, 1).owner).unwrap()
}

/// What a client says that proposes the session of `ours`.
pub fn confirm(ours: &MappedSession) -> Confirm {
    let streams = Streams { client: ours.header().outgoing, server: ours.header().incoming };
    Confirm {
        held: None,
        proposed: Some(Proposal { session: ours.id(), streams }),
        disputed: false,
        token: None,
        undelivered: None,
        nonce: CLIENTS_NONCE,
    }
}

/// What a server adds.
pub fn grant() -> Grant {
    Grant {
        outcome: Outcome::Fresh,
        attachment: AttachmentId::new(7).unwrap(),
        nonce: SERVERS_NONCE,
        carrier: Carrier::Shm,
        user_data: UserData::default(),
        timing: timing(),
    }
}

pub fn timing() -> Timing {
    Timing::new(Silence::default(), Silence::default())
}

/// A client and a server in one directory, with a fresh file each that shows a nonce.
pub struct Sides {
    pub client: LinkDirectory,
    pub server: LinkDirectory,
    pub ours: MappedSession,
    pub theirs: MappedSession,
}

impl Sides {
    #[track_caller]
    pub fn new(path: &Path, id: u128) -> Self {
        let [client, server] = [Role::Client, Role::Server].map(|role| open(path, role));
        let mut ours = MappedSession::new(client.create(&header(Role::Client, id), CLIENTS_NONCE).unwrap());
        let theirs = MappedSession::new(server.create(&header(Role::Server, id), SERVERS_NONCE).unwrap());
        ours.show(CLIENTS_NONCE);
        Sides { client, server, ours, theirs }
    }

    /// Attaches both over shared memory, as a first login does.
    #[track_caller]
    pub fn attach(&mut self, now: Instant) {
        let Sides { client, server, ours, theirs } = self;
        let (confirm, grant) = (confirm(ours), grant());
        let view = server.view(theirs.header(), confirm.nonce).unwrap();
        let ready = theirs.accept(now, &confirm, grant, Some(view)).unwrap();
        server.switch(&name("owner"), theirs.id()).unwrap();
        let view = client.view(ours.header(), ready.nonce).unwrap();
        ours.establish(now, &ready, &timing(), Some(view)).unwrap();
        client.switch(&name("peer"), ours.id()).unwrap();
    }
}
