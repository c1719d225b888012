//! The demo as a process.

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use std::fs;

use programs::{Running, last_line, program, run, until};

#[test]
fn killing_both_sides_twice_loses_nothing() {
    let output = run(program("echo").args(["--count", "20000", "--kills", "4"]));
    let line = "echo tcp: sent=20000 received=20000 lost=0 duplicated=0 reordered=0 kills=4";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(0)), "{output:?}");
}

#[test]
fn an_undisturbed_run_keeps_its_files_where_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(program("echo").args(["--count", "100", "--kills", "0", "--dir"]).arg(directory.path()));
    let line = "echo tcp: sent=100 received=100 lost=0 duplicated=0 reordered=0 kills=0";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(0)), "{output:?}");
    let home = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    assert!(home.join("client.record").exists());
}

#[test]
fn more_kills_than_messages_are_refused() {
    let output = run(program("echo").args(["--count", "3", "--kills", "3"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn no_process_outlives_a_killed_demo() {
    let demo = Running::start(program("echo").args(["--count", "1000000000", "--kills", "0"]));
    let mut children = Vec::new();
    until("two children", || {
        children = children_of(demo.id());
        children.len() == 2
    });
    drop(demo);
    until("their end", || children.iter().all(|child| is_gone(*child)));
}

/// The processes that `parent` has started.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("Linux").map_while(Result::ok);
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| status(*id).contains(&format!("PPid:\t{parent}\n"))).collect()
}

/// Whether a process has ended, though nobody may have asked how.
fn is_gone(process: u32) -> bool {
    let status = status(process);
    status.is_empty() || status.contains("State:\tZ")
}

fn status(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default()
}
