//! What must hold after a run in which something failed, and after the next one in which nothing did.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tcpshm_protocol::{Memory, Role, Survey};

use super::acts::{CLIENT_LOST, FOR_NOBODY, SERVER_LOST, SWEPT};
use super::faults::{self, Fault};
use super::record::Entry;
use super::run::{End, Run};

const SIDES: [Role; 2] = [Role::Client, Role::Server];
/// What a directory holds when nothing is unfinished.
const WHOLE: [&str; 4] = ["c~client.lock", "c~client~server.link", "s~server.lock", "s~server~client.link"];

/// Whether the next run must expect that one side has lost its state.
pub(super) fn may_reset(first: &Run) -> bool {
    first.end != End::Finished && [SWEPT, CLIENT_LOST, SERVER_LOST].contains(&first.last_act())
}

/// The run in which `fault` happened: it ends as it may, it says so, and what lies in its files is what it
/// has written down.
pub(super) fn judge_first(fault: &Fault, run: &Run, links: &Path) -> Vec<String> {
    let mut found = suspicious(run, faults::may_fall_silent(fault));
    match &run.end {
        End::Finished => {
            if !is_excused(fault, run, links) {
                found.extend(unexpected_files(links));
            }
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
/// consumed every message once and in order. A proposal that was `left` may be refused first.
pub(super) fn judge_second(first: &Run, left: bool, second: &Run, links: &Path) -> Vec<String> {
    let mut found = suspicious(second, false);
    if second.end != End::Finished {
        found.push(format!("the next run ended so: {:?}, {:?}", second.end, second.entries.last()));
    }
    let dead = |text: &str| left && text.contains("the proposed session cannot begin");
    let trouble = |entry: &&Entry| matches!(entry, Entry::Trouble(_, text) if !dead(text));
    if !may_reset(first) {
        found.extend(second.entries.iter().find(trouble).map(|entry| format!("in the next run: {entry}")));
    }
    found.extend(unexpected_files(links));
    let entries: Vec<Entry> = first.entries.iter().chain(&second.entries).cloned().collect();
    let excused = if may_reset(first) && first.last_act() == SWEPT { removed_in_vain(first) } else { vec![] };
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

/// Whether there is a file of the client that it has proposed, and that was not accepted.
pub(super) fn has_proposal(links: &Path) -> bool {
    files(links).iter().any(|name| name.starts_with(WHOLE[1]) && name.ends_with(".new"))
}

/// A proposal that was refused and could not be removed, because that failed too. The application was told; the
/// next process shows it once more, and then it is removed.
fn is_excused(fault: &Fault, run: &Run, links: &Path) -> bool {
    let told = |entry: &Entry| matches!(entry, Entry::Trouble(method, _) if method == "failed");
    !fault.happens_once() && has_proposal(links) && run.entries.iter().any(told)
}

fn files(links: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(links).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn unexpected_files(links: &Path) -> Vec<String> {
    let found = files(links);
    if found.iter().eq(WHOLE) { vec![] } else { vec![format!("files in the directory: {found:?}")] }
}

/// The sides whose files the scenario had removed, if it ended before they were made again. Their messages
/// were lost with the process, since it could write no file.
fn removed_in_vain(first: &Run) -> Vec<Role> {
    let removed = |entry: &Entry| match entry {
        Entry::Removes(side) => Some(*side),
        _ => None,
    };
    first.entries.iter().filter_map(removed).collect()
}

// ---- files ----

/// Whether the file of one side says what its owner has written down.
fn compare_file(side: Role, run: &Run, links: &Path) -> Vec<String> {
    let file = if side == Role::Client { WHOLE[1] } else { WHOLE[3] };
    let Ok(image) = fs::read(links.join(file)) else { return absent(side, run) };
    let survey = match tcpshm_protocol::survey(&Memory::from_image(image)) {
        Ok(survey) => survey,
        Err(error) => return vec![format!("{file}: {error}")],
    };
    let recorded = Recorded::of(side, &survey, &run.entries);
    let (tail, consumed) = (survey.undelivered().upto.get(), survey.standing().consumed.get());
    let mut found = Vec::new();
    if tail != recorded.committed && !(recorded.open && tail > recorded.committed) {
        found.push(format!("{file}: ends at {tail}, and {} was committed", recorded.committed));
    }
    if consumed != recorded.consumed && !(recorded.open && consumed > recorded.consumed) {
        found.push(format!("{file}: consumed to {consumed}, and its owner to {}", recorded.consumed));
    }
    found
}

/// A side may have no file if it never had one, or if the scenario has removed it last of all.
fn absent(side: Role, run: &Run) -> Vec<String> {
    let last = |entry: &&Entry| match entry {
        Entry::Committed(of, ..) | Entry::Consumed(of, ..) | Entry::Removes(of) => *of == side,
        _ => false,
    };
    match run.entries.iter().rev().find(last) {
        None | Some(Entry::Removes(_)) => vec![],
        // Committed to a file that was removed and could not be made again.
        Some(_) if may_reset(run) && run.last_act() == SWEPT => vec![],
        Some(entry) => vec![format!("the file of the {side:?} is gone, and it had recorded: {entry}")],
    }
}

/// What a side has written down about the session that its file holds.
struct Recorded {
    committed: u64,
    consumed: u64,
    /// It ended between writing down that it was about to do something, and that it had.
    open: bool,
}

impl Recorded {
    fn of(side: Role, survey: &Survey, entries: &[Entry]) -> Self {
        let session = survey.header().session.to_string();
        let mut recorded = Recorded { committed: 0, consumed: 0, open: false };
        for entry in entries {
            match entry {
                Entry::Commits(of, _) | Entry::Takes(of, _) if *of == side => recorded.open = true,
                Entry::Committed(of, _, within, end) if *of == side => {
                    recorded.open = false;
                    if *within == session {
                        recorded.committed = *end;
                    }
                }
                Entry::Consumed(of, _, within, end) if *of == side => {
                    recorded.open = false;
                    if *within == session {
                        recorded.consumed = *end;
                    }
                }
                _ => {}
            }
        }
        recorded
    }
}

// ---- messages ----

/// The numbers of `sender` that were kept aside, undelivered.
fn given_up(sender: Role, entries: &[Entry]) -> BTreeSet<u64> {
    let mut kept = Vec::new();
    let mut ends = Vec::new();
    for entry in entries {
        match entry {
            Entry::Kept(of, session, from, upto) if *of == sender => kept.push((session, *from, *upto)),
            Entry::Committed(of, number, session, end) if *of == sender => {
                ends.push((*number, session, *end))
            }
            _ => {}
        }
    }
    let within = |session: &String, end: u64| {
        kept.iter().any(|(of, from, upto)| *of == session && *from < end && end <= *upto)
    };
    ends.iter().filter(|(_, session, end)| within(session, *end)).map(|(number, ..)| *number).collect()
}

/// What should not stand in the record of a scenario in which both sides were heard out in the end.
pub(crate) fn judge_record(entries: &[Entry]) -> Vec<String> {
    let mut found: Vec<String> =
        entries.iter().filter(|entry| is_suspicious(entry, false)).map(Entry::to_string).collect();
    found.extend(SIDES.into_iter().flat_map(|sender| once_and_in_order(sender, entries, &[])));
    found
}

/// Everything that `sender` committed was consumed once and in order, or kept aside; and nothing else was.
fn once_and_in_order(sender: Role, entries: &[Entry], excused: &[Role]) -> Vec<String> {
    let mut found = Vec::new();
    // Whether it is known that the commit happened.
    let mut committed: BTreeMap<u64, bool> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut open = None;
    for entry in entries {
        match entry {
            Entry::Commits(of, number) if *of == sender => _ = committed.entry(*number).or_insert(false),
            Entry::Committed(of, number, ..) if *of == sender => _ = committed.insert(*number, true),
            Entry::Takes(of, number) if *of != sender => {
                let again = open == Some(*number);
                if !again && taken.last().is_some_and(|last| last >= number) {
                    found.push(format!("{number} of the {sender:?} came after {:?}", taken.last()));
                }
                if !committed.contains_key(number) {
                    found.push(format!("{number} of the {sender:?} came, and was never sent"));
                }
                taken.insert(*number);
                open = Some(*number);
            }
            Entry::Consumed(of, number, ..) if *of != sender && open == Some(*number) => open = None,
            _ => {}
        }
    }
    let kept = given_up(sender, entries);
    let mut lost = committed.iter().filter(|(_, known)| **known).map(|(number, _)| *number);
    if let Some(number) = lost.find(|number| !taken.contains(number) && !kept.contains(number))
        && !excused.contains(&sender)
    {
        found.push(format!("{number} of the {sender:?} is lost"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "5e55";

    fn sent(number: u64) -> [Entry; 2] {
        let end = number * 24;
        [Entry::Commits(Role::Client, number), Entry::Committed(Role::Client, number, SESSION.into(), end)]
    }

    fn got(number: u64) -> [Entry; 2] {
        let end = number * 24;
        [Entry::Takes(Role::Server, number), Entry::Consumed(Role::Server, number, SESSION.into(), end)]
    }

    fn judged(parts: &[[Entry; 2]]) -> Vec<String> {
        once_and_in_order(Role::Client, &parts.concat(), &[])
    }

    #[test]
    fn a_message_that_is_lost_repeated_reordered_or_invented_is_found() {
        assert!(judged(&[sent(1), sent(2), got(1), got(2)]).is_empty());
        assert_eq!(judged(&[sent(1), sent(2), got(1)]), ["2 of the Client is lost"]);
        assert_eq!(judged(&[sent(1), got(1), got(1)]), ["1 of the Client came after Some(1)"]);
        assert_eq!(judged(&[sent(1), sent(2), got(2), got(1)]), ["1 of the Client came after Some(2)"]);
        assert_eq!(judged(&[got(1)]), ["1 of the Client came, and was never sent"]);
    }

    #[test]
    fn what_a_death_leaves_open_may_have_happened_or_not() {
        let [about_to, _] = sent(2);
        for rest in [vec![], got(2).to_vec()] {
            let entries = [&[sent(1), got(1)].concat()[..], std::slice::from_ref(&about_to), &rest].concat();
            assert!(once_and_in_order(Role::Client, &entries, &[]).is_empty());
        }
        let [takes, _] = got(1);
        let twice = [&sent(1)[..], &[takes], &got(1)].concat();
        assert!(once_and_in_order(Role::Client, &twice, &[]).is_empty());
    }

    #[test]
    fn what_is_kept_aside_is_given_up_and_not_lost() {
        let kept = |from, upto| Entry::Kept(Role::Client, SESSION.into(), from, upto);
        let entries = |kept| [&[sent(1), sent(2), got(1)].concat()[..], &[kept]].concat();
        assert!(once_and_in_order(Role::Client, &entries(kept(24, 48)), &[]).is_empty());
        assert_eq!(given_up(Role::Client, &entries(kept(24, 48))), BTreeSet::from([2]));
        assert!(!once_and_in_order(Role::Client, &entries(kept(0, 24)), &[]).is_empty());
    }
}
