//! The sweep: each call fails with each error, the first time it is made, the second, and so on until it is
//! not made so often.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::faults::{self, BEHIND, FAILING, Failing, Fault, KILL, When};
use super::files::Left;
use super::judge;
use super::record::Entry;
use super::run::{End, Place, Run};
use super::tally::Tally;

/// What to sweep.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that has the scenario as its `calls-app`.
    pub program: PathBuf,
    /// The calls that fail; all of them if there are none.
    pub calls: Vec<String>,
    /// How often, at most, each call fails with each error in each way.
    pub most: u32,
    /// Failures that last are tried at this many places of each call.
    pub lasting: u32,
    /// Whether nothing is killed: only errors are injected.
    pub spare_lives: bool,
    /// Runs at a time.
    pub threads: usize,
}

/// One call and one error, in one way, at one place after another.
#[derive(Clone, Copy, Debug)]
struct Job {
    failing: Failing,
    error: &'static str,
    behind: Option<&'static str>,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Once,
    /// Several in a row, then it works again.
    ForAWhile,
    /// Until the process ends.
    Lasting,
}

/// How many calls in a row fail where they fail for a while.
const WHILE: u32 = 3;

/// What an undisturbed run does.
struct Usual {
    /// Calls of each name that are made before the scenario begins: the loader's and the standard library's.
    before: BTreeMap<String, u32>,
    /// And from there on.
    within: BTreeMap<String, u32>,
    /// What it says did not work, although nothing fails: resets are refused first.
    troubles: BTreeMap<String, u32>,
}

/// Sweeps as planned.
pub fn sweep(plan: &Plan) -> io::Result<Tally> {
    let usual = look(&plan.program)?;
    let mut tally = Tally::default();
    for call in usual.within.keys().filter(|call| !faults::is_covered(call)) {
        tally.violation("undisturbed", &format!("{call} is called, and neither fails here nor is spared"));
    }
    let jobs = jobs(plan, &usual);
    let (next, total) = (AtomicUsize::new(0), Mutex::new(tally));
    let worker = || -> io::Result<()> {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let tally = work(plan, job, &usual)?;
            total.lock().map_err(|_| io::Error::other("another thread panicked"))?.add(tally);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.threads.max(1)).map(|_| scope.spawn(worker)).collect();
        let ended = |worker: thread::ScopedJoinHandle<'_, io::Result<()>>| {
            worker.join().map_err(|_| io::Error::other("a thread panicked"))?
        };
        workers.into_iter().try_for_each(ended)
    })?;
    total.into_inner().map_err(|_| io::Error::other("a thread panicked"))
}

/// Plays one fault, as a violation names it. Returns what was recorded in it, and what was found.
pub fn replay(program: &Path, fault: &str) -> io::Result<(String, Tally)> {
    let fault = fault.parse().map_err(io::Error::other)?;
    let (usual, mut tally) = (look(program)?, Tally::default());
    let first = play(program, &fault, &usual, &mut tally)?;
    let lines = first.entries.iter().map(|entry| format!("{entry}\n"));
    Ok((lines.collect(), tally))
}

/// Plays the scenario undisturbed, to see which calls it makes.
fn look(program: &Path) -> io::Result<Usual> {
    let place = Place::new(program)?;
    let (run, calls) = place.run_traced()?;
    if run.end != End::Finished {
        return Err(io::Error::other(format!("undisturbed: {:?}, {:?}", run.end, run.entries.last())));
    }
    let begin = calls.iter().position(|call| call.starts_with("write(1, \"begin"));
    let begin = begin.ok_or_else(|| io::Error::other("the scenario never began"))?;
    let count = |calls: &[String]| {
        let mut counts = BTreeMap::new();
        for call in calls {
            let name = call.split('(').next().unwrap_or_default().to_owned();
            *counts.entry(name).or_insert(0) += 1;
        }
        counts
    };
    let troubles = troubles(&run.entries);
    Ok(Usual { before: count(&calls[..begin]), within: count(&calls[begin..]), troubles })
}

/// The longest first, so that no thread is left with one at the end.
fn jobs(plan: &Plan, usual: &Usual) -> Vec<Job> {
    let wanted =
        |failing: &Failing| plan.calls.is_empty() || plan.calls.iter().any(|call| call == failing.call);
    let plain = FAILING.iter().map(|failing| (*failing, None));
    let behind = BEHIND.iter().map(|(failing, behind)| (*failing, Some(*behind)));
    let mut jobs = Vec::new();
    for (failing, behind) in plain.chain(behind).filter(|(failing, _)| wanted(failing)) {
        if behind.is_none() && !plan.spare_lives {
            jobs.push(Job { failing, error: KILL, behind, way: Way::Once });
        }
        for (index, &error) in failing.errors.iter().enumerate() {
            jobs.push(Job { failing, error, behind, way: Way::Once });
            if index == 0 && plan.lasting > 0 {
                jobs.push(Job { failing, error, behind, way: Way::ForAWhile });
                jobs.push(Job { failing, error, behind, way: Way::Lasting });
            }
        }
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(usual.within.get(job.failing.call)));
    jobs
}

fn work(plan: &Plan, job: &Job, usual: &Usual) -> io::Result<Tally> {
    let call = job.failing.call;
    let first = usual.before.get(call).copied().unwrap_or(0) + 1;
    let made = usual.within.get(call).copied().unwrap_or(1);
    let stride = match job.way {
        Way::Once => 1,
        Way::ForAWhile | Way::Lasting => made.div_ceil(plan.lasting.max(1)).max(1),
    };
    let mut tally = Tally::default();
    for place in 0..plan.most {
        let number = first + place * stride;
        let when = match job.way {
            Way::Once => When::Once(number),
            Way::ForAWhile => When::For(number, WHILE),
            Way::Lasting => When::From(number),
        };
        let fault = Fault { call, error: job.error, when, behind: job.behind };
        let played = play(&plan.program, &fault, usual, &mut tally);
        let told = |error| io::Error::other(format!("{}: {error}", fault.expression()));
        if played.map_err(told)?.injected == 0 {
            if place == 0 {
                tally.violation(&fault.expression(), "it never happened");
            }
            break;
        }
    }
    Ok(tally)
}

/// One run with the fault, which is returned, and if it has happened at all one without.
fn play(program: &Path, fault: &Fault, usual: &Usual, tally: &mut Tally) -> io::Result<Run> {
    let place = Place::new(program)?;
    let first = place.run_with(fault)?;
    if first.injected == 0 {
        return Ok(first);
    }
    let errors = beyond(&usual.troubles, troubles(&first.entries));
    let mut found = judge::judge_first(fault, &first, &place.links());
    if fault.must_go_unnoticed() && !errors.is_empty() {
        found.push(format!("this is nobody's business, and was told: {errors:?}"));
    }
    let left = Left::look(&place.links());
    let second = place.run_again(&first, judge::may_reset(&first, &left))?;
    found.extend(judge::judge_second(&first, &left, &second, &place.links()));
    tally.count(fault, &first, &errors);
    found.iter().for_each(|text| tally.violation(&fault.expression(), text));
    Ok(first)
}

/// How often each method said that something did not work, and how connections ended of themselves.
fn troubles(entries: &[Entry]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        let method = match entry {
            Entry::Trouble(method, _) => method.clone(),
            Entry::Ended(_, reason) => match reason.split(' ').next() {
                Some(way @ ("Cut" | "Io" | "Silent" | "Replaced")) => format!("ended {way}"),
                // The scenario has closed it, or removed a file: which side sees it first does not matter.
                _ => continue,
            },
            _ => continue,
        };
        *counts.entry(method).or_insert(0) += 1;
    }
    counts
}

/// What was told more often than it usually is.
fn beyond(usual: &BTreeMap<String, u32>, told: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let usually = |method: &String| usual.get(method).copied().unwrap_or(0);
    let more = told.into_iter().map(|(method, count)| {
        let more = count.saturating_sub(usually(&method));
        (method, more)
    });
    more.filter(|(_, count)| *count > 0).collect()
}
