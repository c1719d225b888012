//! Logins under the name of a link that is in a group: the link is fetched, decided about, and given back.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use support::app::App;
use support::camp::Camp;
use support::{Seat, client, files, name};
use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_driver::{Carrier, Driver, Group, GroupId, RefusalCode};

carriers! {
    a_half_open_predecessor_is_taken_over_in_its_group,
    taking_over_again_and_again_with_moves_in_between_loses_and_repeats_nothing,
    a_takeover_that_goes_to_another_group_ends_the_connection_in_the_old_one_first,
    a_second_client_is_refused_and_the_link_stays_in_its_group_undisturbed,
    who_shows_another_session_is_refused_without_the_group,
    a_copy_is_refused_while_a_move_is_asked_for_and_both_are_done,
    a_login_waits_for_a_group_that_does_not_turn_and_is_answered_when_it_does,
    a_link_that_is_lent_after_the_logins_time_is_over_goes_back,
    a_login_that_crosses_with_the_end_of_the_connection_is_accepted,
    two_logins_that_wait_are_answered_in_order,
    a_link_that_is_decided_about_as_its_server_goes_ends_in_its_group,
    a_server_whose_handler_panics_while_it_decides_gives_the_link_back_untouched,
}

/// A link that runs through a cable.
fn cabled(carrier: Carrier) -> Camp {
    let mut camp = Camp::over(carrier);
    camp.stage.stop_client();
    let near = camp.stage.world.lay_cable(camp.stage.client.addresses[0]);
    camp.stage.client.addresses = vec![near];
    camp.stage.start_client(App::default());
    camp.stage.connected();
    for index in [0, 1] {
        camp.stage.world.at_group(index).app.notes.clear();
    }
    camp.stage.exchange("through the cable");
    camp
}

/// The client believes that its connection is cut, and the server's side does not know of it.
#[track_caller]
fn cut_off(camp: &mut Camp) {
    camp.stage.world.cables[0].last().cut_client();
    camp.stage.world.until("the client's notice", |world| !world.clients[0].driver.is_connected());
}

/// Whether this is how an old connection ends when a new one takes over.
fn is_end(carrier: Carrier, told: &str) -> bool {
    // Over shared memory it may be seen first, in the client's file, that the client has left.
    told == "Replaced" || (carrier == Carrier::Shm && told == "Cut")
}

/// Asserts that a group was told of a takeover, and of nothing else.
#[track_caller]
fn check_takeover(carrier: Carrier, story: &[String]) {
    assert!(matches!(story, [end, next] if is_end(carrier, end) && next == "Resumed"), "{story:?}");
}

fn a_half_open_predecessor_is_taken_over_in_its_group(carrier: Carrier) {
    let mut camp = cabled(carrier);
    let start = camp.stage.world.now;
    cut_off(&mut camp);
    camp.stage.world.send(0, b"meanwhile");
    camp.stage.connected();
    check_takeover(carrier, &camp.story(0));
    assert!(camp.own_story().is_empty() && camp.story(1).is_empty());
    assert!(camp.stage.world.now - start < Duration::from_secs(1), "without waiting for a silence");
    camp.stage.world.until("the reply", |world| world.clients[0].app.texts().ends_with(&["meanwhile"]));
    camp.stage.world.until("the old connection's end", |world| world.cables[0].wires[0].is_over());
    camp.stage.exchange("on we go");
    assert_eq!(camp.stage.world.at_server().driver.connections(), 1);
}

fn taking_over_again_and_again_with_moves_in_between_loses_and_repeats_nothing(carrier: Carrier) {
    let mut camp = cabled(carrier);
    camp.stage.world.clients[0].app.received.clear();
    for round in 0..30 {
        camp.stage.world.send(0, format!("before {round}").as_bytes());
        camp.stage.world.at_server().app.group = camp.groups[round / 3 % 2];
        let to = camp.groups[round % 2];
        let now = camp.stage.world.now;
        let seat = camp.stage.world.at_server();
        // It may be there already, or on its way.
        let _ = seat.driver.move_link(now, &name("client"), to, &mut seat.app);
        (0..round % 7).for_each(|_| camp.stage.world.turn());
        cut_off(&mut camp);
        camp.stage.world.send(0, format!("after {round}").as_bytes());
        camp.stage.connected();
    }
    camp.stage.world.until("all replies", |world| world.clients[0].app.received.len() >= 60);
    camp.stage.world.calm();
    let expected: Vec<String> =
        (0..30).flat_map(|round| [format!("before {round}"), format!("after {round}")]).collect();
    assert_eq!(camp.stage.world.clients[0].app.texts(), expected);
    let server = camp.stage.world.at_server();
    assert!(server.app.disputes().is_empty() && server.app.received.is_empty());
    check_pairs(&mut camp);
}

/// Each group was told of a link by turns that it is there and that it is not.
#[track_caller]
fn check_pairs(camp: &mut Camp) {
    for index in [0, 1] {
        // What was told before the first note that was not cleared is a beginning.
        let story = camp.story(index);
        let begins = |line: &String| line.starts_with("from") || line == "Resumed" || line == "Fresh";
        let odd = story.windows(2).find(|pair| begins(&pair[0]) == begins(&pair[1]));
        assert_eq!(odd, None, "{story:?}");
    }
}

fn a_takeover_that_goes_to_another_group_ends_the_connection_in_the_old_one_first(carrier: Carrier) {
    let mut camp = cabled(carrier);
    camp.stage.world.at_server().app.group = camp.groups[1];
    cut_off(&mut camp);
    camp.stage.connected();
    camp.stage.exchange("on we go");
    check_takeover(carrier, &[camp.story(0), camp.story(1)].concat());
    assert_eq!(camp.story(1), ["Resumed"]);
    assert_eq!(camp.whereabouts(), Some(camp.groups[1]));
}

/// Somebody else under the client's name, with nothing in his hands.
fn stranger(camp: &mut Camp) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut config = client(directory.path(), camp.stage.client.addresses[0]);
    config.carrier = CarrierWish::Auto;
    camp.stage.world.connect(config, App::default());
    directory
}

/// The client's name with a copy of its file, which was last connected to somebody else.
fn copy(camp: &mut Camp) -> tempfile::TempDir {
    const CURRENT: u64 = 1288;
    let directory = tempfile::tempdir().unwrap();
    camp.stage.ours.copy_to(directory.path());
    files::write_at(&files::client_file(directory.path()), CURRENT, &7_u64.to_le_bytes());
    let mut config = client(directory.path(), camp.stage.client.addresses[0]);
    config.carrier = CarrierWish::Auto;
    camp.stage.world.connect(config, App::default());
    directory
}

fn a_second_client_is_refused_and_the_link_stays_in_its_group_undisturbed(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let _directory = stranger(&mut camp);
    for round in 0..40 {
        camp.stage.world.send(0, format!("{round}").as_bytes());
        camp.stage.world.until("its echo", |world| world.clients[0].app.received.len() == round + 2);
        camp.stage.world.pass(Duration::from_millis(100));
    }
    let refusals = camp.stage.world.clients[1].app.refusals().len();
    assert!(refusals > 3, "{refusals}");
    let all = camp.stage.world.clients[1].app.refusals();
    assert!(all.iter().all(|refused| refused.refusal.code == RefusalCode::Busy), "{all:?}");
    assert_eq!(camp.stage.world.clients[0].app.story(), ["Fresh"]);
    assert_eq!(camp.story(0), ["Fresh"], "nobody there has noticed");
    assert!(camp.own_story().is_empty());
    assert_eq!(camp.whereabouts(), Some(camp.groups[0]));
}

fn who_shows_another_session_is_refused_without_the_group(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let group = pause(&mut camp, 0);
    let _directory = stranger(&mut camp);
    camp.stage.world.until("refusals", |world| world.clients[1].app.refusals().len() > 3);
    let all = camp.stage.world.clients[1].app.refusals();
    assert!(all.iter().all(|refused| refused.refusal.code == RefusalCode::Busy), "{all:?}");
    camp.stage.world.clients.truncate(1);
    camp.stage.world.groups[0] = Some(group);
    camp.stage.exchange("on we go");
    assert_eq!(camp.story(0), ["Fresh"]);
}

fn a_copy_is_refused_while_a_move_is_asked_for_and_both_are_done(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let _directory = copy(&mut camp);
    for round in 0..20 {
        let refused = camp.stage.world.clients[1].app.refusals().len();
        let now = camp.stage.world.now;
        let to = camp.groups[(round + 1) % 2];
        camp.stage.world.until("a login that waits, or an answer", |world| {
            let seat = world.at_server();
            seat.driver.move_link(now, &name("client"), to, &mut seat.app).unwrap();
            world.clients[1].app.refusals().len() > refused
        });
        camp.stage.world.until("the move", |world| world.at_group((round + 1) % 2).driver.connections() == 1);
    }
    camp.stage.exchange("on we go");
    let all = camp.stage.world.clients[1].app.refusals();
    assert!(all.iter().all(|refused| refused.refusal.code == RefusalCode::Busy), "{all:?}");
    check_pairs(&mut camp);
    assert_eq!(camp.story(0).len() + camp.story(1).len(), 1 + 2 * 20);
}

/// Takes the group's loop away for a while.
fn pause(camp: &mut Camp, index: usize) -> Seat<Group, App> {
    camp.stage.world.groups[index].take().unwrap()
}

fn a_login_waits_for_a_group_that_does_not_turn_and_is_answered_when_it_does(carrier: Carrier) {
    let mut camp = cabled(carrier);
    let group = pause(&mut camp, 0);
    cut_off(&mut camp);
    camp.stage.world.pass(Duration::from_secs(1));
    assert!(!camp.stage.world.clients[0].driver.is_connected());
    assert!(camp.stage.world.clients[0].app.refusals().is_empty());
    camp.stage.world.groups[0] = Some(group);
    let start = camp.stage.world.now;
    camp.stage.connected();
    assert!(camp.stage.world.now - start < Duration::from_secs(1));
    camp.stage.exchange("on we go");
    check_takeover(carrier, &camp.story(0));
}

fn a_link_that_is_lent_after_the_logins_time_is_over_goes_back(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let directory = copy(&mut camp);
    camp.stage.world.until("refusals", |world| world.clients[1].app.refusals().len() > 1);
    let before = camp.stage.world.clients[1].app.refusals().len();
    let group = pause(&mut camp, 0);
    // Longer than a login may take, several times, and shorter than the silence that would end the connection, were
    // it told the time.
    camp.stage.world.pass(Duration::from_secs(16));
    assert!(camp.stage.world.clients[1].app.refusals().len() <= before + 1, "nobody could decide");
    camp.stage.world.clients.truncate(1);
    drop(directory);
    camp.stage.world.groups[0] = Some(group);
    camp.stage.connected();
    camp.stage.exchange("on we go");
    assert_eq!(camp.whereabouts(), Some(camp.groups[0]));
    assert!(camp.own_story().is_empty(), "{:?}", camp.own_story());
}

fn a_login_that_crosses_with_the_end_of_the_connection_is_accepted(carrier: Carrier) {
    let mut camp = cabled(carrier);
    // The server hears of nothing until the group has ended the connection, and of the new login before that.
    let group = pause(&mut camp, 0);
    cut_off(&mut camp);
    camp.stage.world.pass(Duration::from_millis(500));
    camp.stage.world.cables[0].wires[0].cut();
    camp.stage.world.groups[0] = Some(group);
    let now = camp.stage.world.now;
    let seat = camp.stage.world.at_group(0);
    // Its timers and rings first, then its orders: the end is on its way when it is asked for the link.
    seat.driver.spin(now, &mut seat.app);
    camp.stage.connected();
    camp.stage.exchange("on we go");
    let story = camp.story(0);
    assert_eq!((story.len(), &story[1][..]), (2, "Resumed"), "{story:?}");
}

fn two_logins_that_wait_are_answered_in_order(carrier: Carrier) {
    let mut camp = cabled(carrier);
    let group = pause(&mut camp, 0);
    cut_off(&mut camp);
    camp.stage.world.pass(Duration::from_millis(400));
    // The first one is still there, as far as the server knows.
    camp.stage.world.cables[0].last().cut_client();
    camp.stage.world.pass(Duration::from_millis(400));
    let _directory = copy(&mut camp);
    camp.stage.world.pass(Duration::from_millis(400));
    camp.stage.world.groups[0] = Some(group);
    camp.stage.connected();
    camp.stage.world.until("a refusal", |world| world.clients[1].app.refusal(RefusalCode::Busy).is_some());
    camp.stage.world.until("peace", |world| {
        world.clients[0].driver.is_connected() && world.at_server().driver.connections() == 1
    });
    camp.stage.exchange("on we go");
    assert_eq!(camp.whereabouts(), Some(camp.groups[0]));
    check_pairs(&mut camp);
    assert_ne!(camp.groups[0], GroupId::SERVER);
}

fn a_link_that_is_decided_about_as_its_server_goes_ends_in_its_group(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let _directory = copy(&mut camp);
    camp.stage.world.at_server().app.panics_when = Some("refused");
    let outcome = catch_unwind(AssertUnwindSafe(|| camp.stage.world.until("a panic", |_| false)));
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "as it was told");
    camp.stage.world.server = None;
    camp.stage.world.until("the end", |world| world.at_group(0).driver.is_stopped());
    assert_eq!(camp.story(0), ["Fresh", "ShutDown"]);
}

fn a_server_whose_handler_panics_while_it_decides_gives_the_link_back_untouched(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let _directory = copy(&mut camp);
    camp.stage.world.until("a refusal", |world| world.clients[1].app.refusals().len() == 1);
    camp.stage.world.at_server().app.panics_when = Some("refused");
    camp.stage.world.tick = Duration::from_millis(1);
    let mut sent = 1;
    // What is under way when it panics is for the group, not for the server that has the link in its hands.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        camp.stage.world.until("a panic", |world| {
            if world.clients[0].app.received.len() as u64 == sent {
                world.send(0, b"under way");
                sent += 1;
            }
            false
        });
    }));
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "as it was told");
    camp.stage.world.tick = Duration::ZERO;
    camp.stage.world.at_server().app.panics_when = None;
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    server.driver.poll(&mut server.app);
    server.driver.spin(now, &mut server.app);
    assert!(server.app.received.is_empty());
    camp.stage.world.clients.truncate(1);
    camp.stage.world.calm();
    camp.stage.exchange("on we go");
    assert_eq!(camp.stage.world.clients[0].app.story(), ["Fresh"]);
    assert_eq!(camp.story(0), ["Fresh"]);
    assert!(camp.own_story().is_empty() && camp.stage.world.at_server().app.received.is_empty());
    assert_eq!(camp.whereabouts(), Some(camp.groups[0]));
}
