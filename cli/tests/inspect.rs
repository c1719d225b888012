//! `tcpshm inspect` and `tcpshm export` as processes, on files of dead and of running owners.

#[expect(dead_code, reason = "other tests use the rest")]
mod tool;

use std::fs;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::process::Signal;
use tempfile::TempDir;
use tool::{
    Running, argument, document, feed, home, refused, run, run_to, start_server, tcpshm, text, until,
};

/// The link file of a source that was killed, full of messages that nobody has consumed, in its directory.
fn dead_file() -> (TempDir, PathBuf) {
    let home = home();
    let (server, address) = start_server(home.path(), &["--mode", "source", "--size", "1000"]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    run_to(0, ["recv", "--connect", &address, "--dir", dir, "--count", "3"]);
    server.signal(Signal::KILL);
    server.finish();
    let file = home.path().join("s~server~recv.link");
    (home, file)
}

#[test]
fn a_dead_file_shows_whose_it_is_how_far_it_came_and_what_was_not_delivered() {
    let (_home, file) = dead_file();
    let file = argument(&file);
    let found = document(&run_to(0, ["inspect", "--json", "--hex", "--all", file]));
    let expect =
        [("verdict", "sound"), ("role", "server"), ("owner", "server"), ("peer", "recv"), ("boot", "this")];
    for (key, value) in expect {
        assert_eq!(found[key], value, "{key}: {found}");
    }
    assert_eq!((&found["open_by"], &found["ring"]), (&serde_json::Value::Null, &(256 * 1024).into()));
    let messages = found["messages"].as_array().unwrap();
    assert!(messages.len() > 100 && found["undelivered"] == messages.len(), "{}", messages.len());
    // The link's positions and the source's numbers agree: 1016 bytes of frame for each message.
    for message in messages {
        let number = message["position"].as_u64().unwrap() / 1016 + 1;
        let payload = message["hex"].as_str().unwrap();
        let digits: String = format!("{number:01000}").bytes().map(|digit| format!("{digit:02x}")).collect();
        assert_eq!(payload, digits);
    }
    let shown = run_to(0, ["inspect", file]);
    let more = format!("and {} more", messages.len() - 20);
    for part in ["server server, to client recv", "by nobody", "acked", "messages up to 65,520 B", &more] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(run_to(0, ["inspect", "--hex", "--limit", "1", file]).contains("|0000000000000000|"));
    assert!(run_to(0, ["inspect", "--verify", file]).contains(": sound, "));
}

#[test]
fn what_was_exported_can_be_replayed_into_another_link() {
    let (home, file) = dead_file();
    let exported = run_to(0, ["export", argument(&file)]);
    let lines: Vec<_> = exported.lines().map(document).collect();
    assert_eq!((&lines[0]["export"], &lines[0]["messages"]), (&1.into(), &(lines.len() - 1).into()));
    let path = home.path().join("undelivered.jsonl");
    fs::write(&path, &exported).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (dir, count) = (argument(home.path()), (lines.len() - 1).to_string());
    let recv = ["recv", "--listen", &address, "--dir", dir, "--name", "other", "--count", &count, "--json"];
    let recv = Running::start(&mut tcpshm(recv));
    let replay = ["replay", argument(&path), "--connect", &address, "--dir", dir, "--json"];
    let replay = Running::start(&mut tcpshm(replay));
    let received = text(&recv.finish().stdout);
    assert_eq!(document(&text(&replay.finish().stdout))["messages"], lines.len() - 1);
    for (received, exported) in received.lines().map(document).zip(&lines[1..]) {
        assert_eq!((&received["kind"], &received["bytes"]), (&exported["kind"], &exported["bytes"]));
        let digits: String =
            received["text"].as_str().unwrap().bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(exported["hex"], digits);
    }
    assert_eq!(received.lines().count(), lines.len() - 1);
}

#[test]
fn an_export_that_is_not_whole_is_not_sent() {
    let (home, file) = dead_file();
    let exported = run_to(0, ["export", argument(&file)]);
    let whole = exported.lines().count() - 1;
    assert!(whole > 3, "{exported}");
    let path = home.path().join("cut.jsonl");
    let arguments = ["replay", argument(&path), "--connect", "127.0.0.1:9", "--dir", argument(home.path())];
    let kept: Vec<_> = exported.lines().take(whole).collect();
    fs::write(&path, kept.join("\n")).unwrap();
    let said = refused(3, arguments);
    assert!(
        said.contains(&format!("it has {whole} messages and has {}: nothing was sent", whole - 1)),
        "{said}"
    );
    fs::write(&path, &exported[..exported.len() - 20]).unwrap();
    assert!(refused(3, arguments).contains("begins no line of an export"));
    fs::write(&path, vec![0; 3_000_000]).unwrap();
    assert!(refused(3, arguments).contains("byte 0 of the input"));
    // One that is sent as it comes is found out on the way, and what stands before is sent.
    let (_server, address) = start_server(home.path(), &["--mode", "sink", "--name", "sink"]);
    let address = address.to_string();
    let mut replay = tcpshm(["replay", "--connect", &address, "--dir", argument(home.path())]);
    let mut replay = Running::start(replay.stdin(Stdio::piped()));
    feed(&mut replay.input(), kept.join("\n").as_bytes());
    let output = replay.finish();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("all of it was sent and consumed"), "{output:?}");
}

#[test]
fn what_is_no_export_is_not_replayed() {
    let (home, file) = dead_file();
    let (server, address) = start_server(home.path(), &["--mode", "sink", "--name", "sink"]);
    let arguments =
        ["replay", argument(&file), "--connect", &address.to_string(), "--dir", argument(home.path())];
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output.stderr).contains("byte 0 of the input begins no line of an export"), "{output:?}");
    drop(server);
}

#[test]
fn whatever_bits_are_flipped_the_end_is_a_verdict_and_never_a_panic() {
    let (home, file) = dead_file();
    let sound = fs::read(&file).unwrap();
    let copy = home.path().join("copy");
    let mut random = fastrand::Rng::with_seed(17);
    let mut verdicts = [0; 2];
    for round in 0..150 {
        let mut image = sound.clone();
        for _ in 0..random.usize(1..4) {
            let at = match random.u8(0..4) {
                0 => random.usize(0..224),
                1 => random.usize(1024..1336),
                // Words of frames, mostly.
                2 => 4096 + random.usize(0..250) * 1016 + random.usize(0..16),
                _ => random.usize(0..image.len()),
            };
            image[at] ^= 1 << random.u8(0..8);
        }
        if random.u8(0..10) == 0 {
            image.truncate(random.usize(0..image.len()));
        }
        fs::write(&copy, &image).unwrap();
        for arguments in [["inspect", "--verify"], ["inspect", "--json"], ["inspect", "--hex"]] {
            let output = run(arguments.into_iter().chain([argument(&copy)]));
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 3)) && output.stderr.is_empty(), "round {round}: {output:?}");
            verdicts[usize::from(code == Some(3))] += 1;
        }
        let exported = run(["export", argument(&copy)]);
        assert!(matches!(exported.status.code(), Some(0 | 3)), "round {round}: {exported:?}");
    }
    assert!(verdicts.iter().all(|count| *count > 20), "{verdicts:?} sound and damaged");
}

#[test]
fn a_file_under_another_links_name_and_one_that_was_never_finished_are_no_good() {
    let (home, file) = dead_file();
    let misplaced = home.path().join("s~server~other.link");
    fs::copy(&file, &misplaced).unwrap();
    let said = run_to(3, ["inspect", "--verify", argument(&misplaced), argument(&file)]);
    assert!(said.lines().next().unwrap().contains("under another name"), "{said}");
    assert!(said.lines().nth(1).unwrap().contains(": sound"), "{said}");
    let unfinished = home.path().join("c~a~b.link.0123456789abcdef0123456789abcdef.new");
    for content in [&[][..], &[0; 8192]] {
        fs::write(&unfinished, content).unwrap();
        let said = run_to(3, ["inspect", "--verify", argument(&unfinished)]);
        assert!(said.contains(": unfinished: "), "{said}");
    }
}

/// What happened to a file while something was done.
fn events(file: &Path, done: impl FnOnce()) -> ReadFlags {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).expect("inotify is there");
    inotify::add_watch(&watch, file, WatchFlags::ALL_EVENTS).expect("the file is there");
    done();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(watch, &mut buffer);
    let mut seen = ReadFlags::empty();
    while let Ok(event) = reader.next() {
        seen |= event.events();
    }
    seen
}

/// The kernel tells an opening for writing from one for reading when it is closed.
#[test]
fn a_file_is_opened_for_reading_only_and_stays_as_it_is() {
    let (home, file) = dead_file();
    let state = || {
        let found = fs::metadata(&file).unwrap();
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        (times, found.mode(), found.ino(), fs::read(&file).unwrap())
    };
    let before = state();
    let path = argument(&file);
    let seen = events(&file, || {
        run_to(0, ["inspect", "--all", path]);
        run_to(0, ["inspect", "--verify", "--json", path]);
        run_to(0, ["export", path]);
        let mut follow = tcpshm(["inspect", "--follow", "--interval", "5ms", path]);
        let mut follow = Running::start(&mut follow);
        (0..3).for_each(|_| assert!(follow.line().contains("undelivered")));
        follow.signal(Signal::INT);
        assert_eq!(follow.finish().status.code(), Some(0));
        run(["stat", "--once", argument(home.path())]);
        run(["doctor", argument(home.path())]);
    });
    assert_eq!(seen, ReadFlags::OPEN | ReadFlags::ACCESS | ReadFlags::CLOSE_NOWRITE, "{seen:?}");
    assert!(state() == before, "the file is another one");
    // And what notices writing notices it.
    let seen = events(&file, || drop(fs::OpenOptions::new().write(true).open(&file).unwrap()));
    assert!(seen.contains(ReadFlags::CLOSE_WRITE), "{seen:?}");
}

#[test]
fn a_running_owner_is_followed_at_full_speed_and_does_not_notice() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    let bench = ["bench", "--connect", &address, "--dir", dir, "--window", "64", "--duration", "2s"];
    let bench = Running::start(tcpshm(bench).args(["--json", "--idle", "sleep"]));
    let file = home.path().join("s~server~bench.link");
    until("the link is there", || file.exists());
    let follow = ["inspect", "--follow", "--interval", "1ms", "--json", argument(&file)];
    let mut follow = Running::start(tcpshm(follow).stderr(Stdio::null()));
    let mut moved = 0;
    let mut last = 0;
    // Half a second of it at least, at a look a millisecond.
    for _ in 0..150 {
        let look = document(&follow.line());
        assert_eq!(look["verdict"], "sound", "{look}");
        let committed = look["committed"].as_u64().unwrap();
        assert!(committed >= last, "{committed} behind {last}");
        moved += u64::from(committed > last);
        last = committed;
    }
    follow.signal(Signal::INT);
    assert_eq!(follow.finish().status.code(), Some(0));
    let found = document(&text(&bench.finish().stdout));
    assert_eq!((&found["lost"], &found["sent"]), (&0.into(), &found["answered"]), "{found}");
    assert!(moved > 10, "it moved in {moved} looks");
    let shown = document(&run_to(0, ["inspect", "--json", argument(&file)]));
    assert!(shown["open_by"].as_i64().is_some(), "{shown}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let (_home, file) = dead_file();
    let mut export = Running::start(&mut tcpshm(["export", argument(&file)]));
    export.close_output();
    let output = export.finish();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &[][..]), "{output:?}");
}

#[test]
fn wrong_arguments_and_what_cannot_be_read_are_one_line() {
    refused(2, ["inspect"]);
    refused(2, ["inspect", "--verify", "--hex", "x"]);
    refused(2, ["inspect", "--follow", "x", "y"]);
    refused(2, ["export"]);
    refused(1, ["inspect", "/nowhere/x"]);
    refused(1, ["inspect", "/dev/null"]);
    refused(3, ["export", "/etc/passwd"]);
}
