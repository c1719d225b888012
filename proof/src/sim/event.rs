//! One thing that happens.

use std::fmt;

use fastrand::Rng;
use tcpshm_protocol::Role;

/// Four bytes: what happens, on which link and side, and two numbers that say how. Any bytes are an event,
/// so that a fuzzer, a list and a random source all speak of the same schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happens.
    pub kind: Kind,
    /// On which link; taken modulo how many there are.
    pub link: u8,
    /// On which side, where that matters.
    pub side: Role,
    /// How.
    pub a: u8,
    /// How, too.
    pub b: u8,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $weight:literal,)+) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[doc = $doc])+ $kind,)+ }

        impl Kind {
            /// Each kind with its usual weight.
            pub const WEIGHTS: &[(Kind, u32)] = &[$((Kind::$kind, $weight),)+];
        }
    };
}

kinds! {
    /// A message of `a` 255ths of the largest size, or a little more, is committed.
    Send = 160,
    /// Up to four messages are committed as one; `b` says of which sizes.
    Batch = 40,
    /// Messages are committed until the ring is full.
    Fill = 10,
    /// Both rings are filled.
    FillBoth = 4,
    /// From now on the application consumes, answers, holds, drops, or dies over its next message.
    Behave = 40,
    /// The application looks at what it holds again.
    Release = 20,
    /// It consumes several messages at once.
    Through = 12,
    /// It uses positions, messages or mappings that are not its own or are long gone.
    Misuse = 8,
    /// It ends the connection on purpose.
    Close = 5,
    /// One side reads or writes once.
    Step = 120,
    /// Both sides read and write once.
    Turn = 60,
    /// Everything happens that can without time passing.
    Settle = 60,
    /// From now on bytes move in pieces of up to `a`, or whole.
    Chunks = 20,
    /// Nothing arrives for now.
    Freeze = 6,
    /// What is on its way arrives after all.
    Thaw = 8,
    /// If there is no connection the client dials, and the login runs to its end.
    Dial = 100,
    /// The client dials anew, whatever there is; `a` says what shall carry the link.
    Redial = 30,
    /// The client dials, and the connection will be cut after so many bytes in one direction.
    CutDial = 30,
    /// A login runs up to one of its messages, which is lost.
    CutLogin = 20,
    /// The connection breaks, and both sides notice.
    Cut = 20,
    /// The client leaves its connection, and the server hears nothing of it.
    Abandon = 8,
    /// The bytes that a client once sent arrive again, on a connection of their own.
    Replay = 5,
    /// The client means to reach another server, once.
    Stray = 4,
    /// A process is killed and starts again.
    Kill = 14,
    /// A process dies after some more stores, and starts again.
    Fuse = 50,
    /// A process is killed, and killed again while it starts, up to three times.
    Falter = 14,
    /// A side loses its files.
    Lose = 4,
    /// Somebody makes a copy of a side's files.
    Copy = 12,
    /// A copy is put back.
    Restore = 6,
    /// A copy is made, the peer is given what is sent then and consumes or holds it, and the copy is put back.
    Relapse = 4,
    /// The client's host vanishes, and a clone of it comes up in its place.
    Twin = 4,
    /// The files of this link and the next are swapped.
    Swap = 2,
    /// A side comes back with other limits.
    Limits = 4,
    /// A side comes back with another policy.
    Policy = 4,
    /// The server comes back under another name, or under its old one.
    Rename = 3,
    /// A file is damaged, found so, and put right by a person.
    Damage = 6,
    /// The peer turns out to be a program that says anything; then both sides are as they were.
    Hostile = 6,
    /// The server's application refuses the next login, or its directory does.
    Refuse = 5,
    /// Time passes, and each side is woken when it asked to be.
    Elapse = 30,
    /// The clock jumps, beyond every timeout now and then.
    Jump = 6,
    /// The clock goes back.
    Back = 6,
}

impl Event {
    /// How many bytes one has.
    pub const SIZE: usize = 4;

    /// The event that these bytes are.
    pub fn decode(bytes: [u8; Self::SIZE]) -> Self {
        let [kind, place, a, b] = bytes;
        let (kind, _) = Kind::WEIGHTS[usize::from(kind) % Kind::WEIGHTS.len()];
        let side = if place & 1 == 0 { Role::Client } else { Role::Server };
        Self { kind, link: place >> 1 & 3, side, a, b }
    }

    /// Its bytes.
    pub fn encode(self) -> [u8; Self::SIZE] {
        [self.kind as u8, self.link << 1 | u8::from(self.side == Role::Server), self.a, self.b]
    }

    /// Any event, by weight.
    pub fn draw(weights: &[(Kind, u32)], random: &mut Rng) -> Self {
        let all: u32 = weights.iter().map(|(_, weight)| weight).sum();
        let mut left = random.u32(..all);
        let kind = weights.iter().find(|(_, weight)| {
            let found = left < *weight;
            left = left.saturating_sub(*weight);
            found
        });
        let (kind, _) = kind.expect("the weights sum up to more than was drawn");
        let [_, place, a, b] = random.u32(..).to_le_bytes();
        Self { kind: *kind, ..Self::decode([0, place, a, b]) }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {} a={} b={}", self.kind, self.side, self.link, self.a, self.b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_comes_back_from_its_bytes() {
        let mut random = Rng::with_seed(1);
        for _ in 0..10_000 {
            let event = Event::draw(Kind::WEIGHTS, &mut random);
            assert_eq!(Event::decode(event.encode()), event);
        }
    }
}
