//! One link of the table.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};
use tcpshm_driver::protocol::Role;
use tcpshm_support::screen::grouped;

use crate::inspect::finding::{Finding, Seen};
use crate::table::aligned;
use crate::units::bytes;

/// The lowest bit of `parked`: its owner sleeps. See `WIRE.md`.
const ASLEEP: u64 = 1;

/// What was seen of each file before.
#[derive(Default)]
pub(super) struct History {
    files: HashMap<PathBuf, Before>,
}

#[derive(Clone)]
struct Before {
    at: Instant,
    session: String,
    committed: u64,
    consumed: u64,
    current: u64,
    logins: u64,
}

/// What is shown.
#[derive(Debug)]
pub(super) struct Row {
    role: Role,
    owner: String,
    peer: String,
    session: String,
    state: &'static str,
    process: Option<i64>,
    committed: u64,
    consumed: u64,
    /// Bytes of frames a second, once there were two looks.
    rates: Option<[f64; 2]>,
    unacked: u64,
    unacked_bytes: u64,
    ring: u64,
    asleep: bool,
    logins: u64,
    boot: String,
    trouble: Option<String>,
}

impl History {
    /// Of a look, and of one `later`: of two files that are read one after the other the second has moved on.
    pub(super) fn rows(&mut self, now: Instant, findings: &[Finding], later: &[Finding]) -> Vec<Row> {
        findings.iter().filter_map(|one| self.row(now, one, later)).collect()
    }

    fn row(&mut self, now: Instant, finding: &Finding, all: &[Finding]) -> Option<Row> {
        let seen = finding.seen.as_ref()?;
        let (header, words) = (&seen.snapshot.header, &seen.snapshot.words);
        let session = header.session.to_string();
        let (committed, consumed) = (seen.committed(), seen.consumed());
        let faces = |other: &&Seen| seen.is_faced_by(other);
        let other = all.iter().filter_map(|other| other.seen.as_ref()).find(faces);
        let (unacked, unacked_bytes) = seen.waiting(other);
        let before = self.files.get(&finding.path).filter(|before| before.session == session);
        let rates = before.map(|before| {
            let seconds = (now - before.at).as_secs_f64();
            let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds.max(1e-9);
            [rate(committed, before.committed), rate(consumed, before.consumed)]
        });
        let logins = before.map_or(0, |before| before.logins + u64::from(before.current != words.current));
        let here =
            Before { at: now, session: session.clone(), committed, consumed, current: words.current, logins };
        self.files.insert(finding.path.clone(), here);
        Some(Row {
            role: header.role,
            owner: header.owner.to_string(),
            peer: header.peer.to_string(),
            session,
            state: state(finding, seen, all),
            process: finding.holder.process(),
            committed,
            consumed,
            rates,
            unacked,
            unacked_bytes,
            ring: header.outgoing.capacity(),
            asleep: words.parked & ASLEEP != 0,
            logins,
            boot: format!("{:?}", seen.boot()).to_lowercase(),
            trouble: finding.reason.clone(),
        })
    }
}

/// How a link stands, as far as files tell.
fn state(finding: &Finding, seen: &Seen, all: &[Finding]) -> &'static str {
    if finding.holder.process().is_none() {
        return "closed";
    }
    let is_other_side = |other: &&Finding| {
        other.holder.process().is_some()
            && other.seen.as_ref().is_some_and(|other| {
                seen.is_faced_by(other) && other.snapshot.words.current == seen.snapshot.words.current
            })
    };
    if seen.snapshot.words.current != 0 && all.iter().any(|other| is_other_side(&other)) {
        "linked"
    } else {
        "open"
    }
}

impl Row {
    fn fill(&self) -> f64 {
        self.unacked_bytes as f64 / self.ring as f64
    }

    pub(super) fn document(&self) -> Value {
        let [sent, consumed] = self.rates.map_or([None; 2], |rates| rates.map(Some));
        json!({
            "owner": self.owner, "peer": self.peer, "role": format!("{:?}", self.role).to_lowercase(),
            "state": self.state, "pid": self.process, "session": self.session,
            "committed": self.committed, "consumed": self.consumed,
            "sent_per_second": sent, "consumed_per_second": consumed,
            "unacked": self.unacked, "unacked_bytes": self.unacked_bytes,
            "ring": self.ring, "ring_fill": self.fill(), "asleep": self.asleep,
            "logins": self.logins, "boot": self.boot, "trouble": self.trouble,
        })
    }

    fn cells(&self) -> [String; 9] {
        let rate = |at: usize| match self.rates {
            Some(rates) => format!("{}/s", bytes(whole(rates[at]))),
            None => "-".to_owned(),
        };
        let side = if self.role == Role::Client { "client" } else { "server" };
        [
            format!("{side} {} > {}", self.owner, self.peer),
            if self.asleep { format!("{}, asleep", self.state) } else { self.state.to_owned() },
            rate(0),
            rate(1),
            grouped(self.unacked),
            bytes(self.unacked_bytes),
            format!("{:.0} %", 100.0 * self.fill()),
            grouped(self.logins),
            self.process.map_or_else(|| "-".to_owned(), |process| process.to_string()),
        ]
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, shown rounded")]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

/// A file that is no link file, though it is called one.
pub(super) fn unreadable(finding: &Finding) -> Option<Value> {
    let reason = finding.reason.as_ref().filter(|_| finding.seen.is_none())?;
    Some(json!({"path": finding.path.to_string_lossy(), "verdict": finding.verdict.name(), "reason": reason}))
}

pub(super) fn table(rows: &[Row], findings: &[Finding]) -> Vec<String> {
    let heading = ["LINK", "STATE", "SENT", "CONSUMED", "UNACKED", "BYTES", "RING", "LOGINS", "PID"];
    let mut lines = aligned(heading, 2, rows.iter().map(Row::cells));
    let trouble = |row: &Row| Some(format!("  {} > {}: {}", row.owner, row.peer, row.trouble.as_ref()?));
    lines.extend(rows.iter().filter_map(trouble));
    let unreadable = findings.iter().filter(|finding| finding.seen.is_none());
    lines.extend(unreadable.map(|finding| format!("  {}", finding.in_one_line())));
    if findings.is_empty() {
        lines.push("no links here".to_owned());
    }
    lines
}
