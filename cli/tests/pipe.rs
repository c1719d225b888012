//! `tcpshm send` and `tcpshm recv` as processes.

#[expect(dead_code, reason = "other tests use the rest")]
mod tool;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tool::{Running, argument, document, feed, home, refused, run_to, start_server, tcpshm, text, until};

/// An address that is free now. A server takes it and gives it up again and again.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").to_string()
}

fn command<'a>(subcommand: &'a str, way: [&'a str; 2], home: &'a Path, more: &[&'a str]) -> Command {
    let arguments = [subcommand, way[0], way[1], "--dir", argument(home)];
    tcpshm(arguments.into_iter().chain(more.iter().copied()))
}

/// Lines of all lengths, from a seed; the last one has no newline.
fn any_input(random: &mut fastrand::Rng, lines: usize) -> Vec<u8> {
    let mut input = Vec::new();
    for number in 0..lines {
        input.extend(format!("{number} ").bytes());
        input.extend((0..random.usize(0..80)).map(|_| random.u8(b' '..=b'~')));
        input.push(b'\n');
    }
    input.extend(b"no newline");
    input
}

#[test]
fn what_goes_in_comes_out_whichever_side_dials_and_over_both_carriers() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut input = any_input(&mut random, 5_000);
    // Longer than a message, and no text.
    input.extend((0..200_000).map(|_| random.u8(..)));
    for carrier in ["tcp", "shm"] {
        for [recv, send] in [["--listen", "--connect"], ["--connect", "--listen"]] {
            let home = home();
            let path = home.path().join("input");
            fs::write(&path, &input).unwrap();
            let address = free_address();
            let more = ["--carrier", carrier];
            let recv = Running::start(&mut command("recv", [recv, &address], home.path(), &more));
            let more = ["--carrier", carrier, argument(&path), "--json"];
            let send = Running::start(&mut command("send", [send, &address], home.path(), &more));
            let recv = recv.finish();
            let send = send.finish();
            assert_eq!(send.status.code(), Some(0), "{send:?}");
            assert_eq!(recv.status.code(), Some(0), "{:?}", text(&recv.stderr));
            assert!(recv.stdout == input, "{carrier}: {} of {} bytes", recv.stdout.len(), input.len());
            assert_eq!(document(&text(&send.stdout))["bytes"], input.len());
            // Nothing is left to be mended.
            assert!(!home.path().join("c~send.send.journal").exists());
        }
    }
}

#[test]
fn standard_input_is_sent_as_it_comes_and_its_end_ends_both() {
    let home = home();
    let address = free_address();
    let mut recv = Running::start(&mut command("recv", ["--listen", &address], home.path(), &[]));
    let mut send = command("send", ["--connect", &address], home.path(), &[]);
    let mut send = Running::start(send.stdin(Stdio::piped()));
    let mut input = send.input();
    for line in ["one", "two", "three"] {
        feed(&mut input, format!("{line}\n").as_bytes());
        assert_eq!(recv.line(), line);
    }
    drop(input);
    assert_eq!(send.finish().status.code(), Some(0));
    assert_eq!(recv.finish().status.code(), Some(0));
}

/// Kills one of the two again and again, and starts it again with the same arguments.
fn kill_at_random(seed: u64, carrier: &str, kills: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let home = home();
    let [input, output]: [PathBuf; 2] = ["input", "output"].map(|name| home.path().join(name));
    let sent = any_input(&mut random, 400_000);
    fs::write(&input, &sent).expect("it can be written");
    let address = free_address();
    let mut commands = [
        command("send", ["--connect", &address], home.path(), &["--carrier", carrier, argument(&input)]),
        command(
            "recv",
            ["--listen", &address],
            home.path(),
            &["--carrier", carrier, "--output", argument(&output)],
        ),
    ];
    let mut sides = commands.each_mut().map(|command| Running::start(command.stderr(Stdio::null())));
    let mut killed = 0;
    while killed < kills {
        // Not to wait for anything: it is the random point.
        std::thread::sleep(Duration::from_micros(random.u64(0..15_000)));
        if sides.iter_mut().any(Running::has_ended) {
            break;
        }
        let side = random.usize(0..2);
        killed += 1;
        sides[side].signal(Signal::KILL);
        sides[side].wait();
        sides[side] = Running::start(&mut commands[side]);
    }
    assert!(killed >= 3, "seed {seed}: it was over after {killed} kills");
    let [mut send, mut recv] = sides;
    until("the sender knows that all was consumed", || {
        if recv.has_ended() && !send.has_ended() {
            // It did not live to hear of it.
            recv = Running::start(&mut commands[1]);
        }
        send.has_ended()
    });
    let send = send.finish();
    assert_eq!(send.status.code(), Some(0), "seed {seed}: {send:?}");
    let written = fs::read(&output).expect("it was made");
    let same = written.iter().zip(&sent).take_while(|(written, sent)| written == sent).count();
    assert!(
        written == sent,
        "seed {seed}, {carrier}: {} bytes of {}, the same up to {same}",
        written.len(),
        sent.len()
    );
    // It has ended, or was started again behind the end and waits for more.
    drop(recv);
}

#[test]
fn a_file_to_a_file_is_exact_however_often_either_side_is_killed() {
    for seed in 0..6 {
        kill_at_random(seed, if seed % 2 == 0 { "tcp" } else { "shm" }, 15);
    }
}

#[test]
fn what_could_not_be_written_stays_in_the_link() {
    let home = home();
    let address = free_address();
    let input = home.path().join("input");
    fs::write(&input, "one\ntwo\nthree\n").unwrap();
    let mut first = Running::start(&mut command("recv", ["--listen", &address], home.path(), &[]));
    first.close_output();
    let more = [argument(&input), "--no-end"];
    let send = Running::start(&mut command("send", ["--connect", &address], home.path(), &more));
    let first = first.finish();
    assert_eq!((first.status.code(), text(&first.stdout)), (Some(0), String::new()));
    let second = Running::start(&mut command("recv", ["--listen", &address], home.path(), &["--count", "3"]));
    assert_eq!(text(&second.finish().stdout), "one\ntwo\nthree\n");
    assert_eq!(send.finish().status.code(), Some(0));
}

#[test]
fn a_count_takes_exactly_so_many_and_leaves_the_rest() {
    let home = home();
    let address = free_address();
    let input = home.path().join("input");
    fs::write(&input, "1\n2\n3\n4\n5\n").unwrap();
    let more = [argument(&input), "--count", "4"];
    let send = Running::start(&mut command("send", ["--listen", &address], home.path(), &more));
    for expected in ["1\n", "2\n3\n"] {
        let count = expected.lines().count().to_string();
        let more = ["--count", &count];
        let recv = Running::start(&mut command("recv", ["--connect", &address], home.path(), &more)).finish();
        assert_eq!((recv.status.code(), text(&recv.stdout)), (Some(0), expected.to_owned()));
    }
    let rest = Running::start(&mut command("recv", ["--connect", &address], home.path(), &["--json"]));
    let rest = text(&rest.finish().stdout);
    let rest: Vec<_> = rest.lines().map(document).collect();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((&rest[0]["text"], &rest[0]["kind"], &rest[0]["bytes"]), (&"4".into(), &1.into(), &1.into()));
    assert_eq!(send.finish().status.code(), Some(0));
}

#[test]
fn a_count_that_is_all_of_it_ends_the_sender_too() {
    let home = home();
    let address = free_address();
    let input = home.path().join("input");
    fs::write(&input, "a\nb\n").unwrap();
    let recv = Running::start(&mut command("recv", ["--listen", &address], home.path(), &["--count", "2"]));
    let sends = ["--connect", &address];
    let send = Running::start(&mut command("send", sends, home.path(), &[argument(&input)]));
    assert_eq!(text(&recv.finish().stdout), "a\nb\n");
    assert_eq!(send.finish().status.code(), Some(0));
}

#[test]
fn a_file_is_appended_to_by_one_process_at_a_time() {
    let home = home();
    let output = home.path().join("output");
    let listens = ["--listen", "127.0.0.1:0"];
    let first = ["--output", argument(&output), "--name", "first"];
    let _first = Running::start(&mut command("recv", listens, home.path(), &first));
    until("it has the file", || output.exists());
    let second = ["--output", argument(&output), "--name", "second"];
    let said = Running::start(&mut command("recv", listens, home.path(), &second)).finish();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(text(&said.stderr).contains("another process appends to it"), "{said:?}");
}

#[test]
fn what_a_kill_left_behind_is_cut_off_whoever_comes_first_afterwards() {
    let home = home();
    let address = free_address();
    let [input, output] = ["input", "output"].map(|name| home.path().join(name));
    fs::write(&input, "one\ntwo\n").unwrap();
    let receives = ["--output", argument(&output)];
    let receive = || Running::start(&mut command("recv", ["--listen", &address], home.path(), &receives));
    let send = |name: &str| {
        let sends = ["--connect", &address];
        let more = [argument(&input), "--name", name, "--restart"];
        assert_eq!(
            Running::start(&mut command("send", sends, home.path(), &more)).finish().status.code(),
            Some(0)
        );
    };
    let recv = receive();
    send("first");
    assert_eq!(recv.finish().status.code(), Some(0));
    // As if it had been killed between a third line and its consumption.
    let link = document(&run_to(0, ["inspect", "--json", argument(&home.path().join("s~recv~first.link"))]));
    let journal = home.path().join("s~recv~first.recv.journal");
    let mut entry = document(&fs::read_to_string(&journal).unwrap());
    assert_eq!(entry["session"], link["session"]);
    entry["position"] = link["consumed"].clone();
    (entry["before"], entry["after"]) = (8.into(), 14.into());
    fs::write(&journal, entry.to_string()).unwrap();
    fs::write(&output, "one\ntwo\nthr").unwrap();
    let recv = receive();
    send("second");
    assert_eq!(recv.finish().status.code(), Some(0));
    assert_eq!(fs::read_to_string(&output).unwrap(), "one\ntwo\none\ntwo\n");
}

#[test]
fn sigint_leaves_what_is_committed_to_the_next_run() {
    let home = home();
    let address = free_address();
    let input = home.path().join("input");
    fs::write(&input, "a\nb\n").unwrap();
    // A server that never consumes: it is stopped once the link is there.
    let sends = || command("send", ["--connect", &address], home.path(), &[argument(&input)]);
    let mut recv =
        Running::start(&mut command("recv", ["--listen", &address], home.path(), &["--count", "1"]));
    let send = Running::start(&mut sends());
    assert_eq!(recv.line(), "a");
    assert_eq!(recv.finish().status.code(), Some(0));
    send.signal(Signal::INT);
    let output = send.finish();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(
        text(&output.stderr).contains(
            "stopped with 2 messages of the input committed; what waits in the link: 2 messages, the last"
        ),
        "{output:?}"
    );
    let recv = Running::start(&mut command("recv", ["--listen", &address], home.path(), &[]));
    assert_eq!(Running::start(&mut sends()).finish().status.code(), Some(0));
    assert_eq!(text(&recv.finish().stdout), "b\n");
}

#[test]
fn another_input_waits_for_the_one_that_was_interrupted() {
    let home = home();
    let address = free_address();
    let [one, other] = ["one", "other"].map(|name| home.path().join(name));
    fs::write(&one, "1\n".repeat(100_000)).unwrap();
    fs::write(&other, "2\n").unwrap();
    let mut recv = command("recv", ["--listen", &address], home.path(), &["--count", "10"]);
    let recv = Running::start(&mut recv);
    let send = Running::start(&mut command("send", ["--connect", &address], home.path(), &[argument(&one)]));
    assert_eq!(recv.finish().status.code(), Some(0));
    send.signal(Signal::KILL);
    send.finish();
    let _recv = Running::start(&mut command("recv", ["--listen", &address], home.path(), &["--forever"]));
    let more = [argument(&other)];
    let said = Running::start(&mut command("send", ["--connect", &address], home.path(), &more)).finish();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(text(&said.stderr).contains("--restart"), "{said:?}");
    let mut send = command("send", ["--connect", &address], home.path(), &[]);
    let mut send = Running::start(send.stdin(Stdio::piped()));
    feed(&mut send.input(), b"3\n");
    let said = send.finish();
    assert!(said.status.code() == Some(1) && text(&said.stderr).contains("--restart"), "{said:?}");
    let more = [argument(&other), "--restart"];
    let sent = Running::start(&mut command("send", ["--connect", &address], home.path(), &more)).finish();
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
}

#[test]
fn a_source_is_received_as_lines_until_the_reader_has_had_enough() {
    let home = home();
    let (_server, address) = start_server(home.path(), &["--mode", "source", "--size", "8"]);
    let mut recv = command("recv", ["--connect", &address.to_string()], home.path(), &[]);
    let mut recv = Running::start(&mut recv);
    let lines: Vec<String> = (0..3).map(|_| recv.line()).collect();
    assert_eq!(lines, ["00000001", "00000002", "00000003"]);
    recv.close_output();
    let output = recv.finish();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &[][..]), "{output:?}");
}

#[test]
fn an_echo_can_be_sent_to_when_its_answers_are_dropped() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let input = home.path().join("input");
    fs::write(&input, "a line that comes back\n".repeat(50_000)).unwrap();
    let more = [argument(&input), "--drop-answers"];
    let send = Running::start(&mut command("send", ["--connect", &address.to_string()], home.path(), &more));
    assert_eq!(send.finish().status.code(), Some(0));
}

#[test]
fn a_second_peer_is_told_whose_link_it_is() {
    let home = home();
    let address = free_address();
    let recv = Running::start(&mut command("recv", ["--listen", &address], home.path(), &["--peer", "me"]));
    let mut send = command("send", ["--connect", &address], home.path(), &["--name", "you"]);
    let said = home.path().join("said");
    let send = Running::start(send.stderr(fs::File::create(&said).unwrap()));
    until("it is told", || fs::read_to_string(&said).unwrap().contains("this end of the link is for me"));
    send.signal(Signal::INT);
    send.finish();
    recv.signal(Signal::INT);
    assert_eq!(recv.finish().status.code(), Some(130));
}

#[test]
fn of_several_that_come_at_once_one_is_taken_and_the_others_lose_nothing() {
    let home = home();
    let address = free_address();
    let recv = || Running::start(&mut command("recv", ["--listen", &address], home.path(), &[]));
    let mut running = recv();
    until("its lock", || home.path().join("s~recv.lock").exists());
    // So that all of them are there when it looks.
    running.signal(Signal::STOP);
    let names = ["b", "c", "d"];
    let input = |name: &str| (0..2_000).map(|line| format!("{name} {line}\n")).collect::<String>();
    let senders = names.map(|name| {
        let path = home.path().join(name);
        fs::write(&path, input(name)).unwrap();
        let more = ["--name", name, argument(&path)];
        Running::start(&mut command("send", ["--connect", &address], home.path(), &more))
    });
    until("all senders", || names.iter().all(|name| home.path().join(format!("c~{name}.lock")).exists()));
    running.signal(Signal::CONT);
    let mut received: Vec<String> = Vec::new();
    for _ in names {
        let output = running.finish();
        assert_eq!(output.status.code(), Some(0), "{:?}", text(&output.stderr));
        received.push(text(&output.stdout));
        running = recv();
    }
    drop(running);
    received.sort_unstable();
    assert!(received == names.map(input), "{:?}", received.iter().map(String::len).collect::<Vec<_>>());
    for sender in senders {
        let output = sender.finish();
        assert_eq!(output.status.code(), Some(0), "{:?}", text(&output.stderr));
    }
}

#[test]
fn an_input_that_was_replaced_or_grew_in_the_middle_is_not_gone_on_with() {
    let home = home();
    let address = free_address();
    let inputs = ["first", "second"].map(|name| home.path().join(name));
    for path in &inputs {
        fs::write(path, "a line\n".repeat(400_000)).unwrap();
    }
    let files = [argument(&inputs[0]), argument(&inputs[1])];
    let send = || command("send", ["--connect", &address], home.path(), &files);
    let recv = Running::start(&mut command("recv", ["--listen", &address], home.path(), &["--count", "100"]));
    let sender = Running::start(&mut send());
    assert_eq!(recv.finish().status.code(), Some(0));
    until("the journal", || home.path().join("c~send.send.journal").exists());
    drop(sender);
    let _recv = Running::start(&mut command("recv", ["--listen", &address], home.path(), &[]));
    let assert_refused = || {
        let output = Running::start(&mut send()).finish();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("not what they were"), "{:?}", text(&output.stderr));
    };
    fs::write(&inputs[0], "a line\n".repeat(400_001)).unwrap();
    assert_refused();
    // As long as before, and other lines.
    fs::write(&inputs[0], "b line\n".repeat(400_000)).unwrap();
    assert_refused();
    // The same lines, and another file.
    let other = home.path().join("other");
    fs::write(&other, "a line\n".repeat(400_000)).unwrap();
    fs::rename(&other, &inputs[0]).unwrap();
    assert_refused();
}

#[test]
fn wrong_arguments_are_one_line() {
    for wrong in [
        &["send"][..],
        &["recv"],
        &["send", "--connect", "127.0.0.1:1", "--listen", "127.0.0.1:0"],
        &["send", "--connect", "here"],
        &["send", "--connect", "127.0.0.1:1", "--kind", "0"],
        &["recv", "--connect", "127.0.0.1:1", "--count", "0"],
    ] {
        refused(2, wrong.iter().copied());
    }
    let home = home();
    let dir = argument(home.path());
    refused(1, ["send", "--connect", "127.0.0.1:1", "--dir", dir, "/nowhere/file"]);
    refused(1, ["recv", "--connect", "127.0.0.1:1", "--dir", dir, "--output", "/nowhere/file"]);
    refused(1, ["send", "--connect", "127.0.0.1:1", "--dir", "/nowhere/deeper"]);
}
