//! `tcpshm bench` as a process. What it measures depends on the machine; what becomes of messages does not.

#[expect(dead_code, reason = "other tests use the rest")]
mod tool;

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use tool::{Running, argument, document, home, refused, run, run_to, start_server, tcpshm, text};

fn bench(code: i32, arguments: &[&str]) -> Value {
    let all = ["bench", "--json", "--idle", "sleep"];
    document(&run_to(code, all.into_iter().chain(arguments.iter().copied())))
}

#[track_caller]
fn assert_flawless(found: &Value) {
    assert!(found["sent"].as_u64() > Some(0), "{found}");
    assert_eq!(found["sent"], found["answered"], "{found}");
    for key in ["lost", "duplicated", "reordered", "damaged"] {
        assert_eq!(found[key], 0, "{key}: {found}");
    }
}

#[test]
fn a_closed_loop_answers_every_message_over_both_carriers_beside_its_floor() {
    for carrier in ["tcp", "shm"] {
        let found = bench(0, &["--carrier", carrier, "--window", "16", "--duration", "200ms"]);
        assert_flawless(&found);
        assert_eq!((&found["carrier"], &found["window"]), (&carrier.into(), &16.into()));
        assert!(found["round_trip"]["p50_ns"].as_f64().unwrap() > 0.0, "{found}");
        let floor = &found["floor"];
        let one_core = found["cores"]["near"] == found["cores"]["far"];
        assert!(one_core || floor["p50_ns"].as_f64().unwrap() > 0.0, "{found}");
    }
}

#[test]
fn an_open_loop_sends_exactly_what_the_rate_says_whatever_comes_back() {
    let found = bench(0, &["--rate", "2k", "--duration", "500ms", "--warm-up", "100ms"]);
    assert_flawless(&found);
    assert_eq!((&found["sent"], &found["round_trip"]["count"]), (&1200.into(), &1000.into()), "{found}");
}

#[test]
fn a_stall_counts_for_every_message_that_it_delayed() {
    let home = home();
    let (mut server, address) = start_server(home.path(), &["--json", "--report", "50ms"]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    let arguments = ["--connect", &address, "--dir", dir, "--rate", "1k", "--duration", "2s", "--json"];
    let mut bench = Running::start(tcpshm(["bench", "--idle", "sleep"]).args(arguments));
    while document(&server.line())["links"][0]["consumed"].as_u64().is_none_or(|bytes| bytes == 0) {
        assert!(!bench.has_ended(), "nothing was ever sent");
    }
    // The stall itself: half of the run at least, wherever that stands now.
    server.signal(Signal::STOP);
    std::thread::sleep(std::time::Duration::from_secs(1));
    server.signal(Signal::CONT);
    let output = bench.finish();
    let found = document(&text(&output.stdout));
    assert_flawless(&found);
    // With the coordinated omission of a loop that waits, one round trip would have been long, or a few.
    let p90 = found["round_trip"]["p90_ns"].as_f64().unwrap();
    assert!(p90 > 200e6, "{found}");
}

#[test]
fn a_server_that_is_killed_again_and_again_loses_nothing() {
    for carrier in ["tcp", "shm"] {
        let arguments = ["--carrier", carrier, "--window", "64", "--kill-every", "150ms", "--duration", "2s"];
        let found = bench(0, &arguments);
        assert_flawless(&found);
        let [kills, recovered] =
            [&found["kills"], &found["recovery"]["count"]].map(|count| count.as_u64().unwrap());
        // Behind the last one there may be nothing more to answer.
        assert!(kills >= 2 && (kills - 1..=kills).contains(&recovered), "{found}");
    }
}

#[test]
fn what_is_lost_is_status_3() {
    let home = home();
    let (_server, address) = start_server(home.path(), &["--mode", "sink"]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    let found = bench(3, &["--connect", &address, "--dir", dir, "--duration", "50ms", "--timeout", "300ms"]);
    assert_eq!((&found["sent"], &found["lost"]), (&1.into(), &1.into()), "{found}");
}

#[test]
fn the_distribution_is_written_for_the_plotter_and_as_a_picture() {
    let home = home();
    let (hgrm, svg) = (home.path().join("x.hgrm"), home.path().join("x.svg"));
    let arguments = ["--hgrm", argument(&hgrm), "--svg", argument(&svg), "--duration", "100ms"];
    let shown = run_to(0, ["bench", "--carrier", "tcp", "--idle", "sleep"].into_iter().chain(arguments));
    assert!(
        shown.contains("round trip ") && shown.contains("lost 0   duplicated 0   reordered 0"),
        "{shown}"
    );
    let hgrm = fs::read_to_string(hgrm).unwrap();
    assert!(hgrm.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n"), "{hgrm}");
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("round trip") && svg.ends_with("</svg>\n"), "{svg}");
}

#[test]
fn sigint_ends_it_early_with_what_was_found_and_leaves_no_server() {
    let mut command = tcpshm(["bench", "--json", "--idle", "sleep", "--duration", "1h"]);
    let bench = Running::start(&mut command);
    let children = format!("/proc/{0}/task/{0}/children", bench.id());
    let mut child = String::new();
    tool::until("it has a child", || {
        child = fs::read_to_string(&children).unwrap_or_default();
        !child.is_empty()
    });
    // The floor has been measured by then, and signals are listened for soon.
    let status = format!("/proc/{}/status", bench.id());
    tool::until("it takes notice of SIGINT", || {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        u64::from_str_radix(caught, 16).unwrap() & 1 << (Signal::INT.as_raw() - 1) != 0
    });
    bench.signal(Signal::INT);
    let output = bench.finish();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    tool::until("its server is gone", || !fs::exists(format!("/proc/{}", child.trim())).unwrap());
}

#[test]
fn nobody_reading_is_no_failure() {
    let mut bench = Running::start(&mut tcpshm(["bench", "--duration", "50ms", "--idle", "sleep"]));
    bench.close_output();
    let output = bench.finish();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &[][..]), "{output:?}");
}

#[test]
fn a_core_that_there_is_not_is_one_line_and_nothing_is_started() {
    for cores in ["0,1023", "5000,0"] {
        let output = Running::start(&mut tcpshm(["bench", "--cores", cores])).finish();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
        let said = text(&output.stderr);
        assert!(said.lines().count() == 1 && said.contains("may not use core"), "{said}");
    }
}

#[test]
fn wrong_arguments_are_one_line_and_status_2() {
    for wrong in [
        &["bench", "--rate", "0"][..],
        &["bench", "--rate", "1k", "--window", "2"],
        &["bench", "--kill-every", "1s", "--connect", "127.0.0.1:1"],
        &["bench", "--size", "8"],
        &["bench", "--cores", "one,two"],
        &["bench", "--duration", "0s"],
        &["bench", "--kill-every", "never"],
    ] {
        refused(2, wrong.iter().copied());
    }
    let home = home();
    let (_server, address) = start_server(home.path(), &["--mode", "source"]);
    let address = address.to_string();
    let from =
        ["--connect", &address, "--dir", argument(home.path()), "--idle", "sleep", "--timeout", "300ms"];
    assert!(refused(1, ["bench"].into_iter().chain(from)).contains("is it an echo?"));
    let output = run(["bench", "--hgrm", "/nowhere/x", "--duration", "50ms", "--idle", "sleep"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
