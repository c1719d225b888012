//! A message: who sends it, which one it is, what came before it, and what it answers.
//!
//! ```text
//!   0 link:u16 | class:u8 | side:u8 | life:u32   8 number   16 hash of the one before   24 request answered   32 ...
//! ```
//!
//! The rest is random and follows from the life, so that a message that was tried again is another one.

use std::hash::{DefaultHasher, Hasher};

use fastrand::Rng;

/// Bytes before the random ones.
pub(super) const FRONT: usize = 32;
/// Most random bytes.
pub(super) const MOST_BODY: usize = 480;

/// What stands at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Front {
    /// The number of the link.
    pub(super) link: u16,
    /// See [`class`](crate::kill::record::class).
    pub(super) class: u8,
    /// 0 from the server, 1 from the client.
    pub(super) side: u8,
    /// How often the sender has been started.
    pub(super) life: u32,
    /// The number in its stream, from 1.
    pub(super) number: u64,
    /// The hash of the message before it; 0 for the first.
    pub(super) previous: u64,
    /// The request that a reply is for.
    pub(super) answers: u64,
}

impl Front {
    /// Writes a whole message over `bytes`.
    pub(super) fn write(&self, random: &mut Rng, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(&self.link.to_le_bytes());
        bytes.extend_from_slice(&[self.class, self.side]);
        bytes.extend_from_slice(&self.life.to_le_bytes());
        for word in [self.number, self.previous, self.answers] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        // Mostly small, as messages are; now and then one that fills a good part of the ring.
        let most = if random.u8(..16) == 0 { MOST_BODY } else { 64 };
        let body = random.usize(..=most);
        bytes.resize(FRONT + body, 0);
        random.fill(&mut bytes[FRONT..]);
    }

    /// What stands at the front of a message, if there is a front.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let front: &[u8; FRONT] = bytes.first_chunk()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&front[at..at + 8]);
            u64::from_le_bytes(word)
        };
        Some(Self {
            link: u16::from_le_bytes([front[0], front[1]]),
            class: front[2],
            side: front[3],
            life: u32::from_le_bytes([front[4], front[5], front[6], front[7]]),
            number: word(8),
            previous: word(16),
            answers: word(24),
        })
    }
}

/// A hash of all bytes of a message, the same in every process of this program.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    // 0 is what stands before the first.
    hasher.finish().max(1)
}

/// What a message of `len` bytes takes in a stream, as the format says: 16 bytes in front, and up to 7 behind.
pub(super) fn frame(len: usize) -> u64 {
    (len as u64 + 16).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_it_is_and_is_another_when_it_is_tried_again() {
        let front = Front { link: 258, class: 2, side: 1, life: 3, number: 4, previous: 5, answers: 6 };
        let [mut once, mut again] = [Vec::new(), Vec::new()];
        front.write(&mut Rng::with_seed(1), &mut once);
        assert_eq!(Front::read(&once), Some(front));
        Front { life: 4, ..front }.write(&mut Rng::with_seed(1), &mut again);
        assert_ne!(hash(&once), hash(&again));
        assert_eq!(Front::read(&once[..FRONT - 1]), None);
        assert_eq!((frame(0), frame(1), frame(8)), (16, 24, 24));
    }
}
