//! While a connection is live: the same client coming back takes over at once, somebody with another
//! history is refused as busy, and what an abandoned connection still delivers decides nothing.

use std::time::Duration;

use proof::endpoint::{App, Configuration, Note, Policy};
use proof::{Directory, Pair, Setup, over_both};
use tcpshm_protocol::login::{Outcome, RefusalCode};

fn refused(code: RefusalCode) -> impl Fn(&Note) -> bool {
    move |note| *note == Note::Refused(code)
}

fn finish(pair: &mut Pair) {
    pair.client.send(5).expect("room");
    pair.server.send(6).expect("room");
    pair.elapse(Duration::from_millis(50));
    pair.check_complete();
}

#[test]
fn a_client_that_left_a_half_open_connection_is_back_at_once() {
    over_both(|carrier| {
        for in_flight in 0..4 {
            let mut pair = Pair::connected(Setup::over(carrier));
            pair.freeze();
            for _ in 0..in_flight {
                pair.client.send(8).expect("room");
            }
            // What the client wrote before it left is still on its way.
            pair.thaw();
            pair.connect_up_to_confirm();
            assert_eq!(pair.login(), 1);
            let told: Vec<_> = pair.server.notes.iter().rev().take(2).cloned().collect();
            assert_eq!(
                told,
                [Note::Connected(Outcome::Resumed), Note::Replaced],
                "the order of an application's view"
            );
            finish(&mut pair);
            assert_eq!(pair.server.count(|note| matches!(note, Note::Refused(_) | Note::TimedOut(_))), 0);
        }
    });
}

#[test]
fn bytes_of_a_fenced_connection_are_never_read() {
    let mut pair = Pair::connected(Setup::default());
    pair.client.send(8).expect("room");
    pair.settle();
    // On its way when the client leaves: a message and its later half.
    pair.client.send(64).expect("room");
    pair.chunks = proof::pipe::Chunks::Fixed(30);
    pair.turn();
    pair.freeze();
    pair.connect();
    pair.chunks = proof::pipe::Chunks::Whole;
    pair.settle();
    assert_eq!(pair.server.count(|note| *note == Note::Replaced), 1);
    let delivered = pair.server.delivered.len();
    pair.thaw();
    pair.settle();
    assert_eq!(pair.server.delivered.len(), delivered);
    finish(&mut pair);
}

#[test]
fn a_stranger_is_refused_as_busy_whatever_the_policy_and_the_live_link_is_unharmed() {
    over_both(|carrier| {
        for policy in [Policy::Fresh, Policy::Strict] {
            let configurations = [0, 1].map(|_| Configuration { policy, ..Configuration::new(256, 64) });
            let mut pair = Pair::connected(Setup { configurations, ..Setup::over(carrier) });
            pair.client.send(8).expect("room");
            pair.settle();
            let before = pair.server.disk.content();
            pair.vanish_client();
            pair.client.disk.replace(Directory::default());
            pair.client.start();
            for attempt in 1..=3 {
                pair.connect();
                pair.settle();
                assert_eq!(pair.client.count(refused(RefusalCode::Busy)), attempt);
            }
            assert!(pair.server.is_attached());
            assert_eq!(pair.server.disk.content(), before, "not a byte");
            assert!(!pair.client.has_token(), "and no leave to reset anything");
        }
    });
}

#[test]
fn a_client_that_lost_its_state_gets_its_turn_when_the_old_connection_has_timed_out() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.vanish_client();
        pair.client.disk.replace(Directory::default());
        pair.client.start();
        pair.connect();
        pair.settle();
        assert_eq!(pair.client.count(refused(RefusalCode::Busy)), 1);
        pair.elapse(Duration::from_secs(4));
        assert!(!pair.server.is_attached(), "it ends");
        assert_eq!(pair.login(), 2);
        assert!(pair.client.was_reset());
        finish(&mut pair);
    });
}

#[test]
fn a_confirm_that_comes_after_a_later_one_was_accepted_is_stale() {
    over_both(|carrier| {
        for live in [true, false] {
            let mut pair = Pair::connected(Setup::over(carrier));
            pair.cut();
            pair.connect_up_to_confirm();
            pair.freeze();
            assert_eq!(pair.login(), 1);
            finish(&mut pair);
            if !live {
                pair.cut_newest();
            }
            let before = pair.server.disk.content();
            let accepted = pair.server.count(|note| matches!(note, Note::Connected(_)));
            pair.thaw();
            pair.settle();
            assert_eq!(pair.server.count(refused(RefusalCode::StaleConfirm)), 1);
            assert_eq!(pair.server.count(|note| matches!(note, Note::Connected(_))), accepted);
            assert_eq!(pair.server.disk.content(), before);
            assert_eq!(pair.server.is_attached(), live);
        }
    });
}

#[test]
fn a_delayed_confirm_with_a_token_resets_nothing() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.cut();
        pair.lose(tcpshm_protocol::Role::Client);
        pair.connect();
        pair.settle();
        assert!(pair.client.has_token());
        // The reset is on its way when the client gives up and asks again.
        pair.connect_up_to_confirm();
        pair.freeze();
        let tries = pair.login();
        assert_eq!(tries, 2, "refused with a new token, then reset: {:?}", pair.client.notes);
        finish(&mut pair);
        let session = pair.server.session().id();
        pair.cut_newest();
        pair.thaw();
        pair.settle();
        assert_eq!(pair.server.count(refused(RefusalCode::StaleConfirm)), 1);
        assert_eq!(pair.server.session().id(), session);
        assert_eq!(pair.login(), 1);
        finish(&mut pair);
    });
}

#[test]
fn a_delayed_confirm_does_not_bring_back_a_proposal_that_was_refused_as_dead() {
    over_both(|carrier| {
        let mut pair = Pair::new(Setup::over(carrier));
        pair.connect_up_to_confirm();
        pair.freeze();
        // Other limits: what was proposed under the old ones cannot begin any more.
        pair.client.configuration = Configuration::new(128, 64);
        pair.connect();
        pair.settle();
        assert_eq!(pair.client.count(refused(RefusalCode::ProposalDead)), 1);
        pair.thaw();
        pair.settle();
        assert_eq!(pair.server.count(refused(RefusalCode::ProposalDead)), 2, "the delayed one too");
        assert_eq!(pair.login(), 1);
        let lost =
            |note: &Note| matches!(note, Note::Refused(RefusalCode::PeerLostClient | RefusalCode::Busy));
        assert_eq!(pair.client.count(lost), 0, "a session that never was is not reported lost");
        finish(&mut pair);
    });
}

#[test]
fn a_delayed_confirm_of_the_first_login_is_resumed_by_the_next() {
    over_both(|carrier| {
        let mut pair = Pair::new(Setup::over(carrier));
        pair.connect_up_to_confirm();
        pair.abandon();
        // It arrives, the server accepts it, and its Ready goes nowhere.
        pair.settle();
        assert!(pair.server.is_attached());
        pair.server.send(9).expect("room");
        assert_eq!(pair.login(), 1);
        assert_eq!(pair.client.notes, [Note::Connected(Outcome::Resumed)]);
        finish(&mut pair);
    });
}

#[test]
fn two_logins_that_are_cut_before_ready_are_not_mistaken_for_a_copy() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.client.app = App::Echo;
        for _ in 0..5 {
            pair.cut();
            pair.server.send(8).expect("room");
            pair.connect_up_to_confirm();
            pair.up_to_ready();
            assert!(pair.server.is_attached() && !pair.client.is_attached());
        }
        pair.cut();
        assert_eq!(pair.login(), 1);
        pair.client.app = App::Consume;
        finish(&mut pair);
        assert_eq!(pair.client.count(|note| matches!(note, Note::Refused(_))), 0);
    });
}
