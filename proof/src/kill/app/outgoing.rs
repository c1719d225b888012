//! What a side knows of its own stream: which message was the last, and how the next ones will look.

use fastrand::Rng;

use super::message::{Front, frame, hash};
use crate::kill::record::{Act, Record, class};

/// The end of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// The last committed number; 0 if there is none.
    pub(super) number: u64,
    /// The hash of that message; 0 if there is none.
    pub(super) hash: u64,
}

/// Messages that are about to be committed together.
#[derive(Debug, Default)]
pub(super) struct Composed {
    /// Their bytes.
    pub(super) messages: Vec<Vec<u8>>,
    /// Bit n: message n is a request.
    requests: u64,
    first: u64,
    previous: u64,
    hash: u64,
}

impl Outgoing {
    /// Where an earlier life left it: what it last intended either happened or not, and the stream, which ends at
    /// `committed`, says which.
    pub(super) fn resume(remembered: Option<Record>, committed: u64) -> Option<Self> {
        match remembered {
            // Also a file that was lost and made anew; whether that may be is for the judge to say.
            _ if committed == 0 => Some(Self::default()),
            Some(intent) if intent.end == committed => {
                Some(Self { number: intent.last(), hash: intent.hash })
            }
            Some(intent) if intent.start == committed => {
                Some(Self { number: intent.number - 1, hash: intent.previous })
            }
            _ => None,
        }
    }
}

impl Composed {
    /// Nothing, to follow what was committed so far.
    pub(super) fn after(out: Outgoing) -> Self {
        Self { first: out.number + 1, previous: out.hash, hash: out.hash, ..Self::default() }
    }

    /// Adds a message; its number and predecessor are put in here.
    pub(super) fn add(&mut self, front: Front, random: &mut Rng) {
        let index = self.messages.len();
        let front = Front { number: self.first + index as u64, previous: self.hash, ..front };
        let mut bytes = Vec::new();
        front.write(random, &mut bytes);
        self.requests |= u64::from(front.class == class::REQUEST) << index;
        self.hash = hash(&bytes);
        self.messages.push(bytes);
    }

    /// What to write down before they are committed from `start` on.
    pub(super) fn intent(&self, act: Act, link: u16, session: u64, start: u64) -> Record {
        let bytes: u64 = self.messages.iter().map(|message| frame(message.len())).sum();
        Record {
            count: u32::try_from(self.messages.len()).expect("a few"),
            number: self.first,
            start,
            end: start + bytes,
            hash: self.hash,
            previous: self.previous,
            extra: self.requests,
            ..Record::new(act, link, session)
        }
    }

    /// They are committed: the end of the stream from here on.
    pub(super) fn done(&self) -> Outgoing {
        Outgoing { number: self.first + self.messages.len() as u64 - 1, hash: self.hash }
    }
}
