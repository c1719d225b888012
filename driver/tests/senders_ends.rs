//! However an owner ends, every message that it had accepted gets its outcome.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::files::Home;
use support::stage::Stage;
use support::{client, kind, name, server, wish};
use tcpshm_driver::{
    Carrier, Client, Driver, Ended, EventLoop, NotAccepted, SendFailure, SendOutcome, Sender, SenderError,
    Server, Ticket, TrySendError,
};

carriers! {
    a_driver_that_is_dropped_commits_what_there_is_room_for_and_refuses_the_rest,
    a_driver_that_is_shut_down_does_the_same_and_is_not_mistaken,
    a_driver_whose_handler_panics_keeps_its_senders_if_its_host_goes_on,
    a_thread_that_panics_leaves_no_ticket_without_an_outcome,
}

/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(30);
/// How many messages of 100 bytes fit a ring of 4096.
const FIT: usize = 34;

/// A link whose server holds everything, and sixty messages of which some do not fit the ring. Somebody waits for
/// the last.
#[track_caller]
fn crowded(carrier: Carrier) -> (Stage, Sender, Vec<Ticket>, mpsc::Receiver<Option<SendOutcome>>) {
    let mut stage = Stage::over(carrier);
    stage.world.at_server().app.habit = Habit::Hold;
    let sender = stage.world.clients[0].driver.sender().unwrap();
    let send = |number| sender.try_send(kind(2), &[number; 100]).unwrap();
    let tickets: Vec<_> = (0..60).map(send).collect();
    let mut last = send(60);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(last.wait(DEADLINE)));
    (stage, sender, tickets, told)
}

/// What fits the ring is committed, and the rest is told the end.
#[track_caller]
fn check(tickets: &[Ticket], end: Ended) {
    for (number, ticket) in tickets.iter().enumerate() {
        match ticket.try_outcome() {
            Some(SendOutcome::Committed(_)) => assert!(number < FIT),
            Some(SendOutcome::NotAccepted(NotAccepted::Ended(told))) => {
                assert!(number >= FIT && told == end, "{number}: {told}");
            }
            other => panic!("{number}: {other:?}"),
        }
    }
}

fn a_driver_that_is_dropped_commits_what_there_is_room_for_and_refuses_the_rest(carrier: Carrier) {
    let (mut stage, sender, tickets, told) = crowded(carrier);
    stage.world.clients.clear();
    check(&tickets, Ended::Dropped);
    let ended = SendOutcome::NotAccepted(NotAccepted::Ended(Ended::Dropped));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Some(ended));
    assert_eq!(sender.try_send(kind(2), b"").unwrap_err(), TrySendError::Ended(Ended::Dropped));
    let late = sender.send(kind(2), b"", DEADLINE);
    assert!(matches!(late, Err(SendFailure::NotTaken(TrySendError::Ended(Ended::Dropped)))), "{late:?}");
    // And what was said to be committed is.
    stage.start_client(App::default());
    stage.world.until("what was committed", |world| world.at_server().app.held.len() == FIT);
}

fn a_driver_that_is_shut_down_does_the_same_and_is_not_mistaken(carrier: Carrier) {
    let (mut stage, sender, tickets, told) = crowded(carrier);
    let now = stage.world.now;
    let seat = &mut stage.world.clients[0];
    seat.driver.shut_down(now, &mut seat.app);
    check(&tickets, Ended::ShutDown);
    let ended = SendOutcome::NotAccepted(NotAccepted::Ended(Ended::ShutDown));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Some(ended));
    assert_eq!(sender.try_send(kind(2), b"").unwrap_err(), TrySendError::Ended(Ended::ShutDown));
    let again = seat.driver.sender();
    assert!(matches!(again, Err(SenderError::Ended(Ended::ShutDown))), "{again:?}");
    let server = stage.world.at_server();
    let to_client = server.driver.sender(&name("client")).unwrap();
    server.driver.shut_down(now, &mut server.app);
    assert_eq!(to_client.try_send(kind(2), b"").unwrap_err(), TrySendError::Ended(Ended::ShutDown));
    let again = server.driver.sender(&name("client"));
    assert!(matches!(again, Err(SenderError::Ended(Ended::ShutDown))), "{again:?}");
}

#[test]
fn a_thread_that_waits_for_room_is_told_of_the_end() {
    let mut stage = Stage::with(|_, client| client.link.mailbox_messages = 1);
    let sender = stage.world.clients[0].driver.sender().unwrap();
    sender.try_send(kind(2), b"").unwrap();
    let copy = sender.clone();
    let waiting = thread::spawn(move || copy.send(kind(2), b"", DEADLINE));
    // It may wait by now or not: it is told either way.
    thread::yield_now();
    stage.world.clients.clear();
    let outcome = waiting.join().unwrap();
    // The first message may have made room before the end: then it was taken, and told in its outcome.
    let told = matches!(
        outcome,
        Err(SendFailure::NotTaken(TrySendError::Ended(Ended::Dropped))
            | SendFailure::NotAccepted(NotAccepted::Ended(Ended::Dropped)))
    );
    assert!(told, "{outcome:?}");
}

fn a_driver_whose_handler_panics_keeps_its_senders_if_its_host_goes_on(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.clients[0].app.panics_at = Some(b"poison".to_vec());
    let sender = stage.world.clients[0].driver.sender().unwrap();
    stage.world.send(0, b"poison");
    let mut tickets: Vec<_> = (0..20).map(|number| sender.try_send(kind(2), &[number]).unwrap()).collect();
    catch_unwind(AssertUnwindSafe(|| stage.world.until("a panic", |_| false))).unwrap_err();
    tickets.extend((20..40).map(|number| sender.try_send(kind(2), &[number]).unwrap()));
    stage.world.until("outcomes", |_| tickets.iter().all(|ticket| ticket.try_outcome().is_some()));
    let committed = |ticket: &Ticket| matches!(ticket.try_outcome(), Some(SendOutcome::Committed(_)));
    assert!(tickets.iter().all(committed));
    stage.world.until("all of it", |world| world.at_server().app.received.len() == 2 + 40);
    assert_eq!(stage.world.clients[0].app.endings(), ["HandlerPanicked"]);
}

fn a_thread_that_panics_leaves_no_ticket_without_an_outcome(carrier: Carrier) {
    let homes = Home::pair(carrier);
    let mut config = client(homes[0].path(), support::loopback());
    config.carrier = wish(carrier);
    let at_server = Server::bind(server(homes[1].path())).unwrap();
    config.addresses = at_server.local_addresses().unwrap();
    let server = thread::spawn(move || {
        let mut events = EventLoop::new(at_server, Instant::now).unwrap();
        let mut app = App::with(Habit::Echo);
        while app.endings().is_empty() {
            events.turn(&mut app, None).unwrap();
        }
    });
    config.server = Some(name("server"));
    let mut events = EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap();
    let sender = events.driver().sender().unwrap();
    let owner = thread::spawn(move || {
        let mut app = App { panics_at: Some(b"poison".to_vec()), ..App::default() };
        loop {
            events.turn(&mut app, None).unwrap();
        }
    });
    // The echo of what is of kind 1 comes back, in the middle of it all.
    let mut tickets = Vec::new();
    let start = Instant::now();
    let end = loop {
        assert!(start.elapsed() < DEADLINE);
        let number = tickets.len();
        let sent = if number == 50 {
            sender.try_send(kind(1), b"poison")
        } else {
            sender.try_send(kind(2), &number.to_le_bytes())
        };
        match sent {
            Ok(ticket) => tickets.push(ticket),
            Err(TrySendError::Full { .. }) => thread::yield_now(),
            Err(end) => break end,
        }
    };
    assert_eq!(end, TrySendError::Ended(Ended::Dropped));
    owner.join().unwrap_err();
    for ticket in &mut tickets {
        ticket.wait(Duration::ZERO).expect("an outcome");
    }
    server.join().unwrap();
}
