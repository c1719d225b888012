//! Retrying costs what it must: a connection carries each unconsumed message once, however often the
//! connections before it were cut, and one that delivered anything is not in vain.
//!
//! Over TCP only: over shared memory nothing is sent twice, since nothing is sent.

use std::time::Duration;

use fastrand::Rng;
use proof::endpoint::{App, Configuration};
use proof::pair::Cut;
use proof::wire::{Item, Stream, frame_size};
use proof::{Pair, Setup};
use tcpshm_protocol::Role;
use tcpshm_protocol::login::LoginMessage;

/// The bytes of the newest connection in one direction after its login.
fn stream(pair: &mut Pair, sender: Role) -> Vec<u8> {
    let connection = pair.connection();
    let mut input = if sender == Role::Client { connection.up.record() } else { connection.down.record() };
    for _ in 0..2 {
        LoginMessage::decode(&mut input).expect("a login message").expect("a whole one");
    }
    input.to_vec()
}

/// How many messages and control frames stand there, each message at its own place and so only once.
fn counts(pair: &mut Pair, sender: Role, start: u64) -> [usize; 2] {
    let bytes = stream(pair, sender);
    let items = Stream { session: pair.client.session().id(), sender }.read_all(start, &bytes);
    let messages = items.iter().filter(|item| matches!(item, Item::Message { .. })).count();
    [messages, items.len() - messages]
}

#[test]
fn a_connection_carries_each_unconsumed_message_once_and_little_else() {
    let (mut carried, mut again) = (0, 0);
    for seed in 0..500 {
        let mut random = Rng::with_seed(seed);
        let configurations = [(); 2].map(|()| Configuration::new(512, 64));
        let mut pair = Pair::connected(Setup { configurations, seed, ..Setup::default() });
        for _ in 0..8 {
            pair.cut();
            for endpoint in [&mut *pair.client, &mut *pair.server] {
                endpoint.app = if random.bool() { App::Consume } else { App::Hold };
                endpoint.release();
            }
            // Where each stream begins is what its receiver has consumed.
            let starts = [&mut *pair.server, &mut *pair.client]
                .map(|receiver| receiver.session().standing().consumed.get());
            pair.login();
            for _ in 0..random.usize(..6) {
                // Full is what a receiver that holds everything brings about.
                let _ = pair.client.send(random.usize(..64));
                let _ = pair.server.send(random.usize(..64));
                pair.settle();
            }
            let pause = Duration::from_millis(random.u64(..3_000));
            pair.elapse(pause);
            let [up, down] = [(Role::Client, starts[0]), (Role::Server, starts[1])]
                .map(|(sender, start)| counts(&mut pair, sender, start));
            for ([messages, controls], [other, _], endpoint, start) in
                [(up, down, &mut *pair.client, starts[0]), (down, up, &mut *pair.server, starts[1])]
            {
                let tail = endpoint.session().committed().position().get();
                let truth = endpoint.truth();
                let committed = truth.committed.iter();
                let expected = committed.filter(|(end, _)| *end > start && *end <= tail).count();
                assert_eq!(messages, expected, "seed {seed}");
                // A greeting, at most an ack for each message that came, a heartbeat a second.
                let most = 1 + other + usize::try_from(pause.as_secs()).expect("small") + 1;
                assert!(controls <= most, "seed {seed}: {controls} control frames, {most} expected");
                carried += messages;
                again += endpoint.held();
            }
        }
        pair.check();
    }
    assert!(carried > 10_000 && again > 1_000, "{carried} carried, {again} of them for no good");
}

#[test]
fn a_connection_that_delivered_a_message_is_not_in_vain() {
    const MESSAGES: usize = 12;
    for rest in 0..frame_size(8) {
        for restarts in [false, true] {
            let configurations = [(); 2].map(|()| Configuration::new(512, 64));
            let mut pair = Pair::connected(Setup { configurations, ..Setup::default() });
            pair.cut();
            pair.login();
            let login = pair.connection().up.arrived() - stream(&mut pair, Role::Client).len() as u64;
            pair.cut();
            for _ in 0..MESSAGES {
                pair.client.send(8).expect("room");
            }
            let mut connections = 0;
            while pair.server.truth().consumed.len() < MESSAGES {
                // The login, the greeting, one message, and a part of the next.
                pair.next_cut = Some(Cut::Up(login + 16 + frame_size(8) + rest));
                pair.connect();
                pair.settle();
                if restarts {
                    pair.restart_client();
                }
                connections += 1;
                assert!(connections <= MESSAGES, "{} consumed", pair.server.truth().consumed.len());
            }
            pair.cut();
            pair.login();
            pair.elapse(Duration::from_secs(1));
            pair.check_complete();
        }
    }
}
