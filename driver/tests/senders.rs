//! Threads that send on a link that another thread owns.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::files::Home;
use support::stage::Stage;
use support::{PATIENCE, World, client, kind, name, server, wish};
use tcpshm_driver::{
    Carrier, Client, Driver, Ended, EventLoop, NotAccepted, SendFailure, SendOutcome, Sender, SenderError,
    Silence, Ticket, TrySendError,
};

carriers! {
    what_a_thread_sends_is_committed_and_arrives,
    a_spinning_owner_sees_mail_without_asking_the_poll,
    a_server_sends_to_a_client_from_another_thread_whether_or_not_it_is_connected,
    what_is_sent_before_the_first_login_waits_for_it,
    what_waits_when_a_link_is_reset_goes_into_the_new_session,
    a_message_that_the_link_does_not_take_is_told_with_both_sizes,
    a_burst_beyond_the_budget_needs_nobody_to_ring_again,
}

/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(30);

/// The first client's sender.
#[track_caller]
fn sender(stage: &mut Stage) -> Sender {
    stage.world.clients[0].driver.sender().unwrap()
}

#[track_caller]
fn send(sender: &Sender, payload: &[u8]) -> Ticket {
    sender.try_send(kind(2), payload).unwrap()
}

/// Whether the message is in the link file.
#[track_caller]
fn is_committed(ticket: &Ticket) -> bool {
    match ticket.try_outcome() {
        None => false,
        Some(SendOutcome::Committed(_)) => true,
        Some(other) => panic!("{other:?}"),
    }
}

fn what_a_thread_sends_is_committed_and_arrives(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let sender = sender(&mut stage);
    assert_eq!(sender.peer().as_str(), "server");
    stage.world.patience = PATIENCE;
    let thread = thread::spawn(move || {
        (0..200_u8).map(|number| sender.send(kind(2), &[number; 40], DEADLINE).unwrap()).collect::<Vec<_>>()
    });
    stage.world.until("all of it", |world| world.at_server().app.received.len() == 1 + 200);
    let positions = thread.join().unwrap();
    assert!(positions.is_sorted_by(|one, next| one.position() < next.position()));
    let session = stage.session_at_client();
    assert!(positions.iter().all(|committed| committed.session() == session));
    let received = &stage.world.at_server().app.received[1..];
    assert!(received.iter().zip(0_u8..).all(|(payload, number)| payload[..] == [number; 40]));
}

fn a_spinning_owner_sees_mail_without_asking_the_poll(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let sender = sender(&mut stage);
    for round in 0..100_u8 {
        let copy = sender.clone();
        let ticket = thread::spawn(move || send(&copy, &[round])).join().unwrap();
        assert_eq!(ticket.try_outcome(), None);
        let now = stage.world.now;
        let client = &mut stage.world.clients[0];
        assert!(client.driver.has_work());
        match carrier {
            Carrier::Tcp => {
                client.driver.spin(now, &mut client.app);
            }
            Carrier::Shm => assert!(client.driver.poll(&mut client.app)),
        }
        assert!(is_committed(&ticket) && !client.driver.has_work());
    }
    stage.world.until("all of it", |world| world.at_server().app.received.len() == 1 + 100);
}

/// No timer is due for five minutes, and everything fits the ring.
fn patient(carrier: Carrier, homes: &[Home; 2]) -> (EventLoop<Client>, World<App, App>) {
    let silence = Silence::new(Duration::from_secs(900)).unwrap();
    let mut world = World::<App, App>::new();
    world.patience = PATIENCE;
    let mut at_server = server(homes[1].path());
    (at_server.link.silence, at_server.link.limits) = (silence, support::limits(1 << 16, 512));
    let address = world.serve(at_server, App::with(Habit::Consume));
    let mut config = client(homes[0].path(), address);
    (config.link.silence, config.carrier) = (silence, wish(carrier));
    config.link.limits = support::limits(1 << 16, 512);
    (EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap(), world)
}

#[test]
fn an_owner_that_sleeps_is_woken_for_every_message() {
    let homes = Home::pair(Carrier::Tcp);
    let (mut events, mut world) = patient(Carrier::Tcp, &homes);
    let mut app = App::default();
    while !events.driver().is_connected() {
        events.turn(&mut app, Some(Duration::from_millis(1))).unwrap();
        world.turn();
    }
    let sender = events.driver().sender().unwrap();
    let owner = thread::spawn(move || {
        let mut app = App::default();
        // Nothing but a message and, in minutes, a timer ends a turn.
        let mut turns = 0;
        while app.endings().is_empty() {
            events.turn(&mut app, None).unwrap();
            turns += 1;
        }
        turns
    });
    let start = Instant::now();
    for number in 0..500_u16 {
        sender.send(kind(2), &number.to_le_bytes(), DEADLINE).unwrap();
    }
    assert!(start.elapsed() < DEADLINE);
    world.server = None;
    let turns: u32 = owner.join().unwrap();
    assert!(turns < 5 * 500, "{turns} turns for 500 messages");
    assert!(matches!(sender.try_send(kind(2), &[]), Err(TrySendError::Ended(Ended::Dropped))));
}

fn a_burst_beyond_the_budget_needs_nobody_to_ring_again(carrier: Carrier) {
    let mut stage = Stage::over_with(carrier, |server, client| {
        let limits = support::limits(1 << 16, 512);
        (server.link.limits, client.link.limits) = (limits, limits);
    });
    let sender = sender(&mut stage);
    let tickets: Vec<_> = (0..500_u16).map(|number| send(&sender, &number.to_le_bytes())).collect();
    let now = stage.world.now;
    let client = &mut stage.world.clients[0];
    let mut calls = 0;
    while client.driver.has_work() {
        client.driver.handle_timeout(now, &mut client.app);
        calls += 1;
    }
    assert!(tickets.iter().all(is_committed));
    assert!((4..50).contains(&calls), "{calls}: neither all at once nor one by one");
}

fn a_server_sends_to_a_client_from_another_thread_whether_or_not_it_is_connected(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let to_client = stage.world.at_server().driver.sender(&name("client")).unwrap();
    let nobody = stage.world.at_server().driver.sender(&name("nobody"));
    assert!(matches!(nobody, Err(SenderError::NoLink)), "{nobody:?}");
    let ticket = send(&to_client, b"while it is there");
    stage.world.until("it", |world| world.clients[0].app.received.len() == 2);
    assert!(is_committed(&ticket));
    stage.stop_client();
    let ticket = send(&to_client, b"while it is away");
    stage.world.until("the commit", |_| is_committed(&ticket));
    // Not even its session is open.
    stage.stop_server();
    assert!(matches!(to_client.try_send(kind(2), b""), Err(TrySendError::Ended(Ended::Dropped))));
    stage.start_server(App::with(Habit::Echo));
    let to_client = stage.world.at_server().driver.sender(&name("client")).unwrap();
    let ticket = send(&to_client, b"before it comes");
    stage.world.until("the commit", |_| is_committed(&ticket));
    stage.start_client(App::default());
    stage.world.until("them", |world| world.clients[0].app.texts().len() == 2);
    assert_eq!(stage.world.clients[0].app.texts(), ["while it is away", "before it comes"]);
}

fn what_is_sent_before_the_first_login_waits_for_it(carrier: Carrier) {
    let homes = Home::pair(carrier);
    let mut world = World::<App, App>::new();
    let address = world.serve(server(homes[1].path()), App::with(Habit::Consume));
    let mut config = client(homes[0].path(), address);
    config.carrier = wish(carrier);
    world.connect(config.clone(), App::default());
    let unknown = world.clients[0].driver.sender();
    assert!(matches!(unknown, Err(SenderError::NoLink)), "{unknown:?}");
    world.clients.clear();

    config.server = Some(name("server"));
    let (_port, nobody) = support::reserved(support::loopback());
    config.addresses.insert(0, nobody);
    world.connect(config, App::default());
    let sender = world.clients[0].driver.sender().unwrap();
    let tickets = [send(&sender, b"one"), send(&sender, b"two")];
    let now = world.now;
    let seat = &mut world.clients[0];
    seat.driver.handle_timeout(now, &mut seat.app);
    assert!(tickets.iter().all(|ticket| ticket.try_outcome().is_none()));
    world.until("both", |world| world.at_server().app.received.len() == 2);
    assert!(tickets.iter().all(is_committed));
    assert_eq!(world.at_server().app.texts(), ["one", "two"]);
}

fn what_waits_when_a_link_is_reset_goes_into_the_new_session(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.at_server().app.habit = Habit::Hold;
    let sender = sender(&mut stage);
    let tickets: Vec<_> = (0..60_u8).map(|number| send(&sender, &[number; 100])).collect();
    stage.world.calm();
    let committed = tickets.iter().filter(|ticket| is_committed(ticket)).count();
    assert!((30..40).contains(&committed), "{committed} fit the ring");
    let old = stage.session_at_client();
    // The server loses its files: what was committed is given up and told, what waits was never part of it.
    stage.stop_server();
    stage.theirs.delete();
    stage.start_server(App::with(Habit::Consume));
    stage.world.until("the rest", |world| world.at_server().app.received.len() == 60 - committed);
    let new = stage.session_at_client();
    assert_ne!(old, new);
    for (number, ticket) in tickets.iter().enumerate() {
        let Some(SendOutcome::Committed(position)) = ticket.try_outcome() else { panic!("{ticket:?}") };
        assert_eq!(position.session(), if number < committed { old } else { new });
    }
    let first = stage.world.at_server().app.received[0][0];
    assert_eq!(usize::from(first), committed);
    let report = stage.world.clients[0].app.resets()[0];
    assert_eq!(report.undelivered, Some(committed as u64));
}

fn a_message_that_the_link_does_not_take_is_told_with_both_sizes(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let sender = sender(&mut stage);
    let refused = sender.try_send(kind(2), &[0; 513]).unwrap_err();
    assert_eq!(refused, TrySendError::TooLarge { len: 513, most: 512 });
    send(&sender, &[0; 512]);
    stage.world.until("the largest", |world| world.at_server().app.received.len() == 2);
}

#[test]
fn a_size_that_the_first_login_does_not_agree_to_is_told_in_the_outcome() {
    let homes = Home::pair(Carrier::Tcp);
    let mut world = World::<App, App>::new();
    let mut small = server(homes[1].path());
    small.link.limits = support::limits(4096, 256);
    let address = world.serve(small, App::with(Habit::Consume));
    let mut config = client(homes[0].path(), address);
    config.server = Some(name("server"));
    world.connect(config, App::default());
    let sender = world.clients[0].driver.sender().unwrap();
    let tickets = [512, 256].map(|len| send(&sender, &vec![1; len]));
    world.until("the one that fits", |world| world.at_server().app.received.len() == 1);
    let Some(SendOutcome::NotAccepted(NotAccepted::Refused(reason))) = tickets[0].try_outcome() else {
        panic!("{:?}", tickets[0])
    };
    assert_eq!(reason, tcpshm_driver::SendError::TooLarge { len: 512, most: 256 });
    assert!(is_committed(&tickets[1]));
    let refused = sender.try_send(kind(2), &[0; 257]).unwrap_err();
    assert_eq!(refused, TrySendError::TooLarge { len: 257, most: 256 });
}

#[test]
fn waiting_ends_with_the_time_and_gives_the_ticket_back() {
    let mut stage = Stage::new();
    let sender = sender(&mut stage);
    let mut ticket = send(&sender, b"one");
    assert_eq!(ticket.wait(Duration::from_millis(5)), None);
    let Err(SendFailure::Pending(mut later)) = sender.send(kind(2), b"two", Duration::from_millis(5)) else {
        panic!("nobody turns the loop")
    };
    stage.world.until("both", |world| world.at_server().app.texts() == ["first", "one", "two"]);
    assert!(matches!(ticket.wait(Duration::ZERO), Some(SendOutcome::Committed(_))));
    assert!(matches!(later.wait(Duration::MAX), Some(SendOutcome::Committed(_))));
}
