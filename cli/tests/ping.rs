//! `tcpshm ping` as a process.

#[expect(dead_code, reason = "other tests use the rest")]
mod tool;

use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::Signal;
use tool::{Running, argument, document, home, refused, run, run_to, start_server, tcpshm, text};

#[test]
fn a_count_of_round_trips_ends_with_their_distribution_over_both_carriers() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let address = address.to_string();
    for carrier in ["tcp", "shm"] {
        let dir = argument(home.path());
        let arguments =
            ["ping", &address, "--dir", dir, "--carrier", carrier, "--count", "50", "--interval", "0"];
        let shown = run_to(0, arguments);
        assert!(
            shown.contains(&format!("over {carrier}, messages of 64 B: 50 sent, 50 answered")),
            "{shown}"
        );
        assert!(
            shown.lines().any(|line| line.starts_with("round trip ") && line.contains(" 50 ")),
            "{shown}"
        );
        let summary = run_to(0, arguments.into_iter().chain(["--json"]));
        let summary = document(summary.lines().last().unwrap());
        assert_eq!((&summary["count"], &summary["carrier"]), (&50.into(), &carrier.into()));
        let [p50, p99, max] = ["p50_ns", "p99_ns", "max_ns"].map(|key| summary[key].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{summary}");
    }
}

#[test]
fn answers_to_an_earlier_run_that_was_killed_are_not_taken_for_those_of_this_one() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let address = address.to_string();
    for _ in 0..2 {
        let mut ping =
            tcpshm(["ping", &address, "--dir", argument(home.path()), "--interval", "0", "--json"]);
        let mut killed = Running::start(&mut ping);
        // It is in full swing when it says something.
        assert_eq!(document(&killed.line())["event"], "latency");
        killed.signal(Signal::KILL);
        killed.finish();
    }
    let shown = run_to(0, ["ping", &address, "--dir", argument(home.path()), "--count", "3"]);
    assert!(shown.contains("3 sent, 3 answered"), "{shown}");
}

#[test]
fn sigint_ends_it_with_a_summary() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let mut ping = tcpshm(["ping", &address.to_string(), "--dir", argument(home.path())]);
    let mut ping = Running::start(&mut ping);
    assert!(ping.line().contains("p50"));
    ping.signal(Signal::INT);
    let output = ping.finish();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains("round trip"), "{output:?}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let mut ping = tcpshm(["ping", &address.to_string(), "--dir", argument(home.path())]);
    let mut ping = Running::start(ping.stdout(Stdio::piped()));
    ping.close_output();
    let output = ping.finish();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &[][..]), "{output:?}");
}

#[test]
fn nobody_there_is_status_1_and_one_line_that_says_so() {
    let home = home();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let said = refused(1, ["ping", &free, "--dir", argument(home.path()), "--timeout", "300ms"]);
    assert!(said.contains("no answer from") && said.contains("refused"), "{said}");
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let home = home();
    let (_server, address) = start_server(home.path(), &["--mode", "sink"]);
    let address = address.to_string();
    let output = run(["ping", &address, "--dir", argument(home.path()), "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("is it an echo?"), "{output:?}");
}

#[test]
fn a_count_that_was_not_reached_is_status_130() {
    let home = home();
    // Somebody is there, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let running =
        Running::start(&mut tcpshm(["ping", "--count", "1", "--dir", argument(home.path()), &address]));
    let _accepted = listener.accept().unwrap();
    running.signal(Signal::INT);
    assert_eq!(running.finish().status.code(), Some(130));
}

#[test]
fn wrong_arguments_are_one_line_and_status_2() {
    for wrong in [
        &["ping", "somewhere"][..],
        &["ping", "--size", "15"],
        &["ping", "--size", "1GiB"],
        &["ping", "--count", "0"],
        &["ping", "--interval", "soon"],
        &["ping", "--timeout", "0s"],
    ] {
        refused(2, wrong.iter().copied());
    }
}
