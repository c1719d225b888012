//! Processes whose threads send and write down each outcome, killed with SIGKILL in the middle of it: whatever was said
//! to be committed is in the link file, each message once, and those of a thread in their order.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::files::Home;
use support::process::{Process, child, end_with_parent, task};
use support::{PATIENCE, World, client, kind, limits, name, server, wish};
use tcpshm_driver::{Carrier, Client, EventLoop, SendOutcome, TrySendError};

carriers! {
    whatever_was_said_to_be_committed_is_in_the_file,
}

const THREADS: u8 = 4;
const KILLS: u32 = 6;
/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// The body of a child. A test like any other when nobody has given it a task.
#[test]
fn child_of_the_test_below() {
    let Some(task) = task() else {
        return;
    };
    end_with_parent();
    let [life, carrier, directory, address] = &task[..] else {
        panic!("{task:?}");
    };
    let carrier = if carrier == "Shm" { Carrier::Shm } else { Carrier::Tcp };
    let mut config = client(Path::new(directory), address.parse().unwrap());
    config.link.limits = limits(1 << 16, 512);
    (config.carrier, config.server) = (wish(carrier), Some(name("server")));
    let mut events = EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap();
    let sender = events.driver().sender().unwrap();
    let life: u32 = life.parse().unwrap();
    for thread in 0..THREADS {
        let sender = sender.clone();
        thread::spawn(move || {
            for number in 0_u32.. {
                let mut message = vec![thread];
                message.extend_from_slice(&life.to_le_bytes());
                message.extend_from_slice(&number.to_le_bytes());
                let mut ticket = loop {
                    match sender.try_send(kind(2), &message) {
                        Ok(ticket) => break ticket,
                        Err(TrySendError::Full { .. }) => thread::yield_now(),
                        Err(other) => panic!("{other}"),
                    }
                };
                let Some(SendOutcome::Committed(at)) = ticket.wait(DEADLINE) else { panic!("{ticket:?}") };
                // One write, so that a kill leaves whole lines.
                let line = format!("\ncommitted {thread} {life} {number} {}\n", at.position());
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    let mut app = App::default();
    loop {
        events.turn(&mut app, None).unwrap();
    }
}

#[track_caller]
fn process(carrier: Carrier, life: u32, home: &Home, address: SocketAddr) -> Process {
    let (carrier, address) = (format!("{carrier:?}"), address.to_string());
    let directory = home.path().to_str().unwrap();
    Process::start(child("child_of_the_test_below", &[&life.to_string(), &carrier, directory, &address]))
}

fn whatever_was_said_to_be_committed_is_in_the_file(carrier: Carrier) {
    let homes = Home::pair(carrier);
    let mut world = World::<App, App>::new();
    world.patience = PATIENCE;
    let mut config = server(homes[1].path());
    config.link.limits = limits(1 << 16, 512);
    let address = world.serve(config, App::with(Habit::Consume));
    // The children live by another clock than this world.
    world.stop_clock();
    // Said to be committed: thread, life, number.
    let mut said: Vec<[u32; 3]> = Vec::new();
    for life in 0..KILLS {
        let mut process = process(carrier, life, &homes[0], address);
        let (lines, heard) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            let mut count = 0;
            while let Some(line) = process.says("committed") {
                let numbers: Vec<u32> =
                    line.split(' ').take(3).map(|number| number.parse().unwrap()).collect();
                lines.send([numbers[0], numbers[1], numbers[2]]).unwrap();
                count += 1;
                // At a moment that nobody has chosen, in the middle of whatever its threads do.
                if count == 300 + 37 * life {
                    process.kill();
                }
            }
        });
        let start = Instant::now();
        while !reader.is_finished() {
            assert!(start.elapsed() < DEADLINE);
            world.turn();
        }
        reader.join().unwrap();
        said.extend(heard.try_iter());
    }
    // What the last one left is in its file: somebody who only looks after that sends nothing of his own.
    // From here on time passes again, which the last acknowledgements wait for.
    world.pass(Duration::from_millis(1));
    let mut heir = client(homes[0].path(), address);
    heir.link.limits = limits(1 << 16, 512);
    heir.carrier = wish(carrier);
    world.connect(heir, App::default());
    world.until("everything", |world| {
        let now = world.now;
        let client = &mut world.clients[0];
        client.driver.is_connected() && client.driver.link(now).unwrap().undelivered().messages == 0
    });
    let mut next = vec![[0; THREADS as usize]; KILLS as usize];
    for message in &world.at_server().app.received {
        let number = |at: usize| u32::from_le_bytes(message[at..at + 4].try_into().unwrap());
        let next = &mut next[number(1) as usize][usize::from(message[0])];
        assert_eq!(number(5), *next, "of thread {} in life {}", message[0], number(1));
        *next += 1;
    }
    assert!(said.len() >= 300 * KILLS as usize);
    for [thread, life, number] in said {
        let arrived = next[life as usize][thread as usize];
        assert!(number < arrived, "{number} of thread {thread} in life {life}, of which {arrived} arrived");
    }
    assert!(world.at_server().app.disputes().is_empty());
}
