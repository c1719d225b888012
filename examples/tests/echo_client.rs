//! The echo client as a process that is killed, stopped and deceived.

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use examples::entry::Entry;
use examples::record::Record;
use programs::{Running, last_line, program, run, start_server, until};
use rustix::process::Signal;

fn client(address: SocketAddr, directory: &Path, count: u64) -> Command {
    let mut command = program("echo_client");
    command.args(["--name", "c1", "--connect", &address.to_string(), "--count", &count.to_string()]);
    command.arg("--dir").arg(directory);
    command
}

fn entry(directory: &Path) -> Entry {
    let name = "c1".parse().expect("a name");
    Record::peek(&Record::path(directory, &name)).unwrap_or_default()
}

#[test]
fn killed_runs_add_up_to_one() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, address) = start_server(server_files.path(), "127.0.0.1:0");
    // Slow enough to be killed in the middle, however late that comes.
    for answers in [4000, 8000, 12_000] {
        let running = Running::start(client(address, files.path(), 100_000).args(["--rate", "40000"]));
        until("answers", || entry(files.path()).received >= answers);
        drop(running);
    }
    let before = entry(files.path()).received;
    assert!((12_000..100_000).contains(&before), "killed in the middle: {before}");
    let output = run(&mut client(address, files.path(), 100_000));
    let line = "echo client: sent=100000 received=100000 lost=0 duplicated=0 reordered=0";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(0)));
}

#[test]
fn a_count_that_was_reached_needs_no_server() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, address) = start_server(server_files.path(), "127.0.0.1:0");
    let first = run(&mut client(address, files.path(), 1000));
    drop(server);
    let second = run(&mut client(address, files.path(), 1000));
    let line = "echo client: sent=1000 received=1000 lost=0 duplicated=0 reordered=0";
    assert_eq!([last_line(&first), last_line(&second)], [line, line]);
    assert!(first.status.success() && second.status.success());
}

#[test]
fn a_window_beyond_the_ring_is_held_back_and_not_lost() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, address) = start_server(server_files.path(), "127.0.0.1:0");
    let output = run(client(address, files.path(), 50_000).args(["--window", "1000000"]));
    let line = "echo client: sent=50000 received=50000 lost=0 duplicated=0 reordered=0";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(0)));
}

#[test]
fn a_stopped_run_says_so_and_the_next_goes_on() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, address) = start_server(server_files.path(), "127.0.0.1:0");
    let running = Running::start(client(address, files.path(), 50_000).args(["--rate", "1000"]));
    until("answers", || entry(files.path()).received > 0);
    running.signal(Signal::INT);
    let stopped = running.finish();
    assert_eq!((last_line(&stopped), stopped.status.code()), ("", Some(130)));
    let output = run(&mut client(address, files.path(), 50_000));
    let line = "echo client: sent=50000 received=50000 lost=0 duplicated=0 reordered=0";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(0)));
}

#[test]
fn what_was_in_flight_when_the_server_lost_its_files_is_counted_as_lost() {
    let (home, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server_files = home.path().join("server");
    let (server, address) = start_server(&server_files, "127.0.0.1:0");
    let running =
        Running::start(client(address, files.path(), 50_000).args(["--window", "64", "--rate", "20000"]));
    until("answers", || entry(files.path()).received > 0);
    // Stopped, it lets the window fill up, and then it never answers.
    server.signal(Signal::STOP);
    until("a full window", || {
        let entry = entry(files.path());
        entry.intent.is_some_and(|intent| intent.number == entry.done + 64)
    });
    drop(server);
    fs::remove_dir_all(&server_files).unwrap();
    let (_server, _) = start_server(&server_files, &address.to_string());
    let output = running.finish();
    let line = "echo client: sent=50000 received=49936 lost=64 duplicated=0 reordered=0";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(1)), "{output:?}");
}

#[test]
fn another_seed_is_refused() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, address) = start_server(server_files.path(), "127.0.0.1:0");
    assert!(run(client(address, files.path(), 10).args(["--seed", "5"])).status.success());
    let other = run(client(address, files.path(), 20).args(["--seed", "6"]));
    assert_eq!(other.status.code(), Some(1));
    assert!(str::from_utf8(&other.stderr).unwrap().contains("seed 5"), "{other:?}");
}
