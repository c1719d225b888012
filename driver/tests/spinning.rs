//! A host that spins has its connections out of its poll, and misses nothing by it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::{World, client, server};
use tcpshm_driver::mio::Events;
use tcpshm_driver::{Driver, Geometry, Limits};
use tempfile::TempDir;

/// A client and a server whose sockets hold less than a message.
fn connected() -> (World<App, App>, [TempDir; 2]) {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let geometry = Geometry::new(1 << 20, 1 << 18).unwrap();
    let limits = Limits { send: geometry, accept: geometry };
    let mut world = World::new();
    let mut config = server(theirs.path());
    config.link.limits = limits;
    let address = world.serve(config, App::default());
    let mut config = client(ours.path(), address);
    config.link.limits = limits;
    config.link.socket.send_buffer = Some(4096);
    world.connect(config, App::default());
    world.until("the link", |world| world.clients[0].driver.is_connected());
    (world, [ours, theirs])
}

fn set_spinning(world: &mut World<App, App>, spinning: bool) {
    let (server, client) = world.both();
    server.driver.set_spinning(spinning);
    client.driver.set_spinning(spinning);
    world.spins = spinning;
}

/// Whether a message to the server makes an event.
fn rouses_the_poll(world: &mut World<App, App>) -> bool {
    (0..10).for_each(|_| world.turn());
    world.send(0, b"hello");
    let mut events = Events::with_capacity(8);
    world.poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    let told = events.iter().any(|event| event.is_readable());
    let now = world.now;
    let (server, client) = world.both();
    for event in &events {
        server.driver.handle_event(now, event, &mut server.app).unwrap();
        client.driver.handle_event(now, event, &mut client.app).unwrap();
    }
    told
}

#[test]
fn a_message_makes_no_event_for_hosts_that_spin_and_one_for_those_that_do_not() {
    let (mut world, _homes) = connected();
    assert!(rouses_the_poll(&mut world));
    world.until("the message", |world| world.at_server().app.received.len() == 1);
    set_spinning(&mut world, true);
    assert!(!rouses_the_poll(&mut world));
    world.until("the message", |world| world.at_server().app.received.len() == 2);
    set_spinning(&mut world, false);
    assert!(rouses_the_poll(&mut world));
    world.until("the message", |world| world.at_server().app.received.len() == 3);
}

#[test]
fn what_blocks_is_tried_again_without_an_event() {
    let (mut world, _homes) = connected();
    set_spinning(&mut world, true);
    let payload = vec![7; 1 << 18];
    for round in 1..=12 {
        world.send(0, &payload);
        world.until("a long message", |world| world.at_server().app.received.len() == round);
    }
    assert!(world.at_server().app.received.iter().all(|received| *received == payload));
}

#[test]
fn what_came_while_the_host_span_is_found_when_it_does_so_no_more() {
    let (mut world, _homes) = connected();
    world.at_server().app.habit = Habit::Echo;
    for round in 0..20 {
        set_spinning(&mut world, round % 2 == 0);
        world.send(0, &[round; 4]);
        // It is on its way in whichever turn the host changes its mind.
        (0..round % 3).for_each(|_| world.turn());
    }
    set_spinning(&mut world, false);
    world.until("all echoes", |world| world.clients[0].app.received.len() == 20);
}

#[test]
fn an_end_is_noticed_and_a_new_connection_spins_too() {
    let (mut world, _homes) = connected();
    set_spinning(&mut world, true);
    let now = world.now;
    world.at_server().driver.link(now, &support::name("client")).unwrap().close();
    world.until("the end", |world| world.clients[0].app.endings().len() == 1);
    world.until("another one", |world| world.clients[0].driver.is_connected());
    assert!(!rouses_the_poll(&mut world));
    world.until("the message", |world| world.at_server().app.received.len() == 1);
}
