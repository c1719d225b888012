//! Stepping through operations, and judging what is seen.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::step::act::Who;
use crate::step::case::{Case, Over, Setting, Watched, setting};
use crate::step::plan::Plan;
use crate::step::recover::{private_directory, recover, resume};
use crate::step::report::{Report, Run};
use crate::step::scenario::{OPERATIONS, Operation};
use crate::step::state::LinkState;
use crate::step::tracee::{Step, Tracee, harness};
use crate::step::watch::{Snapshot, Watch};
use crate::violation::{Failure, Invariant, Violation, catch, ensure};

/// What a child says where the system does not let processes be traced.
pub const CANNOT_BE_TRACED: &str = "this process cannot be traced";

/// More instructions than any operation takes: what takes longer does not end, or panics.
const MOST: u64 = 2_000_000;

/// Which operations to step through, and for how long.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The first seed. Seeds that follow each other go round the ring.
    pub seed: u64,
    /// After so many instructions it ends, but each operation is stepped through once.
    pub instructions: u64,
    /// Only this one.
    pub operation: Option<String>,
    /// Only on this side.
    pub role: Option<Watched>,
    /// Only over this carrier.
    pub carrier: Option<Over>,
    /// Those too that make, open or move files.
    pub files: bool,
}

/// Steps children of `program` through operations until there were enough instructions.
pub fn step_through(program: &Path, selection: &Selection) -> Result<Report, String> {
    let mut report = Report::default();
    for seed in selection.seed.. {
        for case in selection.round(seed) {
            let run = step_case(program, &case).map_err(|failure| {
                let again = case.arguments().join(" ").replace("--operation", "--only");
                format!("{failure}\nrepeat: proof step {again} --instructions 1")
            })?;
            report.add(&case, &run);
        }
        if report.runs() == 0 {
            return Err("there is no such operation".into());
        }
        if report.instructions() >= selection.instructions {
            break;
        }
    }
    Ok(report)
}

impl Selection {
    /// What is stepped through with one seed. First everything that is selected; then, with each seed that
    /// follows, one of those operations that take so much longer, in turn.
    fn round(&self, seed: u64) -> Vec<Case> {
        let rounds = usize::try_from(seed - self.seed).expect("64-bit");
        let selected = |operation: &&Operation| {
            (self.files || !operation.files)
                && self.operation.as_ref().is_none_or(|only| only == operation.name)
                && !self.places(operation).is_empty()
        };
        let selected: Vec<_> = OPERATIONS.iter().filter(selected).collect();
        let (long, mut round): (Vec<_>, Vec<_>) = selected.into_iter().partition(|operation| operation.files);
        let laps = match long.len() {
            0 => 0,
            _ if rounds == 0 => {
                round.extend(long);
                0
            }
            count => {
                round.push(long[rounds % count]);
                rounds / count
            }
        };
        let turn = usize::try_from(seed % 64).expect("small") + laps;
        let case = |(index, operation): (usize, &Operation)| {
            let places = self.places(operation);
            let (role, carrier) = places[(turn + index) % places.len()];
            Case { operation: operation.name.into(), role, carrier, seed }
        };
        round.into_iter().enumerate().map(case).collect()
    }

    /// Where an operation can be stepped through, of what is selected.
    fn places(&self, operation: &Operation) -> Vec<(Watched, Over)> {
        let roles =
            Watched::value_variants().iter().filter(|role| self.role.is_none_or(|only| only == **role));
        let places = roles.flat_map(|role| {
            let carriers = Over::value_variants().iter();
            carriers.map(move |carrier| (*role, *carrier))
        });
        let selected = |(role, carrier): &(Watched, Over)| {
            self.carrier.is_none_or(|only| only == *carrier) && operation.applies(&setting(*role, *carrier))
        };
        places.filter(selected).collect()
    }
}

/// Steps through one operation.
fn step_case(program: &Path, case: &Case) -> Result<Run, Failure> {
    let at = Cell::new(0);
    let place = |text| format!("instruction {} of {case}: {text}", at.get());
    let run = catch(|| watch_case(program, case, &at)).and_then(|run| run);
    run.map_err(|failure| match failure {
        Failure::Violation(Violation { invariant, text }) => {
            Failure::Violation(Violation { invariant, text: place(text) })
        }
        Failure::Harness(text) => Failure::Harness(place(text)),
    })
}

fn watch_case(program: &Path, case: &Case, at: &Cell<u64>) -> Result<Run, Failure> {
    let scenario = case.scenario().map_err(harness)?;
    let mut plan = Plan::new(case.setting());
    for (who, act) in &scenario.prelude {
        plan.act(*who, act);
    }
    let mut chain = vec![plan.state()];
    chain.extend(scenario.operation.iter().flat_map(|act| plan.act(Who::Subject, act)));
    chain.dedup();

    let place = private_directory().map_err(harness)?;
    let mut command = Command::new(program);
    command.arg("step-child").args(case.arguments()).arg("--directory").arg(place.path());
    let mut tracee = Tracee::start(&mut command)?;
    let mut watch = Watch::new(place.path());
    watch.look().map_err(harness)?;
    let mut judge = Judge::new(case.setting(), plan, chain, watch.snapshot());
    while tracee.step()? == Step::Made {
        at.set(at.get() + 1);
        ensure(at.get() < MOST, Invariant::Bounded, || "it does not end".into());
        if watch.look().map_err(harness)? {
            judge.look(watch.snapshot());
        }
    }
    tracee.finish()?;
    judge.finish(at.get()).map_err(harness)
}

/// What was seen of one operation so far.
struct Judge {
    setting: Setting,
    plan: Plan,
    chain: Vec<LinkState>,
    /// Up to which state of the chain it has come.
    reached: usize,
    /// Each image, and which state it is.
    images: HashMap<Snapshot, usize>,
    /// How many images there were of each state.
    seen: Vec<u64>,
    resumed: u64,
    first: Snapshot,
}

impl Judge {
    fn new(setting: Setting, plan: Plan, chain: Vec<LinkState>, first: Snapshot) -> Self {
        let seen = vec![0; chain.len()];
        let images = HashMap::new();
        let mut judge =
            Self { setting, plan, chain, reached: 0, images, seen, resumed: 0, first: first.clone() };
        judge.look(first);
        judge
    }

    fn look(&mut self, image: Snapshot) {
        let state = match self.images.get(&image) {
            Some(state) => *state,
            None => self.judge(image),
        };
        ensure(state >= self.reached, Invariant::CrashAtomic, || {
            format!("back from state {} to state {state}", self.reached)
        });
        self.reached = state;
    }

    /// Recovers an image that was not seen before. Returns which state of the chain it is.
    fn judge(&mut self, image: Snapshot) -> usize {
        let peer = if self.setting.role == tcpshm_protocol::Role::Client { "s~" } else { "c~" };
        let others = |image: &Snapshot| {
            let files = image.iter().filter(|(name, _)| name.starts_with(peer));
            files.map(|(name, bytes)| (name.clone(), bytes.clone())).collect::<Vec<_>>()
        };
        ensure(others(&image) == others(&self.first), Invariant::Untouched, || {
            "a file of the other side was changed".into()
        });
        let found = recover(&image, &self.plan);
        let state = self.chain.iter().position(|state| *state == found);
        let Some(state) = state else {
            let text = format!("found {found:?}\nexpected one of {:?}", self.chain);
            crate::violation::violate(Invariant::CrashAtomic, text);
        };
        self.resumed += u64::from(resume(&image, &found, &self.plan, self.setting));
        self.seen[state] += 1;
        self.images.insert(image, state);
        state
    }

    fn finish(self, instructions: u64) -> Result<Run, String> {
        if self.images.len() < 2 {
            return Err("nothing was ever written".into());
        }
        if let Some(missing) = self.seen.iter().position(|seen| *seen == 0) {
            return Err(format!("state {missing} of {} was never seen", self.seen.len()));
        }
        Ok(Run { instructions, seen: self.seen, resumed: self.resumed })
    }
}
