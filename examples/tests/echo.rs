//! The demo as a process.

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use std::fs;
use std::process::Output;

use examples::entry::Connections;
use examples::record::Record;
use programs::{Running, last_line, program, run, until};

const CARRIERS: [&str; 2] = ["tcp", "shm"];

fn verdict(carrier: &str, count: u64, kills: u64) -> String {
    format!("echo {carrier}: sent={count} received={count} lost=0 duplicated=0 reordered=0 kills={kills}")
}

/// The last lines of standard output.
fn verdicts(output: &Output, count: usize) -> Vec<&str> {
    let lines: Vec<&str> = str::from_utf8(&output.stdout).expect("results are text").lines().collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

#[test]
fn killing_both_sides_twice_loses_nothing() {
    let output = run(program("echo").args(["--count", "20000", "--kills", "4"]));
    let expected = CARRIERS.map(|carrier| verdict(carrier, 20_000, 4));
    assert_eq!(
        (verdicts(&output, 2), output.status.code()),
        (expected.each_ref().map(String::as_str).to_vec(), Some(0)),
        "{output:?}"
    );
}

#[test]
fn one_carrier_can_be_asked_for() {
    for carrier in CARRIERS {
        let output = run(program("echo").args(["--count", "100", "--kills", "0", "--carrier", carrier]));
        assert_eq!((last_line(&output), output.status.code()), (&*verdict(carrier, 100, 0), Some(0)));
        let text = str::from_utf8(&output.stdout).unwrap();
        assert_eq!(text.matches("echo ").count(), 1, "{text}");
    }
}

#[test]
fn an_undisturbed_run_keeps_its_files_where_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(program("echo").args(["--count", "100", "--kills", "0", "--dir"]).arg(directory.path()));
    assert!(output.status.success(), "{output:?}");
    let home = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    for carrier in CARRIERS {
        let record = Record::peek(&home.join(carrier).join("client.record")).unwrap();
        let (tcp, shm) = if carrier == "tcp" { (1, 0) } else { (0, 1) };
        assert_eq!((record.received, record.connections), (100, Connections { tcp, shm }));
        // And what came before, which is limited in time.
        let stretch = Record::peek(&home.join(format!("{carrier}-one-at-a-time/client.record"))).unwrap();
        assert!((1..=100).contains(&stretch.received), "{stretch:?}");
        assert_eq!(stretch.connections, Connections { tcp, shm });
    }
}

#[test]
fn more_kills_than_messages_are_refused() {
    let output = run(program("echo").args(["--count", "3", "--kills", "3"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn no_process_outlives_a_killed_demo() {
    // A killed demo cannot tidy up.
    let directory = tempfile::tempdir().unwrap();
    let mut command = program("echo");
    command.args(["--count", "1000000000", "--kills", "0", "--dir"]).arg(directory.path());
    let demo = Running::start(&mut command);
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
