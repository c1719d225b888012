//! However reads and writes are split, the bytes of a connection are the same frames, no control frame
//! stands inside a message, and the same messages come of it.
//!
//! Over TCP only: in shared memory a message is there or not.

use std::time::Duration;

use proof::endpoint::App;
use proof::message::Message;
use proof::pipe::Chunks;
use proof::wire::{self, Item, Stream};
use proof::{Pair, Setup};
use tcpshm_protocol::Role;
use tcpshm_protocol::login::LoginMessage;

/// What a connection carried, and what the two sides made of it.
fn run(chunks: Chunks, room: Option<usize>) -> (Vec<Item>, Vec<Message>, Vec<Message>) {
    let mut pair = Pair::new(Setup { chunks: chunks.clone(), room, ..Setup::default() });
    pair.server.app = App::Echo;
    pair.login();
    for len in [1, 64, 0, 23, 8, 64, 40, 5] {
        pair.client.send(len).expect("room");
        pair.server.send(64 - len).expect("room");
        // A write that is split by the end of a `turn` is finished in the next.
        pair.turn();
        pair.chunks = chunks.clone();
        pair.settle();
        pair.elapse(Duration::from_millis(20));
    }
    pair.elapse(Duration::from_secs(2));
    pair.check_complete();
    let up = frames(&mut pair, Role::Client);
    let down = frames(&mut pair, Role::Server);
    assert!(up.iter().chain(&down).any(|item| matches!(item, Item::Control { code: wire::HEARTBEAT, .. })));
    (up, pair.server.delivered.clone(), pair.client.delivered.clone())
}

/// The stream that follows the login messages, read by hand; panics where a frame is not whole.
fn frames(pair: &mut Pair, sender: Role) -> Vec<Item> {
    let stream = Stream { session: pair.client.session().id(), sender };
    let connection = pair.connection();
    let mut input = if sender == Role::Client { connection.up.record() } else { connection.down.record() };
    for _ in 0..2 {
        LoginMessage::decode(&mut input).expect("a login message").expect("a whole one");
    }
    stream.read_all(0, input)
}

fn messages(items: &[Item]) -> Vec<&Message> {
    let mut messages = Vec::new();
    for item in items {
        if let Item::Message { message, .. } = item {
            messages.push(message);
        }
    }
    messages
}

#[test]
fn of_reads_and_writes() {
    let (whole, at_server, at_client) = run(Chunks::Whole, None);
    assert_eq!((at_server.len(), at_client.len()), (8, 16));
    let splits = (1..=90).map(Chunks::Fixed).chain((1..=300).map(Chunks::First));
    let seeds = (0..40).map(|seed| Chunks::Random(fastrand::Rng::with_seed(seed), 30));
    for chunks in splits.chain(seeds) {
        let (items, server, client) = run(chunks.clone(), None);
        assert_eq!(messages(&items), messages(&whole), "{chunks:?}");
        assert_eq!((server, client.len()), (at_server.clone(), at_client.len()), "{chunks:?}");
    }
}

#[test]
fn of_writes_into_a_carrier_that_takes_little() {
    let (whole, ..) = run(Chunks::Whole, None);
    for room in 1..=100 {
        let (items, ..) = run(Chunks::Whole, Some(room));
        assert_eq!(messages(&items), messages(&whole), "{room} bytes at a time");
    }
}
