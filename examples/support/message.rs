//! Messages with numbers, whose content can be told from the number.

use std::ops::RangeInclusive;

use fastrand::Rng;
use tcpshm_driver::Position;

/// Payload sizes in bytes: an acknowledgement, an order, a quote, a book update.
pub const SIZES: [usize; 4] = [16, 36, 68, 200];
const LARGEST: usize = 200;
/// The number, little-endian, in front of the random bytes.
const NUMBER: RangeInclusive<usize> = 0..=7;

/// The messages of one seed: number n always has the same size and the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Messages {
    seed: u64,
}

impl Messages {
    /// The messages of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// How many bytes message `number` has.
    pub fn size(self, number: u64) -> usize {
        self.start(number).1
    }

    /// Where message `number` ends in a stream if it starts at `from`: it takes 16 bytes more than its own,
    /// rounded up to 8.
    pub fn end(self, number: u64, from: Position) -> Position {
        let size = u64::try_from(self.size(number) + 16).expect("a few hundred bytes").next_multiple_of(8);
        Position::new(from.get() + size).expect("multiples of 8")
    }

    /// Writes message `number` over the whole of `payload`, which has its size.
    pub fn write(self, number: u64, payload: &mut [u8]) {
        payload[NUMBER].copy_from_slice(&number.to_le_bytes());
        self.start(number).0.fill(&mut payload[NUMBER.end() + 1..]);
    }

    /// The number of a message that came back, if it came back as it was sent.
    pub fn read(self, payload: &[u8]) -> Result<u64, Damaged> {
        let number = payload.first_chunk().ok_or(Damaged::Short { len: payload.len() })?;
        let number = u64::from_le_bytes(*number);
        let size = self.size(number);
        if payload.len() != size {
            return Err(Damaged::Size { number, len: payload.len(), size });
        }
        let mut expected = [0; LARGEST];
        self.write(number, &mut expected[..size]);
        match payload.iter().zip(&expected).position(|(found, expected)| found != expected) {
            Some(at) => Err(Damaged::Content { number, at }),
            None => Ok(number),
        }
    }

    /// What all bytes of message `number` follow from, after its size was drawn.
    fn start(self, number: u64) -> (Rng, usize) {
        // An odd factor spreads neighbouring numbers over all bits.
        let mut rng = Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let size = SIZES[rng.usize(..SIZES.len())];
        (rng, size)
    }
}

/// An answer that is not the message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// It has no number.
    #[error("an answer of {len} bytes, which is too short for a number")]
    Short {
        /// Bytes that came.
        len: usize,
    },
    /// It was cut or has grown.
    #[error("the answer to {number} has {len} bytes, {size} were sent")]
    Size {
        /// The number it says.
        number: u64,
        /// Bytes that came.
        len: usize,
        /// Bytes that were sent.
        size: usize,
    },
    /// Other bytes came back.
    #[error("the answer to {number} differs from what was sent, from byte {at} on")]
    Content {
        /// The number it says.
        number: u64,
        /// The first byte that differs.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(messages: Messages, number: u64) -> Vec<u8> {
        let mut payload = vec![0; messages.size(number)];
        messages.write(number, &mut payload);
        payload
    }

    #[test]
    fn a_message_comes_back_with_its_number() {
        let messages = Messages::new(7);
        for number in (0..1000).chain([u64::MAX]) {
            assert_eq!(messages.read(&written(messages, number)), Ok(number));
        }
    }

    #[test]
    fn every_size_is_drawn() {
        let sizes: Vec<usize> = (0..100).map(|number| Messages::new(1).size(number)).collect();
        assert!(SIZES.iter().all(|size| sizes.contains(size)), "{sizes:?}");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let messages = Messages::new(7);
        let payload = written(messages, 3);
        for at in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[at] ^= 1;
            assert!(messages.read(&damaged).is_err(), "byte {at}");
        }
        let size = payload.len();
        assert_eq!(messages.read(&payload[..7]), Err(Damaged::Short { len: 7 }));
        let cut = Err(Damaged::Size { number: 3, len: size - 1, size });
        assert_eq!(messages.read(&payload[..size - 1]), cut);
    }

    #[test]
    fn another_seed_gives_other_messages() {
        assert!(Messages::new(8).read(&written(Messages::new(7), 3)).is_err());
    }
}
