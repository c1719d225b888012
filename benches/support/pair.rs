//! Both sides of a link in one process, attached by hand: without a socket, a driver or a login.

use std::io;
use std::path::Path;
use std::time::Instant;

use tcpshm_driver::protocol::login::{Confirm, Outcome, Proposal, Streams};
use tcpshm_driver::protocol::{AttachmentId, Grant, Header, Nonce, Role, Timing};
use tcpshm_driver::shm::{LinkDirectory, MappedSession};
use tcpshm_driver::{Carrier, Geometry, Kind, Name, SendError, SessionId, Silence, UserData};

const CLIENTS_NONCE: Nonce = Nonce::new(0xc11e);
const SERVERS_NONCE: Nonce = Nonce::new(0x5e67);

/// Two sessions over link files of their own. Dropped, they leave their files as a kill would.
#[derive(Debug)]
pub struct Pair {
    /// The client's side.
    pub client: MappedSession,
    /// The server's side.
    pub server: MappedSession,
}

impl Pair {
    /// Makes both files in `home`, and attaches the two sides as a first login does. Each may send what its
    /// geometry says.
    pub fn attach(home: &Path, carrier: Carrier, client: Geometry, server: Geometry) -> io::Result<Self> {
        let now = Instant::now();
        let timing = Timing::new(Silence::default(), Silence::default());
        let (ours, theirs) = (Self::open(home, Role::Client)?, Self::open(home, Role::Server)?);
        let make = |directory: &LinkDirectory, outgoing, incoming, nonce| {
            let header = Self::header(directory, outgoing, incoming);
            directory.create(&header, nonce).map(MappedSession::new).map_err(io::Error::other)
        };
        let mut client_session = make(&ours, client, server, CLIENTS_NONCE)?;
        let mut server_session = make(&theirs, server, client, SERVERS_NONCE)?;
        client_session.show(CLIENTS_NONCE);

        let streams = Streams { client, server };
        let proposed = Some(Proposal { session: client_session.id(), streams });
        let nonce = CLIENTS_NONCE;
        let confirm =
            Confirm { held: None, proposed, disputed: false, token: None, undelivered: None, nonce };
        let grant = Grant {
            outcome: Outcome::Fresh,
            attachment: AttachmentId::new(7).expect("it is not 0"),
            nonce: SERVERS_NONCE,
            carrier,
            user_data: UserData::default(),
            timing,
        };
        let view = |directory: &LinkDirectory, session: &MappedSession, nonce| {
            let shared = carrier == Carrier::Shm;
            shared.then(|| directory.view(session.header(), nonce)).transpose().map_err(io::Error::other)
        };
        let seen = view(&theirs, &server_session, confirm.nonce)?;
        let ready = server_session.accept(now, &confirm, grant, seen).map_err(io::Error::other)?;
        theirs.switch(server_session.peer(), server_session.id()).map_err(io::Error::other)?;
        let seen = view(&ours, &client_session, ready.nonce)?;
        client_session.establish(now, &ready, &timing, seen).map_err(io::Error::other)?;
        ours.switch(client_session.peer(), client_session.id()).map_err(io::Error::other)?;
        Ok(Self { client: client_session, server: server_session })
    }

    /// The directory of one side.
    pub fn open(home: &Path, role: Role) -> io::Result<LinkDirectory> {
        LinkDirectory::open(home, role, &Self::name(role)).map_err(io::Error::other)
    }

    /// What a side is called.
    pub fn name(role: Role) -> Name {
        let name = if role == Role::Client { "pair-client" } else { "pair-server" };
        name.parse().expect("it is a name")
    }

    fn header(directory: &LinkDirectory, outgoing: Geometry, incoming: Geometry) -> Header {
        let (role, owner) = (directory.role(), directory.owner().clone());
        let session = SessionId::new(0x5e55).expect("it is not 0");
        let peer = Self::name(role.other());
        Header { role, session, owner, peer, outgoing, incoming, asked: outgoing }
    }
}

/// Commits up to so many messages of `payload` bytes. Returns how many there was room for.
pub fn fill(session: &mut MappedSession, payload: usize, most: u64) -> u64 {
    let mut outbox = session.outbox();
    let kind = Kind::new(1).expect("it is not 0");
    for sent in 0..most {
        match outbox.claim(kind, payload) {
            Ok(mut slot) => {
                slot.fill(1);
                slot.commit();
            }
            Err(SendError::Full { .. }) => return sent,
            Err(error) => panic!("{error}"),
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::home;

    #[test]
    fn what_one_side_commits_is_in_its_file_when_both_are_gone() {
        for carrier in [Carrier::Tcp, Carrier::Shm] {
            let home = home().unwrap();
            let ring = Geometry::new(4096, 512).unwrap();
            let mut pair = Pair::attach(home.path(), carrier, ring, ring).unwrap();
            assert_eq!(fill(&mut pair.client, 16, 5), 5);
            assert!(fill(&mut pair.server, 512, u64::MAX) < 8);
            drop(pair);
            let directory = Pair::open(home.path(), Role::Client).unwrap();
            let survey = directory.look(&Pair::name(Role::Server)).unwrap().unwrap();
            assert_eq!(survey.undelivered().messages, 5);
        }
    }
}
