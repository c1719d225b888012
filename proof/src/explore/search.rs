//! Breadth-first search: every state once, the nearest ones first, so that a path to a violation is a shortest
//! one.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::thread;

use super::digest::Digest;
use super::event::Event;
use super::expand::{expand, follow};
use super::rules::Rules;
use super::state::State;
use super::tally::Tally;
use super::{drain, judge};
use crate::violation::{Failure, catch};

/// What a search found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which search.
    pub name: &'static str,
    /// Different states that were looked at.
    pub states: usize,
    /// Ways from one of them to the next.
    pub transitions: u64,
    /// Events on the longest of the shortest paths to a state.
    pub depth: usize,
    /// States that were met, and not looked at because the search was cut short. None: all there are were.
    pub frontier: usize,
    /// How often what happened.
    pub tally: Tally,
    /// The first violation, and a shortest path to it.
    pub violation: Option<Found>,
}

/// A violation.
#[derive(Clone, Debug)]
pub struct Found {
    /// What.
    pub failure: Failure,
    /// The events that lead to it, as `--path` takes them.
    pub path: String,
}

/// A state, as the way to it: replaying a few events is cheaper than keeping ten million states.
#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    event: Event,
}

/// States that one thread goes through before all are put together.
const SHARE: usize = 4_096;

type Visited = HashSet<Digest, BuildHasherDefault<Upper>>;

/// A digest is a hash already.
#[derive(Clone, Default)]
struct Upper(u64);

impl Hasher for Upper {
    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, digest: u128) {
        self.0 = (digest >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Looks at all states within `rules`, at most `most`, with so many threads. How many changes nothing but the
/// time.
pub fn search(rules: &Rules, most: usize, threads: usize) -> Report {
    let root = State::first(rules);
    let mut visited = Visited::default();
    visited.insert(root.digest(rules));
    let mut nodes = vec![Node { parent: 0, event: Event::whole(0) }];
    let mut report = Report {
        name: rules.name,
        states: 0,
        transitions: 0,
        depth: 0,
        frontier: 0,
        tally: Tally::default(),
        violation: None,
    };
    let mut walkers: Vec<_> = (0..threads).map(|_| Walker::new(root.clone())).collect();
    let (mut next, mut level_end) = (0, 1);
    while next < nodes.len() && next < most && report.violation.is_none() {
        if next == level_end {
            report.depth += 1;
            level_end = nodes.len();
        }
        let end = level_end.min(most).min(next + SHARE * threads);
        let parts = explore_all(rules, &nodes, &visited, &mut walkers, next..end);
        next = end;
        for part in parts {
            report.states += part.states;
            report.transitions += part.transitions;
            report.tally.add(&part.tally);
            for (digest, node) in part.met {
                if visited.insert(digest) {
                    nodes.push(node);
                }
            }
            if report.violation.is_none() {
                report.violation = part.violation;
            }
        }
    }
    report.frontier = nodes.len() - next;
    report
}

/// Splits a part of the frontier among the threads; the parts come back in the order of the states.
fn explore_all(
    rules: &Rules,
    nodes: &[Node],
    visited: &Visited,
    walkers: &mut [Walker],
    range: std::ops::Range<usize>,
) -> Vec<Part> {
    let share = range.len().div_ceil(walkers.len()).max(1);
    let mut starts = range.clone().step_by(share);
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for walker in walkers {
            let Some(start) = starts.next() else { break };
            let end = range.end.min(start + share);
            handles.push(scope.spawn(move || walker.explore(rules, nodes, visited, start..end)));
        }
        handles.into_iter().map(|handle| handle.join().expect("what panics is caught")).collect()
    })
}

/// What came of some states.
#[derive(Default)]
struct Part {
    states: usize,
    transitions: u64,
    tally: Tally,
    /// States that were not known before, in the order in which they were met.
    met: Vec<(Digest, Node)>,
    violation: Option<Found>,
}

/// A thread's way through the tree of shortest paths: the states on the path to the one it is at. The next one
/// mostly has most of its path in common.
struct Walker {
    path: Vec<(usize, State)>,
}

impl Walker {
    fn new(root: State) -> Self {
        Self { path: vec![(0, root)] }
    }

    fn explore(
        &mut self,
        rules: &Rules,
        nodes: &[Node],
        visited: &Visited,
        range: std::ops::Range<usize>,
    ) -> Part {
        let mut part = Part::default();
        let mut new = Visited::default();
        for node in range {
            self.go(rules, nodes, node);
            let (_, state) = self.path.last().expect("the root stays");
            let mut doing = None;
            let looked = catch(|| {
                judge::state(rules, state);
                drain::drain(rules, state.clone());
                let tally = &mut part.tally;
                expand(
                    rules,
                    state,
                    |event| doing = Some(event),
                    |event, after| {
                        part.transitions += 1;
                        tally.count(event);
                        let digest = after.digest(rules);
                        if !visited.contains(&digest) && new.insert(digest) {
                            let parent = u32::try_from(node).expect("fewer than 2^32 states");
                            part.met.push((digest, Node { parent, event }));
                        }
                    },
                );
            });
            part.states += 1;
            if let Err(failure) = looked {
                let events = path(nodes, node).into_iter().chain(doing);
                let path = events.map(|event| event.to_string()).collect::<Vec<_>>().join(" ");
                part.violation = Some(Found { failure, path });
                break;
            }
        }
        part
    }

    /// Goes to a state, back to where its path leaves the last one's and on from there.
    fn go(&mut self, rules: &Rules, nodes: &[Node], target: usize) {
        let mut missing = Vec::new();
        let mut at = target;
        let common = loop {
            if let Some(place) = self.path.iter().rposition(|(known, _)| *known == at) {
                break place;
            }
            missing.push(at);
            at = nodes[at].parent as usize;
        };
        self.path.truncate(common + 1);
        for node in missing.into_iter().rev() {
            let (_, state) = self.path.last().expect("the root stays");
            let next = follow(rules, state, nodes[node].event).expect("it was possible before");
            self.path.push((node, next));
        }
    }
}

fn path(nodes: &[Node], mut node: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while node != 0 {
        events.push(nodes[node].event);
        node = nodes[node].parent as usize;
    }
    events.reverse();
    events
}

impl Report {
    /// Whether there is no state that was not looked at.
    pub fn is_closed(&self) -> bool {
        self.frontier == 0 && self.violation.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { name, states, transitions, depth, frontier, .. } = self;
        write!(f, "{name:<24} {states:>10} states {transitions:>12} transitions, depth {depth:>3}, ")?;
        match (&self.violation, frontier) {
            (Some(_), _) => write!(f, "VIOLATED"),
            (None, 0) => write!(f, "closed"),
            (None, frontier) => write!(f, "cut short, {frontier} states left"),
        }
    }
}
