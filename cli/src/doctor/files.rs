//! The files of a link directory.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;
use tcpshm_driver::shm::{LinkName, Place, parse_lock_name};

use super::check::Check;
use crate::inspect::examine;
use crate::inspect::finding::{Boot, Finding, Verdict};
use crate::look::Locks;
use crate::units::counted;

/// As many files of one link as a driver keeps aside by default; a reset that would exceed it is refused.
const MAX_KEPT: u64 = 16;

/// What is in the directory.
#[derive(Default)]
struct Sum {
    links: u64,
    open: u64,
    locks: u64,
    held: u64,
    /// Kept aside, by link.
    kept: BTreeMap<String, (u64, u64)>,
    other: Vec<String>,
    checks: Vec<Check>,
}

pub(super) fn checks(directory: &Path) -> Vec<Check> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    let mut sum = Sum::default();
    let locks = Locks::read();
    for name in names {
        let path = directory.join(&name);
        // Gone by now, say.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let held = locks.holder((found.dev(), found.ino())).process().is_some();
        if parse_lock_name(name.as_bytes()).is_some() {
            sum.locks += 1;
            sum.held += u64::from(held);
        } else if let Some(link) = LinkName::parse(name.as_bytes()) {
            sum.checks.extend(form(&path, &found));
            if found.is_file() {
                sum.link(&path, &link);
            }
        } else if path.extension().is_some_and(|extension| extension == "journal") {
            sum.checks.extend(journal(&path));
        } else {
            sum.other.push(name.to_string_lossy().into_owned());
        }
    }
    sum.finish()
}

impl Sum {
    fn link(&mut self, path: &Path, name: &LinkName) {
        let finding = match examine(path) {
            Ok(finding) => finding,
            Err(failure) => {
                let advice = "nobody can use it as it is";
                self.checks.push(Check::problem("link file", failure.to_string(), advice));
                return;
            }
        };
        if finding.verdict == Verdict::Damaged {
            let advice =
                "it is left alone: `tcpshm export` writes what is in front of the damage; then move it away";
            self.checks.push(Check::problem("link file", finding.in_one_line(), advice));
        }
        match name.place {
            Place::Main => self.main(name, &finding),
            Place::Proposed(_) => self.checks.extend(prepared(&finding)),
            Place::Kept(_) => {
                let link = format!("{} with {}", name.owner, name.peer);
                let (files, messages) = self.kept.entry(link).or_default();
                *files += 1;
                *messages += waiting(&finding);
            }
        }
    }

    fn main(&mut self, name: &LinkName, finding: &Finding) {
        self.links += 1;
        let open = finding.holder.process().is_some();
        self.open += u64::from(open);
        if finding.verdict == Verdict::Unfinished && !open {
            let advice = "its link cannot be opened: move it away; the next login makes a new one";
            self.checks.push(Check::problem("link file", finding.in_one_line(), advice));
        }
        let Some(seen) = finding.seen.as_ref().filter(|_| finding.verdict == Verdict::Sound) else { return };
        let path = finding.path.display();
        if !open && seen.boot() == Boot::Other {
            let text = format!("{path}: attached before this machine was started, or on another one");
            let advice = "if that one did not go down in order, its last messages may be missing; its application is told so";
            self.checks.push(Check::note("link file", text, advice));
        }
        let other = examine(&finding.path.with_file_name(name.other_side().to_string())).ok();
        let (messages, _) = seen.waiting(other.as_ref().and_then(|other| other.seen.as_ref()));
        if !open && messages > 0 {
            let text = format!("{path}: {} waiting, and nobody runs", counted(messages, "message"));
            let advice = format!("they go out when {} runs again", seen.snapshot.header.owner);
            self.checks.push(Check::note("link file", text, advice));
        }
    }

    fn finish(self) -> Vec<Check> {
        let mut checks = vec![
            Check::ok("link files", format!("{}, {} of them open", self.links, self.open)),
            Check::ok("owners", format!("{} have run here, {} run now", self.locks, self.held)),
        ];
        checks.extend(self.checks);
        for (link, (files, messages)) in self.kept {
            let text = format!("{} of {link}, with {}", counted(files, "file"), counted(messages, "message"));
            let advice = "`tcpshm export` and `tcpshm replay` what is needed of them, then remove them";
            checks.push(match files >= MAX_KEPT {
                true => Check::problem("kept aside", format!("{text}: no more resets"), advice),
                false => Check::note("kept aside", text, advice),
            });
        }
        if let [first, ..] = &self.other[..] {
            let text = format!("{}, as {first:?}", counted(self.other.len() as u64, "other file"));
            checks.push(Check::note("other files", text, "nothing of tcpshm's: they do no harm"));
        }
        checks
    }
}

fn waiting(finding: &Finding) -> u64 {
    finding.seen.as_ref().map_or(0, |seen| seen.snapshot.frames.len() as u64)
}

/// What keeps a file from being opened, whatever is in it.
fn form(path: &Path, found: &Metadata) -> Option<Check> {
    let (path, mode) = (path.display(), found.mode() & 0o7777);
    if !found.is_file() {
        let text = format!("{path}: no regular file");
        return Some(Check::problem("link file", text, "it is refused: move it away"));
    }
    if found.uid() != geteuid().as_raw() {
        let text = format!("{path}: of user {}", found.uid());
        return Some(Check::problem(
            "link file",
            text,
            "it is refused: give it back to this user, or move it away",
        ));
    }
    if mode != 0o600 {
        let text = format!("{path}: mode {mode:04o}");
        return Some(Check::problem("link file", text, format!("it is refused: chmod 600 {path}")));
    }
    if found.nlink() > 1 {
        let text = format!("{path}: it has {} names", found.nlink());
        return Some(Check::problem("link file", text, "it is refused: remove the others"));
    }
    None
}

fn prepared(finding: &Finding) -> Option<Check> {
    if finding.holder.process().is_some() || finding.verdict == Verdict::Damaged {
        return None;
    }
    let text = format!("{}: a switch to it was interrupted", finding.path.display());
    Some(Check::note("prepared", text, "its owner puts that in order when it runs again"))
}

fn journal(path: &Path) -> Option<Check> {
    let entry: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    // A receiver's stays for its next run.
    let file = entry.get("file")?.as_str()?.to_owned();
    let sends = path.file_name()?.to_string_lossy().ends_with(".send.journal") || entry["messages"] != 0;
    sends.then(|| {
        let text = format!("{}: a run with {file} was interrupted, or goes on", path.display());
        Check::note("journal", text, "start it again with the same arguments: it goes on where it was")
    })
}
