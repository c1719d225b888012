//! An application that writes down what it commits and what it consumes, and that knows every message.

use std::io;
use std::net::SocketAddr;

use tcpshm_driver::{
    Connected, Disconnected, Dispute, FileError, Handler, Kind, Link, LoginRefused, Name, Policy, Received,
    SendError, ViewError,
};
use tcpshm_protocol::Role;

use super::record::{Entry, Record};

/// What is to be answered, and what is not.
const REQUEST: u16 = 1;
const NOTICE: u16 = 2;

/// One side's application: a server answers every message, a client takes what comes.
#[derive(Debug)]
pub(crate) struct App {
    side: Role,
    pub(super) record: Record,
    /// The number of the last message that it committed.
    pub(crate) sent: u64,
    /// How often anything happened.
    pub(crate) activity: u64,
    /// How many connections have ended.
    pub(crate) endings: u64,
    /// Whether the scenario has taken the state of one side away, so that a dispute is to be expected.
    pub(crate) may_reset: bool,
}

impl App {
    /// An application that goes on after its message `sent`.
    pub(crate) fn new(side: Role, sent: u64, may_reset: bool, record: Record) -> Self {
        App { side, record, sent, activity: 0, endings: 0, may_reset }
    }

    /// Commits the next message. There is always room: the rings are large, and little is in flight.
    pub(crate) fn send(&mut self, link: &mut Link<'_>) -> Result<(), SendError> {
        let number = self.next();
        let kind = if self.side == Role::Client { REQUEST } else { NOTICE };
        let committed = link.send(self.kind(kind), &payload(self.side, number))?;
        self.committed(number, link, committed.position().get());
        Ok(())
    }

    /// Commits the next `count` messages as one batch.
    pub(crate) fn send_batch(&mut self, link: &mut Link<'_>, count: u64) -> Result<(), SendError> {
        let first = self.sent + 1;
        let kind = self.kind(REQUEST);
        let mut batch = link.batch();
        for _ in 0..count {
            let number = self.next();
            batch.send(kind, &payload(self.side, number))?;
        }
        let end = batch.commit().position().get();
        (first..=self.sent).for_each(|number| self.committed(number, link, end));
        Ok(())
    }

    fn next(&mut self) -> u64 {
        self.sent += 1;
        self.record.write(&Entry::Commits(self.side, self.sent));
        self.sent
    }

    fn kind(&self, number: u16) -> Kind {
        Kind::new(number).expect("not 0")
    }

    fn committed(&self, number: u64, link: &Link<'_>, end: u64) {
        self.record.write(&Entry::Committed(self.side, number, link.session().to_string(), end));
    }

    fn consumed(&self, number: u64, link: &Link<'_>) {
        let end = link.consumed().position().get();
        self.record.write(&Entry::Consumed(self.side, number, link.session().to_string(), end));
    }

    fn answer(&mut self, link: &mut Link<'_>, received: Received<'_>, number: u64) -> Result<(), String> {
        let reply = self.next();
        let bytes = payload(self.side, reply);
        let mut slot = link.claim(self.kind(NOTICE), bytes.len()).map_err(|full| full.to_string())?;
        slot.copy_from_slice(&bytes);
        let end = slot.commit_consuming(received).map_err(|refused| format!("{:?}", refused.reason))?;
        self.committed(reply, link, end.position().get());
        self.consumed(number, link);
        Ok(())
    }

    fn garbled(&self, text: impl Into<String>) {
        self.record.write(&Entry::Garbled(self.side, text.into()));
    }

    fn trouble(&mut self, method: &str, text: impl std::fmt::Display) {
        self.activity += 1;
        self.record.trouble(method, format!("{:?}: {text}", self.side));
    }
}

impl Handler for App {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.activity += 1;
        let Some(number) = number_of(other(self.side), received.payload()) else {
            return self.garbled(format!("{} bytes", received.payload().len()));
        };
        self.record.write(&Entry::Takes(self.side, number));
        if received.kind().get() == REQUEST {
            if let Err(text) = self.answer(link, received, number) {
                self.garbled(text);
            }
            return;
        }
        match link.consume(received) {
            Ok(_) => self.consumed(number, link),
            Err(refused) => self.garbled(format!("{:?}", refused.reason)),
        }
    }

    fn connected(&mut self, _: &mut Link<'_>, _: &Connected) {
        self.activity += 1;
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.activity += 1;
        self.endings += 1;
        let kind = format!("{reason:?}");
        let word = kind.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        let text = format!("{word} {reason}").replace('\n', " ");
        self.record.write(&Entry::Ended(self.side, text));
    }

    fn unconsumed(&mut self, _: &mut Link<'_>, _: tcpshm_driver::Delivered) {
        self.garbled("a message was dropped");
    }

    fn dispute(&mut self, _: &Dispute) -> Policy {
        self.activity += 1;
        self.record.write(&Entry::Disputed(self.side, self.may_reset));
        if self.may_reset { Policy::Reset } else { Policy::Refuse }
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.trouble("refused", &refused.refusal);
    }

    fn unreachable(&mut self, _: SocketAddr, error: &io::Error) {
        self.trouble("unreachable", error);
    }

    fn not_shared(&mut self, _: &Name, error: &ViewError) {
        self.trouble("not_shared", error);
    }

    fn failed(&mut self, _: &Name, error: &FileError) {
        self.trouble("failed", error);
    }
}

fn other(side: Role) -> Role {
    match side {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// The message of this number: no two are alike, and their lengths differ.
fn payload(side: Role, number: u64) -> Vec<u8> {
    let salt = if side == Role::Client { 0xc0 } else { 0x50 };
    let filler =
        (0..number * 37 % 300).map(|at| u8::try_from((at + number) % 251).expect("below 251") ^ salt);
    number.to_le_bytes().into_iter().chain(filler).collect()
}

/// The number of a message, if every byte of it is as it was sent.
fn number_of(side: Role, bytes: &[u8]) -> Option<u64> {
    let number = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    (number > 0 && number < 1 << 32 && payload(side, number) == bytes).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_one_wrong_byte_has_no_number() {
        for number in [1, 2, 50] {
            let whole = payload(Role::Client, number);
            assert_eq!(number_of(Role::Client, &whole), Some(number));
            assert!(whole.len() <= 8 || number_of(Role::Server, &whole).is_none());
            for at in 0..whole.len() {
                let mut wrong = whole.clone();
                wrong[at] ^= 1;
                assert_eq!(number_of(Role::Client, &wrong), None);
            }
        }
        assert_eq!(number_of(Role::Client, &[]), None);
    }
}
