//! A link file that was put back from an older copy: the login ends in Diverged, even where all
//! positions fit, or the copy holds everything the original did and nothing is lost.

use proof::endpoint::{App, Note, Policy};
use proof::pair::Snapshot;
use proof::{Pair, Setup, over_both};
use tcpshm_protocol::Role;
use tcpshm_protocol::login::{Carrier, Outcome, RefusalCode};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn strict(carrier: Carrier) -> Pair {
    let mut setup = Setup::over(carrier);
    for configuration in &mut setup.configurations {
        configuration.policy = Policy::Strict;
    }
    Pair::connected(setup)
}

fn send(pair: &mut Pair, role: Role, count: usize) {
    for _ in 0..count {
        let sent = if role == Role::Client { pair.client.send(8) } else { pair.server.send(8) };
        sent.expect("room");
    }
}

fn diverged(note: &Note) -> bool {
    *note == Note::Refused(RefusalCode::Diverged)
}

/// Two logins: what only the client can find it disputes at the second.
fn two_logins(pair: &mut Pair) {
    for _ in 0..2 {
        if !pair.is_connected() && pair.client.count(diverged) == 0 {
            pair.connect();
            pair.settle();
        }
    }
}

#[track_caller]
fn assert_diverged(pair: &mut Pair) {
    two_logins(pair);
    assert!(!pair.is_connected(), "the copy passes for the original");
    assert_eq!((pair.client.count(diverged), pair.server.count(diverged)), (1, 1), "{:?}", pair.client.notes);
}

#[test]
fn a_copy_from_before_the_last_login() {
    over_both(|carrier| {
        for role in ROLES {
            for commits in 0..3 {
                let mut pair = strict(carrier);
                let copy = pair.snapshot(role);
                pair.cut();
                pair.login();
                send(&mut pair, role, commits);
                pair.settle();
                pair.restore(copy);
                send(&mut pair, role, commits);
                assert_diverged(&mut pair);
            }
        }
    });
}

#[test]
fn a_copy_of_this_login_whose_messages_of_equal_size_end_where_the_peer_is() {
    over_both(|carrier| {
        for role in ROLES {
            for restarts in 0..3 {
                let mut pair = strict(carrier);
                let copy = pair.snapshot(role);
                send(&mut pair, role, 2);
                pair.settle();
                pair.restore(copy);
                send(&mut pair, role, 2);
                for _ in 0..restarts {
                    if role == Role::Client { pair.restart_client() } else { pair.restart_server() }
                }
                send(&mut pair, role, 1);
                assert_diverged(&mut pair);
            }
        }
    });
}

#[test]
fn a_copy_whose_other_messages_the_peer_has_been_given_and_not_consumed() {
    over_both(|carrier| {
        for role in ROLES {
            let mut pair = strict(carrier);
            pair.client.app = App::Hold;
            pair.server.app = App::Hold;
            let copy = pair.snapshot(role);
            send(&mut pair, role, 2);
            pair.settle();
            pair.restore(copy);
            send(&mut pair, role, 2);
            assert_diverged(&mut pair);
        }
    });
}

#[test]
fn a_copy_that_spoke_on_a_connection_whose_ready_was_lost() {
    over_both(|carrier| {
        for consumes in [false, true] {
            for restarts in [false, true] {
                let mut pair = strict(carrier);
                pair.client.app = App::Hold;
                let copy = pair.snapshot(Role::Server);
                send(&mut pair, Role::Server, 2);
                pair.settle();
                pair.restore(copy);
                send(&mut pair, Role::Server, 2);
                pair.connect_up_to_confirm();
                pair.abandon();
                pair.settle();
                if restarts {
                    pair.restart_server();
                }
                pair.cut();
                if consumes {
                    pair.client.app = App::Consume;
                    pair.client.release();
                }
                assert_diverged(&mut pair);
            }
        }
    });
}

#[test]
fn a_copy_that_is_killed_anywhere_in_a_login() {
    over_both(|carrier| {
        let mut kills = 0;
        loop {
            let mut pair = strict(carrier);
            pair.client.app = App::Hold;
            let copy = pair.snapshot(Role::Server);
            send(&mut pair, Role::Server, 2);
            pair.settle();
            pair.restore(copy);
            send(&mut pair, Role::Server, 2);
            pair.server.disk.burn_after(kills);
            pair.connect();
            pair.settle();
            if pair.server.is_alive() {
                break;
            }
            kills += 1;
            pair.cut();
            pair.server.start();
            // From here on every position fits.
            pair.client.app = App::Consume;
            pair.client.release();
            two_logins(&mut pair);
            assert!(!pair.is_connected(), "killed at store {kills}, the copy passes for the original");
            assert!(pair.client.count(diverged) > 0, "{:?}", pair.client.notes);
        }
        assert!(kills > 4, "nonce, what was sent before, the attachment before, the new one: {kills}");
    });
}

#[test]
fn a_copy_from_before_the_first_ready_once_the_original_was_heard() {
    over_both(|carrier| {
        let mut setup = Setup::over(carrier);
        for configuration in &mut setup.configurations {
            configuration.policy = Policy::Strict;
        }
        let mut pair = Pair::new(setup);
        pair.connect_up_to_confirm();
        let copy = pair.snapshot(Role::Client);
        pair.settle();
        assert!(pair.is_connected());
        // Nothing was sent or consumed: only that the client was heard tells its file from the copy.
        pair.restore(copy);
        pair.connect();
        pair.settle();
        assert!(!pair.is_connected(), "the copy passes for the original");
        assert_eq!(pair.client.notes.last(), Some(&Note::Refused(RefusalCode::ProposalDead)));
        pair.connect();
        pair.settle();
        assert_eq!(pair.client.notes.last(), Some(&Note::Refused(RefusalCode::PeerLostClient)));
    });
}

#[test]
fn a_copy_that_was_equal_goes_on() {
    over_both(|carrier| {
        for role in ROLES {
            let mut pair = strict(carrier);
            send(&mut pair, role, 2);
            pair.settle();
            let copy = pair.snapshot(role);
            pair.restore(copy);
            send(&mut pair, role, 1);
            assert_eq!(pair.login(), 1);
            pair.elapse(std::time::Duration::from_millis(20));
            pair.check_complete();
        }
    });
}

#[test]
fn two_owners_of_one_history_are_told_apart() {
    over_both(|carrier| {
        // A cloned host: both clients run in turn, each with the file as it left it.
        let mut pair = strict(carrier);
        let mut other = pair.snapshot(Role::Client);
        let mut refused = 0;
        for _ in 0..4 {
            let mine = pair.snapshot(Role::Client);
            pair.restore(other);
            other = mine;
            pair.connect();
            pair.settle();
            refused += usize::from(!pair.is_connected());
            pair.cut();
        }
        assert!(refused >= 2, "{refused} of 4: they take turns");
    });
}

/// One after another, with a snapshot of both sides after each.
const HISTORY: [fn(&mut Pair); 14] = [
    |pair| send(pair, Role::Client, 2),
    |pair| pair.settle(),
    |pair| send(pair, Role::Server, 2),
    |pair| pair.settle(),
    |pair| pair.client.app = App::Hold,
    |pair| pair.server.app = App::Hold,
    |pair| {
        send(pair, Role::Client, 1);
        send(pair, Role::Server, 1);
        pair.settle();
    },
    |pair| {
        pair.client.app = App::Consume;
        pair.client.release();
    },
    |pair| {
        pair.elapse(std::time::Duration::from_millis(20));
        pair.server.app = App::Consume;
        pair.server.release();
    },
    |pair| pair.cut(),
    |pair| send(pair, Role::Client, 2),
    |pair| {
        pair.login();
    },
    |pair| pair.restart_server(),
    |pair| {
        pair.login();
        send(pair, Role::Server, 1);
        pair.settle();
    },
];

#[test]
fn any_copy_at_any_moment_is_diverged_or_loses_nothing() {
    over_both(|carrier| {
        let (mut passed, mut refused) = (0, 0);
        for role in ROLES {
            for now in 0..=HISTORY.len() {
                for then in 0..=now {
                    for commits in [[0, 0], [1, 0], [2, 1], [0, 3]] {
                        let (mut pair, copy) = copied(carrier, role, then, now);
                        pair.restore(copy);
                        send(&mut pair, role, commits[0]);
                        if role == Role::Client {
                            pair.restart_client()
                        } else {
                            pair.restart_server()
                        }
                        send(&mut pair, role, commits[1]);
                        two_logins(&mut pair);
                        if pair.is_connected() {
                            passed += 1;
                            finish(&mut pair);
                        } else {
                            refused += 1;
                            assert!(
                                pair.client.count(diverged) > 0,
                                "{role:?} {then} {now}: {:?}",
                                pair.client.notes
                            );
                        }
                    }
                }
            }
        }
        assert!(passed > 100 && refused > 100, "{passed} passed, {refused} refused");
    });
}

/// The pair after `now` steps of the history, and one side as it was after `then`.
fn copied(carrier: Carrier, role: Role, then: usize, now: usize) -> (Pair, Snapshot) {
    let mut pair = strict(carrier);
    let mut copy = pair.snapshot(role);
    for (number, step) in HISTORY[..now].iter().enumerate() {
        step(&mut pair);
        if number + 1 == then {
            copy = pair.snapshot(role);
        }
    }
    (pair, copy)
}

fn finish(pair: &mut Pair) {
    pair.client.app = App::Consume;
    pair.server.app = App::Consume;
    pair.client.release();
    pair.server.release();
    pair.elapse(std::time::Duration::from_secs(2));
    pair.check_complete();
    let outcomes = pair.client.count(|note| *note == Note::Connected(Outcome::Reset));
    assert_eq!(outcomes, 0, "a strict side never resets");
}
