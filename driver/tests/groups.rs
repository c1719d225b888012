//! Links of one server in groups of their own, told and served there, and moved from one to another.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit, Note};
use support::camp::Camp;
use support::{client, name};
use tcpshm_driver::{Carrier, Group, GroupId, MoveError, Outcome, RefusalCode, Server};

carriers! {
    a_link_is_told_and_served_in_the_group_that_the_handler_names,
    a_group_that_is_not_there_is_taken_for_the_servers_own,
    a_reset_is_told_in_the_group_and_before_the_connection,
    a_link_that_lost_its_connection_is_the_servers_and_goes_where_the_next_login_is_sent,
    links_in_groups_count_as_links,
    a_link_moves_with_its_connection_and_both_groups_are_told,
    a_link_moves_into_a_group_and_out_again,
    a_held_message_is_good_in_the_next_group,
    moves_that_are_asked_for_at_once_are_made_one_after_the_other,
    a_move_on_from_the_server_that_is_asked_for_before_it_is_there_is_made,
    a_link_that_closes_as_it_comes_ends_in_its_group,
    the_files_of_a_link_in_a_group_are_watched,
}

/// What has to be so for a group to have a thread of its own.
fn can_be_sent<T: Send>() {}

#[test]
fn a_server_and_its_groups_can_be_sent_to_threads() {
    can_be_sent::<Server>();
    can_be_sent::<Group>();
    let mut camp = Camp::over(Carrier::Tcp);
    assert!(camp.groups[0] != camp.groups[1] && camp.groups[0] != GroupId::SERVER);
    let ids: Vec<_> = camp.stage.world.groups.iter_mut().flatten().map(|seat| seat.driver.id()).collect();
    assert_eq!(ids, camp.groups);
}

fn a_link_is_told_and_served_in_the_group_that_the_handler_names(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.exchange("second");
    assert_eq!(camp.story(0), ["Fresh"]);
    assert!(camp.story(1).is_empty() && camp.own_story().is_empty());
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    assert_eq!(server.driver.connections(), 1);
    assert!(server.driver.link(now, &name("client")).is_none());
    assert!(server.driver.open_link(now, &name("client")).unwrap().is_none());
    assert!(server.app.received.is_empty());
    let group = camp.stage.world.at_group(0);
    assert_eq!((group.driver.connections(), group.app.texts()), (1, vec!["first", "second"]));
    assert_eq!(group.app.carriers(), [carrier]);
    let mut link = group.driver.link(now, &name("client")).unwrap();
    link.send(support::kind(2), b"from the host").unwrap();
    drop(link);
    camp.stage.world.until("it", |world| world.clients[0].app.texts().ends_with(&["from the host"]));
    assert!(camp.stage.world.at_group(1).driver.link(now, &name("client")).is_none());
}

fn a_group_that_is_not_there_is_taken_for_the_servers_own(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.stop_client();
    camp.stage.world.groups[0] = None;
    camp.stage.world.at_server().app.habit = Habit::Echo;
    camp.stage.start_client(App::default());
    camp.stage.connected();
    camp.stage.exchange("on we go");
    assert_eq!(camp.own_story(), ["group 1 gone", "Resumed"]);
    assert_eq!(camp.whereabouts(), Some(GroupId::SERVER));
}

fn a_reset_is_told_in_the_group_and_before_the_connection(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.stop_client();
    camp.stage.ours.delete();
    camp.stage.start_client(App::default());
    camp.stage.connected();
    camp.stage.exchange("anew");
    assert_eq!(camp.story(0)[2..], ["reset", "Reset"]);
    let report = camp.stage.world.at_group(0).app.resets()[0].clone();
    assert!(report.ended.is_some() && report.kept.is_some(), "{report:?}");
    let own = &camp.stage.world.at_server().app;
    assert!(own.resets().is_empty() && own.disputes().len() == 1, "decisions are the server's");
}

fn a_link_that_lost_its_connection_is_the_servers_and_goes_where_the_next_login_is_sent(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.stop_client();
    assert_eq!(camp.story(0).len(), 2);
    assert_eq!(camp.whereabouts(), Some(GroupId::SERVER));
    camp.stage.world.answer(b"while it is away");
    camp.stage.world.at_server().app.group = camp.groups[1];
    camp.stage.start_client(App::default());
    camp.stage.world.until("it", |world| world.clients[0].app.texts() == ["while it is away"]);
    camp.stage.exchange("second");
    assert_eq!(camp.story(1), ["Resumed"]);
    assert_eq!(camp.whereabouts(), Some(camp.groups[1]));
    assert_eq!(camp.story(0).len(), 2);
}

fn links_in_groups_count_as_links(carrier: Carrier) {
    let mut camp = Camp::over_with(carrier, |server, _| server.max_links = 1);
    let directory = tempfile::tempdir().unwrap();
    let mut other = client(directory.path(), camp.stage.client.addresses[0]);
    other.link.name = name("other");
    camp.stage.world.connect(other, App::default());
    camp.stage.world.until("a refusal", |world| world.clients[1].app.refusals().len() == 2);
    assert!(camp.stage.world.clients[1].app.refusal(RefusalCode::Overloaded).is_some());
    camp.stage.exchange("second");
    camp.stage.world.clients.remove(0);
    camp.stage.world.until("its place", |world| world.clients[0].driver.is_connected());
    assert_eq!(camp.stage.world.at_group(0).app.outcomes(), [Outcome::Fresh, Outcome::Fresh]);
}

fn a_link_moves_with_its_connection_and_both_groups_are_told(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let [first, second] = camp.groups;
    camp.stage.world.send(0, b"before");
    camp.move_to(second);
    camp.stage.world.until("the echo", |world| world.clients[0].app.texts().ends_with(&["before"]));
    camp.stage.exchange("after");
    assert_eq!(camp.story(0), ["Fresh".to_owned(), format!("to {second}")]);
    assert_eq!(camp.story(1), [format!("from {first}")]);
    assert_eq!(camp.stage.world.clients[0].app.story(), ["Fresh"], "the client has seen nothing");
    assert_eq!(camp.whereabouts(), Some(second));
    let texts = camp.stage.world.at_group(1).app.texts().join(" ");
    assert!(texts.ends_with("after"), "{texts}");
}

fn a_link_moves_into_a_group_and_out_again(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.at_server().app.habit = Habit::Echo;
    camp.move_to(GroupId::SERVER);
    camp.stage.exchange("at home");
    assert_eq!(camp.own_story(), [format!("from {}", camp.groups[0])]);
    let now = camp.stage.world.now;
    assert!(camp.stage.world.at_server().driver.link(now, &name("client")).is_some());
    camp.move_to(camp.groups[1]);
    camp.stage.exchange("abroad");
    assert_eq!(camp.own_story()[1..], [format!("to {}", camp.groups[1])]);
    assert_eq!(camp.story(1), [format!("from {}", GroupId::SERVER)]);
    assert_eq!(camp.stage.world.at_server().driver.connections(), 1);
    camp.stage.stop_client();
    assert_eq!(camp.story(1).len(), 2);
}

fn a_held_message_is_good_in_the_next_group(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.at_group(0).app.habit = Habit::Hold;
    camp.stage.world.at_group(1).app.habit = Habit::Hold;
    camp.stage.world.send(0, b"held");
    camp.stage.world.until("it", |world| world.at_group(0).app.held.len() == 1);
    camp.move_to(camp.groups[1]);
    // The application passes on what it has of the link.
    let held = camp.stage.world.at_group(0).app.held.pop().unwrap();
    let now = camp.stage.world.now;
    let mut link = camp.stage.world.at_group(1).driver.link(now, &name("client")).unwrap();
    assert_eq!(link.held(), 1);
    let received = link.redeem(held).unwrap();
    assert_eq!(received.payload(), b"held");
    link.consume(received).unwrap();
    drop(link);
    camp.stage.world.calm();
    let now = camp.stage.world.now;
    let left = camp.stage.world.clients[0].driver.link(now).unwrap().undelivered();
    assert_eq!(left.messages, 0, "the client knows that it is consumed");
}

fn moves_that_are_asked_for_at_once_are_made_one_after_the_other(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let [first, second] = camp.groups;
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    for group in [second, first, second, first] {
        server.driver.move_link(now, &name("client"), group, &mut server.app).unwrap();
    }
    camp.stage.world.until("the last one", |world| {
        world.at_group(1).app.story().len() == 2 && world.at_group(0).driver.connections() == 1
    });
    camp.stage.exchange("on we go");
    assert_eq!(camp.story(0), ["Fresh".to_owned(), format!("to {second}"), format!("from {second}")]);
    assert_eq!(camp.story(1), [format!("from {first}"), format!("to {first}")]);
}

fn a_move_on_from_the_server_that_is_asked_for_before_it_is_there_is_made(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let [first, second] = camp.groups;
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    for to in [GroupId::SERVER, second] {
        server.driver.move_link(now, &name("client"), to, &mut server.app).unwrap();
    }
    camp.stage.world.until("the second one", |world| world.at_group(1).driver.connections() == 1);
    camp.stage.exchange("on we go");
    let own = GroupId::SERVER;
    assert_eq!(camp.story(0), ["Fresh".to_owned(), format!("to {own}")]);
    assert_eq!(camp.own_story(), [format!("from {first}"), format!("to {second}")]);
    assert_eq!(camp.story(1), [format!("from {own}")]);
}

#[test]
fn a_link_that_is_not_connected_and_a_group_that_is_gone_are_told() {
    let mut camp = Camp::over(Carrier::Tcp);
    let [first, second] = camp.groups;
    camp.stage.world.groups[1] = None;
    camp.stage.world.calm();
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    let mut ask =
        |peer: &str, group| server.driver.move_link(now, &name(peer), group, &mut server.app).unwrap_err();
    assert_eq!(ask("client", second), MoveError::NoGroup(second));
    assert_eq!(ask("nobody", first), MoveError::NotConnected);
    assert_eq!(MoveError::NoGroup(second).to_string(), "there is no group 2");
    camp.stage.exchange("second");
}

#[test]
fn a_move_to_a_group_that_is_gone_by_then_costs_a_reconnect() {
    let mut camp = Camp::over(Carrier::Tcp);
    let second = camp.groups[1];
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    server.driver.move_link(now, &name("client"), second, &mut server.app).unwrap();
    camp.stage.world.groups[1] = None;
    camp.stage.world.until("the end", |world| !world.clients[0].app.endings().is_empty());
    camp.stage.connected();
    camp.stage.exchange("second");
    assert_eq!(camp.own_story(), ["group 2 gone", "from group 1", "GroupGone", "client closed"]);
    assert_eq!(camp.story(0), ["Fresh", "to group 2", "Resumed"]);
    assert_eq!(camp.whereabouts(), Some(camp.groups[0]));
}

fn a_link_that_closes_as_it_comes_ends_in_its_group(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.stop_client();
    camp.stage.world.at_group(0).app.notes.clear();
    camp.stage.world.at_group(0).app.closes = true;
    camp.stage.start_client(App::default());
    camp.stage.world.until("two ends", |world| world.at_group(0).app.endings().len() == 2);
    assert_eq!(camp.story(0)[..4], ["Resumed", "Closed", "Resumed", "Closed"]);
    camp.stage.world.at_group(0).app.closes = false;
    camp.stage.connected();
    camp.stage.exchange("on we go");
}

fn the_files_of_a_link_in_a_group_are_watched(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    std::fs::remove_file(support::files::server_file(camp.stage.theirs.path())).unwrap();
    camp.stage.world.until("a notice", |world| !world.at_group(0).app.endings().is_empty());
    assert!(camp.story(0)[1].starts_with("FileGone"), "{:?}", camp.story(0));
    camp.stage.connected();
    camp.stage.exchange("on we go");
    assert!(support::files::server_file(camp.stage.theirs.path()).exists());
    assert!(camp.stage.world.at_group(0).app.notes.iter().all(|note| !matches!(note, Note::Failed(..))));
}
