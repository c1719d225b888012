//! One defect to be caught, or none to be seen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tcpshm_protocol::zoo::Bug;

use super::catalogue::Test;
use super::hunt::{End, hunt};
use super::report::{Fate, Report, Row};
use super::suites::{Said, Suites};

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// Schedules of the simulator.
    Hunt { bug: Option<Bug>, first: u64, schedules: u64 },
    /// A test, once without the defect and once with it.
    Test { bug: Bug, test: Test },
}

/// No task takes longer, unless what it runs hangs.
const DEADLINE: Duration = Duration::from_secs(600);

/// Does everything, so many at a time. A thread that hangs is left to the end of the process.
pub(super) fn perform_all(tasks: Vec<Task>, suites: Suites, threads: usize) -> Result<Report, String> {
    let total = tasks.len();
    let queue = Arc::new(Mutex::new(tasks.into_iter().enumerate().collect::<VecDeque<_>>()));
    let suites = Arc::new(suites);
    let (sender, receiver) = mpsc::channel();
    for _ in 0..threads.max(1) {
        let (sender, queue, suites) = (sender.clone(), Arc::clone(&queue), Arc::clone(&suites));
        thread::spawn(move || {
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some((number, task)) = next() {
                if sender.send((number, task.perform(&suites))).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut rows = Vec::with_capacity(total);
    while rows.len() < total {
        let row = receiver.recv_timeout(DEADLINE);
        rows.push(row.map_err(|_| format!("hangs or died; {} of {total} are done", rows.len()))?);
    }
    rows.sort_unstable_by_key(|(number, _)| *number);
    Ok(Report(rows.into_iter().map(|(_, row)| row).collect()))
}

impl Task {
    pub(super) fn test(&self) -> Option<Test> {
        match self {
            Task::Test { test, .. } => Some(*test),
            Task::Hunt { .. } => None,
        }
    }

    fn perform(self, suites: &Suites) -> Row {
        let start = Instant::now();
        let (bug, by, fate) = match self {
            Task::Hunt { bug, first, schedules } => {
                let end = hunt(bug, first..first + schedules);
                (bug, "sim".to_owned(), fate_of_hunt(bug, end))
            }
            Task::Test { bug, test } => {
                (Some(bug), format!("{}::{}", test.target, test.name), fate_of_test(bug, &test, suites))
            }
        };
        Row { bug, by, fate, took: start.elapsed() }
    }
}

fn fate_of_hunt(bug: Option<Bug>, end: End) -> Fate {
    match (bug, end) {
        (Some(_), End::Caught { invariant, seed, after }) => {
            Fate::Good { seen: format!("{invariant}, schedule {seed}, after {after}"), seed: Some(seed) }
        }
        (None, End::Missed { schedules }) => {
            Fate::Good { seen: format!("nothing in {schedules}"), seed: None }
        }
        (Some(_), End::Missed { schedules }) => Fate::Bad(format!("not caught in {schedules} schedules")),
        (None, End::Caught { invariant, seed, .. }) => {
            Fate::Bad(format!("{invariant}, schedule {seed}, without any defect"))
        }
        (_, End::Crashed { seed, text }) => {
            Fate::Bad(format!("the harness broke down, schedule {seed}: {text}"))
        }
    }
}

fn fate_of_test(bug: Bug, test: &Test, suites: &Suites) -> Fate {
    let both = suites.run(test, None).and_then(|without| Ok((without, suites.run(test, Some(bug))?)));
    match both {
        Ok((Said::Passed, Said::Failed)) => Fate::Good { seen: "failed".to_owned(), seed: None },
        Ok((Said::Passed, Said::Passed)) => Fate::Bad("passed with the defect".to_owned()),
        Ok((Said::Passed, Said::Nothing)) => Fate::Bad("came to no end with the defect".to_owned()),
        Ok((Said::Failed | Said::Nothing, _)) => Fate::Bad("does not pass without the defect".to_owned()),
        Err(why) => Fate::Bad(why),
    }
}
