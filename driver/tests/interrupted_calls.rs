//! System calls that a signal interrupts, or whose connection has gone, are made again.
//!
//! The errors are injected by strace(1) into a child of this test; without it nothing is tested.

mod support;

use std::process::{Command, Stdio};

use support::app::App;
use support::process::skipped;
use support::stage::Stage;

/// Set in the child.
const CHILD: &str = "TCPSHM_INTERRUPTED";

/// Whether strace is there and may trace.
fn can_trace() -> bool {
    let mut probe = Command::new("strace");
    probe.args(["-f", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// What the child does: messages both ways, in two connections, with a restart of either side.
fn use_a_link() {
    let mut stage = Stage::new();
    for round in 0..20 {
        stage.exchange(&format!("message {round}"));
    }
    stage.stop_server();
    stage.start_server(App::with(support::app::Habit::Echo));
    stage.connected();
    stage.exchange("after a restart of the server");
    stage.stop_client();
    stage.start_client(App::default());
    stage.connected();
    stage.exchange("after a restart of the client");
    let server = stage.world.at_server();
    assert!(server.app.endings().iter().all(|ending| *ending == "Cut"), "{:?}", server.app.endings());
    assert!(stage.world.clients[0].app.endings().is_empty());
    assert_eq!(stage.world.clients[0].app.unreachable, [], "no connection was given up");
}

#[test]
fn reading_writing_and_accepting_go_on_after_a_signal() {
    if std::env::var_os(CHILD).is_some() {
        return use_a_link();
    }
    if !can_trace() {
        return skipped("strace cannot be run here");
    }
    for (call, error) in
        [("recvfrom", "EINTR"), ("sendto", "EINTR"), ("accept4", "EINTR"), ("accept4", "ECONNABORTED")]
    {
        // The first call fails, and every second after it.
        let trace = tempfile::NamedTempFile::new().unwrap();
        let mut child = Command::new("strace");
        child.args(["-f", "-qq", "-e", &format!("trace={call}")]);
        child.args(["-e", &format!("inject={call}:error={error}:when=1+2")]).arg("-o").arg(trace.path());
        child.arg(std::env::current_exe().unwrap());
        child.args(["--exact", "reading_writing_and_accepting_go_on_after_a_signal"]).env(CHILD, "1");
        let output = child.output().unwrap();
        let trace = std::fs::read_to_string(trace.path()).unwrap();
        let injected = trace.lines().filter(|line| line.contains("(INJECTED)")).count();
        assert!(output.status.success(), "{call} {error}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(injected >= 2, "{call} {error}: only {injected} calls failed");
    }
}
