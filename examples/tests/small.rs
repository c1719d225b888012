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
    for (carrier, over) in [("tcp", "Tcp"), ("shm", "Shm"), ("auto", "Shm")] {
        let output = run(program("embedded").args(["--carrier", carrier]));
        assert!(output.status.success(), "{output:?}");
        assert_eq!(last_line(&output), "10 answers");
        let text = str::from_utf8(&output.stdout).unwrap();
        assert_eq!(text.matches(&format!(" over {over}: Fresh")).count(), 4, "{text}");
    }
}

#[test]
fn move_carrier_takes_unconsumed_messages_along() {
    let output = run(&mut program("move_carrier"));
    assert!(output.status.success(), "{output:?}");
    let text = str::from_utf8(&output.stdout).unwrap();
    let connected = |with: &str| -> Vec<&str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("with ")?.strip_prefix(with));
        lines.map(|line| line.trim_start_matches(" over ")).collect()
    };
    let session = text.lines().find_map(|line| line.split(" session ").nth(1)).unwrap();
    let expected = ["TCP: Fresh", "shared memory: Resumed", "TCP: Resumed"]
        .map(|how| format!("{how} session {session}"));
    assert_eq!([connected("alice"), connected("bob")], [expected.each_ref(), expected.each_ref()], "{text}");
    for unconsumed in [1, 3, 5] {
        let line = format!("alice has {unconsumed} unconsumed messages, bob {unconsumed}\n");
        assert!(text.contains(&line), "{text}");
    }
    assert_eq!(last_line(&output), "bob consumes [\"1\", \"2\", \"3\", \"4\", \"5\"]");
}

#[test]
fn senders_of_four_threads_lose_nothing_and_keep_their_order() {
    for carrier in ["tcp", "shm"] {
        let arguments = ["--carrier", carrier, "--count", "20000", "--waits", "500"];
        let output = run(program("senders").args(arguments));
        assert!(output.status.success(), "{output:?}");
        assert_eq!(last_line(&output), "received 80501, each thread's in order");
    }
}

#[test]
fn groups_carry_both_links_and_move_one() {
    let output = run(program("groups").args(["--count", "3000", "--moves", "10"]));
    assert!(output.status.success(), "{output:?}");
    let text = str::from_utf8(&output.stdout).unwrap();
    for line in ["Shm carries trader in the fast group", "Tcp carries clerk in the quiet group"] {
        assert!(text.lines().any(|said| said == line), "{text}");
    }
    for client in ["trader", "clerk"] {
        assert!(text.contains(&format!("{client}: 3000 replies, median ")), "{text}");
    }
    assert!(last_line(&output).ends_with("nothing was lost or came twice"), "{text}");
}

#[test]
fn a_wrong_carrier_is_named_with_the_right_ones() {
    for (name, values) in [
        ("echo", "tcp, shm, both"),
        ("echo_server", "tcp, shm, auto"),
        ("echo_client", "tcp, shm, auto"),
        ("embedded", "tcp, shm, auto"),
        ("senders", "tcp, shm, auto"),
    ] {
        let output = run(program(name).args(["--carrier", "pigeon"]));
        let text = str::from_utf8(&output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{name}: {text}");
        assert!(text.contains("'pigeon'") && text.contains(values), "{name}: {text}");
    }
}
