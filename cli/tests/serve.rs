//! `tcpshm serve` as a process.

#[expect(dead_code, reason = "other tests use the rest")]
mod tool;

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tool::{Running, argument, document, home, refused, run, run_to, start_server, tcpshm, text, until};

#[test]
fn a_server_ends_cleanly_on_sigterm_and_on_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = home();
        let (server, _) = start_server(home.path(), &[]);
        server.signal(signal);
        assert_eq!(server.finish().status.code(), Some(0), "{signal:?}");
    }
}

/// A server whose parent has set what a closed terminal does to it. Returns its first line, too.
fn started_with(signal: &str, home: &Path) -> (Running, String) {
    let mut command = Command::new("env");
    command
        .args([signal, env!("CARGO_BIN_EXE_tcpshm"), "serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running::start(&mut command);
    let line = server.line();
    (server, line)
}

#[test]
fn a_server_ends_cleanly_when_its_terminal_is_closed() {
    let home = home();
    let (server, _) = started_with("--default-signal=HUP", home.path());
    server.signal(Signal::HUP);
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn a_server_that_is_to_outlive_its_terminal_does() {
    let home = home();
    let (server, line) = started_with("--ignore-signal=HUP", home.path());
    server.signal(Signal::HUP);
    let address = line.strip_prefix("listening on ").unwrap();
    run_to(0, ["ping", address, "--dir", argument(home.path()), "--count", "5", "--interval", "0"]);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn a_server_says_in_json_where_it_listens_and_what_it_carried() {
    let home = home();
    let (mut server, address) = start_server(home.path(), &["--json", "--mode", "echo"]);
    let address = address.to_string();
    run_to(0, ["ping", &address, "--dir", argument(home.path()), "--count", "5", "--interval", "0"]);
    let connected = document(&server.line());
    assert_eq!((&connected["event"], &connected["peer"]), (&"connected".into(), &"ping".into()));
    assert_eq!((&connected["carrier"], &connected["outcome"]), (&"shm".into(), &"fresh".into()));
    server.signal(Signal::TERM);
    let output = text(&server.finish().stdout);
    let summary = document(output.lines().last().unwrap());
    let link = &summary["links"][0];
    assert_eq!((&summary["event"], &link["peer"]), (&"summary".into(), &"ping".into()));
    let counts = ["messages_in", "messages_out", "bytes_in", "connections"].map(|key| link[key].as_u64());
    assert_eq!(counts, [Some(5), Some(5), Some(320), Some(1)], "{link}");
}

#[test]
fn a_report_tells_what_no_file_holds() {
    let home = home();
    let (mut server, address) = start_server(home.path(), &["--json", "--report", "50ms"]);
    let mut ping = tcpshm(["ping", &address.to_string(), "--dir", argument(home.path()), "--carrier", "tcp"]);
    let ping = Running::start(&mut ping);
    let mut report = || loop {
        let found = document(&server.line());
        if found["event"] == "report" && found["links"][0]["peer"] == "ping" {
            return found;
        }
    };
    let link = &report()["links"][0];
    assert_eq!(
        (&link["carrier"], &link["logins"], &link["ring"]),
        (&"tcp".into(), &1.into(), &(256 * 1024).into())
    );
    assert!(link["heard_seconds_ago"].as_f64().is_some_and(|seconds| seconds < 60.0), "{link}");
    ping.signal(Signal::KILL);
    ping.finish();
    while report()["links"][0]["carrier"] != serde_json::Value::Null {}
    let found = report();
    assert_eq!((&found["connected"], &found["detached"]), (&0.into(), &1.into()), "{found}");
}

#[test]
fn links_go_to_threads_in_turn_and_stay_there() {
    let home = home();
    let (mut server, address) = start_server(home.path(), &["--json", "--groups", "2", "--report", "20ms"]);
    let ping = |name: &str, carrier: &str| {
        let address = address.to_string();
        let arguments =
            ["--dir", argument(home.path()), "--name", name, "--carrier", carrier, "--interval", "0"];
        Running::start(&mut tcpshm(["ping", &address].into_iter().chain(arguments)))
    };
    let mut group_of = |name: &str, logins: u64| loop {
        let found = document(&server.line());
        let links = found["links"].as_array().into_iter().flatten();
        let mut here = links.filter(|link| link["peer"] == *name && link["logins"] == logins);
        // Between two connections it is nowhere, and no link is there twice.
        if let Some(group) = here.next().and_then(|link| link["group"].as_u64()) {
            assert!(here.next().is_none(), "{found}");
            return group;
        }
    };
    let running = [("one", "tcp"), ("two", "shm"), ("three", "tcp")].map(|(name, carrier)| {
        let running = ping(name, carrier);
        (running, group_of(name, 1))
    });
    let [one, two, three] = running.each_ref().map(|(_, group)| *group);
    assert!(one != two && [one, two].contains(&three), "{one} {two} {three}");
    for (ping, _) in running {
        ping.signal(Signal::INT);
        ping.finish();
    }
    let again = ping("two", "tcp");
    assert_eq!(group_of("two", 2), two);
    again.signal(Signal::INT);
    again.finish();
    server.signal(Signal::TERM);
    let output = server.finish();
    assert_eq!(output.status.code(), Some(0));
    let summary = text(&output.stdout).lines().map(document).find(|said| said["event"] == "summary");
    let links = summary.expect("there is one")["links"].clone();
    let connections = |name: &str| {
        let links = links.as_array().expect("a list");
        let link = links.iter().find(|link| link["peer"] == *name).expect("it was here");
        assert!(
            link["messages_in"].as_u64() > Some(0) && link["messages_in"] == link["messages_out"],
            "{link}"
        );
        link["connections"].as_u64()
    };
    assert_eq!(["one", "two", "three"].map(connections), [1, 2, 1].map(Some));
}

#[test]
fn who_stops_reading_its_reports_keeps_no_link_and_no_signal_waiting() {
    let home = home();
    // Nobody reads beyond the first line, and a pipe holds little.
    let (mut server, address) = start_server(home.path(), &["--report", "1ms"]);
    let address = address.to_string();
    let ping = ["ping", &address, "--dir", argument(home.path()), "--count", "60", "--timeout", "2s"];
    run_to(0, ping.into_iter().chain(["--interval", "20ms"]));
    server.signal(Signal::TERM);
    until("it ends", || server.has_ended());
}

#[test]
fn a_second_server_of_the_same_name_and_directory_says_why_it_does_not_start() {
    let home = home();
    let _first = start_server(home.path(), &[]);
    let said = refused(1, ["serve", "--listen", "127.0.0.1:0", "--dir", argument(home.path())]);
    assert!(said.contains("s~server.lock"), "{said}");
}

#[test]
fn wrong_arguments_are_one_line_and_status_2() {
    for wrong in [
        &["serve", "--listen", "nowhere"][..],
        &["serve", "--mode", "gossip"],
        &["serve", "--name", "two words"],
        &["serve", "--size", "1TB"],
        &["serve", "--mode", "source", "--size", "1MiB", "--listen", "127.0.0.1:0"],
        &["serve", "--mode", "echo", "--rate", "10"],
        &["serve", "--mode", "sink", "--size", "10"],
        &["serve", "--groups", "65"],
        &["serve", "--groups", "2", "--core", "0,1"],
        &["serve", "--core", "0,1"],
        &["serve", "surplus"],
        &["nonsense"],
    ] {
        refused(2, wrong.iter().copied());
    }
    let home = home();
    let nowhere =
        ["--groups", "1", "--core", "0,9999", "--listen", "127.0.0.1:0", "--dir", argument(home.path())];
    assert!(refused(1, ["serve"].into_iter().chain(nowhere)).contains("core 9999"));
}

#[test]
fn every_subcommand_explains_itself() {
    let all = run_to(0, ["--help"]);
    for name in ["serve", "ping", "bench", "send", "recv", "replay", "inspect", "export", "stat", "doctor"] {
        assert!(all.contains(&format!("\n  {name} ")), "{name} is not in: {all}");
        let help = run_to(0, [name, "--help"]);
        assert!(help.contains("Example") && help.contains("--json"), "{name}: {help}");
    }
    assert_eq!(run([]).status.code(), Some(2));
}
