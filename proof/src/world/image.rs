//! Link files made and looked at by hand.

use std::time::Instant;

use tcpshm_protocol::login::{
    Carrier, Confirm, Holding, Outcome, Proposal, Ready, Silence, Streams, UserData,
};
use tcpshm_protocol::{
    AttachmentId, Geometry, Grant, Header, Memory, Nonce, RecoverError, Role, Session, SessionId, Standing,
    Storage, Timing,
};

use crate::world::clock::Clock;
use crate::world::message::Message;
use crate::world::wire::{self, Item, Stream};

/// Where the words of a link file stand.
pub mod at {
    /// How much of the owner's stream the peer has consumed.
    pub const ACKED: usize = 1024;
    /// A tail that recovery must come to.
    pub const FLOOR: usize = 1032;
    /// The tail at the first opening under an attachment.
    pub const SENT_FLOOR: usize = 1040;
    /// How much of the peer's stream the owner has consumed.
    pub const CONSUMED: usize = 1152;
    /// Random at each opening, login and detach.
    pub const NONCE: usize = 1280;
    /// The last attachment.
    pub const CURRENT: usize = 1288;
    /// The attachment before it.
    pub const PREVIOUS: usize = 1296;
    /// Whether the owner sleeps.
    pub const PARKED: usize = 1312;
    /// How much a peer at that can have seen of the owner's stream.
    pub const PREVIOUS_SENT: usize = 1320;
    /// The attachment that the floor of what was sent belongs to.
    pub const SENT_FLOOR_OF: usize = 1328;
    /// The first frame place.
    pub const FRAMES: usize = 4096;
    /// Where the header ends.
    pub const HEADER_END: usize = 224;
}

/// The word at `at`.
pub fn load(image: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*image[at..].first_chunk().expect("within the image"))
}

/// Puts a word at `at`.
pub fn set(image: &mut [u8], at: usize, value: u64) {
    image[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// A header for tests: `client` and `server`, both streams of the same geometry.
pub fn header(role: Role, session: u128, geometry: Geometry) -> Header {
    let [owner, peer] = match role {
        Role::Client => ["client", "server"],
        Role::Server => ["server", "client"],
    }
    .map(|name| name.parse().expect("a valid name"));
    let session = SessionId::new(session).expect("not 0");
    Header { role, session, owner, peer, outgoing: geometry, incoming: geometry, asked: geometry }
}

/// A whole, empty, unconfirmed file.
pub fn fresh(header: &Header) -> Vec<u8> {
    let size = Header::file_size(header.outgoing).expect("test files are small");
    let mut memory = Memory::zeroed(size);
    header.format(&mut memory, Nonce::new(1));
    memory.image().to_vec()
}

/// A file without messages whose owner's stream has come to `sent`, all of it consumed, and who has
/// consumed the peer's up to `consumed`. Both at the attachment `attachment`.
pub fn midway(header: &Header, sent: u64, consumed: u64, attachment: u64) -> Vec<u8> {
    let mut image = fresh(header);
    set(&mut image, at::ACKED, sent);
    set(&mut image, at::FLOOR, sent);
    set(&mut image, at::CONSUMED, consumed);
    set(&mut image, at::CURRENT, attachment);
    set(&mut image, at::PREVIOUS, attachment);
    image
}

/// What a link file holds, as its owner would find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How far the peer is known to have consumed.
    pub acked: u64,
    /// The messages that are kept, each with the position where it ends.
    pub pending: Vec<(u64, Message)>,
    /// How far the owner has consumed the peer's stream.
    pub consumed: u64,
}

/// Opens a copy of `image` and reads what it would send to a peer that has consumed what is known.
pub fn read(image: &[u8]) -> Result<Contents, RecoverError> {
    let mut session = Session::open(Memory::from_image(image), Nonce::new(2))?;
    let Standing { acked, consumed, .. } = session.standing();
    let peer = Standing { acked: consumed, sent: consumed, consumed: acked };
    let now = Clock::new().now();
    attach(&mut session, now, peer, 0x7ead);
    let mut bytes = Vec::new();
    loop {
        let chunk = session.poll_transmit(now);
        if chunk.is_empty() {
            break;
        }
        bytes.extend_from_slice(chunk);
        let sent = chunk.len();
        session.handle_transmitted(now, sent);
    }
    let stream = Stream { session: session.id(), sender: session.header().role };
    let message = |item| match item {
        Item::Message { at, message, .. } => Some((at + wire::frame_size(message.payload.len()), message)),
        Item::Control { .. } => None,
    };
    let pending = stream.read_all(acked.get(), &bytes).into_iter().filter_map(message).collect();
    Ok(Contents { acked: acked.get(), pending, consumed: consumed.get() })
}

/// Attaches a session over TCP to a peer that stands at `peer` and agrees.
pub fn attach<S: Storage>(session: &mut Session<S>, now: Instant, peer: Standing, attachment: u64) {
    attach_over(Carrier::Tcp, session, now, peer, attachment);
}

/// What a client attached by [`attach_over`] stores and shows as its nonce.
pub const CLIENT_NONCE: Nonce = Nonce::new(3);
/// What a server stores and grants.
pub const SERVER_NONCE: Nonce = Nonce::new(4);

/// Attaches a session over `carrier` to a peer that stands at `peer` and agrees. Two sides that are attached
/// to the same attachment are attached to each other.
pub fn attach_over<S: Storage>(
    carrier: Carrier,
    session: &mut Session<S>,
    now: Instant,
    peer: Standing,
    attachment: u64,
) {
    let timing = Timing::new(Silence::default(), Silence::default());
    let attachment = AttachmentId::new(attachment).expect("not 0");
    let id = session.id();
    match session.header().role {
        Role::Server => {
            // Every session that was confirmed says which login the client may still be at.
            let held = Holding {
                session: id,
                attachment: session.record(peer.consumed).current.unwrap_or(attachment),
                standing: peer,
            };
            let shown = session.is_established();
            let header = session.header();
            let streams = Streams { client: header.incoming, server: header.outgoing };
            let confirm = Confirm {
                held: shown.then_some(held),
                proposed: (!shown).then_some(Proposal { session: id, streams }),
                disputed: false,
                token: None,
                undelivered: None,
                nonce: CLIENT_NONCE,
            };
            let grant = Grant {
                outcome: if shown { Outcome::Resumed } else { Outcome::Fresh },
                attachment,
                nonce: SERVER_NONCE,
                carrier,
                user_data: UserData::default(),
                timing,
            };
            session.accept(now, &confirm, grant).expect("the peer agrees");
        }
        Role::Client => {
            session.show(CLIENT_NONCE);
            let ready = Ready {
                outcome: Outcome::Resumed,
                session: id,
                standing: peer,
                attachment,
                carrier,
                nonce: SERVER_NONCE,
                user_data: UserData::default(),
            };
            session.establish(now, &ready, &timing).expect("the peer agrees");
        }
    }
}
