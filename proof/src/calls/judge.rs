//! What must hold after a run in which something failed, and after the next one in which nothing did.

use std::path::Path;

use tcpshm_protocol::Role;

use super::acts::{CLIENT_LOST, FOR_NOBODY, SERVER_LOST, SWEPT};
use super::faults::{self, Fault};
use super::files::{Left, compare_file};
use super::messages::{given_up, once_and_in_order};
use super::record::Entry;
use super::run::{End, Run};

const SIDES: [Role; 2] = [Role::Client, Role::Server];

/// Whether the next run must expect that one side has lost its state: the scenario has taken it away.
pub(super) fn may_reset(first: &Run, left: &Left) -> bool {
    let taken_away = [SWEPT, CLIENT_LOST, SERVER_LOST].contains(&first.last_act());
    first.end != End::Finished && taken_away && SIDES.into_iter().any(|side| left.lacks(side))
}

/// The run in which `fault` happened: it ends as it may, it says so, and what lies in its files is what it
/// has written down.
pub(super) fn judge_first(fault: &Fault, run: &Run, links: &Path) -> Vec<String> {
    let mut found = suspicious(run, faults::may_fall_silent(fault));
    match &run.end {
        End::Finished => {
            let left = Left::look(links);
            found.extend(left.unexpected().filter(|_| !is_excused(fault, run, &left)));
            let given_up = SIDES.map(|side| given_up(side, &run.entries).len());
            if given_up != [FOR_NOBODY; 2] {
                found.push(format!("{given_up:?} messages were given up, and not {FOR_NOBODY} of each"));
            }
        }
        End::Killed if fault.kills() => {}
        End::Stuck if fault.lasts() => {
            let said = |entry: &Entry| matches!(entry, Entry::Trouble(..));
            if !run.entries.iter().any(said) {
                found.push("it gave up and had never said why".into());
            }
        }
        other => {
            found.push(format!("it ended so: {other:?}, in {:?}: {:?}", run.last_act(), run.entries.last()))
        }
    }
    found.extend(SIDES.into_iter().flat_map(|side| compare_file(side, run, links)));
    found
}

/// The run after that, in which nothing fails: everything works at once, and both runs together have
/// consumed every message once and in order. A proposal that was left may be refused first.
pub(super) fn judge_second(first: &Run, left: &Left, second: &Run, links: &Path) -> Vec<String> {
    let mut found = suspicious(second, false);
    if second.end != End::Finished {
        found.push(format!("the next run ended so: {:?}, {:?}", second.end, second.entries.last()));
    }
    let dead = |text: &str| left.has_proposal() && text.contains("the proposed session cannot begin");
    let trouble = |entry: &&Entry| matches!(entry, Entry::Trouble(_, text) if !dead(text));
    if !may_reset(first, left) {
        found.extend(second.entries.iter().find(trouble).map(|entry| format!("in the next run: {entry}")));
    }
    found.extend(Left::look(links).unexpected());
    let entries: Vec<Entry> = first.entries.iter().chain(&second.entries).cloned().collect();
    let excused = removed_in_vain(first, left);
    found.extend(SIDES.into_iter().flat_map(|sender| once_and_in_order(sender, &entries, &excused)));
    found
}

fn suspicious(run: &Run, may_fall_silent: bool) -> Vec<String> {
    let suspicious = run.entries.iter().filter(|entry| is_suspicious(entry, may_fall_silent));
    suspicious.map(Entry::to_string).collect()
}

/// What no failing call excuses.
fn is_suspicious(entry: &Entry, may_fall_silent: bool) -> bool {
    match entry {
        Entry::Garbled(..) | Entry::Disputed(_, false) => true,
        Entry::Ended(_, reason) => match reason.split(' ').next() {
            Some("Fault" | "HandlerPanicked") => true,
            Some("Silent") => !may_fall_silent,
            _ => false,
        },
        _ => false,
    }
}

/// A proposal that was refused and could not be removed, because that failed too. The application was told; the
/// next process shows it once more, and then it is removed.
fn is_excused(fault: &Fault, run: &Run, left: &Left) -> bool {
    let told = |entry: &Entry| matches!(entry, Entry::Trouble(method, _) if method == "failed");
    !fault.happens_once() && left.has_proposal() && run.entries.iter().any(told)
}

/// The sides whose live file was removed, if the process ended before it could make it again: what was in it
/// is lost with what was mapped.
fn removed_in_vain(first: &Run, left: &Left) -> Vec<Role> {
    if first.end == End::Finished || first.last_act() != SWEPT {
        return Vec::new();
    }
    let removed = |side: &Role| first.entries.contains(&Entry::Removes(*side));
    SIDES.into_iter().filter(removed).filter(|side| left.lacks(*side)).collect()
}

/// What should not stand in the record of a scenario in which both sides were heard out in the end.
pub(crate) fn judge_record(entries: &[Entry]) -> Vec<String> {
    let mut found: Vec<String> =
        entries.iter().filter(|entry| is_suspicious(entry, false)).map(Entry::to_string).collect();
    found.extend(SIDES.into_iter().flat_map(|sender| once_and_in_order(sender, entries, &[])));
    found
}
