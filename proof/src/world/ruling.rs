//! What was known when a server decided about a login, and what it decided.

use tcpshm_protocol::login::{Outcome, RefusalCode};

use crate::world::image::{at, load};
use crate::world::truth::{History, Placed};

/// What a client said of itself in a Confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The session it goes on with.
    pub held: Option<u128>,
    /// How many messages it had committed and consumed in that, and how far it knew the server to be.
    pub counts: [usize; 2],
    /// The end of what it knew to be consumed.
    pub acked: u64,
    /// The session it proposes.
    pub proposed: Option<u128>,
    /// Whether that was made for an earlier login.
    pub proposed_before: bool,
    /// Whether it asks for a reset.
    pub token: bool,
    /// Whether it found that the last Ready did not fit.
    pub disputed: bool,
    /// Which of its pasts this is about.
    pub past: u32,
}

/// What a link file says at a glance, read by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its session.
    pub session: u128,
    /// Whether a login was ever completed.
    pub confirmed: bool,
    /// In a server's file: whether its client was heard since the session began.
    pub heard: bool,
    /// How far its peer is known to have consumed.
    pub acked: u64,
}

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The session goes on, or a new one begins.
    Accepted(Outcome),
    /// It does not.
    Refused(RefusalCode),
}

/// One decision of a server, and everything it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What the client said; `None` if these bytes were no client's.
    pub shown: Option<Shown>,
    /// What the server had.
    pub found: Option<Found>,
    /// Whether a connection was live under the name.
    pub live: bool,
    /// Whether the token is the one it gave last.
    pub token_valid: bool,
    /// Whether a later login was accepted before.
    pub stale: bool,
    /// Whether the client was told to forget this proposal.
    pub dead: bool,
    /// Whether the live connection is on the memory of another process.
    pub copy: bool,
    /// What the server's application or directory says to all of this.
    pub refuses: Option<RefusalCode>,
    /// Whether both sides still take what the session carries.
    pub promises: bool,
    /// Whether the proposal has the sizes that both sides would agree on now.
    pub sizes: bool,
    /// Whether the two are the two ends of one history; `None` if the client's is not known any more.
    pub fits: Option<bool>,
    /// Whether their positions fit, whatever the messages are.
    pub positions: bool,
    /// What came of it.
    pub row: Row,
}

impl Found {
    /// What `image` says; `None` if it is no finished file.
    pub fn read(image: &[u8]) -> Option<Self> {
        if load(image, 0) == 0 {
            return None;
        }
        let session = u128::from(load(image, SESSION)) | u128::from(load(image, SESSION + 8)) << 64;
        Some(Self {
            session,
            confirmed: load(image, at::CURRENT) != 0,
            heard: load(image, at::PREVIOUS) != 0,
            acked: load(image, at::ACKED),
        })
    }
}

/// Where a header has the session's id.
const SESSION: usize = 32;

/// Whether a client that says so of itself, and the server as it is, are the two ends of one history: what
/// each was given, the other sent; what each has forgotten, the other has consumed. And whether at least
/// their positions would have it so.
pub(crate) fn fits(shown: &Shown, client: &History, server: &History, found: &Found) -> [bool; 2] {
    let (client, server) = (client.copy(), server.copy());
    let sides = shown.held.and_then(|held| Some((client.get(&held)?, server.get(&held)?)));
    let Some((client, server)) = sides else { return [false; 2] };
    let [sent, taken] = shown.counts;
    let lists = (client.committed.get(..sent), client.consumed.get(..taken));
    let (Some(committed), Some(consumed)) = lists else { return [false; 2] };
    let known = |freed: u64, all: &[Placed]| all.partition_point(|(end, _)| *end <= freed);
    let messages = committed.starts_with(&server.consumed)
        && server.committed.starts_with(consumed)
        && known(found.acked, &server.committed) <= consumed.len()
        && known(shown.acked, committed) <= server.consumed.len();
    let end = |list: &[Placed], base: u64| list.last().map_or(base, |(end, _)| *end);
    let [up, down] = client.base;
    let (sent, taken) = (end(committed, up), end(consumed, down));
    let [given, received] = server.ends();
    let positions = shown.acked <= received && received <= sent && found.acked <= taken && taken <= given;
    [messages, positions]
}
