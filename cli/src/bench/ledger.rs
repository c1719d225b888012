//! What became of every message of a run.

use std::collections::BTreeSet;

use serde::Serialize;

/// Bytes that a message has at least: which run it is of, and its number.
pub(super) const LEAST: usize = 16;
/// How many different fillings there are; a prime, so that they do not repeat with the laps of a ring.
const FILLINGS: usize = 251;

/// The messages of one run: number n always has the same bytes.
#[derive(Debug)]
pub(super) struct Messages {
    run: u64,
    size: usize,
    pattern: Vec<u8>,
}

/// What a payload that came back is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// This message, as it was sent.
    Number(u64),
    /// One of an earlier run.
    Other,
    /// One of this run that is not as it was sent.
    Damaged,
}

impl Messages {
    pub(super) fn new(run: u64, size: usize) -> Self {
        // Any bytes that differ from their neighbours.
        let byte = |at: usize| (at.wrapping_mul(0x9e37_79b9) >> 8).to_le_bytes()[0];
        Self { run, size, pattern: (0..size + FILLINGS).map(byte).collect() }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    #[inline]
    pub(super) fn write(&self, number: u64, payload: &mut [u8]) {
        payload[..8].copy_from_slice(&self.run.to_le_bytes());
        payload[8..16].copy_from_slice(&number.to_le_bytes());
        payload[16..].copy_from_slice(self.filling(number));
    }

    #[inline]
    pub(super) fn read(&self, payload: &[u8]) -> Read {
        let Some((run, rest)) = payload.split_first_chunk::<8>() else { return Read::Other };
        if u64::from_le_bytes(*run) != self.run {
            return Read::Other;
        }
        match rest.split_first_chunk::<8>() {
            Some((number, filling)) if filling == self.filling(u64::from_le_bytes(*number)) => {
                Read::Number(u64::from_le_bytes(*number))
            }
            _ => Read::Damaged,
        }
    }

    fn filling(&self, number: u64) -> &[u8] {
        let at = usize::try_from(number % FILLINGS as u64).expect("a small number");
        &self.pattern[at..at + self.size - LEAST]
    }
}

/// The account: numbers from 1 on were sent, each must come back once and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    sent: u64,
    /// Everything up to here came back or was passed over.
    done: u64,
    /// What was passed over.
    missing: BTreeSet<u64>,
    counts: Counts,
}

/// The verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) reordered: u64,
    pub(super) damaged: u64,
}

impl Counts {
    pub(super) fn are_flawless(&self) -> bool {
        let Self { lost, duplicated, reordered, damaged, .. } = *self;
        [lost, duplicated, reordered, damaged] == [0; 4]
    }
}

impl Ledger {
    /// The number of the next message.
    pub(super) fn next(&self) -> u64 {
        self.sent + 1
    }

    #[inline]
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.sent - self.done
    }

    /// An answer came. Returns how many messages are done with it: 1, more if some were passed over, or 0.
    #[inline]
    pub(super) fn answer(&mut self, number: u64) -> u64 {
        if number == self.done + 1 && number <= self.sent {
            self.done = number;
            self.counts.answered += 1;
            return 1;
        }
        self.judge(number)
    }

    #[cold]
    fn judge(&mut self, number: u64) -> u64 {
        if number == 0 || number > self.sent {
            self.counts.damaged += 1;
        } else if self.missing.remove(&number) {
            self.counts.reordered += 1;
            self.counts.answered += 1;
        } else if number <= self.done {
            self.counts.duplicated += 1;
        } else {
            self.missing.extend(self.done + 1..number);
            self.counts.answered += 1;
            let passed = number - self.done;
            self.done = number;
            return passed;
        }
        0
    }

    /// An answer came that is not what was sent.
    pub(super) fn damaged(&mut self) {
        self.counts.damaged += 1;
    }

    /// What is in flight cannot come any more.
    pub(super) fn give_up(&mut self) {
        self.missing.extend(self.done + 1..=self.sent);
        self.done = self.sent;
    }

    /// How it stands, what is in flight not counted as lost.
    pub(super) fn counts(&self) -> Counts {
        Counts { sent: self.sent, lost: self.missing.len() as u64, ..self.counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_run_and_number_and_every_changed_byte_is_noticed() {
        for size in [16, 17, 64, 500] {
            let messages = Messages::new(7, size);
            let mut payload = vec![0; size];
            messages.write(300, &mut payload);
            assert_eq!(messages.read(&payload), Read::Number(300));
            assert_eq!(Messages::new(8, size).read(&payload), Read::Other);
            for at in 16..size {
                payload[at] ^= 1;
                assert_eq!(messages.read(&payload), Read::Damaged, "byte {at}");
                payload[at] ^= 1;
            }
            assert_eq!(messages.read(&payload[..15]), Read::Damaged);
            assert_eq!(messages.read(&payload[..7]), Read::Other);
        }
    }

    fn ledger(sent: u64, answers: &[u64]) -> Ledger {
        let mut ledger = Ledger::default();
        (0..sent).for_each(|_| ledger.sent());
        answers.iter().for_each(|number| _ = ledger.answer(*number));
        ledger
    }

    #[test]
    fn every_deviation_has_its_count() {
        let counts = |sent, answers| {
            let Counts { answered, lost, duplicated, reordered, damaged, .. } =
                ledger(sent, answers).counts();
            [answered, lost, duplicated, reordered, damaged]
        };
        assert_eq!(counts(3, &[1, 2, 3]), [3, 0, 0, 0, 0]);
        assert_eq!(counts(3, &[1, 3]), [2, 1, 0, 0, 0]);
        assert_eq!(counts(3, &[1, 2, 2, 3]), [3, 0, 1, 0, 0]);
        assert_eq!(counts(3, &[1, 3, 2]), [3, 0, 0, 1, 0]);
        assert_eq!(counts(3, &[1, 3, 2, 2]), [3, 0, 1, 1, 0]);
        assert_eq!(counts(3, &[4, 0]), [0, 0, 0, 0, 2]);
    }

    #[test]
    fn what_is_given_up_is_lost_until_it_comes() {
        let mut ledger = ledger(5, &[1, 2]);
        assert_eq!((ledger.in_flight(), ledger.counts().lost), (3, 0));
        ledger.give_up();
        assert_eq!((ledger.in_flight(), ledger.counts().lost), (0, 3));
        ledger.answer(3);
        assert_eq!(ledger.counts().lost, 2);
        assert!(!ledger.counts().are_flawless());
    }
}
