//! What an application writes down, one line each, before and after it acts.
//!
//! A number is written before its message is committed or consumed, and again afterwards with the position
//! where it ends: a process that dies in between leaves one open question, and no more.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::process;
use std::rc::Rc;
use std::str::FromStr;

use tcpshm_protocol::Role;

/// A line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The process has started: what it does from here on is the project's.
    Begin,
    /// A part of the scenario begins.
    Act(String),
    /// This side is about to commit its message of this number.
    Commits(Role, u64),
    /// It has, in this session, up to this position.
    Committed(Role, u64, String, u64),
    /// This side was given the peer's message of this number, and is about to consume it.
    Takes(Role, u64),
    /// It has, in this session, up to this position of the peer's stream.
    Consumed(Role, u64, String, u64),
    /// An earlier session of this side's is kept aside with what was not delivered, from and up to.
    Kept(Role, String, u64, u64),
    /// The scenario is about to remove the link file of this side.
    Removes(Role),
    /// The two sides have different histories: `true` where the scenario has made it so.
    Disputed(Role, bool),
    /// A connection ended, for this reason.
    Ended(Role, String),
    /// Something did not work: which method said so, and what it said.
    Trouble(String, String),
    /// A message came that nobody sent.
    Garbled(Role, String),
    /// The scenario cannot go on: what it waited for.
    Stuck(String),
    /// Everything was done.
    Finished,
}

/// Where the lines go.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// To standard output, which is a file that is only ever appended to.
    Printed,
    /// Into memory: for a scenario that is judged where it is played.
    Remembered(Rc<RefCell<Vec<Entry>>>),
}

/// How a process ends that could not write its record.
pub(super) const UNRECORDED: i32 = 3;

impl Record {
    /// Writes one line, at once.
    pub(crate) fn write(&self, entry: &Entry) {
        if let Record::Remembered(entries) = self {
            return entries.borrow_mut().push(entry.clone());
        }
        let mut out = io::stdout().lock();
        if writeln!(out, "{entry}").and_then(|()| out.flush()).is_err() {
            process::exit(UNRECORDED);
        }
    }

    /// What was written so far; nothing of what was printed.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        match self {
            Record::Printed => Vec::new(),
            Record::Remembered(entries) => entries.borrow().clone(),
        }
    }

    /// Notes that `method` did not work.
    pub(crate) fn trouble(&self, method: &str, error: impl fmt::Display) {
        self.write(&Entry::Trouble(method.into(), one_line(error)));
    }
}

fn one_line(text: impl fmt::Display) -> String {
    text.to_string().replace('\n', " ")
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Begin => write!(f, "begin"),
            Entry::Act(name) => write!(f, "act {name}"),
            Entry::Commits(side, number) => write!(f, "commits {side:?} {number}"),
            Entry::Committed(side, number, session, end) => {
                write!(f, "committed {side:?} {number} {session} {end}")
            }
            Entry::Takes(side, number) => write!(f, "takes {side:?} {number}"),
            Entry::Consumed(side, number, session, end) => {
                write!(f, "consumed {side:?} {number} {session} {end}")
            }
            Entry::Kept(side, session, from, upto) => write!(f, "kept {side:?} {session} {from} {upto}"),
            Entry::Removes(side) => write!(f, "removes {side:?}"),
            Entry::Disputed(side, planned) => write!(f, "disputed {side:?} {planned}"),
            Entry::Ended(side, reason) => write!(f, "ended {side:?} {reason}"),
            Entry::Trouble(method, text) => write!(f, "trouble {method} {text}"),
            Entry::Garbled(side, text) => write!(f, "garbled {side:?} {text}"),
            Entry::Stuck(what) => write!(f, "stuck {what}"),
            Entry::Finished => write!(f, "finished"),
        }
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut fields = Fields(rest);
        let entry = match word {
            "begin" => Entry::Begin,
            "act" => Entry::Act(rest.into()),
            "commits" => Entry::Commits(fields.side()?, fields.number()?),
            "committed" => {
                Entry::Committed(fields.side()?, fields.number()?, fields.word(), fields.number()?)
            }
            "takes" => Entry::Takes(fields.side()?, fields.number()?),
            "consumed" => Entry::Consumed(fields.side()?, fields.number()?, fields.word(), fields.number()?),
            "kept" => Entry::Kept(fields.side()?, fields.word(), fields.number()?, fields.number()?),
            "removes" => Entry::Removes(fields.side()?),
            "disputed" => Entry::Disputed(fields.side()?, fields.word() == "true"),
            "ended" => Entry::Ended(fields.side()?, fields.0.into()),
            "trouble" => Entry::Trouble(fields.word(), fields.0.into()),
            "garbled" => Entry::Garbled(fields.side()?, fields.0.into()),
            "stuck" => Entry::Stuck(rest.into()),
            "finished" => Entry::Finished,
            _ => return Err(format!("no line of a record: {line}")),
        };
        Ok(entry)
    }
}

/// The rest of a line, taken word by word.
struct Fields<'a>(&'a str);

impl Fields<'_> {
    fn word(&mut self) -> String {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        word.to_owned()
    }

    fn number(&mut self) -> Result<u64, String> {
        let word = self.word();
        word.parse().map_err(|error| format!("{word}: {error}"))
    }

    fn side(&mut self) -> Result<Role, String> {
        match self.word().as_str() {
            "Client" => Ok(Role::Client),
            "Server" => Ok(Role::Server),
            other => Err(format!("no side: {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read_as_it_was_written() {
        let session = || "0f".repeat(16);
        for entry in [
            Entry::Begin,
            Entry::Act("talk over tcp".into()),
            Entry::Commits(Role::Client, 7),
            Entry::Committed(Role::Server, 7, session(), 4096),
            Entry::Takes(Role::Server, u64::MAX),
            Entry::Consumed(Role::Client, 1, session(), 8),
            Entry::Kept(Role::Server, session(), 8, 16),
            Entry::Removes(Role::Client),
            Entry::Disputed(Role::Client, true),
            Entry::Disputed(Role::Server, false),
            Entry::Ended(Role::Client, "Io the connection failed".into()),
            Entry::Trouble("bind".into(), "no room: left".into()),
            Entry::Garbled(Role::Client, "9 bytes".into()),
            Entry::Stuck("a link".into()),
            Entry::Finished,
        ] {
            assert_eq!(entry.to_string().parse(), Ok(entry));
        }
        assert!("commits Nobody 3".parse::<Entry>().is_err());
    }
}
