//! Either side is killed after any store or any change of a name in a login, and again in the next one.
//! The login after that ends as the first would have: nothing is refused, nothing is reported lost, and
//! every message arrives once.

use proof::endpoint::{App, Note};
use proof::{Pair, Setup, over_both};
use tcpshm_protocol::login::Carrier;

#[derive(Clone, Copy, Debug)]
enum Side {
    Client,
    Server,
}

const SIDES: [Side; 2] = [Side::Client, Side::Server];

/// How a pair can stand before a login.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// They never met.
    Nothing,
    /// They go on with messages waiting both ways.
    Waiting,
    /// The same, in new processes.
    Restarted,
    /// The client has left a connection that the server believes in.
    HalfOpen,
}

fn make(before: Before, carrier: Carrier) -> Pair {
    let mut pair = Pair::new(Setup::over(carrier));
    pair.server.app = App::Echo;
    if matches!(before, Before::Nothing) {
        return pair;
    }
    pair.login();
    for len in [5, 64, 0] {
        pair.client.send(len).expect("room");
    }
    pair.settle();
    match before {
        Before::HalfOpen => pair.abandon(),
        _ => pair.cut(),
    }
    for len in [1, 17, 60] {
        pair.client.send(len).expect("room");
    }
    pair.server.send(30).expect("room");
    if matches!(before, Before::Restarted) {
        pair.restart_client();
        pair.restart_server();
    }
    pair
}

fn burn(pair: &Pair, side: Side, steps: u64) {
    match side {
        Side::Client => pair.client.disk.burn_after(steps),
        Side::Server => pair.server.disk.burn_after(steps),
    }
}

/// One login that is killed, and a new life for whoever died. Whether somebody did.
fn killed_login(pair: &mut Pair, side: Side, steps: u64) -> bool {
    burn(pair, side, steps);
    pair.connect();
    pair.settle();
    let died = !pair.client.is_alive() || !pair.server.is_alive();
    if !pair.client.is_alive() {
        pair.client.start();
    }
    if !pair.server.is_alive() {
        pair.server.start();
        pair.server.app = App::Echo;
    }
    pair.client.disk.defuse();
    pair.server.disk.defuse();
    died
}

fn finish(pair: &mut Pair, context: &str) {
    let tries = pair.login();
    assert_eq!(tries, 1, "{context}: {:?} {:?}", pair.client.notes, pair.server.notes);
    pair.client.send(7).expect("room");
    pair.settle();
    pair.elapse(std::time::Duration::from_millis(50));
    pair.check_complete();
    assert_eq!(
        (pair.client.count(Note::is_trouble), pair.server.count(Note::is_trouble)),
        (0, 0),
        "{context}: {:?}",
        pair.client.notes
    );
}

#[test]
fn once() {
    over_both(|carrier| {
        for before in [Before::Nothing, Before::Waiting, Before::Restarted, Before::HalfOpen] {
            for side in SIDES {
                let mut steps = 0;
                loop {
                    let mut pair = make(before, carrier);
                    let died = killed_login(&mut pair, side, steps);
                    finish(&mut pair, &format!("{before:?} {side:?} {steps}"));
                    if !died {
                        break;
                    }
                    steps += 1;
                }
                assert!(steps >= 4, "{before:?} {side:?}: a login has at least four steps, not {steps}");
            }
        }
    });
}

#[test]
fn twice_in_a_row() {
    over_both(|carrier| {
        for before in [Before::Nothing, Before::Waiting, Before::Restarted, Before::HalfOpen] {
            for (first, second) in SIDES.into_iter().flat_map(|first| SIDES.map(|second| (first, second))) {
                for steps in 0.. {
                    let mut died = false;
                    for again in 0.. {
                        let mut pair = make(before, carrier);
                        died = killed_login(&mut pair, first, steps);
                        let died_again = killed_login(&mut pair, second, again);
                        finish(&mut pair, &format!("{before:?} {first:?} {steps} {second:?} {again}"));
                        if !died_again {
                            break;
                        }
                    }
                    if !died {
                        break;
                    }
                }
            }
        }
    });
}

#[test]
fn while_a_starting_process_opens_its_files() {
    over_both(|carrier| {
        // Left by a kill at every step of a login, opened by a process that is killed at every step of that.
        for before in [Before::Nothing, Before::Waiting] {
            for side in SIDES {
                for steps in 0.. {
                    let mut pair = make(before, carrier);
                    burn(&pair, side, steps);
                    pair.connect();
                    pair.settle();
                    if pair.client.is_alive() && pair.server.is_alive() {
                        break;
                    }
                    for deaths in 0..6 {
                        match side {
                            Side::Client => start_killed(&mut pair, side, deaths),
                            Side::Server => start_killed(&mut pair, side, deaths),
                        }
                    }
                    finish(&mut pair, &format!("{before:?} {side:?} {steps}"));
                }
            }
        }
    });
}

fn start_killed(pair: &mut Pair, side: Side, steps: u64) {
    match side {
        Side::Client => {
            pair.client.start_until(steps);
            pair.restart_client();
        }
        Side::Server => {
            pair.server.start_until(steps);
            pair.restart_server();
        }
    }
    pair.server.app = App::Echo;
}
