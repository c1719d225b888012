//! Over shared memory the server sees the client's file at Confirm already. It takes no message from it and
//! believes no acknowledgement before the file shows that the client has the attachment: cut before, the client
//! comes back with the login before, and with what it had then.

use std::time::Duration;

use proof::endpoint::{App, Note};
use proof::image::{at, load};
use proof::{Pair, Setup};
use tcpshm_protocol::login::{Carrier, Outcome};

/// A pair with a history over shared memory, not connected, with messages waiting both ways.
fn waiting() -> Pair {
    let mut pair = Pair::connected(Setup::over(Carrier::Shm));
    for len in [3, 64, 0] {
        pair.client.send(len).expect("room");
    }
    pair.client.app = App::Hold;
    pair.server.send(8).expect("room");
    pair.settle();
    pair.cut();
    for len in [9, 33] {
        pair.client.send(len).expect("room");
        pair.server.send(len).expect("room");
    }
    assert_eq!((pair.server.delivered.len(), pair.client.held()), (3, 1));
    pair
}

/// The server has accepted, and its Ready is on its way.
fn accepted(pair: &mut Pair) {
    pair.connect_up_to_confirm();
    pair.freeze();
    pair.up_to_ready();
    assert!(pair.server.is_shared() && !pair.client.is_attached());
}

fn finish(pair: &mut Pair) {
    pair.thaw();
    if !pair.is_connected() {
        pair.login();
    }
    pair.client.app = App::Consume;
    pair.client.release();
    pair.client.send(5).expect("room");
    pair.server.send(6).expect("room");
    pair.elapse(Duration::from_secs(1));
    pair.check_complete();
    assert_eq!((pair.client.count(Note::is_trouble), pair.server.count(Note::is_trouble)), (0, 0));
}

/// What of the server's file tells of the client: what it acknowledged, what was consumed of it, and where it
/// may still be.
fn believed(pair: &Pair) -> [u64; 3] {
    let files = pair.server.disk.content();
    [at::ACKED, at::CONSUMED, at::PREVIOUS].map(|word| load(files.main().expect("there is a file"), word))
}

#[test]
fn neither_a_message_nor_an_acknowledgement() {
    let mut pair = waiting();
    accepted(&mut pair);
    let before = believed(&pair);
    // Consumed after the Confirm: the server can read it, and must not believe it.
    pair.client.app = App::Consume;
    pair.client.release();
    pair.settle();
    pair.observe();
    assert_eq!(pair.server.delivered.len(), 3, "what the client has waiting is not taken");
    assert_eq!(believed(&pair), before);
    pair.thaw();
    pair.settle();
    assert_eq!(pair.server.delivered.len(), 5, "now it is");
    let [acked, consumed, previous] = believed(&pair);
    assert!(consumed > before[1] && previous != before[2], "{acked} {consumed}");
    finish(&mut pair);
}

#[test]
fn and_cut_there_any_number_of_times_the_next_login_resumes() {
    for cuts in 1..4 {
        let mut pair = waiting();
        for _ in 0..cuts {
            accepted(&mut pair);
            let before = believed(&pair);
            pair.settle();
            pair.observe();
            assert_eq!(believed(&pair), before);
            pair.cut();
        }
        assert_eq!(pair.login(), 1);
        assert_eq!(pair.client.notes.last(), Some(&Note::Connected(Outcome::Resumed)));
        finish(&mut pair);
    }
}

#[test]
fn nor_while_the_client_is_killed_between_ready_and_its_attachment() {
    // The attachment is its first store: killed before it nothing counts; killed behind it it resumes, too.
    for attached in [false, true] {
        let mut pair = waiting();
        accepted(&mut pair);
        let before = believed(&pair);
        pair.client.disk.burn_after(u64::from(attached));
        pair.thaw();
        pair.turn();
        pair.settle();
        assert!(!pair.client.is_alive(), "killed, attached: {attached}");
        if !attached {
            assert_eq!(pair.server.delivered.len(), 3);
            assert_eq!(believed(&pair), before);
        }
        pair.client.start();
        assert_eq!(pair.login(), 1, "{:?}", pair.client.notes);
        finish(&mut pair);
    }
}

#[test]
fn what_the_server_says_as_soon_as_it_is_connected_arrives_once() {
    for (known, cut) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut pair = if known { waiting() } else { Pair::new(Setup::over(Carrier::Shm)) };
        accepted(&mut pair);
        let before = pair.client.delivered.len();
        pair.server.send(40).expect("room");
        pair.server.send_batch(&[0, 8]).expect("room");
        pair.settle();
        assert_eq!(pair.client.delivered.len(), before, "the client is not there yet");
        if cut {
            pair.cut();
        }
        finish(&mut pair);
        let committed = pair.server.truth().committed.len();
        assert_eq!(pair.client.delivered.len(), committed, "each of them once");
    }
}
