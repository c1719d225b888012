//! What lies in the link directory after a run, compared with what its owners have written down.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tcpshm_protocol::{Memory, Role, Survey};

use super::acts::SWEPT;
use super::record::Entry;
use super::run::{End, Run};

/// What a directory holds when nothing is unfinished.
const WHOLE: [&str; 4] = ["c~client.lock", "c~client~server.link", "s~server.lock", "s~server~client.link"];

fn file_of(side: Role) -> &'static str {
    if side == Role::Client { WHOLE[1] } else { WHOLE[3] }
}

/// What a run has left for the next one.
#[derive(Clone, Debug)]
pub(super) struct Left {
    names: BTreeSet<String>,
}

impl Left {
    /// What lies in `links` now.
    pub(super) fn look(links: &Path) -> Self {
        let entries = fs::read_dir(links).into_iter().flatten().flatten();
        Self { names: entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect() }
    }

    /// What is there and should not be, or the other way round, when nothing is unfinished.
    pub(super) fn unexpected(&self) -> Option<String> {
        (!self.names.iter().eq(WHOLE)).then(|| format!("files in the directory: {:?}", self.names))
    }

    /// Whether the client has proposed a session that was not accepted.
    pub(super) fn has_proposal(&self) -> bool {
        self.names.iter().any(|name| name.starts_with(WHOLE[1]) && name.ends_with(".new"))
    }

    /// Whether this side has no link file.
    pub(super) fn lacks(&self, side: Role) -> bool {
        !self.names.contains(file_of(side))
    }
}

/// Whether the file of one side says what its owner has written down.
pub(super) fn compare_file(side: Role, run: &Run, links: &Path) -> Vec<String> {
    let file = file_of(side);
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
        Some(_) if run.end != End::Finished && run.last_act() == SWEPT => vec![],
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
