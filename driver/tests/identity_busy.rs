//! A second process under a name that is live: it is told so, and the live link notices nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::client;
use support::files::Home;
use support::stage::Stage;
use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_driver::{Carrier, ClientConfig, Outcome, RefusalCode};
use tempfile::TempDir;

carriers! {
    a_second_client_is_refused_as_busy_and_the_live_link_is_not_disturbed,
    a_second_client_waits_at_most_the_longest_back_off_between_attempts,
    after_the_first_client_ended_the_second_starts_anew_and_both_sides_are_told,
    two_clients_of_one_name_with_different_servers_do_not_meet,
}

fn second_client(stage: &Stage) -> (TempDir, ClientConfig) {
    let directory = tempfile::tempdir().unwrap();
    let mut config = client(directory.path(), stage.client.addresses[0]);
    // The directory of the first is locked, and shared memory cannot be had with another one.
    config.carrier = CarrierWish::Auto;
    (directory, config)
}

fn a_second_client_is_refused_as_busy_and_the_live_link_is_not_disturbed(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let (_directory, config) = second_client(&stage);
    let before = [&stage.ours, &stage.theirs].map(Home::contents);
    stage.world.connect(config, App::default());
    stage.world.until("refusals", |world| world.clients[1].app.refusals().len() == 5);
    assert_eq!([&stage.ours, &stage.theirs].map(Home::contents), before);

    let [first, second] = &stage.world.clients[..] else { panic!("two clients") };
    assert!(second.app.refusals().iter().all(|refused| refused.refusal.code == RefusalCode::Busy));
    assert!(second.app.disputes().is_empty() && second.app.outcomes().is_empty());
    assert_eq!(first.app.story(), ["Fresh"]);
    let server = stage.world.at_server();
    assert_eq!(server.app.story(), ["Fresh"]);
    assert!(server.app.disputes().is_empty(), "there is nothing to decide about a live link");
    assert!(server.app.refusals().iter().all(|refused| refused.by_us), "{:?}", server.app.refusals());
    stage.exchange("on we go");
}

fn a_second_client_waits_at_most_the_longest_back_off_between_attempts(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let (_directory, config) = second_client(&stage);
    stage.world.connect(config, App::default());
    stage.world.pass(Duration::from_secs(30));
    let attempts = stage.world.clients[1].app.refusals().len();
    // Half a second on average, once the back-off has grown.
    assert!((30..200).contains(&attempts), "{attempts} attempts in 30 s");
    stage.exchange("on we go");
}

fn after_the_first_client_ended_the_second_starts_anew_and_both_sides_are_told(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let (_directory, config) = second_client(&stage);
    stage.world.connect(config, App::default());
    stage.world.until("a refusal", |world| !world.clients[1].app.refusals().is_empty());
    stage.world.clients.remove(0);
    stage.connected();
    let (server, client) = stage.world.both();
    assert_eq!(client.app.story(), ["reset", "Reset"]);
    assert_eq!(server.app.story(), ["Fresh", "Cut", "reset", "Reset"]);
    assert_eq!(server.driver.files().kept(None).unwrap().len(), 1);
    stage.exchange("on we go");
}

#[test]
fn a_cloned_client_takes_the_link_at_most_once_and_the_two_are_not_served_by_turns() {
    let mut stage = Stage::new();
    let (directory, config) = second_client(&stage);
    stage.ours.copy_to(directory.path());
    stage.world.connect(config, App::default());
    // In no way can it be told from the original, until one of them goes on.
    stage.world.until("the clone", |world| world.clients[1].driver.is_connected());
    stage.world.pass(Duration::from_secs(30));
    let [first, second] = &stage.world.clients[..] else { panic!("two clients") };
    assert_eq!(second.app.story(), ["Resumed"]);
    assert_eq!(first.app.story(), ["Fresh", "ByPeer(Replaced)"]);
    assert!(first.app.refusals().iter().all(|refused| refused.refusal.code == RefusalCode::Busy));
    assert_eq!(stage.world.at_server().app.story(), ["Fresh", "Replaced", "Resumed"]);
    stage.world.clients.swap(0, 1);
    stage.exchange("on we go");
}

/// What the original has in hand lies in the server's memory: the clone must not say that it was consumed.
#[test]
fn a_cloned_client_is_refused_while_the_original_is_on_shared_memory() {
    for wish in [CarrierWish::Auto, CarrierWish::Tcp] {
        let mut stage = Stage::over(Carrier::Shm);
        let (directory, mut config) = second_client(&stage);
        config.carrier = wish;
        stage.world.clients[0].app.habit = Habit::Hold;
        stage.world.answer(b"in hand");
        stage.world.until("the message", |world| world.clients[0].app.held.len() == 1);
        stage.ours.copy_to(directory.path());
        stage.world.connect(config, App::default());
        stage.world.until("refusals", |world| world.clients[1].app.refusals().len() == 5);

        let [first, second] = &mut stage.world.clients[..] else { panic!("two clients") };
        assert!(second.app.refusals().iter().all(|refused| refused.refusal.code == RefusalCode::Busy));
        assert!(second.app.outcomes().is_empty());
        assert_eq!(first.app.story(), ["Fresh"]);
        let mut link = first.driver.link(stage.world.now).unwrap();
        let received = link.redeem(first.app.held.remove(0)).unwrap();
        assert_eq!(received.payload(), b"in hand");
        link.consume(received).unwrap();
        drop(link);
        first.app.habit = Habit::Consume;
        stage.exchange("on we go");
    }
}

fn two_clients_of_one_name_with_different_servers_do_not_meet(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let mut other = Stage::over_with(carrier, |server, client| {
        server.link.name = "another".parse().unwrap();
        client.link.name = "client".parse().unwrap();
    });
    other.exchange("there");
    stage.exchange("here");
    assert_eq!(stage.world.at_server().app.outcomes(), [Outcome::Fresh]);
    assert_eq!(stage.world.at_server().app.habit, Habit::Echo);
}
