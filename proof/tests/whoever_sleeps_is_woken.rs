//! Two sides on shared memory that look at nothing until they are woken, and no time that passes: whatever is
//! committed arrives, room is told, and the connection carries no more than a frame for each sleep.

use proof::endpoint::{App, Configuration, Note};
use proof::image::{at, load};
use proof::{Pair, Setup, Solo, wire};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{Event, Geometry, Role};

/// Who sleeps: the client, the server.
const WHO: [[bool; 2]; 3] = [[true, true], [true, false], [false, true]];

fn pair(who: [bool; 2]) -> Pair {
    let mut setup = Setup::over(Carrier::Shm);
    setup.configurations = who.map(|sleeps| {
        let mut configuration = Configuration::new(256, 64);
        configuration.sleeps = sleeps;
        configuration
    });
    let pair = Pair::connected(setup);
    check_asleep(&pair, who);
    pair
}

#[track_caller]
fn check_asleep(pair: &Pair, who: [bool; 2]) {
    assert_eq!([pair.client.is_asleep(), pair.server.is_asleep()], who);
}

#[test]
fn by_a_message() {
    for who in WHO {
        let mut pair = pair(who);
        for len in [0, 8, 64, 1] {
            pair.client.send(len).expect("room");
            pair.settle();
            pair.server.send(len).expect("room");
            pair.settle();
            check_asleep(&pair, who);
        }
        pair.check_complete();
    }
}

#[test]
fn by_a_reply_and_by_its_request() {
    for who in WHO {
        let mut pair = pair(who);
        pair.server.app = App::Echo;
        for _ in 0..20 {
            pair.client.send(8).expect("room");
            pair.settle();
        }
        assert_eq!(pair.client.delivered.len(), 20);
        pair.check_complete();
    }
}

#[test]
fn by_room() {
    for who in WHO {
        let mut pair = pair(who);
        pair.server.app = App::Hold;
        while pair.client.send(64).is_ok() {}
        pair.settle();
        assert_eq!(pair.client.count(|note| *note == Note::Writable), 0);
        pair.server.app = App::Consume;
        pair.server.release();
        pair.settle();
        assert_eq!(pair.client.count(|note| *note == Note::Writable), 1);
        pair.client.send(64).expect("as was told");
        pair.settle();
        check_asleep(&pair, who);
        pair.check_complete();
    }
}

#[test]
fn after_either_side_was_killed_in_its_sleep() {
    for role in [Role::Client, Role::Server] {
        let mut pair = pair([true, true]);
        for _ in 0..3 {
            match role {
                Role::Client => {
                    pair.kill_client();
                    pair.client.start();
                }
                Role::Server => {
                    pair.kill_server();
                    pair.server.start();
                }
            }
            pair.login();
            check_asleep(&pair, [true, true]);
            pair.client.send(8).expect("room");
            pair.settle();
            pair.server.send(8).expect("room");
            pair.settle();
        }
        pair.check_complete();
    }
}

/// One side that may sleep, with a peer that does as it is told.
fn solo(role: Role) -> Solo {
    let mut solo = Solo::over(Carrier::Shm, role, Geometry::new(256, 64).expect("a geometry"));
    solo.session.set_may_sleep(true);
    solo.detach();
    solo.attach(0);
    solo.file.park(SLEEPS);
    solo.transmit();
    solo
}

/// The word of a peer that may sleep and is awake.
const SLEEPS: u64 = 4;

/// What the side says that is done with a burst.
fn says(solo: &mut Solo) -> Vec<u8> {
    solo.session.rouse(solo.file);
    solo.transmit()
}

fn parked(solo: &Solo) -> u64 {
    load(&solo.image(), at::PARKED)
}

#[test]
fn as_its_word_says() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        let mut seen = vec![parked(&solo)];
        for _ in 0..5 {
            assert!(solo.session.park(solo.file), "nothing is there");
            let asleep = parked(&solo);
            solo.peer_sends(8, 0);
            solo.consume();
            let awake = parked(&solo);
            assert!(asleep & 1 == 1 && awake & 1 == 0 && awake != 0, "{asleep:#x} and {awake:#x}");
            assert!(!seen.contains(&asleep), "each sleep is another");
            seen.push(asleep);
        }
        assert!(solo.session.park(solo.file));
        solo.detach();
        assert_eq!(parked(&solo) & 1, 0, "whoever leaves is awake");
        let left = parked(&solo);
        solo.attach(0);
        assert!(parked(&solo) & 1 == 0 && ![0, left].contains(&parked(&solo)), "a login begins anew");
        solo.session.set_may_sleep(false);
        solo.detach();
        solo.attach(0);
        assert_eq!(parked(&solo), 0, "one that never sleeps says so");
        assert!(!solo.session.park(solo.file));
        solo.check();
    }
}

#[test]
fn once_for_each_sleep() {
    let ack = wire::control(wire::ACK, 0);
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        assert!(says(&mut solo).is_empty());
        for (word, expected) in
            [(9, &ack[..]), (9, &[]), (12, &[]), (13, &ack[..]), (15, &ack[..]), (15, &[])]
        {
            solo.file.park(word);
            assert!(says(&mut solo).is_empty(), "it has seen all there is, at {word}");
            solo.send(8).expect("room");
            assert_eq!(says(&mut solo), expected, "at {word}");
        }
        solo.check();
    }
}

#[test]
fn for_room_only_if_it_waits_for_it() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        for _ in 0..4 {
            solo.peer_sends(8, 0);
        }
        says(&mut solo);
        for (word, wakes) in [(9, false), (15, true), (15, false), (16, false)] {
            solo.file.park(word);
            solo.consume();
            assert_eq!(!says(&mut solo).is_empty(), wakes, "at {word}");
        }
        solo.check();
    }
}

#[test]
fn whatever_the_word_of_its_peer_is() {
    let mut random = fastrand::Rng::with_seed(7);
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        says(&mut solo);
        for round in 1..1000 {
            let shift = random.u32(0..64);
            solo.file.park(random.u64(..) >> shift);
            solo.send(8).expect("room");
            let said = says(&mut solo);
            assert!(said.is_empty() || said == wire::control(wire::ACK, 0), "round {round}: {said:?}");
            solo.peer_consumes(round);
        }
        solo.check();
    }
}

#[test]
fn unless_something_has_come_before_its_mark() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        solo.look();
        let start = solo.received();
        let frame = solo.peer().message(start, 0, &proof::Message::numbered(role.other(), 0, 8));
        solo.file.publish(start, &frame);
        assert!(!solo.session.park(solo.file) && !solo.session.is_parked(), "a message is there");
        assert_eq!(parked(&solo) & 1, 0);
    }
}

#[test]
fn unless_there_is_room_before_its_mark() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        while solo.send(64).is_ok() {}
        assert!(solo.session.park(solo.file), "no room is there");
        assert_eq!(parked(&solo) & 3, 3);
        solo.look();
        solo.file.consume(solo.ends()[1]);
        assert!(!solo.session.park(solo.file) && !solo.session.is_parked(), "room is there");
        let event = solo.session.receive(solo.file).expect("a sound file");
        assert!(matches!(event, Some(Event::Writable)), "{event:?}");
    }
}

#[test]
fn unless_a_claim_was_refused_since() {
    for role in [Role::Client, Role::Server] {
        let mut solo = solo(role);
        assert!(solo.session.park(solo.file) && solo.session.is_parked());
        while solo.send(64).is_ok() {}
        assert!(!solo.session.is_parked());
        says(&mut solo);
        assert!(solo.session.park(solo.file) && solo.session.is_parked());
    }
}
