//! A handler that panics takes one connection with it, and no message.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::app::{App, Habit, Note};
use support::stage::Stage;
use support::{client, name};
use tcpshm_driver::{Carrier, Delivered, Driver};

carriers! {
    a_panic_ends_one_connection_and_leaves_the_message_to_be_stepped_over,
    a_message_that_made_a_handler_panic_comes_again_after_a_restart,
    a_client_survives_its_handler_too,
}

/// Turns the world as a host does that survives its handlers.
#[track_caller]
fn until_it_panics(stage: &mut Stage) {
    let outcome = catch_unwind(AssertUnwindSafe(|| stage.world.until("a panic", |_| false)));
    let message = *outcome.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "as it was told");
}

/// Where the message ends that was told to be unconsumed.
#[track_caller]
fn unconsumed(app: &App) -> Delivered {
    let told = app.notes.iter().filter_map(|note| match note {
        Note::Unconsumed(position) => Some(*position),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1);
    told[0]
}

fn a_panic_ends_one_connection_and_leaves_the_message_to_be_stepped_over(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let directory = tempfile::tempdir().unwrap();
    let mut other = client(directory.path(), stage.client.addresses[0]);
    other.link.name = "other".parse().unwrap();
    stage.world.connect(other, App::default());
    stage.world.until("the other link", |world| world.clients[1].driver.is_connected());

    stage.world.at_server().app.panics_at = Some(b"poison".to_vec());
    for text in ["good", "poison", "behind it"] {
        stage.world.send(0, text.as_bytes());
    }
    until_it_panics(&mut stage);
    stage.world.until("the end", |world| !world.at_server().app.endings().is_empty());
    let now = stage.world.now;
    let server = stage.world.at_server();
    assert_eq!(server.app.endings(), ["HandlerPanicked"]);
    let position = unconsumed(&server.app);
    server.driver.link(now, &name("client")).unwrap().consume_through(position).unwrap();

    stage.world.until("the rest", |world| world.clients[0].app.texts() == ["first", "good", "behind it"]);
    stage.world.send(1, b"and me?");
    stage.world.until("the other's reply", |world| world.clients[1].app.texts() == ["and me?"]);
    assert!(stage.world.clients[1].app.endings().is_empty());
    assert!(stage.world.at_server().app.disputes().is_empty());
}

fn a_message_that_made_a_handler_panic_comes_again_after_a_restart(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.at_server().app.panics_at = Some(b"poison".to_vec());
    for text in ["poison", "behind it"] {
        stage.world.send(0, text.as_bytes());
    }
    for _ in 0..3 {
        until_it_panics(&mut stage);
        stage.world.server = None;
        stage.start_server(App { panics_at: Some(b"poison".to_vec()), ..App::with(Habit::Echo) });
    }
    stage.world.at_server().app.panics_at = None;
    stage.world.until("the rest", |world| world.clients[0].app.texts() == ["first", "poison", "behind it"]);
}

fn a_client_survives_its_handler_too(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.clients[0].app.panics_at = Some(b"poison".to_vec());
    for text in ["poison", "behind it"] {
        stage.world.send(0, text.as_bytes());
    }
    until_it_panics(&mut stage);
    stage.world.until("the end", |world| !world.clients[0].app.endings().is_empty());
    assert_eq!(stage.world.clients[0].app.endings(), ["HandlerPanicked"]);
    let (now, position) = (stage.world.now, unconsumed(&stage.world.clients[0].app));
    stage.world.clients[0].driver.link(now).unwrap().consume_through(position).unwrap();
    stage.world.until("the rest", |world| world.clients[0].app.texts() == ["first", "behind it"]);
    stage.exchange("on we go");
}

#[test]
fn a_panic_over_shared_memory_is_not_forgotten_for_the_end_of_another_link() {
    let mut stage = Stage::over(Carrier::Shm);
    let directory = tempfile::tempdir().unwrap();
    let mut other = client(directory.path(), stage.client.addresses[0]);
    other.link.name = "other".parse().unwrap();
    stage.world.connect(other, App::default());
    stage.world.until("the other link", |world| world.clients[1].driver.is_connected());

    stage.world.at_server().app.panics_at = Some(b"poison".to_vec());
    stage.world.send(0, b"poison");
    until_it_panics(&mut stage);
    // The host goes on, and the first that it does is to see that the other client has gone without a word.
    stage.world.clients.truncate(1);
    let now = stage.world.now;
    let server = stage.world.at_server();
    for _ in 0..1000 {
        server.driver.spin(now, &mut server.app);
        if server.app.endings().len() == 2 {
            break;
        }
    }
    let mut endings = server.app.endings();
    endings.sort_unstable();
    assert_eq!(endings, ["Cut", "HandlerPanicked"]);
    unconsumed(&server.app);
}
