//! What is going to happen to a connection.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// What may be done to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// Its bytes are passed on a few at a time.
    Split,
    /// They are gathered and passed on together.
    Join,
    /// One direction stops after some byte, and goes on later.
    Stall,
    /// Both ends are closed in order, after some byte.
    Cut,
    /// Both ends are reset, with bytes still in flight.
    Reset,
    /// Nothing is passed on any more, and neither end is closed.
    Deaf,
    /// The client's end is closed, the server's is not.
    HalfOpen,
    /// When it is over, what the client said is said once more on a new connection.
    Replay,
    /// It leads to another server.
    Astray,
}

/// All of them.
pub const KINDS: [Kind; 10] = [
    Kind::Plain,
    Kind::Split,
    Kind::Join,
    Kind::Stall,
    Kind::Cut,
    Kind::Reset,
    Kind::Deaf,
    Kind::HalfOpen,
    Kind::Replay,
    Kind::Astray,
];

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What is going to happen to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// What.
    pub kind: Kind,
    /// In which direction.
    pub way: Way,
    /// After how many bytes.
    pub after: u64,
    /// For how long.
    pub lasting: Duration,
    /// Bytes passed on, or gathered, at a time.
    pub piece: usize,
}

impl Fate {
    /// Nothing is going to happen.
    pub const PLAIN: Fate =
        Fate { kind: Kind::Plain, way: Way::Up, after: 0, lasting: Duration::ZERO, piece: 0 };

    /// The fate of connection number `index`.
    pub fn draw(seed: u64, index: u64) -> Self {
        let mut random = Rng::with_seed(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let kind = KINDS[random.usize(..KINDS.len())];
        let way = if random.bool() { Way::Up } else { Way::Down };
        // A login takes some hundred bytes each way: as often within it as behind it.
        let after = if random.bool() { random.u64(1..500) } else { random.u64(500..50_000) };
        let lasting = Duration::from_millis(random.u64(5..800));
        let piece = match kind {
            Kind::Split => random.usize(1..40),
            _ => random.usize(64..8192),
        };
        Self { kind, way, after, lasting, piece }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Plain => "plain",
            Kind::Split => "split",
            Kind::Join => "joined",
            Kind::Stall => "stalled",
            Kind::Cut => "cut",
            Kind::Reset => "reset",
            Kind::Deaf => "deaf",
            Kind::HalfOpen => "half-open",
            Kind::Replay => "replayed",
            Kind::Astray => "astray",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_follow_from_the_seed_and_every_kind_comes() {
        let fates: Vec<Fate> = (0..200).map(|index| Fate::draw(7, index)).collect();
        assert_eq!(fates, (0..200).map(|index| Fate::draw(7, index)).collect::<Vec<_>>());
        for (number, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert!(fates.iter().any(|fate| fate.kind == kind), "{kind}");
        }
    }
}
