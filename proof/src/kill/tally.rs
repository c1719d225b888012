//! What was counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::judge::Judged;
use super::record::{Act, Moment, Record, carrier, ending};
use super::side::Side;
use crate::proxy::Kind;

/// All counts of a run, or of several.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<(u8, String), u64>,
    /// From the later start of the two to the link, in microseconds.
    resumed: Vec<u64>,
}

/// Groups of counts, in the order in which they are shown.
const KILLS: u8 = 0;
const MOMENTS: u8 = 1;
const JUDGED: u8 = 2;
const LINKS: u8 = 3;
const PROXY: u8 = 4;
const SWEEP: u8 = 5;

impl Tally {
    fn add(&mut self, group: u8, what: impl Into<String>, count: u64) {
        *self.counts.entry((group, what.into())).or_default() += count;
    }

    /// How many of this kind there were.
    pub fn count(&self, what: &str) -> u64 {
        self.counts.iter().filter(|((_, name), _)| name == what).map(|(_, count)| count).sum()
    }

    /// A process was killed.
    pub fn kill(&mut self, side: Side, carriage: impl fmt::Display, moment: Moment) {
        self.add(KILLS, "kills", 1);
        self.add(KILLS, format!("kills of the {side}"), 1);
        self.add(KILLS, format!("kills over {carriage}"), 1);
        self.add(MOMENTS, name(moment), 1);
    }

    /// Both were killed in one round.
    pub fn both(&mut self) {
        self.add(KILLS, "both killed", 1);
    }

    /// A process was stopped for longer than its peers' patience.
    pub fn stop(&mut self) {
        self.add(KILLS, "stops", 1);
    }

    /// Something was written down.
    pub fn record(&mut self, record: &Record) {
        match (record.act, record.flag) {
            (Act::Connected, carrier::TCP) => self.add(LINKS, "connections over tcp", 1),
            (Act::Connected, _) => self.add(LINKS, "connections over shm", 1),
            (Act::Ended, ending::CUT) => self.add(LINKS, "ends by a cut", 1),
            (Act::Ended, ending::SILENT) => self.add(LINKS, "ends by silence", 1),
            (Act::Ended, ending::REPLACED) => self.add(LINKS, "takeovers", 1),
            (Act::Ended, ending::FAULT) => self.add(LINKS, "ends by a fault", 1),
            (Act::Ended, ending::FILE_GONE) => self.add(LINKS, "ends by a missing file", 1),
            (Act::Ended, _) => self.add(LINKS, "ends on purpose", 1),
            (Act::Refused, _) => self.add(LINKS, "refusals told", 1),
            (Act::Dispute, _) => self.add(LINKS, "disputes told", 1),
            (Act::Failed, _) => self.add(LINKS, "files that failed", 1),
            (Act::NotShared, _) => self.add(LINKS, "memory not shared", 1),
            _ => {}
        }
    }

    /// A link was there again this long after the later start of the two processes.
    pub fn resumed(&mut self, after: Duration) {
        self.resumed.push(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
    }

    /// What the judge has seen.
    pub fn judged(&mut self, judged: Judged) {
        let Judged { committed, effects, repeated, replies, happened, did_not, resets, lost, unseen } =
            judged;
        self.add(JUDGED, "committed", committed);
        self.add(JUDGED, "effects", effects);
        self.add(JUDGED, "effects repeated", repeated);
        self.add(JUDGED, "requests answered", replies);
        self.add(JUDGED, "open at a kill, happened", happened);
        self.add(JUDGED, "open at a kill, did not", did_not);
        self.add(SWEEP, "sessions reset", resets);
        self.add(SWEEP, "messages lost and told", lost);
        self.add(SWEEP, "messages lost unseen", unseen);
    }

    /// What the proxy did.
    pub fn proxy(&mut self, counts: &[(Kind, u64)]) {
        for (kind, count) in counts {
            self.add(PROXY, format!("proxy {kind}"), *count);
        }
    }

    /// What was swept away.
    pub fn sweep(&mut self, removed: u64, replaced: u64, bereft: u64) {
        self.add(SWEEP, "files removed", removed);
        self.add(SWEEP, "files replaced", replaced);
        self.add(SWEEP, "files gone at a kill", bereft);
    }

    /// Kills at moments at which something was under way.
    pub fn inside(&self) -> u64 {
        [Moment::Committing, Moment::Answering, Moment::Consuming]
            .map(name)
            .map(|name| self.count(name))
            .iter()
            .sum()
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: Tally) {
        for ((group, what), count) in other.counts {
            self.add(group, what, count);
        }
        self.resumed.extend(other.resumed);
    }

    /// The p-th percentile of the time to a resumed link, in microseconds; 0 if there was none.
    pub fn resumed_within(&mut self, percent: usize) -> u64 {
        self.resumed.sort_unstable();
        let last = self.resumed.len().saturating_sub(1);
        self.resumed.get(last * percent / 100).copied().unwrap_or(0)
    }
}

fn name(moment: Moment) -> &'static str {
    match moment {
        Moment::Starting => "killed before any link",
        Moment::Committing => "killed in a commit",
        Moment::Answering => "killed in an answer",
        Moment::Consuming => "killed in a consumption",
        Moment::Between => "killed elsewhere",
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((_, what), count) in &self.counts {
            writeln!(f, "  {what:<28} {count:>12}")?;
        }
        Ok(())
    }
}
