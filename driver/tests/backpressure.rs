//! A consumer that keeps messages for ever stops nobody but its own sender.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::app::{App, Habit, Note};
use support::raw::{self, FAULT, Raw};
use support::stage::Stage;
use support::{kind, name};
use tcpshm_driver::{Carrier, RefusedReason, SendError, Silence};

carriers! {
    a_full_ring_is_told_with_numbers_and_too_large_is_something_else,
    for_hours_nothing_ends_and_what_is_held_stays_bounded,
    acknowledgements_are_never_stuck_behind_held_messages,
    consuming_what_was_held_makes_room_and_says_so_once,
    held_messages_are_consumed_in_order_only,
    held_messages_survive_a_reconnect_and_do_not_come_twice,
    held_messages_come_again_after_a_restart_of_their_holder,
    held_messages_are_void_after_a_reset,
    a_message_that_was_merely_dropped_is_told_and_can_be_stepped_over,
    two_applications_that_starve_each_other_are_both_told_once,
    since_when_a_peer_is_behind_is_told_until_it_has_caught_up,
}

/// Bytes that a message of 100 takes.
const FRAME: u64 = 120;
/// How many of them fit a ring of 4096, whose last 8 bytes stay free.
const FIT: usize = 34;

/// A server that holds whatever comes, and a client that has sent until nothing more went.
fn full(carrier: Carrier) -> (Stage, SendError) {
    full_with(carrier, Silence::new(Duration::from_secs(900)).unwrap())
}

fn full_with(carrier: Carrier, silence: Silence) -> (Stage, SendError) {
    let mut stage = Stage::over_with(carrier, |server, client| {
        (server.link.silence, client.link.silence) = (silence, silence);
    });
    stage.world.at_server().app = App::with(Habit::Hold);
    let error = fill(&mut stage);
    stage.world.until("all of it", |world| world.at_server().app.held.len() == FIT);
    stage.world.calm();
    (stage, error)
}

/// Sends numbered messages until the client's ring is full.
fn fill(stage: &mut Stage) -> SendError {
    let now = stage.world.now;
    let mut link = stage.world.clients[0].driver.link(now).unwrap();
    let mut number = 0_u8;
    loop {
        match link.send(kind(1), &[number; 100]) {
            Ok(_) => number += 1,
            Err(error) => return error,
        }
    }
}

/// Sends numbered messages until the server's ring is full.
fn fill_back(stage: &mut Stage) {
    let now = stage.world.now;
    let mut link = stage.world.at_server().driver.link(now, &name("client")).unwrap();
    while link.send(kind(2), &[0; 100]).is_ok() {}
}

/// Consumes everything that the server holds.
fn let_go(stage: &mut Stage) {
    let now = stage.world.now;
    let server = stage.world.at_server();
    let mut link = server.driver.link(now, &name("client")).unwrap();
    for held in std::mem::take(&mut server.app.held) {
        let received = link.redeem(held).expect("held by this link");
        link.consume(received).expect("in order");
    }
}

fn a_full_ring_is_told_with_numbers_and_too_large_is_something_else(carrier: Carrier) {
    let (mut stage, error) = full(carrier);
    let free = 4096 - 8 - FIT as u64 * FRAME;
    assert_eq!(error, SendError::Full { needed: FRAME, free, unconsumed: FIT as u64 * FRAME });
    let now = stage.world.now;
    let mut link = stage.world.clients[0].driver.link(now).unwrap();
    assert_eq!(link.space(), free);
    assert_eq!(link.send(kind(1), &[0; 513]), Err(SendError::TooLarge { len: 513, most: 512 }));
    assert_eq!(link.undelivered().messages, FIT as u64);
}

fn for_hours_nothing_ends_and_what_is_held_stays_bounded(carrier: Carrier) {
    let (mut stage, _) = full(carrier);
    stage.world.stride = Duration::from_secs(60);
    stage.world.pass(Duration::from_secs(5 * 3600));
    let now = stage.world.now;
    let (server, client) = stage.world.both();
    assert!(server.app.endings().is_empty() && client.app.endings().is_empty());
    let link = server.driver.link(now, &name("client")).unwrap();
    assert_eq!((link.held(), server.app.received.len()), (FIT as u64, FIT), "nothing came twice");
}

fn acknowledgements_are_never_stuck_behind_held_messages(carrier: Carrier) {
    let (mut stage, _) = full(carrier);
    for round in 0..20 {
        fill_back(&mut stage);
        // The client's acknowledgements come behind messages that the server holds.
        stage.world.until("acknowledgements", |world| {
            let now = world.now;
            world.at_server().driver.link(now, &name("client")).unwrap().undelivered().messages == 0
        });
        assert_eq!(stage.world.clients[0].app.received.len(), 1 + (round + 1) * FIT);
    }
    assert_eq!(stage.world.at_server().app.held.len(), FIT);
}

fn consuming_what_was_held_makes_room_and_says_so_once(carrier: Carrier) {
    let (mut stage, _) = full(carrier);
    let_go(&mut stage);
    stage
        .world
        .until("room", |world| world.clients[0].app.notes.iter().any(|note| matches!(note, Note::Writable)));
    fill(&mut stage);
    stage.world.until("as many again", |world| world.at_server().app.held.len() == FIT);
    let writable = stage.world.clients[0].app.notes.iter().filter(|note| matches!(note, Note::Writable));
    assert_eq!(writable.count(), 1);
}

fn held_messages_are_consumed_in_order_only(carrier: Carrier) {
    let (mut stage, _) = full(carrier);
    let now = stage.world.now;
    let server = stage.world.at_server();
    let mut link = server.driver.link(now, &name("client")).unwrap();
    let last = link.redeem(server.app.held.pop().unwrap()).unwrap();
    let position = last.position();
    let refused = link.consume(last).unwrap_err();
    assert!(matches!(refused.reason, RefusedReason::Waiting { .. }), "{:?}", refused.reason);
    server.app.held.push(link.hold(refused.received).unwrap());
    let held = FIT as u64;
    assert_eq!(link.consume_through(position), Err(RefusedReason::MessagesHeld { held }));
    drop(link);
    let_go(&mut stage);
}

fn held_messages_survive_a_reconnect_and_do_not_come_twice(carrier: Carrier) {
    let (mut stage, _) = full(carrier);
    for _ in 0..3 {
        stage.stop_client();
        stage.start_client(App::default());
        stage.connected();
        stage.world.calm();
    }
    assert_eq!(stage.world.at_server().app.received.len(), FIT);
    let_go(&mut stage);
    stage.world.at_server().app.habit = Habit::Echo;
    stage.world.calm();
    stage.exchange("on we go");
    let now = stage.world.now;
    let link = stage.world.clients[0].driver.link(now).unwrap();
    assert_eq!((link.undelivered().messages, link.space()), (0, 4096 - 8));
}

fn held_messages_come_again_after_a_restart_of_their_holder(carrier: Carrier) {
    let (mut stage, _) = full(carrier);
    stage.stop_server();
    stage.start_server(App::default());
    stage.world.until("all of it", |world| world.at_server().app.received.len() == FIT);
    let numbers: Vec<u8> = stage.world.at_server().app.received.iter().map(|payload| payload[0]).collect();
    assert!(numbers.iter().copied().eq(0..u8::try_from(FIT).unwrap()));
}

fn held_messages_are_void_after_a_reset(carrier: Carrier) {
    let (mut stage, _) = full(carrier);
    stage.stop_client();
    stage.ours.delete();
    stage.start_client(App::default());
    stage.connected();
    let now = stage.world.now;
    let server = stage.world.at_server();
    server.app.habit = Habit::Echo;
    let mut link = server.driver.link(now, &name("client")).unwrap();
    for held in std::mem::take(&mut server.app.held) {
        let (_, reason) = link.redeem(held).unwrap_err();
        assert_eq!(reason, RefusedReason::Foreign);
    }
    drop(link);
    stage.exchange("on we go");
}

fn a_message_that_was_merely_dropped_is_told_and_can_be_stepped_over(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.at_server().app.habit = Habit::Ignore;
    for text in ["one", "two", "three"] {
        stage.world.send(0, text.as_bytes());
    }
    stage.world.until("all of it", |world| world.at_server().app.received.len() == 4);
    let now = stage.world.now;
    let server = stage.world.at_server();
    let dropped = server.app.notes.iter().filter_map(|note| match note {
        Note::Unconsumed(position) => Some(*position),
        _ => None,
    });
    let dropped: Vec<_> = dropped.collect();
    assert_eq!(dropped.len(), 3);
    let mut link = server.driver.link(now, &name("client")).unwrap();
    link.consume_through(dropped[1]).unwrap();
    assert_eq!(link.consumed(), dropped[1]);
    drop(link);
    stage.stop_server();
    stage.start_server(App::default());
    stage.world.until("the rest", |world| world.at_server().app.texts() == ["three"]);
}

fn two_applications_that_starve_each_other_are_both_told_once(carrier: Carrier) {
    let (mut stage, _) = full_with(carrier, Silence::default());
    stage.world.clients[0].app.habit = Habit::Hold;
    fill_back(&mut stage);
    stage.world.pass(Duration::from_secs(20));
    let (server, client) = stage.world.both();
    for app in [&server.app, &client.app] {
        let stalls = app.stalls();
        assert_eq!(stalls.len(), 1, "{stalls:?}");
        assert_eq!(stalls[0].undelivered.messages, FIT as u64);
        assert_eq!(stalls[0].unconsumed, FIT as u64 * FRAME);
        assert!(stalls[0].lasted >= Duration::from_secs(1) && stalls[0].lasted < Duration::from_secs(2));
    }
    // One that gives in is enough.
    let_go(&mut stage);
    stage.world.at_server().app.habit = Habit::Consume;
    stage
        .world
        .until("room", |world| world.clients[0].app.notes.iter().any(|note| matches!(note, Note::Writable)));
    fill(&mut stage);
    stage.world.pass(Duration::from_secs(20));
    assert_eq!(stage.world.clients[0].app.stalls().len(), 1, "it is over");
}

fn since_when_a_peer_is_behind_is_told_until_it_has_caught_up(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let behind = |stage: &mut Stage| {
        let now = stage.world.now;
        stage.world.clients[0].driver.link(now).unwrap().behind_since()
    };
    assert_eq!(behind(&mut stage), None);
    stage.world.at_server().app.habit = Habit::Hold;
    let start = stage.world.now;
    fill(&mut stage);
    stage.world.pass(Duration::from_secs(10));
    let since = behind(&mut stage).expect("nothing was consumed");
    assert!(since >= start && since - start < Duration::from_millis(100), "{:?}", since - start);
    let_go(&mut stage);
    stage.world.calm();
    // Looked at once, and told from then on.
    behind(&mut stage);
    stage.world.pass(Duration::from_secs(2));
    assert_eq!(behind(&mut stage), None);
}

#[test]
fn a_peer_that_sends_more_than_its_ring_holds_is_at_fault() {
    let mut stage = Stage::new();
    stage.world.at_server().app = App::with(Habit::Hold);
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.log_in(&mut stage.world, "greedy", 9);
    for number in 0..FIT as u64 + 1 {
        raw.say(&raw::message(9, number * FRAME, &[7; 100]));
    }
    raw.until(&mut stage.world, "the end", |raw| raw.ended);
    assert_eq!(raw.close_reason(), Some(FAULT));
    let app = &stage.world.at_server().app;
    assert_eq!(app.held.len(), FIT, "memory for held messages is bounded by the ring");
    assert!(app.endings()[0].contains("Overrun"), "{:?}", app.endings());
}
