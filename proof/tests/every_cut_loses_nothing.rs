//! A connection that is cut after any byte, in either direction, during login, between messages or
//! inside one: after the next login every message arrives exactly once, in order, and byte for byte. Over
//! shared memory the connection carries the login and control frames, and messages go past the cut.

use std::time::Duration;

use proof::endpoint::{App, Note};
use proof::pair::Cut;
use proof::pipe::Chunks;
use proof::{Pair, Setup, over_both};
use tcpshm_protocol::login::Carrier;

/// A pair with a history, not connected now, with messages waiting both ways.
fn waiting(carrier: Carrier, app: App) -> Pair {
    let mut pair = Pair::connected(Setup::over(carrier));
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
    assert_eq!((pair.client.count(Note::is_trouble), pair.server.count(Note::is_trouble)), (0, 0));
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

/// How many cuts there are at least: a connection that carries messages has more bytes.
fn least(carrier: Carrier) -> usize {
    if carrier == Carrier::Tcp { 700 } else { 300 }
}

#[test]
fn with_messages_waiting_both_ways() {
    over_both(|carrier| {
        assert!(every_cut(|| waiting(carrier, App::Consume)) > least(carrier));
    });
}

#[test]
fn with_an_echo() {
    over_both(|carrier| {
        assert!(every_cut(|| waiting(carrier, App::Echo)) > least(carrier));
    });
}

#[test]
fn of_the_first_connection_of_all() {
    over_both(|carrier| {
        every_cut(|| {
            let mut pair = Pair::new(Setup::over(carrier));
            pair.server.app = App::Echo;
            pair
        });
    });
}

#[test]
fn twice_in_a_row() {
    over_both(|carrier| {
        let (up, down) = lengths(|| waiting(carrier, App::Echo));
        let cuts: Vec<_> =
            (0..=up).step_by(7).map(Cut::Up).chain((0..=down).step_by(7).map(Cut::Down)).collect();
        for first in &cuts {
            for second in &cuts {
                let mut pair = waiting(carrier, App::Echo);
                for cut in [first, second] {
                    pair.next_cut = Some(*cut);
                    one_connection(&mut pair);
                }
                finish(&mut pair);
            }
        }
    });
}

#[test]
fn while_the_other_side_hears_nothing_of_it() {
    over_both(|carrier| {
        // The client leaves; what it had sent arrives later, before or after its next login.
        for turns in 0..100 {
            let mut pair = waiting(carrier, App::Echo);
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
    });
}
