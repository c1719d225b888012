//! Senders when there is no room: numbers, order, nobody spins, and both sides of a loop get their share.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::files::Home;
use support::stage::Stage;
use support::{PATIENCE, World, client, kind, name, server, wish};
use tcpshm_driver::{
    Carrier, Client, Connected, Driver, EventLoop, Handler, Link, Received, SendOutcome, Sender, Silence,
    Ticket, TrySendError,
};

carriers! {
    a_full_mailbox_says_so_with_numbers_and_takes_what_fits_again,
    with_ring_and_mailbox_full_nothing_spins_and_everything_arrives_in_order,
    room_is_shared_between_an_application_that_wants_all_of_it_and_a_mailbox,
    a_large_message_gets_its_room_although_an_application_takes_every_bit_of_it,
    an_application_that_was_refused_is_told_of_room_although_others_send,
    a_thread_that_waits_for_room_gets_it,
}

/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(30);
/// How many messages of 100 bytes fit a ring of 4096.
const FIT: usize = 34;
/// What the mailbox of a narrow link takes.
const NARROW: usize = 10;

/// A link whose server holds what comes, and whose client's mailbox is narrow.
#[track_caller]
fn narrow(carrier: Carrier) -> (Stage, Sender) {
    let silence = Silence::new(Duration::from_secs(900)).unwrap();
    let mut stage = Stage::over_with(carrier, |server, client| {
        (server.link.silence, client.link.silence) = (silence, silence);
        client.link.mailbox_messages = NARROW;
    });
    stage.world.at_server().app.habit = Habit::Hold;
    let sender = stage.world.clients[0].driver.sender().unwrap();
    (stage, sender)
}

#[track_caller]
fn is_committed(ticket: &Ticket) -> bool {
    matches!(ticket.try_outcome(), Some(SendOutcome::Committed(_)))
}

/// Sends numbered messages of 100 bytes until both ring and mailbox are full.
#[track_caller]
fn fill(stage: &mut Stage, sender: &Sender) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    while tickets.len() < FIT + NARROW {
        match sender.try_send(kind(2), &[u8::try_from(tickets.len()).unwrap(); 100]) {
            Ok(ticket) => tickets.push(ticket),
            Err(TrySendError::Full { .. }) => stage.world.turn(),
            Err(other) => panic!("{other}"),
        }
    }
    stage.world.calm();
    tickets
}

/// Consumes everything that the server holds.
fn let_go(stage: &mut Stage) {
    let now = stage.world.now;
    let server = stage.world.at_server();
    let mut link = server.driver.link(now, &name("client")).unwrap();
    for held in std::mem::take(&mut server.app.held) {
        let received = link.redeem(held).unwrap();
        link.consume(received).unwrap();
    }
}

fn a_full_mailbox_says_so_with_numbers_and_takes_what_fits_again(carrier: Carrier) {
    let mut stage = Stage::over_with(carrier, |_, client| {
        (client.link.mailbox_messages, client.link.mailbox_bytes) = (4, 700);
    });
    let sender = stage.world.clients[0].driver.sender().unwrap();
    let full =
        |messages, bytes, len| TrySendError::Full { messages, most_messages: 4, bytes, most_bytes: 700, len };
    let tickets = [400, 200].map(|len| sender.try_send(kind(2), &vec![0; len]).unwrap());
    assert_eq!(sender.try_send(kind(2), &[0; 101]).unwrap_err(), full(2, 600, 101));
    let more = [50, 50].map(|len| sender.try_send(kind(2), &vec![0; len]).unwrap());
    assert_eq!(sender.try_send(kind(2), &[]).unwrap_err(), full(4, 700, 0));
    let text = sender.try_send(kind(2), &[0; 7]).unwrap_err().to_string();
    assert_eq!(text, "the mailbox is full: 4 of 4 messages and 700 of 700 bytes wait, and 7 more do not fit");
    stage.world.until("all of it", |world| world.at_server().app.received.len() == 1 + 4);
    assert!(tickets.iter().chain(&more).all(is_committed));
    sender.try_send(kind(2), &[0; 512]).unwrap();
    stage.world.until("one more", |world| world.at_server().app.received.len() == 1 + 5);
}

#[test]
fn an_empty_mailbox_takes_what_the_link_takes_whatever_its_bounds_are() {
    let mut stage = Stage::with(|_, client| {
        (client.link.mailbox_messages, client.link.mailbox_bytes) = (0, 0);
    });
    let sender = stage.world.clients[0].driver.sender().unwrap();
    for round in 0..3 {
        sender.try_send(kind(2), &[0; 512]).unwrap();
        assert!(matches!(sender.try_send(kind(2), &[]), Err(TrySendError::Full { messages: 1, .. })));
        stage.world.until("it", |world| world.at_server().app.received.len() == 2 + round);
    }
}

fn with_ring_and_mailbox_full_nothing_spins_and_everything_arrives_in_order(carrier: Carrier) {
    let (mut stage, sender) = narrow(carrier);
    let mut tickets = fill(&mut stage, &sender);
    assert_eq!(tickets.iter().filter(|ticket| is_committed(ticket)).count(), FIT);
    for _ in 0..100 {
        let refused = sender.try_send(kind(2), &[0; 100]).unwrap_err();
        assert!(matches!(refused, TrySendError::Full { messages: NARROW, .. }), "{refused}");
        let now = stage.world.now;
        let seat = &mut stage.world.clients[0];
        assert!(!seat.driver.has_work() && !seat.driver.poll(&mut seat.app), "there is nothing to do");
        assert!(carrier == Carrier::Shm || seat.driver.timeout(now) > Some(Duration::from_secs(1)));
    }
    let_go(&mut stage);
    stage.world.until("the rest", |world| world.at_server().app.held.len() == NARROW);
    assert!(tickets.iter().all(is_committed));
    tickets.extend(fill_up(&mut stage, &sender));
    let_go(&mut stage);
    stage.world.until("the end", |world| world.at_server().app.received.len() == 1 + tickets.len());
    let received = &stage.world.at_server().app.received[1..];
    assert!(received.iter().zip(0_u8..).all(|(payload, number)| payload[..] == [number; 100]));
}

/// As many more as the mailbox takes.
#[track_caller]
fn fill_up(stage: &mut Stage, sender: &Sender) -> Vec<Ticket> {
    let first = u8::try_from(FIT + NARROW).unwrap();
    let numbers = first..first + 5;
    let tickets = numbers.map(|number| sender.try_send(kind(2), &[number; 100]).unwrap()).collect();
    stage.world.calm();
    tickets
}

/// A loop that sleeps for as long as it may does not turn while the ring is full, however often others try to send.
#[test]
fn a_loop_sleeps_while_the_ring_is_full() {
    let homes = Home::pair(Carrier::Tcp);
    let silence = Silence::new(Duration::from_secs(900)).unwrap();
    let mut world = World::<App, App>::new();
    world.patience = PATIENCE;
    let mut at_server = server(homes[1].path());
    at_server.link.silence = silence;
    let address = world.serve(at_server, App::with(Habit::Hold));
    let mut config = client(homes[0].path(), address);
    (config.link.silence, config.server) = (silence, Some(name("server")));
    config.link.mailbox_messages = NARROW;
    let mut events = EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap();
    let sender = events.driver().sender().unwrap();
    let (turns, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let owner = thread::spawn({
        let (turns, stop) = (Arc::clone(&turns), Arc::clone(&stop));
        move || {
            let mut app = App::default();
            while !stop.load(Ordering::Relaxed) {
                events.turn(&mut app, None).unwrap();
                turns.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let start = Instant::now();
    let mut taken = 0;
    while taken < FIT + NARROW {
        assert!(start.elapsed() < DEADLINE, "{taken} were taken");
        world.turn();
        taken += usize::from(sender.try_send(kind(2), &[0; 100]).is_ok());
    }
    world.until("all that fits", |world| world.at_server().app.held.len() == FIT);
    world.calm();
    // The other side sends no heartbeats from here on.
    world.stop_clock();
    let before = turns.load(Ordering::Relaxed);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        assert!(sender.try_send(kind(2), &[0; 100]).is_err());
        world.turn();
    }
    let turned = turns.load(Ordering::Relaxed) - before;
    assert!(turned < 20, "{turned} turns with nothing to do");
    stop.store(true, Ordering::Relaxed);
    world.server = None;
    owner.join().unwrap();
}

/// Has always more to send than there is room for.
#[derive(Default)]
struct Greedy {
    sent: u32,
    told: usize,
}

impl Greedy {
    fn go_on(&mut self, link: &mut Link<'_>) {
        while link.send(kind(1), &[0; 100]).is_ok() {
            self.sent += 1;
        }
    }
}

impl Handler for Greedy {
    fn message(&mut self, _: &mut Link<'_>, received: Received<'_>) {
        panic!("{received:?}");
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        self.go_on(link);
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.told += 1;
        self.go_on(link);
    }
}

/// Counts what came, by kind.
#[derive(Default)]
struct Counts([usize; 3]);

impl Handler for Counts {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.0[usize::from(received.kind().get())] += 1;
        link.consume(received).unwrap();
    }
}

fn room_is_shared_between_an_application_that_wants_all_of_it_and_a_mailbox(carrier: Carrier) {
    let homes = Home::pair(carrier);
    let mut world = World::<Counts, Greedy>::new();
    let address = world.serve(server(homes[1].path()), Counts::default());
    let mut config = client(homes[0].path(), address);
    (config.carrier, config.server) = (wish(carrier), Some(name("server")));
    world.connect(config, Greedy::default());
    let sender = world.clients[0].driver.sender().unwrap();
    let mut sent = 0;
    world.until("many of each", |world| {
        while sender.try_send(kind(2), &[0; 100]).is_ok() {
            sent += 1;
        }
        world.at_server().app.0.iter().sum::<usize>() > 20_000
    });
    let Counts([_, of_app, of_mail]) = world.at_server().app;
    assert!(of_app > 4_000 && of_mail > 4_000, "{of_app} of the application, {of_mail} of the mailbox");
    assert!(of_mail <= sent);
}

/// The server consumes one message at a time, so that there is room for one of the application's, which takes it, and
/// at no time enough for the large one by itself.
fn a_large_message_gets_its_room_although_an_application_takes_every_bit_of_it(carrier: Carrier) {
    let homes = Home::pair(carrier);
    let mut world = World::<App, Greedy>::new();
    let address = world.serve(server(homes[1].path()), App::with(Habit::Hold));
    let mut config = client(homes[0].path(), address);
    (config.carrier, config.server) = (wish(carrier), Some(name("server")));
    world.connect(config, Greedy::default());
    let sender = world.clients[0].driver.sender().unwrap();
    world.until("a full ring", |world| world.at_server().app.held.len() == FIT);
    let ticket = sender.try_send(kind(2), &[9; 512]).unwrap();
    world.until("the large one", |world| {
        let now = world.now;
        let server = world.at_server();
        if server.app.held.len() > FIT / 2 {
            let held = server.app.held.remove(0);
            let mut link = server.driver.link(now, &name("client")).unwrap();
            let received = link.redeem(held).unwrap();
            link.consume(received).unwrap();
        }
        (0..5).for_each(|_| world.turn());
        assert!(world.clients[0].app.sent < 1_000, "{} went before it", world.clients[0].app.sent);
        is_committed(&ticket)
    });
    // And the application goes on.
    let (sent, told) = (world.clients[0].app.sent, world.clients[0].app.told);
    world.at_server().app.habit = Habit::Consume;
    let now = world.now;
    let server = world.at_server();
    let mut link = server.driver.link(now, &name("client")).unwrap();
    for held in std::mem::take(&mut server.app.held) {
        let received = link.redeem(held).unwrap();
        link.consume(received).unwrap();
    }
    drop(link);
    world.until("more of its own", |world| world.clients[0].app.sent > sent + 100);
    assert!(world.clients[0].app.told > told);
}

fn an_application_that_was_refused_is_told_of_room_although_others_send(carrier: Carrier) {
    let (mut stage, sender) = narrow(carrier);
    let _tickets = fill(&mut stage, &sender);
    let now = stage.world.now;
    let refused = stage.world.clients[0].driver.link(now).unwrap().send(kind(1), b"mine").unwrap_err();
    assert!(matches!(refused, tcpshm_driver::SendError::Full { .. }), "{refused}");
    stage.world.clients[0].app.notes.clear();
    let_go(&mut stage);
    stage.world.until("room", |world| {
        world.clients[0].app.notes.iter().any(|note| matches!(note, support::app::Note::Writable))
    });
    let now = stage.world.now;
    stage.world.clients[0].driver.link(now).unwrap().send(kind(1), b"mine").unwrap();
}

fn a_thread_that_waits_for_room_gets_it(carrier: Carrier) {
    let (mut stage, sender) = narrow(carrier);
    stage.world.at_server().app.habit = Habit::Consume;
    stage.world.patience = PATIENCE;
    let threads: Vec<_> = (0..4_u8)
        .map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || {
                for number in 0..200_u8 {
                    sender.send(kind(2), &[thread, number], DEADLINE).unwrap();
                }
            })
        })
        .collect();
    stage.world.until("all of it", |world| world.at_server().app.received.len() == 1 + 800);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for thread in 0..4 {
        let received = stage.world.at_server().app.received[1..].iter();
        let own = received.filter(|payload| payload[0] == thread).map(|payload| payload[1]);
        assert!(own.eq(0..200));
    }
}
