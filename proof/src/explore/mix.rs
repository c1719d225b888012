//! A hash of 128 bits that is the same in every run.

use std::hash::Hasher;

/// Two lanes of 64 bits, each a chain of multiplications whose upper half is folded back, with keys of their
/// own. No defence against somebody who chooses what is hashed; here nobody does.
#[derive(Clone, Debug)]
pub(super) struct Mix(u64, u64);

const KEYS: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0xd6e8_feb8_6659_fd93];

impl Mix {
    pub(super) fn new() -> Self {
        Self(KEYS[2], KEYS[3])
    }

    pub(super) fn finish128(&self) -> u128 {
        u128::from(fold(self.0, KEYS[1])) << 64 | u128::from(fold(self.1, KEYS[0]))
    }

    fn word(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, KEYS[0]).wrapping_add(word);
        self.1 = fold(self.1.rotate_left(29) ^ word, KEYS[1]).wrapping_add(KEYS[2]);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // The length, so that no two runs of bytes are the same for their zeros.
            self.word(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::Hash;

    use super::*;

    #[test]
    fn what_differs_in_one_bit_is_told_apart_in_either_half() {
        let digest = |value: &[u8]| {
            let mut mix = Mix::new();
            value.hash(&mut mix);
            mix.finish128()
        };
        let mut values = vec![vec![], vec![0], vec![0; 8], vec![0; 9]];
        values.extend((0..640).map(|bit| {
            let mut value = vec![0; 80];
            value[bit / 8] |= 1 << (bit % 8);
            value
        }));
        let digests: HashSet<u128> = values.iter().map(|value| digest(value)).collect();
        let halves = [0, 64].map(|shift| digests.iter().map(|d| d >> shift & u128::from(u64::MAX)).collect());
        let [low, high]: [HashSet<u128>; 2] = halves;
        assert_eq!((digests.len(), low.len(), high.len()), (644, 644, 644));
    }
}
