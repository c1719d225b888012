//! A few system calls of a server and a client fail, at the first times they are made, and the process is
//! killed there; `proof calls` has all of them, at every time.
#![expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not run")]

use proof::calls::{Plan, command, sweep};

#[test]
fn whichever_of_the_first_calls_fails_nothing_is_lost_and_the_next_try_succeeds() {
    if let Err(why) = command::can_inject() {
        eprintln!("SKIPPED: {why}");
        return;
    }
    let calls = ["fallocate", "renameat2", "flock", "connect", "epoll_create1", "unlinkat"];
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_proof").into(),
        calls: calls.map(str::to_owned).to_vec(),
        most: 2,
        lasting: 1,
        spare_lives: false,
        threads: 2,
    };
    let tally = sweep(&plan).expect("the harness works");
    assert_eq!(tally.violations(), &[] as &[String]);
    assert_eq!(tally.calls(), calls.len());
    let (runs, injected) = tally.runs_and_injected();
    assert!(runs >= 50 && injected > runs, "{runs} runs, {injected} calls failed");
    assert_eq!(tally.kills(), 2 * calls.len() as u64);
}
