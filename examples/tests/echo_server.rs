//! The echo server as a process.

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use programs::{program, run, start_server};
use rustix::process::Signal;

#[test]
fn a_server_stops_cleanly_on_sigterm_and_on_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = tempfile::tempdir().unwrap();
        let (server, _) = start_server(directory.path(), "127.0.0.1:0");
        server.signal(signal);
        assert_eq!(server.finish().status.code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_second_server_of_the_same_name_and_directory_says_why_it_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let (_first, _) = start_server(directory.path(), "127.0.0.1:0");
    let second = run(program("echo_server").arg("--dir").arg(directory.path()));
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty() && !second.stderr.is_empty(), "{second:?}");
}
