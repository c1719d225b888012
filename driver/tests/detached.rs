//! Links without a connection: what a server keeps open of them, and what it opens when it is asked.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::collections::VecDeque;

use support::app::{App, Habit};
use support::raw::{self, Raw};
use support::stage::Stage;
use support::{World, client, files, kind, name, server};
use tcpshm_driver::{Carrier, Handler, Held, Link, Name, Received, SessionId};

carriers! {
    a_session_that_is_closed_to_make_room_leaves_the_file_that_was_removed_under_it,
    a_link_that_has_a_file_is_opened_however_many_others_hold_messages,
}

/// Holds everything, and counts the sessions that were closed over its head.
#[derive(Default)]
struct Hoarder {
    held: VecDeque<Held>,
    closed: Vec<(String, SessionId)>,
}

impl Handler for Hoarder {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.held.push_back(link.hold(received).expect("it came from this link"));
    }

    fn closed(&mut self, peer: &Name, session: SessionId) {
        self.closed.push((peer.to_string(), session));
    }
}

#[test]
fn links_left_with_held_messages_are_bounded_and_what_was_held_comes_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut world: World<Hoarder, App> = World::new();
    let mut config = server(directory.path());
    config.max_detached = 3;
    let address = world.serve(config, Hoarder::default());
    for number in 0..8_u128 {
        let mut peer = Raw::connect(address);
        peer.log_in(&mut world, &format!("peer-{number}"), number + 1);
        peer.say(&raw::message(number + 1, 0, b"held"));
        let held = usize::try_from(number).unwrap() + 1;
        world.until("the message", |world| world.at_server().app.held.len() == held);
        peer.hang_up();
        world.until("the end", |world| world.at_server().driver.connections() == 0);
    }
    let now = world.now;
    let at = world.at_server();
    let closed: Vec<&str> = at.app.closed.iter().map(|(peer, _)| peer.as_str()).collect();
    assert_eq!(
        closed,
        ["peer-0", "peer-1", "peer-2", "peer-3", "peer-4"],
        "the oldest, and the application knows"
    );
    let open = (0..8).filter(|number| at.driver.link(now, &name(&format!("peer-{number}"))).is_some());
    assert_eq!(open.collect::<Vec<_>>(), [5, 6, 7]);
    // The void ticket is refused, and the message is still owed by its sender.
    let mut link = at.driver.open_link(now, &name("peer-0")).unwrap().expect("it has a file");
    let held = at.app.held.pop_front().unwrap();
    let (_, reason) = link.redeem(held).unwrap_err();
    assert_eq!(reason, tcpshm_driver::RefusedReason::Foreign);
    assert_eq!(link.consumed().position().get(), 0, "nothing was consumed");
}

fn a_link_that_has_a_file_is_opened_however_many_others_hold_messages(carrier: Carrier) {
    let mut stage = Stage::over_with(carrier, |server, _| server.max_detached = 1);
    let directory = tempfile::tempdir().unwrap();
    let mut other = client(directory.path(), stage.client.addresses[0]);
    other.link.name = name("other");
    stage.world.connect(other.clone(), App::default());
    stage.world.until("the other link", |world| world.clients[1].driver.is_connected());
    stage.world.calm();
    stage.world.clients.truncate(1);
    stage.world.at_server().app.habit = Habit::Hold;
    stage.world.send(0, b"held");
    stage.world.until("the message", |world| world.at_server().app.held.len() == 1);
    stage.stop_client();

    let now = stage.world.now;
    let server = stage.world.at_server();
    let mut link = server.driver.open_link(now, &name("other")).unwrap().expect("it has a file");
    link.send(kind(2), b"for later").unwrap();
    drop(link);
    // What is held can still be redeemed.
    let mut link = server.driver.link(now, &name("client")).expect("it is open");
    let received = link.redeem(server.app.held.pop().unwrap()).unwrap();
    link.consume(received).unwrap();
    drop(link);
    stage.world.connect(other, App::default());
    stage.world.until("the message", |world| world.clients[0].app.texts() == ["for later"]);
}

fn a_session_that_is_closed_to_make_room_leaves_the_file_that_was_removed_under_it(carrier: Carrier) {
    let mut stage = Stage::over_with(carrier, |server, _| server.max_detached = 1);
    stage.stop_client();
    stage.world.answer(b"kept");
    std::fs::remove_file(files::server_file(stage.theirs.path())).expect("it is there");
    let mut other = stage.client.clone();
    other.link.name = name("other");
    stage.world.connect(other, App::default());
    stage.connected();
    stage.stop_client();
    let now = stage.world.now;
    assert!(stage.world.at_server().driver.link(now, &name("client")).is_none(), "it was closed");
    stage.start_client(App::default());
    stage.world.until("the message", |world| world.clients[0].app.texts() == ["kept"]);
    assert!(stage.world.at_server().app.disputes().is_empty());
}
