//! Heartbeats and silence, by a clock that is told what time it is, and that may jump or stand still.

use std::time::Duration;

use proof::endpoint::{App, Configuration, Note};
use proof::wire::{self, Item, Stream};
use proof::{Pair, Setup, Solo, over_both};
use tcpshm_protocol::login::{Carrier, LoginMessage, Silence};
use tcpshm_protocol::{CloseReason, Geometry, Role, TimedOut};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn silences(carrier: Carrier, client: Duration, server: Duration) -> Setup {
    let configuration = |silence| {
        let silence = Silence::new(silence).expect("a silence");
        Configuration { silence, ..Configuration::new(256, 64) }
    };
    Setup { configurations: [configuration(client), configuration(server)], ..Setup::over(carrier) }
}

/// What went over the newest connection in one direction after login, and how much of it there is of a
/// control code.
fn controls(pair: &mut Pair, sender: Role, wanted: u16) -> usize {
    let stream = Stream { session: pair.client.session().id(), sender };
    let start = if sender == Role::Client {
        pair.client.session().standing().acked
    } else {
        pair.server.session().standing().acked
    };
    let connection = pair.connection();
    let mut input = if sender == Role::Client { connection.up.record() } else { connection.down.record() };
    for _ in 0..2 {
        LoginMessage::decode(&mut input).expect("a login message").expect("a whole one");
    }
    let items = stream.read_all(start.get(), input);
    items.iter().filter(|item| matches!(item, Item::Control { code, .. } if *code == wanted)).count()
}

fn timed_out(note: &Note) -> bool {
    matches!(note, Note::TimedOut(_))
}

#[test]
fn idle_sides_speak_every_third_of_what_the_other_tolerates() {
    over_both(|carrier| {
        let mut pair = Pair::connected(silences(carrier, SECOND, 30 * SECOND));
        pair.elapse(60 * SECOND);
        assert!(pair.is_connected());
        assert_eq!(controls(&mut pair, Role::Client, wire::HEARTBEAT), 6);
        let beats = controls(&mut pair, Role::Server, wire::HEARTBEAT);
        assert!((179..=181).contains(&beats), "{beats}");
    });
}

#[test]
fn a_side_that_speaks_anyway_sends_no_heartbeats() {
    let mut pair = Pair::connected(silences(Carrier::Tcp, SECOND, SECOND));
    for _ in 0..100 {
        pair.client.send(8).expect("room");
        pair.elapse(100 * MILLISECOND);
    }
    let mut beats = 0;
    beats +=
        pair.connection().up.record().windows(8).filter(|word| *word == [16, 0, 0, 0, 0, 0, 2, 0]).count();
    assert_eq!(beats, 0);
    pair.check_complete();
}

#[test]
fn silence_ends_the_connection_on_both_sides_and_not_the_session() {
    over_both(|carrier| {
        let mut pair = Pair::connected(silences(carrier, SECOND, 2 * SECOND));
        pair.client.send(8).expect("room");
        pair.freeze();
        pair.elapse(999 * MILLISECOND);
        assert_eq!(pair.client.count(timed_out), 0);
        pair.elapse(MILLISECOND);
        let expected = Note::TimedOut(TimedOut { silent: SECOND, allowed: SECOND });
        assert_eq!(pair.client.notes.last(), Some(&expected));
        assert!(!pair.client.is_attached() && pair.server.is_attached());
        pair.elapse(SECOND);
        assert!(!pair.server.is_attached());
        assert_eq!(pair.login(), 1);
        pair.elapse(SECOND);
        pair.check_complete();
    });
}

#[test]
fn half_a_frame_that_stays_half_is_heard_once() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    let frame = solo.peer().message(0, 0, &proof::Message::numbered(Role::Client, 0, 40));
    let heard = |solo: &mut Solo, bytes: usize| {
        let mut input = &frame[..bytes];
        let event = solo.session.handle_input(solo.clock.now(), &mut input).expect("a sound beginning");
        assert!(event.is_none() && input.len() == bytes, "it is not whole");
    };
    solo.clock.advance(2 * SECOND);
    heard(&mut solo, 20);
    // The host gives what is left again, as it must, whenever it looks.
    for _ in 0..29 {
        solo.clock.advance(100 * MILLISECOND);
        heard(&mut solo, 20);
        assert_eq!(solo.session.handle_timeout(solo.clock.now()), Ok(None));
    }
    solo.clock.advance(100 * MILLISECOND);
    heard(&mut solo, 20);
    let timed_out = TimedOut { silent: 3 * SECOND, allowed: 3 * SECOND };
    assert_eq!(solo.session.handle_timeout(solo.clock.now()), Err(timed_out));
    heard(&mut solo, 21);
    assert_eq!(solo.session.handle_timeout(solo.clock.now()), Ok(None), "one more byte is a sign of life");
}

#[test]
fn heartbeats_and_silence_run_while_messages_are_held_and_both_rings_are_full() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        (pair.client.app, pair.server.app) = (App::Hold, App::Hold);
        pair.client.fill(8);
        pair.server.fill(8);
        pair.elapse(60 * SECOND);
        assert!(pair.is_connected());
        pair.freeze();
        pair.elapse(4 * SECOND);
        assert_eq!((pair.client.count(timed_out), pair.server.count(timed_out)), (1, 1));
    });
}

#[test]
fn a_long_pause_ends_nothing_if_the_peer_was_heard_meanwhile() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    solo.clock.advance(3_600 * SECOND);
    // The host looks at the socket first.
    solo.peer_sends(8, 0);
    assert_eq!(solo.session.handle_timeout(solo.clock.now()), Ok(None));
}

#[test]
fn a_jump_forward_ends_at_most_a_connection() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.client.send(8).expect("room");
        pair.clock.advance(100 * 365 * 86_400 * SECOND);
        pair.tick();
        assert_eq!((pair.client.count(timed_out), pair.server.count(timed_out)), (1, 1));
        assert_eq!(pair.login(), 1);
        pair.elapse(SECOND);
        pair.check_complete();
    });
}

#[test]
fn a_jump_back_ends_nothing_and_does_not_lengthen_the_silence() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.elapse(10 * SECOND);
        pair.clock.set_back(86_400 * SECOND);
        pair.tick();
        pair.client.send(8).expect("room");
        pair.elapse(10 * SECOND);
        assert!(pair.is_connected());
        pair.check_complete();
        pair.clock.set_back(86_400 * SECOND);
        pair.tick();
        pair.freeze();
        pair.elapse(4 * SECOND);
        assert_eq!((pair.client.count(timed_out), pair.server.count(timed_out)), (1, 1));
    });
}

#[test]
fn a_clock_that_stands_still_ends_nothing() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        for _ in 0..1_000 {
            pair.client.send(8).expect("room");
            pair.settle();
            pair.tick();
        }
        pair.elapse(SECOND);
        pair.check_complete();
    });
}

#[test]
fn a_host_that_wrote_everything_is_woken_for_the_heartbeat() {
    let mut solo = Solo::new(Role::Client, Geometry::new(256, 64).expect("a geometry"));
    let now = solo.clock.now();
    solo.send(8).expect("room");
    // It knows that all is written, and does not ask for more.
    while let len @ 1.. = solo.session.poll_transmit(now).len() {
        solo.session.handle_transmitted(now, len);
        if len == 24 {
            break;
        }
    }
    assert_eq!(solo.session.poll_timeout(), Some(now + SECOND));
}

#[test]
fn a_host_whose_carrier_takes_nothing_is_not_woken_to_say_more() {
    let mut solo = Solo::new(Role::Client, Geometry::new(256, 64).expect("a geometry"));
    solo.send(8).expect("room");
    assert!(!solo.session.poll_transmit(solo.clock.now()).is_empty());
    assert_eq!(solo.session.poll_timeout(), Some(solo.clock.now() + 3 * SECOND), "only silence ends it");
}

#[test]
fn a_host_that_waits_for_the_end_of_a_closed_connection_is_not_woken_to_speak() {
    let mut solo = Solo::new(Role::Client, Geometry::new(256, 64).expect("a geometry"));
    solo.session.close(CloseReason::Application);
    let bytes = solo.transmit();
    assert_eq!(&bytes[bytes.len() - 24..], wire::close(1, 0));
    assert!(solo.session.is_closed());
    solo.clock.advance(2 * SECOND);
    assert!(solo.transmit().is_empty());
    assert!(solo.session.poll_timeout() > Some(solo.clock.now()));
}

#[test]
fn what_the_host_says_twice_or_too_much_of_is_ignored() {
    let mut solo = Solo::new(Role::Client, Geometry::new(256, 64).expect("a geometry"));
    solo.transmit();
    solo.send(8).expect("room");
    solo.send(9).expect("room");
    let now = solo.clock.now();
    solo.session.handle_transmitted(now, 1_000);
    assert_eq!(solo.session.poll_transmit(now).len(), 56, "nothing was on offer");
    solo.session.handle_transmitted(now, 24);
    assert_eq!(solo.session.standing().sent.get(), 24);
    let rest = solo.session.poll_transmit(now).len();
    solo.session.handle_transmitted(now, rest + 100);
    solo.session.handle_transmitted(now, 100);
    solo.send(8).expect("room");
    solo.session.handle_transmitted(now, 24);
    assert_eq!(solo.session.standing().sent.get(), 56);
    assert_eq!(solo.transmit().len(), 24);
}
