//! Two processes whose directories have one name and are not one: each in a mount namespace of its own, as
//! in two containers. They are told, and served over TCP where that is allowed.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use support::app::{App, Habit};
use support::files::Home;
use support::process::{Process, child, end_with_parent, skipped, task};
use support::{PATIENCE, World, client, kind, server, wish};
use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_driver::{Carrier, Client, EventLoop, RefusalCode};

/// The body of a child: a client that says what became of its wish. A test like any other without a task.
#[test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child_in_a_namespace_of_its_own() {
    let Some(task) = task() else {
        return;
    };
    end_with_parent();
    let [wished, directory, address] = &task[..] else {
        panic!("{task:?}");
    };
    let mut config = client(Path::new(directory), address.parse().expect("an address"));
    config.carrier = if wished == "Auto" { CarrierWish::Auto } else { wish(Carrier::Shm) };
    let mut events = EventLoop::new(Client::new(config).expect("a client"), Instant::now).expect("a loop");
    let mut app = App::default();
    while app.received.is_empty() && app.refusals().is_empty() {
        events.turn(&mut app, None).expect("a turn");
        let now = events.now();
        if app.outcomes().len() == 1
            && let Some(mut link) = events.driver().link(now)
            && link.committed().position().get() == 0
        {
            link.send(kind(1), b"through").expect("room");
        }
    }
    match app.refusals().first() {
        Some(refused) => println!("\nended {:?}: {}", refused.refusal.code, refused.refusal),
        None => println!("\nended {:?}", app.connections().next().expect("a connection").carrier),
    }
}

/// A command that runs in a mount namespace of its own, with an empty file system at `directory`.
fn apart(directory: &Path, command: &Command) -> Command {
    let mut apart = Command::new("unshare");
    let script = "mount -t tmpfs none \"$0\" && chmod 700 \"$0\" && exec \"$@\"";
    apart.args(["-m", "sh", "-c", script]).arg(directory).arg(command.get_program()).args(command.get_args());
    apart.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    apart
}

#[test]
fn processes_in_different_mount_namespaces_are_told_and_take_tcp_where_they_may() {
    let probe = tempfile::tempdir().expect("a directory");
    let status = apart(probe.path(), &Command::new("true")).stderr(Stdio::null()).status();
    if !status.is_ok_and(|status| status.success()) {
        return skipped("mount namespaces need root and unshare");
    }
    for (wished, expected) in [("Auto", "Tcp"), ("Shm", "NoCarrier")] {
        // One path for both.
        let [ours, theirs] = Home::pair(Carrier::Shm);
        let mut world = World::<App, App>::new();
        world.patience = PATIENCE;
        let address = world.serve(server(theirs.path()), App::with(Habit::Echo));
        // The other process lives in its own time.
        world.stop_clock();
        let directory = ours.path().to_str().expect("plain names");
        let run = child("child_in_a_namespace_of_its_own", &[wished, directory, &address.to_string()]);
        let mut process = Process::start(apart(ours.path(), &run));
        world.until("an answer", |world| {
            let app = &world.at_server().app;
            !app.received.is_empty() || !app.refusals().is_empty()
        });
        // The reply is on its way before the server is asked anything else.
        (0..3).for_each(|_| world.turn());
        let said = process.says("ended").expect("it goes on");
        assert!(said.starts_with(expected), "{wished}: {said}");
        let app = &world.at_server().app;
        assert!(app.not_shared[0].1.contains("the peer runs on another host, in another container"));
        assert_eq!(app.refusal(RefusalCode::NoCarrier).is_some(), wished == "Shm");
        assert!(ours.names().is_empty(), "the client's files are in its own directory: {:?}", ours.names());
    }
}
