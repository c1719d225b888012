//! Messages in the order in which they were accepted.

use tcpshm_protocol::Kind;

/// A queue of messages whose memory is used again: once it has been as full as it gets, nothing is allocated.
///
/// `bytes[at..]` are the payloads of `letters[next..]`, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    letters: Vec<Letter>,
    next: usize,
    at: usize,
}

/// What is noted of a message beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    pub(crate) kind: Kind,
    pub(crate) len: usize,
    /// Where its outcome goes.
    pub(crate) slot: usize,
}

impl Batch {
    pub(crate) fn push(&mut self, kind: Kind, payload: &[u8], slot: usize) {
        self.bytes.extend_from_slice(payload);
        self.letters.push(Letter { kind, len: payload.len(), slot });
    }

    /// The oldest one.
    pub(crate) fn front(&self) -> Option<(Letter, &[u8])> {
        let letter = *self.letters.get(self.next)?;
        Some((letter, &self.bytes[self.at..self.at + letter.len]))
    }

    /// Drops the oldest one.
    pub(crate) fn pop(&mut self) -> Option<Letter> {
        let letter = *self.letters.get(self.next)?;
        self.next += 1;
        self.at += letter.len;
        if self.is_empty() {
            self.bytes.clear();
            self.letters.clear();
            (self.next, self.at) = (0, 0);
        }
        Some(letter)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.letters.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_and_leave_their_memory() {
        let kind = |number| Kind::new(number).unwrap();
        let mut batch = Batch::default();
        for round in 0..3 {
            for number in 1..=5_u16 {
                batch.push(kind(number), &vec![round; usize::from(number) - 1], usize::from(number) * 10);
            }
            let memory = (batch.bytes.capacity(), batch.letters.capacity());
            for number in 1..=5_u16 {
                let (letter, payload) = batch.front().unwrap();
                assert_eq!((letter.kind, letter.slot), (kind(number), usize::from(number) * 10));
                assert_eq!(payload, vec![round; usize::from(number) - 1]);
                assert_eq!(batch.pop().map(|letter| letter.kind), Some(kind(number)));
            }
            assert!(batch.is_empty() && batch.front().is_none() && batch.pop().is_none());
            assert_eq!((batch.bytes.capacity(), batch.letters.capacity()), memory);
        }
    }
}
