//! How often things happened.

use std::collections::BTreeMap;
use std::fmt;

/// How often each thing happened, by its name. A run in which something required never did proves less than
/// it says, and fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    /// It happened once.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// It happened so often.
    pub fn add(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// It happened if it did.
    pub fn count_if(&mut self, happened: bool, what: &'static str) {
        self.add(what, u64::from(happened));
    }

    /// How often it happened.
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Everything that another run counted happened too.
    pub fn merge(&mut self, other: &Counters) {
        other.0.iter().for_each(|(what, times)| self.add(what, *times));
    }

    /// What is required and happened less than `least` times.
    pub fn missing(&self, least: u64) -> Vec<(&'static str, u64)> {
        REQUIRED.iter().map(|what| (*what, self.get(what))).filter(|(_, times)| *times < least).collect()
    }
}

impl fmt::Display for Counters {
    /// A line for each, required ones with a star.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.0.clone();
        for what in REQUIRED {
            all.entry(what).or_default();
        }
        all.iter().try_for_each(|(what, times)| {
            let star = if REQUIRED.contains(what) { '*' } else { ' ' };
            writeln!(f, "{times:>14} {star} {what}")
        })
    }
}

/// What every run must have seen.
pub const REQUIRED: &[&str] = &[
    "images: recovered and judged",
    "images: torn",
    "images: played to the end",
    "images: played with a copy about",
    "crash: inside a commit",
    "crash: between the stores of a batch",
    "crash: inside a reply that consumes",
    "crash: inside an ack",
    "crash: inside a login",
    "crash: inside a recovery",
    "crash: inside a recovery after a crashed recovery",
    "ring: frame over the end",
    "ring: exactly full",
    "ring: both full",
    "ack: ahead of the cursor",
    "ack: old one resent",
    "cut: inside word 0",
    "cut: inside word 1",
    "cut: inside a payload",
    "cut: inside a login",
    "cut: inside a control frame",
    "cut: one message of a login",
    "login: unconfirmed file found",
    "login: replayed bytes",
    "takeover: with bytes in flight",
    "takeover: over shared memory",
    "carrier: changed with messages unacked",
    "copy: restored, and its positions fit",
    "files: of two links swapped",
    "files: a clone in place of the original",
    "files: an older copy put back",
    "files: an older copy that says as much",
    "files: damaged",
    "damage: went unnoticed",
    "process: died",
    "server: came back under another name",
    "peer: hostile",
    "peer: hostile login",
    "application: misuse",
    "batch: committed",
    "held: over a reconnect",
    "time: jump beyond the timeout",
    "time: went back",
    "session: stalled",
    "session: timed out",
    "session: taken over",
    "session: closed by the peer",
    "session: disconnected",
    "session: writable again",
    "session: reset reported",
    "reset: tells of the peer",
    "reset: tells of a peer with a copy about",
    "row: Resumed",
    "row: Resumed by takeover",
    "row: Resumed after a lost Ready",
    "row: Fresh",
    "row: Fresh with a proposal from before",
    "row: Reset",
    "row: PeerLostClient, fresh",
    "row: PeerLostClient, strict",
    "row: PeerLostServer, fresh",
    "row: PeerLostServer, strict",
    "row: Diverged, fresh",
    "row: Diverged, strict",
    "refused: Version",
    "refused: Malformed",
    "refused: WrongServer",
    "refused: Denied",
    "refused: LimitsShrunk",
    "refused: StaleConfirm",
    "refused: ProposalDead",
    "refused: TokenVoid",
    "refused: Busy",
    "refused: PeerLostClient",
    "refused: PeerLostServer",
    "refused: Diverged",
    "refused: KeptFull",
    "refused: Storage",
    "refused: Overloaded",
    "refused: ShuttingDown",
    "refused: NoCarrier",
    "refused: Internal",
    "send: NotEstablished",
    "send: TooLarge",
    "send: Full",
    "send: BatchTooLarge",
    "send: StreamExhausted",
    "consume: Waiting",
    "consume: AlreadyConsumed",
    "consume: Foreign",
    "consume: MessagesHeld",
    "consume: NotDelivered",
    "fault: Frame",
    "fault: Control",
    "fault: Ack",
    "fault: Left",
    "fault: MessageOnControl",
    "ready: Delivered",
    "recover: Header",
    "recover: Word",
    "recover: Frame",
    "recover: FrameAck",
    "recover: BelowFloor",
    "link: apart from a failing one",
    "finish: connections",
    "finish: everything arrived",
    "finish: refused by a policy",
];
