//! A disk of 64 KiB runs full under links that are open, that begin, and that begin anew.
#![expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not run")]

use std::process::Command;

#[test]
fn on_a_disk_that_runs_full_open_links_go_on_and_new_ones_are_told_until_there_is_room() {
    // A process of its own, since a mount namespace is one of a process; it has a minute.
    let mut disk = Command::new("timeout");
    let output = disk.args(["-s", "KILL", "60", env!("CARGO_BIN_EXE_proof"), "disk"]).output();
    let output = output.expect("timeout is a program of every system");
    let report = String::from_utf8_lossy(&output.stdout);
    if let Some(why) = report.lines().find(|line| line.starts_with("SKIPPED")) {
        eprintln!("{why}");
        return;
    }
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let verdict = report.lines().last().expect("a verdict");
    assert!(verdict.starts_with("disk: scenes=9 ") && verdict.ends_with(" violations=0"), "{report}");
}
