//! Every state that a small link can come to, over either carrier: within bounds that differ from search to
//! search, everything that can happen happens in every order. In each state the invariants hold, and if the
//! faults stop there, everything that was committed arrives.

use proof::explore::{Rules, large, replay, search, small};

/// What these take together is most of what a test run may. The others are run by `proof explore`.
const ELSEWHERE: [&str; 1] = ["shm-clone"];

fn closes(name: &str) -> usize {
    let rules: Vec<Rules> = small().into_iter().filter(|rules| rules.name.starts_with(name)).collect();
    let mut states = 0;
    for rules in rules.iter().filter(|rules| !ELSEWHERE.contains(&rules.name)) {
        let report = search(rules, usize::MAX, 1);
        if let Some(found) = &report.violation {
            panic!("{}: {}\nproof explore {} --path \"{}\"", report, found.failure, rules.name, found.path);
        }
        assert!(report.is_closed(), "{report}");
        assert_eq!(report.tally.missing(rules), [""; 0], "{report}: what never happened");
        states += report.states;
    }
    states
}

#[test]
fn over_tcp() {
    let states = closes("tcp-");
    assert!(states > 120_000, "{states} states are fewer than there were");
}

#[test]
fn over_shared_memory() {
    let states = closes("shm-");
    assert!(states > 60_000, "{states} states are fewer than there were");
}

#[test]
fn and_one_that_is_cut_short_does_not_say_it_was_complete() {
    let rules = large().pop().expect("there are large ones");
    let report = search(&rules, 500, 1);
    assert!(report.states == 500 && report.frontier > 0 && !report.is_closed(), "{report}");
    assert!(report.violation.is_none(), "{report}");
    assert!(report.to_string().contains("cut short"), "{report}");
}

#[test]
fn by_any_number_of_threads_alike() {
    let rules = &small()[0];
    let reports = [1, 2, 3].map(|threads| search(rules, usize::MAX, threads));
    for report in &reports {
        assert_eq!((report.states, report.transitions), (reports[0].states, reports[0].transitions));
        assert_eq!(report.depth, reports[0].depth);
    }
}

#[test]
fn and_a_path_can_be_gone_again() {
    let rules = &small()[0];
    let mut lines = Vec::new();
    let path = "dial s.hear c.hear s.hear c.hear c.send!1 c.start";
    assert_eq!(replay(rules, path, |line| lines.push(line)), Ok(()));
    assert_eq!(lines.len(), 8);
    assert!(replay(rules, "c.hear", |_| {}).is_err(), "nothing has come yet");
    assert!(replay(rules, "c.vanish", |_| {}).is_err(), "nothing is called so");
}
