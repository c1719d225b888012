//! A connection that is cut after any byte, in either direction, during login, between messages or
//! inside one: after the next login every message arrives exactly once, in order, and byte for byte.

use std::time::Duration;

use proof::endpoint::{App, Note};
use proof::pair::Cut;
use proof::pipe::Chunks;
use proof::{Pair, Setup};

/// A pair with a history, not connected now, with messages waiting both ways.
fn waiting(app: App) -> Pair {
    let mut pair = Pair::connected(Setup::default());
    pair.client.app = App::Consume;
    pair.server.app = app;
    for len in [3, 64, 0] {
        pair.client.send(len).expect("room");
    }
    pair.settle();
    pair.cut();
    for len in [0, 9, 33, 64] {
        pair.client.send(len).expect("room");
        if app != App::Echo {
            pair.server.send(64 - len).expect("room");
        }
    }
    pair
}

/// One connection with everything on it: login, messages both ways, acks, and heartbeats afterwards.
fn one_connection(pair: &mut Pair) {
    pair.connect();
    pair.settle();
    pair.elapse(Duration::from_millis(2_500));
}

fn finish(pair: &mut Pair) {
    // A connection may have ended before it came to its cut.
    pair.cut();
    pair.login();
    pair.client.send(5).expect("room");
    pair.elapse(Duration::from_secs(3));
    pair.check_complete();
    assert_eq!(
        pair.client.count(|note| matches!(note, Note::Refused(_) | Note::Fault(_) | Note::Misfit(_))),
        0
    );
    assert_eq!(
        pair.server.count(|note| matches!(note, Note::Refused(_) | Note::Fault(_) | Note::Misfit(_))),
        0
    );
}

/// How many bytes such a connection carries each way.
fn lengths(make: impl Fn() -> Pair) -> (u64, u64) {
    let mut pair = make();
    one_connection(&mut pair);
    (pair.connection().up.arrived(), pair.connection().down.arrived())
}

fn every_cut(make: impl Fn() -> Pair) -> usize {
    let (up, down) = lengths(&make);
    assert!(up > 100 && down > 100);
    let cuts = (0..=up).map(Cut::Up).chain((0..=down).map(Cut::Down));
    let mut count = 0;
    for cut in cuts {
        let mut pair = make();
        pair.next_cut = Some(cut);
        one_connection(&mut pair);
        assert!(!pair.is_connected(), "{cut:?} is beyond the end");
        pair.check();
        finish(&mut pair);
        count += 1;
    }
    count
}

#[test]
fn with_messages_waiting_both_ways() {
    assert!(every_cut(|| waiting(App::Consume)) > 700);
}

#[test]
fn with_an_echo() {
    assert!(every_cut(|| waiting(App::Echo)) > 700);
}

#[test]
fn of_the_first_connection_of_all() {
    every_cut(|| {
        let mut pair = Pair::new(Setup::default());
        pair.server.app = App::Echo;
        pair
    });
}

#[test]
fn twice_in_a_row() {
    let (up, down) = lengths(|| waiting(App::Echo));
    let cuts: Vec<_> = (0..=up).step_by(7).map(Cut::Up).chain((0..=down).step_by(7).map(Cut::Down)).collect();
    for first in &cuts {
        for second in &cuts {
            let mut pair = waiting(App::Echo);
            for cut in [first, second] {
                pair.next_cut = Some(*cut);
                one_connection(&mut pair);
            }
            finish(&mut pair);
        }
    }
}

#[test]
fn while_the_other_side_hears_nothing_of_it() {
    // The client leaves; what it had sent arrives later, before or after its next login.
    for turns in 0..100 {
        let mut pair = waiting(App::Echo);
        pair.chunks = Chunks::Fixed(7);
        pair.connect();
        for _ in 0..turns {
            pair.turn();
        }
        pair.connect();
        pair.settle();
        pair.chunks = Chunks::Whole;
        finish(&mut pair);
    }
}
