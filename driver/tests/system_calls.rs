//! Over shared memory no message costs a system call: from the first of many to the last there is none.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::files::Home;
use support::process::{child, skipped, task};
use support::{World, client, limits, server, wish};
use tcpshm_driver::{Carrier, Connected, Driver, GroupId, Handler, Held, Kind, Link, LoginAttempt, Received};

/// Messages each way before anything is counted, and while it is.
const WARM: u64 = 2_000;
const COUNT: u64 = 20_000;
/// What the child writes around its loop.
const BEGINS: &str = "the loop begins";
const ENDS: &str = "the loop ends";
/// Where the link is, if not in the server.
const IN_GROUP: &str = "in a group";

/// Replies to everything, and consumes it with the reply.
struct Echo {
    group: GroupId,
}

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let mut slot = link.claim(received.kind(), received.payload().len()).expect("room");
        slot.copy_from_slice(received.payload());
        slot.commit_consuming(received).expect("in order");
    }

    fn choose_group(&mut self, _: &LoginAttempt<'_>) -> GroupId {
        self.group
    }
}

/// Keeps a window of messages on their way, in batches of three, and holds each reply for a moment.
struct Pump {
    window: u64,
    received: u64,
    held: Option<Held>,
}

impl Pump {
    fn send(link: &mut Link<'_>, count: u64) {
        let mut batch = link.batch();
        for number in 0..count {
            let len = [16, 36, 200][usize::try_from(number % 3).expect("below 3")];
            batch.claim(Kind::new(1).expect("not 0"), len).expect("room").fill(7);
        }
        batch.commit();
    }
}

impl Handler for Pump {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.held = Some(link.hold(received).expect("it is this link's"));
        let held = self.held.take().expect("just put there");
        let received = link.redeem(held).expect("it is this link's");
        link.consume(received).expect("in order");
        self.received += 1;
        if self.received.is_multiple_of(self.window) {
            Self::send(link, self.window);
        }
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        Self::send(link, self.window);
    }
}

/// The body of a child: echoes, `window` at a time, by a server or a group of it, and nothing else. A test like any other without a task.
#[test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child_that_plays_ping_pong() {
    let Some(task) = task() else {
        return;
    };
    let window = task[0].parse().expect("a number");
    let in_group = task[1] == IN_GROUP;
    let homes = Home::pair(Carrier::Shm);
    let mut world = World::new();
    let mut server = server(homes[1].path());
    server.link.limits = limits(1 << 18, 4096);
    let address = world.serve(server, Echo { group: GroupId::SERVER });
    let group = world.group(Echo { group: GroupId::SERVER });
    if in_group {
        world.at_server().app.group = group;
    }
    let mut client = client(homes[0].path(), address);
    client.link.limits = limits(1 << 18, 4096);
    client.carrier = wish(Carrier::Shm);
    world.connect(client, Pump { window, received: 0, held: None });
    world.until("some echoes", |world| world.clients[0].app.received >= WARM);
    let World { server, groups, clients, .. } = &mut world;
    let (server, client) = (server.as_mut().expect("it serves"), &mut clients[0]);
    let group = groups[0].as_mut().expect("it is there");
    assert_eq!(group.driver.connections(), usize::from(in_group));
    let begin = client.app.received;
    println!("\n{BEGINS}");
    while client.app.received < begin + COUNT {
        if in_group {
            assert!(!group.driver.has_work());
            group.driver.poll(&mut group.app);
        } else {
            assert!(!server.driver.has_work());
            server.driver.poll(&mut server.app);
        }
        client.driver.poll(&mut client.app);
    }
    println!("{ENDS}");
}

/// The system calls of a child that were made before, in and after its loop.
#[track_caller]
fn calls(window: u64, place: &str, report: &Path) -> [Vec<String>; 3] {
    let run = child("child_that_plays_ping_pong", &[&window.to_string(), place]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(report).arg(run.get_program()).args(run.get_args());
    strace.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let status = strace.stdout(Stdio::null()).status().expect("it was there before");
    assert!(status.success(), "{status}");
    let text = fs::read_to_string(report).expect("a report");
    let mut parts = [const { Vec::new() }; 3];
    let mut part = 0;
    for line in text.lines() {
        part += usize::from(line.contains(ENDS));
        parts[part].push(line.to_owned());
        part += usize::from(line.contains(BEGINS));
    }
    parts
}

#[test]
fn no_system_call_is_made_from_the_first_of_many_messages_to_the_last() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return skipped("strace is not installed");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let probe =
        Command::new("strace").args(["-c", "-o"]).arg(directory.path().join("probe")).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("strace may not trace here");
    }
    for (window, place) in [(1, "in the server"), (60, "in the server"), (1, IN_GROUP), (60, IN_GROUP)] {
        let [before, within, after] = calls(window, place, &directory.path().join("report"));
        assert!(before.len() > 100 && !after.is_empty(), "{} and {} calls", before.len(), after.len());
        assert!(
            within.is_empty(),
            "{window} at a time {place}: {} calls: {:?}",
            within.len(),
            within.first()
        );
    }
}
