//! A login that is cut where only one side knows its outcome: the next one goes on as if it had been
//! the first, and nobody hears of a loss.

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit};
use support::files::Home;
use support::stage::Stage;
use support::{World, client, server, wish};
use tcpshm_driver::Carrier;

carriers! {
    a_first_login_cut_after_any_byte_of_the_servers_is_made_up_for_by_the_next,
    a_first_login_cut_after_any_byte_of_the_clients_is_made_up_for_by_the_next,
    a_ready_lost_several_times_in_a_row_is_made_up_for_by_the_next,
    a_ready_lost_on_a_link_with_history_is_made_up_for_by_the_next,
    a_later_login_cut_on_its_way_is_made_up_for_by_the_next,
}

/// A server behind a cable, and a client that is about to come for the first time; with their directories.
fn cabled(carrier: Carrier, down: usize, up: usize) -> (World<App, App>, [Home; 2]) {
    let homes = Home::pair(carrier);
    let mut world = World::new();
    let address = world.serve(server(homes[1].path()), App::with(Habit::Echo));
    let near = world.lay_cable(address);
    (world.cables[0].down, world.cables[0].up) = (down, up);
    let mut client = client(homes[0].path(), near);
    client.carrier = wish(carrier);
    world.connect(client, App::default());
    (world, homes)
}

/// How many bytes a first login takes in each direction.
fn whole_login(carrier: Carrier) -> (usize, usize) {
    let (mut world, _homes) = cabled(carrier, usize::MAX, usize::MAX);
    world.until("a link", |world| world.clients[0].driver.is_connected());
    world.calm();
    let wire = world.cables[0].last();
    (wire.to_client.carried, wire.to_server.carried)
}

/// The last wire has stopped because it may carry no more.
fn is_stuck(world: &World<App, App>) -> bool {
    let wire = world.cables[0].wires.last();
    wire.is_some_and(|wire| wire.to_client.allowed == 0 || wire.to_server.allowed == 0)
}

#[track_caller]
fn link_and_no_loss(world: &mut World<App, App>, homes: &[Home; 2], cut: &str) {
    world.until("a link", |world| world.clients[0].driver.is_connected());
    world.send(0, b"through");
    world.until("a reply", |world| world.clients[0].app.texts() == ["through"]);
    let (server, client) = world.both();
    for app in [&server.app, &client.app] {
        assert!(app.disputes().is_empty() && app.resets().is_empty(), "{cut}: {:?}", app.notes);
    }
    assert_eq!(homes[0].names(), ["c~client~server.link"], "{cut}");
    assert_eq!(homes[1].names(), ["s~server~client.link"], "{cut}");
}

fn a_first_login_cut_after_any_byte_of_the_servers_is_made_up_for_by_the_next(carrier: Carrier) {
    let (down, _) = whole_login(carrier);
    for cut in 1..down {
        let (mut world, homes) = cabled(carrier, cut, usize::MAX);
        world.until("the cut", |world| is_stuck(world));
        // Everything the client has said until then has arrived.
        (0..5).for_each(|_| world.turn());
        world.cables[0].last().cut();
        world.cables[0].down = usize::MAX;
        link_and_no_loss(&mut world, &homes, &format!("after {cut} bytes of the server's"));
    }
}

fn a_first_login_cut_after_any_byte_of_the_clients_is_made_up_for_by_the_next(carrier: Carrier) {
    let (_, up) = whole_login(carrier);
    for cut in 1..up {
        let (mut world, homes) = cabled(carrier, usize::MAX, cut);
        world.until("the cut", |world| is_stuck(world));
        (0..5).for_each(|_| world.turn());
        world.cables[0].last().cut();
        world.cables[0].up = usize::MAX;
        link_and_no_loss(&mut world, &homes, &format!("after {cut} bytes of the client's"));
    }
}

fn a_ready_lost_several_times_in_a_row_is_made_up_for_by_the_next(carrier: Carrier) {
    let (down, _) = whole_login(carrier);
    let (mut world, homes) = cabled(carrier, down - 1, usize::MAX);
    for _ in 0..4 {
        world.until("the cut", |world| is_stuck(world));
        (0..5).for_each(|_| world.turn());
        assert!(!world.clients[0].driver.is_connected());
        let wires = world.cables[0].wires.len();
        world.cables[0].last().cut();
        world.until("another attempt", |world| world.cables[0].wires.len() > wires);
    }
    let accepted = world.at_server().app.outcomes().len();
    assert!(accepted >= 4, "the server had accepted {accepted} logins");
    world.cables[0].down = usize::MAX;
    world.cables[0].last().cut();
    link_and_no_loss(&mut world, &homes, "after four lost Readys");
}

fn a_ready_lost_on_a_link_with_history_is_made_up_for_by_the_next(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let (down, _) = whole_login(carrier);
    stage.stop_client();
    let near = stage.world.lay_cable(stage.client.addresses[0]);
    stage.client.addresses = vec![near];
    stage.world.cables[0].down = down - 20;
    stage.start_client(App::default());
    stage.world.send(0, b"kept");
    for _ in 0..3 {
        stage.world.until("the cut", |world| is_stuck(world));
        (0..5).for_each(|_| stage.world.turn());
        let wires = stage.world.cables[0].wires.len();
        stage.world.cables[0].last().cut();
        stage.world.until("another attempt", |world| world.cables[0].wires.len() > wires);
    }
    stage.world.cables[0].down = usize::MAX;
    stage.world.cables[0].last().cut();
    stage.world.until("the reply", |world| world.clients[0].app.texts() == ["kept"]);
    let (server, client) = stage.world.both();
    assert_eq!(client.app.story(), ["Resumed"]);
    assert!(server.app.outcomes().len() >= 4 && server.app.disputes().is_empty());
    stage.exchange("on we go");
}

fn a_later_login_cut_on_its_way_is_made_up_for_by_the_next(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let near = stage.world.lay_cable(stage.client.addresses[0]);
    stage.client.addresses = vec![near];
    let cuts = (1..150).step_by(2).flat_map(|cut| [(cut, usize::MAX), (usize::MAX, cut)]);
    for (up, down) in cuts {
        stage.stop_client();
        (stage.world.cables[0].up, stage.world.cables[0].down) = (up, down);
        stage.start_client(App::default());
        stage.world.send(0, b"through");
        stage.world.until("the cut", |world| is_stuck(world) || world.clients[0].driver.is_connected());
        (0..5).for_each(|_| stage.world.turn());
        (stage.world.cables[0].up, stage.world.cables[0].down) = (usize::MAX, usize::MAX);
        stage.world.cables[0].last().cut();
        stage.world.until("the reply", |world| world.clients[0].app.texts() == ["through"]);
        stage.world.calm();
    }
    let (server, client) = stage.world.both();
    assert_eq!(server.app.texts().iter().filter(|text| **text == "through").count(), 150);
    assert!(server.app.disputes().is_empty() && client.app.disputes().is_empty());
}
