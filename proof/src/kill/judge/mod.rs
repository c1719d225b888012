//! Judges what the applications wrote down. It believes the logs, and nothing that a link says of itself.
//!
//! ```text
//!   sender's log     intend 5..7 ── committed ──┐            killed: "committed up to" must be where 5..7
//!                                               ├─ the same? starts or ends, and nothing in between
//!   receiver's log   effect 5 ── consumed ──────┘            killed: the one effect that was not known to be
//!                    effect 6 ── consumed                    consumed may come again, and no other
//! ```

mod link;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use link::Judged;
use link::Link;

use super::record::{Act, Record};
use super::side::Side;
use crate::{Invariant, Violation};

/// The judge of all links of one run.
#[derive(Debug)]
pub struct Judge {
    links: Vec<Link>,
    judged: Judged,
    /// Whether somebody removes files, so that some trouble with them is no surprise.
    sweeping: bool,
}

impl Judge {
    /// A judge of this many links.
    pub fn new(links: u16, sweeping: bool) -> Self {
        Self { links: (0..links).map(|_| Link::default()).collect(), judged: Judged::default(), sweeping }
    }

    /// `side` wrote this down.
    pub fn record(&mut self, side: Side, record: Record) -> Result<(), Violation> {
        let Some(link) = self.links.get_mut(usize::from(record.link)) else {
            return wrong(Invariant::Apart, format!("there is no such link: {record:?}"));
        };
        let result = match record.act {
            Act::Start | Act::Connected | Act::Ended | Act::Refused | Act::NotShared => Ok(()),
            Act::Failed if self.sweeping => Ok(()),
            Act::Dispute if link.is_bereft() => Ok(()),
            Act::Failed | Act::Dispute => wrong(Invariant::Decided, format!("{record:?} without a cause")),
            _ => link.record(side, record, &mut self.judged),
        };
        let number = record.link;
        result.map_err(|Violation { invariant, text }| {
            let text = format!("link {number}, read from the {side}: {text}");
            Violation { invariant, text }
        })
    }

    /// The files of these links were gone when their owner was killed: their sessions may end, and have to say what
    /// is lost.
    pub fn bereave(&mut self, links: &BTreeSet<u16>) {
        for link in links {
            self.links[usize::from(*link)].bereave();
        }
    }

    /// What was judged so far.
    pub fn judged(&self) -> Judged {
        self.judged
    }

    /// The links on which something is still under way.
    pub fn unsettled(&self) -> Vec<usize> {
        (0..self.links.len()).filter(|link| !self.links[*link].is_settled()).collect()
    }

    /// One of these, in all detail.
    pub fn detail(&self, link: usize) -> String {
        format!("{:#?}", self.links[link])
    }

    /// When all that there is was read: nothing may have taken effect that nobody committed.
    pub fn conclude(&self) -> Result<(), Violation> {
        self.links.iter().try_for_each(Link::conclude)
    }
}

fn wrong<T>(invariant: Invariant, text: String) -> Result<T, Violation> {
    Err(Violation { invariant, text })
}
