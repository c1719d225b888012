//! A side that lost its files, or holds another history: both policies decide, both sides are told what
//! was not delivered, and the old file is kept aside.

use proof::endpoint::{Configuration, Note, Policy};
use proof::{Directory, Pair, Setup, image, over_both};
use tcpshm_protocol::Role;
use tcpshm_protocol::login::{Carrier, Outcome, RefusalCode};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const POLICIES: [Policy; 2] = [Policy::Fresh, Policy::Strict];

/// A pair with a history and two messages waiting each way, not connected.
fn with_history(carrier: Carrier, policies: [Policy; 2]) -> Pair {
    let mut setup = Setup::over(carrier);
    for (configuration, policy) in setup.configurations.iter_mut().zip(policies) {
        *configuration = Configuration { policy, ..Configuration::new(256, 64) };
    }
    let mut pair = Pair::connected(setup);
    for len in [3, 9] {
        pair.client.send(len).expect("room");
        pair.server.send(len).expect("room");
    }
    pair.elapse(std::time::Duration::from_millis(20));
    pair.observe();
    pair.cut();
    for len in [0, 40] {
        pair.client.send(len).expect("room");
        pair.server.send(len).expect("room");
    }
    pair
}

fn refused(code: RefusalCode) -> impl Fn(&Note) -> bool {
    move |note| *note == Note::Refused(code)
}

fn code_of_loss(loser: Role) -> RefusalCode {
    match loser {
        Role::Client => RefusalCode::PeerLostClient,
        Role::Server => RefusalCode::PeerLostServer,
    }
}

#[test]
fn two_lenient_sides_begin_anew_and_report_what_was_owed() {
    over_both(|carrier| {
        for loser in ROLES {
            let mut pair = with_history(carrier, [Policy::Fresh; 2]);
            pair.lose(loser);
            assert_eq!(pair.login(), 2, "refused with the row, then reset");
            assert_eq!(pair.client.count(refused(code_of_loss(loser))), 1);
            assert!(pair.client.was_reset());
            assert_eq!(pair.server.notes.last(), Some(&Note::Connected(Outcome::Reset)));
            let keeper = if loser == Role::Client { &*pair.server } else { &*pair.client };
            let reports: Vec<_> =
                keeper.notes.iter().filter(|note| matches!(note, Note::Reset { .. })).collect();
            let [Note::Reset { mine: Some(mine), theirs }] = reports[..] else { panic!("{reports:?}") };
            // Frames of 16 and 56 behind two of 24 and 32 that were consumed.
            assert_eq!((mine.messages, mine.upto.get() - mine.from.get()), (2, 72));
            assert_eq!(*theirs, None, "whoever lost everything cannot say what it owed");
            let loser = if loser == Role::Client { &*pair.client } else { &*pair.server };
            let told = Note::Reset { mine: None, theirs: Some(*mine) };
            assert_eq!(loser.count(|note| *note == told), 1, "and is told what the other did");
            let kept = keeper.disk.content();
            let kept: Vec<_> = kept.kept().collect();
            assert_eq!(kept.len(), 1);
            let contents = image::read(kept[0]).expect("a sound file");
            let payloads: Vec<_> =
                contents.pending.iter().map(|(_, message)| message.payload.len()).collect();
            assert_eq!(payloads, [0, 40], "the messages can be looked at");
            pair.client.send(1).expect("room");
            pair.server.send(2).expect("room");
            pair.elapse(std::time::Duration::from_millis(50));
            pair.check_complete();
        }
    });
}

#[test]
fn a_strict_side_refuses_for_as_long_as_it_is_strict_and_nothing_changes() {
    over_both(|carrier| {
        for loser in ROLES {
            for policies in
                [[Policy::Strict, Policy::Fresh], [Policy::Fresh, Policy::Strict], [Policy::Strict; 2]]
            {
                let mut pair = with_history(carrier, policies);
                pair.lose(loser);
                for attempt in 1..=4 {
                    pair.connect();
                    pair.settle();
                    assert!(!pair.is_connected());
                    assert_eq!(
                        pair.client.count(refused(code_of_loss(loser))),
                        attempt,
                        "{:?}",
                        pair.client.notes
                    );
                }
                let keeper = if loser == Role::Client { &mut *pair.server } else { &mut *pair.client };
                assert_eq!(keeper.session().undelivered().messages, 2);
                assert_eq!(keeper.disk.content().kept().count(), 0);
            }
        }
    });
}

#[test]
fn different_histories_are_diverged_and_begin_anew_where_both_allow_it() {
    over_both(|carrier| {
        for policies in POLICIES.into_iter().flat_map(|client| POLICIES.map(|server| [client, server])) {
            let mut pair = with_history(carrier, policies);
            // Another life of the client, which it found in a drawer.
            let mut foreign = with_history(carrier, [Policy::Fresh; 2]);
            foreign.lose(Role::Client);
            foreign.login();
            pair.restore(foreign.snapshot(Role::Client));
            let lenient = policies == [Policy::Fresh; 2];
            for _ in 0..3 {
                if !pair.is_connected() {
                    pair.connect();
                    pair.settle();
                }
            }
            assert_eq!(pair.is_connected(), lenient, "{policies:?} {:?}", pair.client.notes);
            assert_eq!(pair.client.count(refused(RefusalCode::Diverged)), if lenient { 1 } else { 3 });
            if lenient {
                assert_eq!(pair.client.disk.content().kept().count(), 1);
                assert_eq!(pair.server.disk.content().kept().count(), 1);
                let report = |note: &Note| matches!(note, Note::Reset { theirs: Some(_), .. });
                assert_eq!(
                    (pair.client.count(report), pair.server.count(report)),
                    (1, 1),
                    "both are told of both"
                );
            }
        }
    });
}

#[test]
fn a_reset_that_is_killed_anywhere_is_finished_by_the_next_logins() {
    over_both(|carrier| {
        for loser in ROLES {
            for victim in ROLES {
                for steps in 0.. {
                    let mut pair = with_history(carrier, [Policy::Fresh; 2]);
                    pair.lose(loser);
                    pair.connect();
                    pair.settle();
                    let disk = if victim == Role::Client { &pair.client.disk } else { &pair.server.disk };
                    disk.burn_after(steps);
                    pair.connect();
                    pair.settle();
                    let died = !pair.client.is_alive() || !pair.server.is_alive();
                    if !pair.client.is_alive() {
                        pair.client.start();
                    }
                    if !pair.server.is_alive() {
                        pair.server.start();
                    }
                    pair.client.disk.defuse();
                    pair.server.disk.defuse();
                    if !pair.is_connected() {
                        let tries = pair.login();
                        assert!(tries <= 4, "{loser:?} {victim:?} {steps}: {tries} logins");
                    }
                    pair.client.send(1).expect("room");
                    pair.server.send(2).expect("room");
                    pair.elapse(std::time::Duration::from_millis(50));
                    pair.check_complete();
                    assert_eq!(pair.client.session().id(), pair.server.session().id());
                    let keeper = if loser == Role::Client { &pair.server.disk } else { &pair.client.disk };
                    assert_eq!(keeper.content().kept().count(), 1, "{loser:?} {victim:?} {steps}: kept once");
                    if !died {
                        assert!(steps > 3);
                        break;
                    }
                }
            }
        }
    });
}

#[test]
fn both_lose_everything_and_nobody_is_refused() {
    over_both(|carrier| {
        let mut pair = with_history(carrier, [Policy::Strict; 2]);
        pair.lose(Role::Client);
        pair.lose(Role::Server);
        assert_eq!(pair.login(), 1);
        assert_eq!(pair.client.notes.last(), Some(&Note::Connected(Outcome::Fresh)));
    });
}

#[test]
fn a_proposal_that_belongs_to_nothing_is_deleted_and_the_login_goes_on_with_what_is_left() {
    over_both(|carrier| {
        // A reset was begun with a token, and the server did not accept it.
        let mut pair = with_history(carrier, [Policy::Fresh; 2]);
        let server = pair.snapshot(Role::Server);
        pair.lose(Role::Server);
        pair.connect();
        pair.settle();
        assert!(pair.client.has_token());
        pair.connect_up_to_confirm();
        pair.cut();
        assert!(pair.client.proposal().is_some());
        // The server finds its files again before the client comes back.
        pair.restore(server);
        let tries = pair.login();
        assert_eq!(tries, 2);
        assert_eq!(pair.client.count(refused(RefusalCode::ProposalDead)), 1);
        assert_eq!(pair.client.proposal(), None);
        assert!(pair.client.disk.content().fresh().is_none());
        assert_eq!(pair.client.notes.last(), Some(&Note::Connected(Outcome::Resumed)));
    });
}

#[test]
fn a_token_is_void_once_any_confirm_was_accepted_or_another_was_given() {
    over_both(|carrier| {
        let mut pair = with_history(carrier, [Policy::Fresh; 2]);
        pair.lose(Role::Client);
        pair.connect();
        pair.settle();
        assert!(pair.client.has_token());
        pair.restart_server();
        let tries = pair.login();
        assert_eq!(pair.client.count(refused(RefusalCode::TokenVoid)), 1, "the server forgot it");
        assert_eq!(tries, 3, "token void, the row again, reset: {:?}", pair.client.notes);
    });
}

#[test]
fn a_leave_to_reset_that_died_with_its_server_costs_one_more_login() {
    over_both(|carrier| {
        let mut pair = with_history(carrier, [Policy::Fresh; 2]);
        pair.lose(Role::Server);
        pair.connect();
        pair.settle();
        assert!(pair.client.has_token());
        pair.restart_server();
        assert_eq!(pair.login(), 3, "the proposal is dead, the row again, reset: {:?}", pair.client.notes);
        assert_eq!(pair.client.count(refused(RefusalCode::ProposalDead)), 1);
        assert!(pair.client.was_reset());
    });
}

#[test]
fn nothing_is_written_by_a_login_that_is_refused() {
    over_both(|carrier| {
        for loser in ROLES {
            let mut pair = with_history(carrier, [Policy::Strict; 2]);
            pair.lose(loser);
            let [client, server] = [pair.client.disk.content(), pair.server.disk.content()];
            pair.connect();
            pair.settle();
            assert_eq!(pair.server.disk.content(), server, "the server's files are the same, byte for byte");
            assert_eq!(
                without_nonce(&pair.client.disk.content()),
                without_nonce(&client),
                "and the client's but for the nonce"
            );
        }
    });
}

fn without_nonce(directory: &Directory) -> Option<Vec<u8>> {
    let mut image = directory.main()?.to_vec();
    image::set(&mut image, image::at::NONCE, 0);
    Some(image)
}
