//! The examples that need nothing.

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use programs::{last_line, program, run};

#[test]
fn sans_io_delivers_over_a_cut() {
    let output = run(&mut program("sans_io"));
    assert!(output.status.success(), "{output:?}");
    let text = str::from_utf8(&output.stdout).unwrap();
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains(" gets ") || line.contains("login")).collect();
    let expected = [
        "login: Fresh",
        "bob gets \"buy 100\"",
        "login: Resumed",
        "bob gets \"sell 50\"",
        "bob gets \"buy 7\"",
        "alice gets \"buy 100, done\"",
        "alice gets \"sell 50, done\"",
        "alice gets \"buy 7, done\"",
    ];
    assert_eq!(lines, expected);
    assert!(last_line(&output).starts_with("done: bob has 0 "), "{text}");
}

#[test]
fn embedded_serves_two_links_a_datagram_socket_and_a_timer() {
    let output = run(&mut program("embedded"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(last_line(&output), "10 answers");
}
