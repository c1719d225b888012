//! A link changes its carrier at a login, with messages in every state there is, and loses none: both carriers
//! have one file, one set of positions and one rule of recovery.

mod support;

use support::app::{App, Habit, Note};
use support::stage::Stage;
use support::{kind, name, wish};
use tcpshm_driver::{Carrier, Delivered, Link};

/// Every change, and none.
const CHANGES: [(Carrier, Carrier); 4] = [
    (Carrier::Tcp, Carrier::Shm),
    (Carrier::Shm, Carrier::Tcp),
    (Carrier::Shm, Carrier::Shm),
    (Carrier::Tcp, Carrier::Tcp),
];

/// A pair with one directory, connected over `carrier`.
fn stage(carrier: Carrier) -> Stage {
    Stage::over_with(Carrier::Shm, |_, client| client.carrier = wish(carrier))
}

fn carriers(stage: &Stage) -> Vec<Carrier> {
    stage.world.clients[0].app.connections().map(|login| login.carrier).collect()
}

/// Has three messages held and a fourth merely dropped on each side; sends a fifth that nobody has seen and
/// leaves a claim without a commit.
#[track_caller]
fn fill(stage: &mut Stage) {
    for habit in [Habit::Hold, Habit::Ignore] {
        let (server, client) = stage.world.both();
        (server.app.habit, client.app.habit) = (habit, habit);
        let texts: &[&str] = if habit == Habit::Hold { &["one", "two", "three"] } else { &["four"] };
        let before = [server.app.received.len(), client.app.received.len()];
        for text in texts {
            stage.world.send(0, text.as_bytes());
            stage.world.answer(text.as_bytes());
        }
        stage.world.until("all of it", |world| {
            let (server, client) = world.both();
            [server.app.received.len(), client.app.received.len()] == before.map(|count| count + texts.len())
        });
    }
    let now = stage.world.now;
    let (server, client) = stage.world.both();
    for link in [client.driver.link(now), server.driver.link(now, &name("client"))] {
        let mut link = link.expect("a link");
        link.send(kind(2), b"five").expect("room");
        link.claim(kind(2), 100).expect("room").fill(0xff);
    }
}

/// Once the fifth message has come, consumes what is held and what was dropped, in order.
#[track_caller]
fn let_go(link: &mut Link<'_>, app: &mut App) {
    let (held, dropped) = (std::mem::take(&mut app.held), dropped(app));
    app.habit = Habit::Consume;
    assert_eq!((held.len(), app.received.len()), (3, 6));
    for (held, text) in held.into_iter().zip(["one", "two", "three"]) {
        let received = link.redeem(held).expect("held by this link");
        assert_eq!(received.payload(), text.as_bytes());
        link.consume(received).expect("in order");
    }
    link.consume_through(dropped).expect("nothing is held any more");
}

fn dropped(app: &App) -> Delivered {
    let told = app.notes.iter().rev().find_map(|note| match note {
        Note::Unconsumed(position) => Some(*position),
        _ => None,
    });
    told.expect("it was told")
}

/// Everything has come to both sides once and in order, and nothing is owed.
#[track_caller]
fn nothing_is_lost(stage: &mut Stage, what: &str) {
    let expected = ["first", "one", "two", "three", "four", "five", "six"];
    stage.world.send(0, b"six");
    stage.world.answer(b"six");
    stage.world.until("all of it", |world| {
        let (server, client) = world.both();
        [&server.app, &client.app].iter().all(|app| app.received.len() >= expected.len())
    });
    stage.world.calm();
    let now = stage.world.now;
    let (server, client) = stage.world.both();
    for app in [&server.app, &client.app] {
        assert_eq!(app.texts(), expected, "{what}");
        assert!(app.disputes().is_empty() && app.resets().is_empty() && app.refusals().is_empty(), "{what}");
    }
    for link in [client.driver.link(now), server.driver.link(now, &name("client"))] {
        let link = link.expect("a link");
        assert_eq!((link.undelivered().messages, link.held()), (0, 0), "{what}");
    }
}

#[test]
fn a_link_moved_to_another_carrier_loses_nothing_and_repeats_nothing() {
    for (from, to) in CHANGES {
        let what = format!("from {from:?} to {to:?}");
        let mut stage = stage(from);
        fill(&mut stage);
        // No wait is as long as no time.
        stage.world.stop_clock();
        let now = stage.world.now;
        let client = &mut stage.world.clients[0];
        client.driver.change_carrier(now, wish(to), &mut client.app);
        stage.world.until("the other carrier", |world| world.clients[0].app.outcomes().len() == 2);
        assert_eq!(carriers(&stage), [from, to]);

        stage.world.until("the fifth", |world| world.clients[0].app.received.len() == 6);
        stage.world.until("the fifth", |world| world.at_server().app.received.len() == 6);
        let now = stage.world.now;
        let (server, client) = stage.world.both();
        let_go(&mut client.driver.link(now).expect("a link"), &mut client.app);
        let_go(&mut server.driver.link(now, &name("client")).expect("a link"), &mut server.app);
        nothing_is_lost(&mut stage, &what);
    }
}

#[test]
fn a_link_whose_client_comes_back_with_another_wish_loses_nothing() {
    for (from, to) in CHANGES {
        let what = format!("from {from:?} to {to:?}");
        let mut stage = stage(from);
        fill(&mut stage);
        stage.stop_client();
        stage.client.carrier = wish(to);
        stage.start_client(App::default());
        stage.connected();
        assert_eq!(carriers(&stage), [to]);

        stage.world.until("the fifth", |world| world.at_server().app.received.len() == 6);
        let now = stage.world.now;
        let server = stage.world.at_server();
        let_go(&mut server.driver.link(now, &name("client")).expect("a link"), &mut server.app);
        // What the client held comes again; what it consumed before does not.
        stage.world.until("all of it", |world| world.clients[0].app.received.len() == 5);
        stage.world.clients[0].app.received.insert(0, b"first".to_vec());
        nothing_is_lost(&mut stage, &what);
    }
}

#[test]
fn a_link_whose_both_sides_come_back_with_another_carrier_loses_nothing() {
    for (from, to) in CHANGES {
        let what = format!("from {from:?} to {to:?}");
        let mut stage = stage(from);
        fill(&mut stage);
        stage.world.clients.clear();
        stage.world.server = None;
        stage.client.carrier = wish(to);
        stage.start_server(App::default());
        stage.start_client(App::default());
        stage.connected();
        assert_eq!(carriers(&stage), [to]);
        stage.world.until("all of it", |world| {
            let (server, client) = world.both();
            server.app.received.len() == 5 && client.app.received.len() == 5
        });
        let (server, client) = stage.world.both();
        for app in [&mut server.app, &mut client.app] {
            app.received.insert(0, b"first".to_vec());
        }
        nothing_is_lost(&mut stage, &what);
    }
}

#[test]
fn a_link_that_changes_its_carrier_under_load_again_and_again_answers_every_request_once() {
    let mut stage = stage(Carrier::Tcp);
    stage.world.clients[0].app.received.clear();
    let mut sent = 0;
    for round in 0..60 {
        let to = if round % 2 == 0 { Carrier::Shm } else { Carrier::Tcp };
        for _ in 0..1 + round % 7 {
            stage.world.send(0, format!("{sent}").as_bytes());
            sent += 1;
        }
        (0..round % 5).for_each(|_| stage.world.turn());
        let now = stage.world.now;
        let client = &mut stage.world.clients[0];
        client.driver.change_carrier(now, wish(to), &mut client.app);
        stage.connected();
        assert_eq!(carriers(&stage).last(), Some(&to));
    }
    stage.world.until("all replies", |world| world.clients[0].app.received.len() >= sent);
    stage.world.calm();
    let expected: Vec<String> = (0..sent).map(|number| number.to_string()).collect();
    assert_eq!(stage.world.clients[0].app.texts(), expected);
    assert_eq!(stage.world.at_server().app.texts()[1..], expected);
}

#[test]
fn a_wish_that_is_changed_without_a_connection_holds_at_the_next_login() {
    let mut stage = stage(Carrier::Tcp);
    stage.stop_server();
    stage.world.send(0, b"early");
    let now = stage.world.now;
    let client = &mut stage.world.clients[0];
    client.driver.change_carrier(now, wish(Carrier::Shm), &mut client.app);
    assert_eq!(client.app.endings().len(), 1, "there was nothing to end");
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    assert_eq!(carriers(&stage), [Carrier::Tcp, Carrier::Shm]);
    stage.world.until("the reply", |world| world.clients[0].app.texts() == ["first", "early"]);
}

#[test]
fn a_wish_that_is_changed_at_any_moment_of_a_login_holds() {
    for turns in 0..12 {
        let mut stage = stage(Carrier::Tcp);
        stage.stop_client();
        stage.start_client(App::default());
        (0..turns).for_each(|_| stage.world.turn());
        let now = stage.world.now;
        let client = &mut stage.world.clients[0];
        client.driver.change_carrier(now, wish(Carrier::Shm), &mut client.app);
        stage.connected();
        assert_eq!(carriers(&stage).last(), Some(&Carrier::Shm), "after {turns} turns");
        stage.exchange("on we go");
    }
}
