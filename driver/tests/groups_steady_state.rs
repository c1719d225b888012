//! A link in a group costs what one in a server costs: in steady state nothing is allocated, and what groups have to say
//! to each other costs the others nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::files::Home;
use support::{World, client, kind, limits, name, server, wish};
use tcpshm_driver::{Carrier, Connected, Driver, GroupId, Handler, Link, LoginAttempt, Received};

carriers! {
    echoes_in_a_group_allocate_nothing,
    echoes_of_a_link_that_has_moved_allocate_nothing,
}

/// Replies to everything, and names a group.
struct Echo {
    group: GroupId,
}

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let mut slot = link.claim(received.kind(), received.payload().len()).unwrap();
        slot.copy_from_slice(received.payload());
        slot.commit_consuming(received).unwrap();
    }

    fn choose_group(&mut self, _: &LoginAttempt<'_>) -> GroupId {
        self.group
    }
}

/// Keeps a window of messages on their way.
struct Pump {
    received: u64,
}

impl Handler for Pump {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        link.consume(received).unwrap();
        self.received += 1;
        link.send(kind(1), &[7; 36]).unwrap();
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        for _ in 0..50 {
            link.send(kind(1), &[7; 36]).unwrap();
        }
    }
}

/// A link in the first of two groups, warm, with a clock that stands still.
fn pumping(carrier: Carrier) -> (World<Echo, Pump>, [GroupId; 2], [Home; 2]) {
    let homes = Home::pair(carrier);
    let mut world = World::new();
    let mut config = server(homes[1].path());
    config.link.limits = limits(1 << 18, 4096);
    let address = world.serve(config, Echo { group: GroupId::SERVER });
    let groups = [(); 2].map(|()| world.group(Echo { group: GroupId::SERVER }));
    world.at_server().app.group = groups[0];
    let mut config = client(homes[0].path(), address);
    (config.link.limits, config.carrier) = (limits(1 << 18, 4096), wish(carrier));
    world.connect(config, Pump { received: 0 });
    world.stop_clock();
    world.until("a few echoes", |world| world.clients[0].app.received > 5_000);
    assert_eq!(world.at_group(0).driver.connections(), 1);
    (world, groups, homes)
}

#[track_caller]
fn allocates_nothing(world: &mut World<Echo, Pump>) {
    let before = world.clients[0].app.received;
    let info = allocation_counter::measure(|| {
        world.until("all echoes", |world| world.clients[0].app.received > before + 50_000);
    });
    assert_eq!(info.count_total, 0);
}

fn echoes_in_a_group_allocate_nothing(carrier: Carrier) {
    let (mut world, ..) = pumping(carrier);
    allocates_nothing(&mut world);
}

fn echoes_of_a_link_that_has_moved_allocate_nothing(carrier: Carrier) {
    let (mut world, [_, second], _homes) = pumping(carrier);
    let now = world.now;
    let seat = world.at_server();
    seat.driver.move_link(now, &name("client"), second, &mut seat.app).unwrap();
    world.until("the move", |world| world.at_group(1).driver.connections() == 1);
    let before = world.clients[0].app.received;
    world.until("a few echoes", |world| world.clients[0].app.received > before + 5_000);
    allocates_nothing(&mut world);
}

#[test]
fn a_poll_that_finds_nothing_allocates_nothing() {
    let (mut world, ..) = pumping(Carrier::Shm);
    // Until the client's words are all answered: nobody polls it.
    while world.at_group(0).driver.has_work() {
        world.turn();
    }
    let group = world.at_group(0);
    while group.driver.poll(&mut group.app) {}
    let info = allocation_counter::measure(|| {
        for _ in 0..10_000 {
            assert!(!group.driver.poll(&mut group.app) && !group.driver.has_work());
        }
    });
    assert_eq!(info.count_total, 0);
}
