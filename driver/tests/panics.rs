//! A handler that panics takes one connection with it, and no message.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::app::{App, Habit};
use support::client;
use support::stage::Stage;

/// Turns the world as a host does that survives its handlers.
#[track_caller]
fn until_it_panics(stage: &mut Stage) {
    let outcome = catch_unwind(AssertUnwindSafe(|| stage.world.until("a panic", |_| false)));
    let message = *outcome.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "as it was told");
}

#[test]
fn a_message_that_makes_the_servers_handler_panic_comes_again_and_other_links_go_on() {
    let mut stage = Stage::new();
    let directory = tempfile::tempdir().unwrap();
    let mut other = client(directory.path(), stage.client.addresses[0]);
    other.link.name = "other".parse().unwrap();
    stage.world.connect(other, App::default());
    stage.world.until("the other link", |world| world.clients[1].driver.is_connected());

    stage.world.at_server().app.panics_at = Some(b"poison".to_vec());
    for text in ["good", "poison", "behind it"] {
        stage.world.send(0, text.as_bytes());
    }
    for _ in 0..3 {
        until_it_panics(&mut stage);
        stage.world.send(1, b"and me?");
        stage.world.clients[1].app.received.clear();
        stage.world.until("the other's reply", |world| !world.clients[1].app.received.is_empty());
    }
    assert_eq!(stage.world.clients[0].app.texts(), ["first", "good"]);
    assert!(stage.world.clients[1].app.endings().is_empty());
    let endings = stage.world.at_server().app.endings();
    assert!(endings.iter().all(|ending| *ending == "HandlerPanicked"), "{endings:?}");

    stage.world.at_server().app.panics_at = None;
    stage
        .world
        .until("the rest", |world| world.clients[0].app.texts() == ["first", "good", "poison", "behind it"]);
    assert!(stage.world.at_server().app.disputes().is_empty());
}

#[test]
fn a_message_that_makes_the_clients_handler_panic_comes_again() {
    let mut stage = Stage::new();
    stage.world.clients[0].app.panics_at = Some(b"poison".to_vec());
    for text in ["poison", "behind it"] {
        stage.world.send(0, text.as_bytes());
    }
    for _ in 0..3 {
        until_it_panics(&mut stage);
    }
    stage.world.clients[0].app.panics_at = None;
    stage.world.until("the rest", |world| world.clients[0].app.texts() == ["first", "poison", "behind it"]);
    assert_eq!(stage.world.at_server().app.habit, Habit::Echo);
    stage.exchange("on we go");
}
