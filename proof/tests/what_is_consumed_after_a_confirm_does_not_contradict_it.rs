//! A Confirm says how much its client has consumed. What the client consumes after that stands in its file at
//! once, where a server that still has the older connection could read it: more than the Confirm says, which
//! would look like another history. The nonce that the client stored before keeps the two apart.

use std::time::Duration;

use proof::endpoint::{App, Note};
use proof::{Pair, Setup};
use tcpshm_protocol::login::{Carrier, Outcome};

/// A pair on shared memory whose client holds messages, has left the connection that the server believes in,
/// and has its next Confirm on the way, which a frozen connection keeps there.
fn confirming(fill: bool) -> Pair {
    let mut pair = Pair::connected(Setup::over(Carrier::Shm));
    pair.client.app = App::Hold;
    for len in [8, 40, 0] {
        pair.server.send(len).expect("room");
    }
    pair.settle();
    if fill {
        // A claim that waits for room looks for it again and again.
        pair.server.fill(64);
    }
    pair.connect_up_to_confirm();
    pair.freeze();
    pair.client.app = App::Consume;
    pair.client.release();
    assert!(pair.server.is_attached() && pair.client.session().consumed().position().get() > 0);
    pair
}

fn finish(pair: &mut Pair) {
    pair.thaw();
    pair.settle();
    assert!(pair.is_connected(), "{:?} {:?}", pair.client.notes, pair.server.notes);
    assert_eq!(pair.client.notes.last(), Some(&Note::Connected(Outcome::Resumed)));
    pair.client.send(5).expect("room");
    pair.elapse(Duration::from_secs(1));
    pair.check_complete();
    assert_eq!((pair.client.count(Note::is_trouble), pair.server.count(Note::is_trouble)), (0, 0));
}

#[test]
fn when_the_server_looks_for_room_or_at_a_timer() {
    for fill in [false, true] {
        let mut pair = confirming(fill);
        let acked = pair.server.session().standing().acked;
        pair.settle();
        pair.tick();
        assert_eq!(pair.server.session().standing().acked, acked);
        finish(&mut pair);
    }
}

#[test]
fn when_the_older_connection_is_taken_over() {
    for fill in [false, true] {
        finish(&mut confirming(fill));
    }
}

#[test]
fn when_the_older_connection_ends_of_itself() {
    for fill in [false, true] {
        let mut pair = confirming(fill);
        pair.elapse(Duration::from_secs(4));
        assert!(!pair.server.is_attached(), "nothing was heard for too long");
        finish(&mut pair);
    }
}
