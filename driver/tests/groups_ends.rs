//! Groups that are dropped, shut down or panic, and servers that end while links are in groups: every link is found again.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use support::app::{App, Habit};
use support::camp::Camp;
use support::name;
use tcpshm_driver::{Carrier, Driver, GroupId, Server};

carriers! {
    the_links_of_a_group_that_is_dropped_come_back_at_once_elsewhere,
    what_a_dropped_groups_application_held_comes_again,
    a_link_on_its_way_to_a_group_that_is_dropped_is_told_to_the_server_and_comes_again,
    a_link_that_is_lent_or_to_be_ended_while_its_group_is_dropped_is_not_lost,
    a_login_that_waits_for_a_link_of_a_dropped_group_is_accepted,
    a_group_that_is_shut_down_tells_its_handler_and_leaves_the_sessions_open,
    a_server_that_is_shut_down_stops_its_groups_and_leaves_everything_in_the_files,
    a_link_that_is_lent_as_its_server_ends_ends_in_its_group,
    a_server_that_is_dropped_stops_its_groups,
    a_link_that_leaves_as_its_server_ends_is_told_to_be_back_before_its_end,
    a_link_that_is_asked_for_as_its_server_ends_ends_in_its_group,
    a_group_that_is_dropped_when_its_server_has_ended_leaves_the_files_whole,
    a_handler_that_panics_in_a_group_ends_one_connection,
    a_handler_that_panics_as_a_link_comes_goes_or_ends_loses_no_link,
}

fn the_links_of_a_group_that_is_dropped_come_back_at_once_elsewhere(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.at_server().app.group = camp.groups[1];
    camp.stage.world.groups[0] = None;
    let start = camp.stage.world.now;
    camp.stage.world.until("the end", |world| !world.clients[0].app.endings().is_empty());
    camp.stage.connected();
    camp.stage.exchange("on we go");
    assert!(camp.stage.world.now - start < Duration::from_secs(2));
    assert_eq!(camp.own_story(), ["group 1 gone", "GroupGone", "client closed"]);
    assert_eq!(camp.story(1), ["Resumed"]);
}

fn what_a_dropped_groups_application_held_comes_again(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.at_group(0).app.habit = Habit::Hold;
    for text in ["one", "two"] {
        camp.stage.world.send(0, text.as_bytes());
    }
    camp.stage.world.until("both", |world| world.at_group(0).app.held.len() == 2);
    camp.stage.world.at_server().app.group = camp.groups[1];
    camp.stage.world.groups[0] = None;
    camp.stage.world.until("both", |world| world.clients[0].app.texts() == ["first", "one", "two"]);
    assert_eq!(camp.stage.world.at_group(1).app.texts(), ["one", "two"]);
}

/// A group to which a link is under way, with nobody to take it.
fn under_way(carrier: Carrier) -> Camp {
    let mut camp = Camp::over(carrier);
    camp.stage.stop_client();
    let group = camp.stage.world.groups[0].take();
    camp.stage.start_client(App::default());
    camp.stage.world.pass(Duration::from_secs(1));
    assert!(!camp.stage.world.clients[0].driver.is_connected());
    assert_eq!(camp.whereabouts(), Some(camp.groups[0]));
    camp.stage.world.groups[0] = group;
    camp
}

fn a_link_on_its_way_to_a_group_that_is_dropped_is_told_to_the_server_and_comes_again(carrier: Carrier) {
    let mut camp = under_way(carrier);
    camp.stage.world.at_server().app.group = camp.groups[1];
    camp.stage.world.groups[0] = None;
    camp.stage.connected();
    camp.stage.exchange("on we go");
    assert_eq!(camp.own_story(), ["group 1 gone", "Resumed", "GroupGone", "client closed"]);
    assert_eq!(camp.story(1), ["Resumed"]);
}

/// A link, the loop of its group taken away, and a login under its name that waits.
fn waited_for(carrier: Carrier) -> Camp {
    let mut camp = Camp::over(carrier);
    camp.stage.stop_client();
    let near = camp.stage.world.lay_cable(camp.stage.client.addresses[0]);
    camp.stage.client.addresses = vec![near];
    camp.stage.start_client(App::default());
    camp.stage.connected();
    camp.stage.exchange("through the cable");
    camp.stage.world.at_group(0).app.notes.clear();
    let group = camp.stage.world.groups[0].take();
    camp.stage.world.cables[0].last().cut_client();
    camp.stage.world.until("the notice", |world| !world.clients[0].driver.is_connected());
    camp.stage.world.pass(Duration::from_millis(500));
    assert!(!camp.stage.world.clients[0].driver.is_connected());
    camp.stage.world.groups[0] = group;
    camp
}

fn a_login_that_waits_for_a_link_of_a_dropped_group_is_accepted(carrier: Carrier) {
    let mut camp = waited_for(carrier);
    camp.stage.world.at_server().app.group = camp.groups[1];
    camp.stage.world.groups[0] = None;
    let start = camp.stage.world.now;
    camp.stage.connected();
    assert!(camp.stage.world.now - start < Duration::from_secs(1));
    camp.stage.exchange("on we go");
    assert_eq!(camp.own_story(), ["group 1 gone", "GroupGone", "client closed"]);
    assert_eq!(camp.story(1), ["Resumed"]);
}

fn a_link_that_is_lent_or_to_be_ended_while_its_group_is_dropped_is_not_lost(carrier: Carrier) {
    for turns_of_the_group in 1..=3 {
        for turns_of_the_server in 0..=2 {
            let mut camp = waited_for(carrier);
            camp.stage.world.at_server().app.group = camp.groups[1];
            let now = camp.stage.world.now;
            for _ in 0..turns_of_the_group {
                let group = camp.stage.world.at_group(0);
                group.driver.handle_timeout(now, &mut group.app);
                for _ in 0..turns_of_the_server {
                    let server = camp.stage.world.at_server();
                    server.driver.handle_timeout(now, &mut server.app);
                }
            }
            camp.stage.world.groups[0] = None;
            camp.stage.connected();
            camp.stage.exchange("on we go");
            assert_eq!(camp.stage.world.at_server().driver.connections(), 1);
            assert_eq!(camp.whereabouts(), Some(camp.groups[1]));
        }
    }
}

fn a_group_that_is_shut_down_tells_its_handler_and_leaves_the_sessions_open(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.at_group(0).app.habit = Habit::Hold;
    camp.stage.world.send(0, b"held");
    camp.stage.world.until("it", |world| world.at_group(0).app.held.len() == 1);
    let now = camp.stage.world.now;
    let group = camp.stage.world.at_group(0);
    group.driver.shut_down(now, &mut group.app);
    assert!(group.driver.is_stopped() && group.driver.connections() == 0);
    assert_eq!(camp.story(0), ["Fresh", "ShutDown"]);
    camp.stage.world.at_server().app.group = camp.groups[1];
    camp.stage.world.until("the end", |world| world.clients[0].app.endings() == ["ByPeer(ShuttingDown)"]);
    camp.stage.connected();
    assert_eq!(camp.story(1), ["Resumed"]);
    assert_eq!(camp.own_story(), ["group 1 gone"]);
    // What was held is still good.
    let held = camp.stage.world.at_group(0).app.held.pop().unwrap();
    let now = camp.stage.world.now;
    let mut link = camp.stage.world.at_group(1).driver.link(now, &name("client")).unwrap();
    let received = link.redeem(held).unwrap();
    link.consume(received).unwrap();
    drop(link);
    camp.stage.exchange("on we go");
}

fn a_server_that_is_shut_down_stops_its_groups_and_leaves_everything_in_the_files(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let now = camp.stage.world.now;
    let mut link = camp.stage.world.at_group(0).driver.link(now, &name("client")).unwrap();
    link.send(support::kind(2), b"in the file").unwrap();
    drop(link);
    let server = camp.stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    camp.stage.world.server = None;
    let busy = Server::bind(camp.stage.server.clone());
    assert!(busy.is_err(), "its groups have links of it");
    camp.stage
        .world
        .until("their end", |world| world.groups.iter().flatten().all(|seat| seat.driver.is_stopped()));
    assert_eq!(camp.story(0), ["Fresh", "ShutDown"]);
    camp.stage.world.groups.clear();
    camp.stage.start_server(App::with(Habit::Echo));
    camp.stage.world.until("it", |world| world.clients[0].app.texts() == ["first", "in the file"]);
    camp.stage.exchange("on we go");
}

fn a_link_that_leaves_as_its_server_ends_is_told_to_be_back_before_its_end(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let [first, second] = camp.groups;
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    server.driver.move_link(now, &name("client"), second, &mut server.app).unwrap();
    server.driver.shut_down(now, &mut server.app);
    camp.stage.world.until("the end", |world| world.at_group(0).driver.is_stopped());
    let told = ["Fresh".to_owned(), format!("to {second}"), format!("from {first}"), "ShutDown".to_owned()];
    assert_eq!(camp.story(0), told);
    assert!(camp.story(1).is_empty() && camp.own_story().is_empty());
}

fn a_link_that_is_asked_for_as_its_server_ends_ends_in_its_group(carrier: Carrier) {
    let mut camp = waited_for(carrier);
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    let group = camp.stage.world.at_group(0);
    group.driver.handle_timeout(now, &mut group.app);
    assert!(group.driver.is_stopped());
    assert_eq!(camp.story(0), ["ShutDown"]);
    assert!(camp.own_story().is_empty());
}

fn a_link_that_is_lent_as_its_server_ends_ends_in_its_group(carrier: Carrier) {
    let mut camp = waited_for(carrier);
    let now = camp.stage.world.now;
    let group = camp.stage.world.at_group(0);
    group.driver.handle_timeout(now, &mut group.app);
    assert_eq!(group.driver.connections(), 0, "it is on its way to the server");
    let server = camp.stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    let group = camp.stage.world.at_group(0);
    group.driver.handle_timeout(now, &mut group.app);
    assert!(group.driver.is_stopped());
    assert_eq!(camp.story(0), ["ShutDown"]);
    assert!(camp.own_story().is_empty());
}

fn a_server_that_is_dropped_stops_its_groups(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.server = None;
    camp.stage
        .world
        .until("their end", |world| world.groups.iter().flatten().all(|seat| seat.driver.is_stopped()));
    assert_eq!(camp.story(0), ["Fresh", "ShutDown"]);
    // They do nothing, and no harm.
    camp.stage.world.pass(Duration::from_secs(1));
    camp.stage.start_server(App::with(Habit::Echo));
    camp.stage.connected();
    camp.stage.exchange("on we go");
}

fn a_group_that_is_dropped_when_its_server_has_ended_leaves_the_files_whole(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let now = camp.stage.world.now;
    let mut link = camp.stage.world.at_group(0).driver.link(now, &name("client")).unwrap();
    link.send(support::kind(2), b"in the file").unwrap();
    drop(link);
    let file = support::files::server_file(camp.stage.theirs.path());
    std::fs::remove_file(&file).unwrap();
    let server = camp.stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    camp.stage.world.server = None;
    // Without another turn.
    camp.stage.world.groups.clear();
    assert!(file.exists());
    camp.stage.start_server(App::with(Habit::Echo));
    camp.stage.world.until("it", |world| world.clients[0].app.texts() == ["first", "in the file"]);
}

#[test]
fn a_group_of_a_server_that_was_shut_down_is_stopped_from_the_start() {
    let mut camp = Camp::over(Carrier::Tcp);
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    camp.stage.world.group(App::default());
    camp.stage.world.until("its end", |world| world.at_group(2).driver.is_stopped());
}

/// Turns the world as a host does that survives its handlers.
#[track_caller]
fn until_it_panics(camp: &mut Camp) {
    let outcome = catch_unwind(AssertUnwindSafe(|| camp.stage.world.until("a panic", |_| false)));
    let message = *outcome.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "as it was told");
}

fn a_handler_that_panics_in_a_group_ends_one_connection(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.at_group(0).app.panics_at = Some(b"poison".to_vec());
    for text in ["good", "poison", "behind it"] {
        camp.stage.world.send(0, text.as_bytes());
    }
    until_it_panics(&mut camp);
    camp.stage.world.until("the end", |world| !world.at_group(0).app.endings().is_empty());
    assert_eq!(camp.story(0), ["Fresh", "HandlerPanicked"]);
    let unconsumed = camp.stage.world.at_group(0).app.notes.iter().find_map(|note| match note {
        support::app::Note::Unconsumed(position) => Some(*position),
        _ => None,
    });
    // Its session is the server's by now.
    camp.stage.world.until("its coming", |world| {
        world.at_server().driver.group_of(&name("client")) == Some(GroupId::SERVER)
    });
    let now = camp.stage.world.now;
    let server = &mut camp.stage.world.at_server().driver;
    server.link(now, &name("client")).unwrap().consume_through(unconsumed.unwrap()).unwrap();
    camp.stage.connected();
    camp.stage.world.until("the rest", |world| world.clients[0].app.texts().ends_with(&["behind it"]));
    camp.stage.exchange("on we go");
}

fn a_handler_that_panics_as_a_link_comes_goes_or_ends_loses_no_link(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let [first, second] = camp.groups;
    // As it comes from a login.
    camp.stage.stop_client();
    camp.stage.world.at_group(0).app.panics_when = Some("connected");
    camp.stage.start_client(App::default());
    until_it_panics(&mut camp);
    camp.stage.world.at_group(0).app.panics_when = None;
    camp.stage.world.until("the end", |world| world.at_group(0).app.endings().contains(&"HandlerPanicked"));
    camp.stage.connected();
    camp.stage.exchange("one");
    // As it goes, and as it comes from a group.
    for (index, when) in [(0, "departing"), (1, "arrived")] {
        camp.stage.world.at_group(index).app.panics_when = Some(when);
        let now = camp.stage.world.now;
        let seat = camp.stage.world.at_server();
        seat.driver.move_link(now, &name("client"), second, &mut seat.app).unwrap();
        until_it_panics(&mut camp);
        camp.stage.world.at_group(index).app.panics_when = None;
        camp.stage.world.until("the end", |world| {
            world.clients[0].app.endings().len() == index + 1 && world.clients[0].driver.is_connected()
        });
        camp.stage.exchange("two");
        assert_eq!(camp.whereabouts(), Some(first), "the login goes where the handler says");
    }
    // As it ends.
    camp.stage.world.at_group(0).app.panics_when = Some("disconnected");
    camp.stage.world.clients.clear();
    until_it_panics(&mut camp);
    camp.stage.world.at_group(0).app.panics_when = None;
    camp.stage.start_client(App::default());
    camp.stage.connected();
    camp.stage.exchange("three");
    assert_eq!(camp.stage.world.at_server().driver.connections(), 1);
    assert!(camp.own_story().is_empty(), "{:?}", camp.own_story());
}
