//! Many threads with many messages, on a link that is cut, moved and restarted meanwhile: each arrives once, and what
//! one thread sent arrives in its order.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::thread::{self, JoinHandle};
use std::time::Duration;

use support::app::{App, Habit};
use support::stage::Stage;
use support::{PATIENCE, kind, limits, name, wish};
use tcpshm_driver::{Carrier, CarrierWish, SendFailure, SendOutcome, Sender, Ticket, TrySendError};

carriers! {
    over_a_link_that_stays,
    over_connections_that_end_again_and_again,
    over_a_link_that_changes_its_carrier_again_and_again,
    with_servers_that_come_and_go,
}

const THREADS: u8 = 6;
const EACH: u32 = 3_000;
/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// Sends numbered messages of all sizes, in one of three manners, and sees that each is committed.
fn run(sender: Sender, thread: u8) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut tickets: Vec<Ticket> = Vec::new();
        for number in 0..EACH {
            let mut payload = vec![thread; 5 + number as usize % 300];
            payload[1..5].copy_from_slice(&number.to_le_bytes());
            match thread % 3 {
                0 => match sender.send(kind(2), &payload, DEADLINE) {
                    Ok(_) => {}
                    Err(SendFailure::Pending(_)) => panic!("not committed in time"),
                    Err(other) => panic!("{other}"),
                },
                // Fire and forget.
                1 => drop(push(&sender, &payload)),
                _ => tickets.push(push(&sender, &payload)),
            }
        }
        for ticket in &mut tickets {
            assert!(matches!(ticket.wait(DEADLINE), Some(SendOutcome::Committed(_))), "{ticket:?}");
        }
    })
}

fn push(sender: &Sender, payload: &[u8]) -> Ticket {
    loop {
        match sender.try_send(kind(2), payload) {
            Ok(ticket) => return ticket,
            Err(TrySendError::Full { .. }) => thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    }
}

#[track_caller]
fn check(received: &[Vec<u8>]) {
    assert_eq!(received.len(), usize::from(THREADS) * EACH as usize);
    let mut next = [0; THREADS as usize];
    for payload in received {
        let thread = usize::from(payload[0]);
        let number = u32::from_le_bytes(payload[1..5].try_into().unwrap());
        assert_eq!(number, next[thread], "of thread {thread}");
        assert_eq!(payload.len(), 5 + number as usize % 300);
        assert!(payload[5..].iter().all(|byte| *byte == payload[0]));
        next[thread] += 1;
    }
}

/// Runs threads on the client's link, and does something to it now and then.
#[track_caller]
fn disturbed(carrier: Carrier, mut disturb: impl FnMut(&mut Stage, usize)) {
    let mut stage = Stage::over_with(carrier, |server, client| {
        (server.link.limits, client.link.limits) = (limits(1 << 14, 512), limits(1 << 14, 512));
    });
    stage.world.at_server().app = App::with(Habit::Consume);
    stage.world.patience = PATIENCE;
    let sender = stage.world.clients[0].driver.sender().unwrap();
    let threads: Vec<_> = (0..THREADS).map(|thread| run(sender.clone(), thread)).collect();
    let (all, mut times) = (usize::from(THREADS) * EACH as usize, 0);
    let received = |stage: &mut Stage| stage.world.at_server().app.received.len();
    while received(&mut stage) < all {
        let goal = (received(&mut stage) + all / 40).min(all);
        stage.world.until("a part of it", |world| world.at_server().app.received.len() >= goal);
        times += 1;
        disturb(&mut stage, times);
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(times >= 10, "{times}");
    check(&stage.world.at_server().app.received);
}

fn over_a_link_that_stays(carrier: Carrier) {
    disturbed(carrier, |_, _| {});
}

fn over_connections_that_end_again_and_again(carrier: Carrier) {
    disturbed(carrier, |stage, _| {
        let now = stage.world.now;
        let seat = &mut stage.world.clients[0];
        seat.driver.change_carrier(now, wish(carrier), &mut seat.app);
    });
}

fn over_a_link_that_changes_its_carrier_again_and_again(carrier: Carrier) {
    if carrier == Carrier::Tcp {
        // One that begins on TCP has no memory to share.
        return;
    }
    disturbed(carrier, |stage, times| {
        let wish = if times.is_multiple_of(2) { CarrierWish::Shm } else { CarrierWish::Tcp };
        let now = stage.world.now;
        let seat = &mut stage.world.clients[0];
        seat.driver.change_carrier(now, wish, &mut seat.app);
    });
}

fn with_servers_that_come_and_go(carrier: Carrier) {
    disturbed(carrier, |stage, _| {
        let app = std::mem::take(&mut stage.world.at_server().app);
        stage.stop_server();
        stage.start_server(app);
    });
}

/// Everything at once: threads of the server send to three clients, whose connections end now and then.
#[test]
fn a_server_of_many_links_keeps_them_apart() {
    let mut stage = Stage::with(|server, client| {
        (server.link.limits, client.link.limits) = (limits(1 << 14, 512), limits(1 << 14, 512));
    });
    let directories: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    for (number, directory) in directories.iter().enumerate() {
        let mut other = stage.client.clone();
        other.link.name = name(&format!("client{number}"));
        other.link.directory = directory.path().into();
        stage.world.connect(other, App::default());
    }
    stage.world.until("all links", |world| world.server.as_ref().unwrap().driver.connections() == 3);
    stage.world.clients[0].app.received.clear();
    let mut threads = Vec::new();
    for client in ["client", "client0", "client1"] {
        let sender = stage.world.at_server().driver.sender(&name(client)).unwrap();
        threads.extend((0..THREADS).map(|thread| run(sender.clone(), thread)));
    }
    let all = usize::from(THREADS) * EACH as usize;
    let mut goal = 0;
    while goal < all {
        goal = (goal + all / 20).min(all);
        stage.world.until("a part of it", |world| {
            world.clients.iter().all(|client| client.app.received.len() >= goal)
        });
        let now = stage.world.now;
        let seat = &mut stage.world.clients[goal % 3];
        seat.driver.change_carrier(now, CarrierWish::Tcp, &mut seat.app);
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for client in &stage.world.clients {
        check(&client.app.received);
    }
}
