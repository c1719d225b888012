//! What happens, in order.

use std::fmt::{self, Write};

use fastrand::Rng;

use crate::sim::event::{Event, Kind};

/// A world and everything that happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Decides how the world is made, and what is random in it.
    pub seed: u64,
    /// What happens. It does not depend on what came of it, so that events can be left out.
    pub events: Vec<Event>,
}

impl Schedule {
    /// The schedule of a seed: each kind of fault is left out, rare, usual or frequent.
    pub fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed ^ 0x5ced_0001);
        let mut weights = Kind::WEIGHTS.to_vec();
        for (_, weight) in &mut weights {
            *weight = match random.u32(..8) {
                0 | 1 => 0,
                2 => weight.div_ceil(4),
                7 => *weight * 4,
                _ => *weight,
            };
        }
        // Without these nothing happens at all.
        weights.extend([(Kind::Dial, 60), (Kind::Send, 60), (Kind::Settle, 30)]);
        let count = random.usize(20..120);
        let events = (0..count).map(|_| Event::draw(&weights, &mut random)).collect();
        Self { seed, events }
    }

    /// The schedule that these bytes are: eight for the seed, then four for each event.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (seed, rest) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let events = rest.chunks_exact(Event::SIZE).take(Self::MOST);
        let decode = |bytes: &[u8]| Event::decode(bytes.try_into().expect("exact chunks"));
        Self { seed: u64::from_le_bytes(*seed), events: events.map(decode).collect() }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.seed.to_le_bytes().to_vec();
        bytes.extend(self.events.iter().flat_map(|event| event.encode()));
        bytes
    }

    /// Reads what [`Schedule`]'s `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().as_bytes();
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let byte = |pair: &[u8]| Some(u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).expect("a byte"));
        let bytes: Option<Vec<u8>> = digits.chunks_exact(2).map(byte).collect();
        bytes.filter(|bytes| bytes.len() >= 8).map(|bytes| Self::from_bytes(&bytes))
    }

    /// How many events an input of a fuzzer can have.
    const MOST: usize = 200;
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.to_bytes().iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_comes_back_from_its_text() {
        for seed in 0..100 {
            let schedule = Schedule::of(seed);
            assert_eq!(Schedule::parse(&schedule.to_string()), Some(schedule));
        }
        assert_eq!(Schedule::parse("12"), None);
        assert_eq!(Schedule::parse("zz34567890123456"), None);
    }
}
