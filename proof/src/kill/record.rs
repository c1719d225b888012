//! What an application writes down, as it stands in its log.

use std::time::{SystemTime, UNIX_EPOCH};

use super::side::Side;

/// Bytes of a record. A page holds a whole number of them, and the kernel copies within a page what one write
/// brings, so a kill leaves whole records.
pub const SIZE: usize = 64;

/// What is about to happen, or has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A process has started.
    Start,
    /// It meets a link: `start` is where its own stream ends, `end` up to where it has consumed the peer's.
    Found,
    /// A link has a connection; `extra` is the time, `flag` the carrier.
    Connected,
    /// It lost it; `flag` says why.
    Ended,
    /// `count` messages, `number` the first, are about to be committed between `start` and `end`.
    Intend,
    /// The same, and with them the effects before this are consumed.
    Answer,
    /// What was intended is committed, up to `end`.
    Committed,
    /// What was answered is committed, up to `end`.
    Answered,
    /// A message takes effect, and is about to be consumed.
    Effect,
    /// The effects so far are consumed, up to `end`.
    Consumed,
    /// Two histories do not fit.
    Dispute,
    /// A fresh session took the place of `session`, in which `number` messages were not delivered.
    Reset,
    /// A login was refused, by this side if `flag` is 1.
    Refused,
    /// A link file could not be used.
    Failed,
    /// Shared memory was not possible although it was wished for.
    NotShared,
}

const ACTS: [Act; 15] = [
    Act::Start,
    Act::Found,
    Act::Connected,
    Act::Ended,
    Act::Intend,
    Act::Answer,
    Act::Committed,
    Act::Answered,
    Act::Effect,
    Act::Consumed,
    Act::Dispute,
    Act::Reset,
    Act::Refused,
    Act::Failed,
    Act::NotShared,
];

/// What kind of message takes effect, in a record's `flag`.
pub mod class {
    /// Wants nothing back.
    pub const ONE_WAY: u8 = 1;
    /// Wants one reply.
    pub const REQUEST: u8 = 2;
    /// Replies to the request whose number it carries.
    pub const REPLY: u8 = 3;
}

/// Why a connection ended, in a record's `flag`.
pub mod ending {
    /// The other end is gone.
    pub const CUT: u8 = 1;
    /// Nothing was heard.
    pub const SILENT: u8 = 2;
    /// A newer login took over.
    pub const REPLACED: u8 = 3;
    /// The peer broke the protocol.
    pub const FAULT: u8 = 4;
    /// A link file was removed or replaced.
    pub const FILE_GONE: u8 = 5;
    /// Ended on purpose, by either side.
    pub const CLOSED: u8 = 6;
}

/// What carries a link, in a record's `flag`.
pub mod carrier {
    /// The connection itself.
    pub const TCP: u8 = 1;
    /// Shared memory.
    pub const SHM: u8 = 2;
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What happens.
    pub act: Act,
    /// Says more of it.
    pub flag: u8,
    /// The number of the link.
    pub link: u16,
    /// How many messages.
    pub count: u32,
    /// The number of the first message in its stream, from 1.
    pub number: u64,
    /// Where it starts in its stream.
    pub start: u64,
    /// Where the last one ends.
    pub end: u64,
    /// Of all bytes of the last one.
    pub hash: u64,
    /// The hash of the message before the first.
    pub previous: u64,
    /// The session, folded.
    pub session: u64,
    /// Which of several messages are requests, the request that is replied to, or a time in nanoseconds.
    pub extra: u64,
}

impl Record {
    /// A record with nothing in it but this.
    pub const fn new(act: Act, link: u16, session: u64) -> Self {
        Self {
            act,
            flag: 0,
            link,
            count: 0,
            number: 0,
            start: 0,
            end: 0,
            hash: 0,
            previous: 0,
            session,
            extra: 0,
        }
    }

    /// The number of the last message.
    pub fn last(&self) -> u64 {
        self.number + u64::from(self.count) - 1
    }

    /// Its bytes in the log.
    pub fn encode(&self) -> [u8; SIZE] {
        let (link, count) = (self.link.to_le_bytes(), self.count.to_le_bytes());
        let front = [self.act as u8, self.flag, link[0], link[1], count[0], count[1], count[2], count[3]];
        let mut bytes = [0; SIZE];
        let words = [
            u64::from_le_bytes(front),
            self.number,
            self.start,
            self.end,
            self.hash,
            self.previous,
            self.session,
            self.extra,
        ];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The record with these bytes; `None` if they are none.
    pub fn decode(bytes: &[u8; SIZE]) -> Option<Self> {
        let act = *ACTS.get(usize::from(bytes[0]))?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at * 8..at * 8 + 8]);
            u64::from_le_bytes(word)
        };
        Some(Self {
            act,
            flag: bytes[1],
            link: u16::from_le_bytes([bytes[2], bytes[3]]),
            count: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            number: word(1),
            start: word(2),
            end: word(3),
            hash: word(4),
            previous: word(5),
            session: word(6),
            extra: word(7),
        })
    }
}

/// Where an application was when it was killed, by the last thing that it wrote down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Opening its files, before it met a link.
    Starting,
    /// Between writing down what it would commit, and having committed it.
    Committing,
    /// The same for a commit that consumes.
    Answering,
    /// Between an effect and the end of its consumption.
    Consuming,
    /// Anywhere else.
    Between,
}

impl Moment {
    /// What the last record says.
    pub fn after(act: Act) -> Self {
        match act {
            Act::Start => Moment::Starting,
            Act::Intend => Moment::Committing,
            Act::Answer => Moment::Answering,
            Act::Effect => Moment::Consuming,
            _ => Moment::Between,
        }
    }
}

/// Nanoseconds by the clock that the processes and their supervisor share.
pub fn clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The file name of one side's log.
pub fn log_name(side: Side) -> String {
    format!("{side}.log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_act_comes_back_as_it_was_written() {
        for (number, act) in ACTS.into_iter().enumerate() {
            assert_eq!(act as usize, number);
            let record = Record {
                flag: 3,
                count: 0x0102_0304,
                number: 5,
                start: 6,
                end: u64::MAX,
                hash: 7,
                previous: 8,
                extra: 9,
                ..Record::new(act, 0x0a0b, 10)
            };
            assert_eq!(Record::decode(&record.encode()), Some(record));
        }
        assert_eq!(Record::decode(&[0xff; SIZE]), None);
    }
}
