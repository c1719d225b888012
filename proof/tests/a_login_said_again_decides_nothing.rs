//! Somebody between the two says again what a client once said, to a server that accepted it and was not heard
//! of since. By ids and positions it fits still; only the challenge tells that it is old.

use std::time::Duration;

use proof::endpoint::Note;
use proof::{Pair, Setup, over_both};
use tcpshm_protocol::Role;
use tcpshm_protocol::login::{Carrier, CarrierWish, Outcome, RefusalCode};

/// What happens to the server between the client's attachment and its first frame.
#[derive(Clone, Copy, Debug)]
enum Between {
    Killed,
    Cut,
}

/// A link that is about to log in: for the first time, or with a history.
fn before_a_login(carrier: Carrier, history: bool) -> Pair {
    let mut pair = Pair::new(Setup::over(carrier));
    if history {
        pair.login();
        pair.client.send(5).expect("room");
        pair.server.send(6).expect("room");
        pair.settle();
        pair.cut();
    }
    // Who says it again shows no memory, so the old login has to be one that TCP would do for.
    pair.wish = (carrier == Carrier::Shm).then_some(CarrierWish::Auto);
    pair
}

/// Logs in, and ends it where the client is attached and has spoken, and the server has not heard it. Returns
/// all that the client said.
fn ended_before_the_first_frame(pair: &mut Pair, between: Between) -> Vec<u8> {
    pair.connect_up_to_confirm();
    pair.up_to_ready();
    pair.step_newest(Role::Client, true);
    assert!(pair.is_connected());
    let login = pair.connection().up.record().len();
    pair.step_newest(Role::Client, false);
    let said = pair.connection().up.record().to_vec();
    assert!(said.len() > login, "the first words are on their way");
    match between {
        Between::Killed => pair.restart_server(),
        Between::Cut => pair.cut(),
    }
    said
}

#[test]
fn before_the_first_frame_of_the_connection_that_it_was_said_on() {
    over_both(|carrier| {
        let stages = [false, true].map(|history| [(history, Between::Killed), (history, Between::Cut)]);
        for (history, between) in stages.concat() {
            let mut pair = before_a_login(carrier, history);
            let said = ended_before_the_first_frame(&mut pair, between);
            let before = pair.server.disk.content();
            pair.rulings.clear();
            for times in 1..=2 {
                pair.replay(&said, None);
                pair.settle();
                assert_eq!(pair.server.bad_logins, vec![RefusalCode::StaleConfirm; times], "{between:?}");
                assert!(!pair.server.is_attached());
            }
            assert_eq!(pair.server.disk.content(), before, "not a byte");
            assert!(pair.rulings.is_empty(), "nothing was decided");

            assert_eq!(pair.login(), 1);
            assert_eq!(pair.client.notes.last(), Some(&Note::Connected(Outcome::Resumed)));
            pair.client.send(5).expect("room");
            pair.server.send(6).expect("room");
            pair.elapse(Duration::from_millis(50));
            pair.check_complete();
            let refused = |note: &Note| matches!(note, Note::Refused(_) | Note::Reset { .. });
            assert_eq!(pair.client.count(refused), 0, "the owner hears of nothing");
        }
    });
}

#[test]
fn while_its_client_is_live() {
    over_both(|carrier| {
        let mut pair = before_a_login(carrier, true);
        assert_eq!(pair.login(), 1);
        let said = pair.connection().up.record().to_vec();
        let before = pair.server.disk.content();
        pair.replay(&said, None);
        pair.settle();
        assert_eq!(pair.server.bad_logins, [RefusalCode::StaleConfirm]);
        assert_eq!(pair.server.disk.content(), before, "not a byte");
        assert!(pair.is_connected(), "the owner is not disturbed");
        assert_eq!(pair.server.count(|note| *note == Note::Replaced), 0);
        pair.client.send(5).expect("room");
        pair.server.send(6).expect("room");
        pair.elapse(Duration::from_millis(50));
        pair.check_complete();
    });
}
