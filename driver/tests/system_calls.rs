//! Over shared memory no message costs a system call: a run of twice as many makes as many calls.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::app::{App, Habit};
use support::process::{child, skipped, task};
use support::stage::Stage;
use tcpshm_driver::{Carrier, Driver};

/// Calls by which two runs may differ: a login takes more or fewer looks at a socket.
const SLACK: i64 = 200;

/// The body of a child: echoes, one at a time, and nothing else. A test like any other without a task.
#[test]
fn child_that_plays_ping_pong() {
    let Some(task) = task() else {
        return;
    };
    let count: usize = task[0].parse().expect("a number");
    let mut stage = Stage::over(Carrier::Shm);
    stage.world.clients[0].app = App::with(Habit::Echo);
    // What is noted of each message grows, and memory is asked of the system.
    stage.world.clients[0].app.received.reserve(count + 64);
    stage.world.at_server().app.received.reserve(count + 64);
    stage.world.send(0, b"ball");
    let (server, client) = stage.world.both();
    while client.app.received.len() < count {
        server.driver.poll(&mut server.app);
        client.driver.poll(&mut client.app);
        for app in [&mut server.app, &mut client.app] {
            app.received.iter_mut().rev().take(1).for_each(|payload| *payload = Vec::new());
        }
    }
}

/// System calls of a run of `count` echoes.
#[track_caller]
fn calls(count: usize, report: &Path) -> i64 {
    let run = child("child_that_plays_ping_pong", &[&count.to_string()]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(report).arg(run.get_program()).args(run.get_args());
    strace.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let status = strace.stdout(Stdio::null()).status().expect("it was there before");
    assert!(status.success(), "{status}");
    let text = fs::read_to_string(report).expect("a report");
    let total = text.lines().find(|line| line.ends_with(" total")).expect("a line with the sum");
    // % time, seconds, usecs/call (which some versions leave out here), calls, errors, "total".
    let numbers: Vec<&str> = total.split_whitespace().collect();
    let whole = numbers[2..].iter().filter_map(|number| number.parse().ok());
    whole.max().expect("a sum")
}

#[test]
fn twice_as_many_messages_make_no_more_system_calls() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return skipped("strace is not installed");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let probe =
        Command::new("strace").args(["-c", "-o"]).arg(directory.path().join("probe")).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("strace may not trace here");
    }
    let report = directory.path().join("report");
    let [once, twice] = [20_000, 40_000].map(|count| calls(count, &report));
    assert!((twice - once).abs() < SLACK, "{once} system calls for 20000 echoes, {twice} for 40000");
}
