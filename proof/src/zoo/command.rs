//! `proof zoo`.
#![expect(clippy::print_stdout, reason = "the report")]

use std::fs;

use tcpshm_protocol::zoo::Bug;

use super::suites::Suites;
use super::task::{self, Task};
use super::{Catcher, catcher, recorded};

/// Puts known defects back, one at a time, and sees whether each is caught.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The first schedule: another number, other schedules.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only these defects, by their names, with commas between.
    #[arg(long, value_delimiter = ',')]
    bugs: Vec<Bug>,
    /// Only the recorded schedules, one for each defect, and no tests.
    #[arg(long, conflicts_with = "record")]
    recorded: bool,
    /// Writes down which schedules caught the defects.
    #[arg(long)]
    record: bool,
    /// The simulator after every defect in so many schedules, whoever must catch it: to see what it can reach.
    #[arg(long, value_name = "SCHEDULES", conflicts_with = "recorded")]
    survey: Option<u64>,
    /// No tests, only the simulator.
    #[arg(long)]
    no_tests: bool,
    /// Schedules without any defect, which must all be clean.
    #[arg(long, default_value_t = 20_000)]
    clean: u64,
    /// How many to look into at a time: more than there are cores, since a test that fails mostly waits.
    #[arg(long, default_value_t = 6)]
    threads: usize,
}

/// Runs it.
pub fn run(options: &Options) -> Result<(), String> {
    let tasks = tasks(options);
    let tests: Vec<_> = tasks.iter().filter_map(|task| task.test()).collect();
    let suites = Suites::build(&tests)?;
    let report = task::perform_all(tasks, suites, options.threads)?;
    println!("{report}");
    if options.record {
        fs::write(recorded::PATH, recorded::list(&report.seeds())).map_err(|error| error.to_string())?;
    }
    let failures = report.failures();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn tasks(options: &Options) -> Vec<Task> {
    let bugs = if options.bugs.is_empty() { Bug::ALL } else { &options.bugs };
    let hunt = |bug, schedules| Task::Hunt { bug: Some(bug), first: options.seed, schedules };
    let task = |bug: Bug| match catcher(bug) {
        _ if options.survey.is_some() => options.survey.map(|schedules| hunt(bug, schedules)),
        Catcher::Schedules(_) if options.recorded => {
            recorded::seed(bug).map(|seed| Task::Hunt { bug: Some(bug), first: seed, schedules: 1 })
        }
        Catcher::Schedules(schedules) => Some(hunt(bug, schedules)),
        Catcher::Test(_) if options.recorded || options.no_tests => None,
        Catcher::Test(test) => Some(Task::Test { bug, test }),
    };
    let control = Task::Hunt { bug: None, first: options.seed, schedules: options.clean };
    [control].into_iter().chain(bugs.iter().copied().filter_map(task)).collect()
}
