//! In steady state a message from another thread costs no allocation, on neither side; and an owner that spins and
//! finds no mail makes none either.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit};
use support::files::Home;
use support::{World, client, kind, limits, name, server, wish};
use tcpshm_driver::{Carrier, Driver, Handler, Link, Received, SendOutcome, Sender};

carriers! {
    messages_with_and_without_a_ticket_allocate_nothing,
}

/// Consumes.
struct Sink(usize);

impl Handler for Sink {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        link.consume(received).unwrap();
        self.0 += 1;
    }
}

fn connected(carrier: Carrier) -> (World<Sink, App>, Sender, [Home; 2]) {
    let homes = Home::pair(carrier);
    let mut world = World::new();
    let mut at_server = server(homes[1].path());
    at_server.link.limits = limits(1 << 16, 4096);
    let address = world.serve(at_server, Sink(0));
    let mut config = client(homes[0].path(), address);
    (config.link.limits, config.carrier) = (limits(1 << 16, 4096), wish(carrier));
    config.server = Some(name("server"));
    world.connect(config, App::with(Habit::Consume));
    let sender = world.clients[0].driver.sender().unwrap();
    world.stop_clock();
    world.until("a link", |world| world.clients[0].driver.is_connected());
    (world, sender, homes)
}

/// Bursts of many sizes, of which every other message keeps its ticket until it is in the file.
fn messages_with_and_without_a_ticket_allocate_nothing(carrier: Carrier) {
    let (mut world, sender, _homes) = connected(carrier);
    let mut tickets = Vec::with_capacity(100);
    let payload = [7; 400];
    let mut bursts = |count: usize| {
        for round in 0..count {
            for number in 0..100 {
                let ticket = sender.try_send(kind(2), &payload[..number * 4]).unwrap();
                if number % 2 == 0 {
                    tickets.push(ticket);
                }
            }
            let goal = world.at_server().app.0 + 100;
            world.until("a burst", |world| world.at_server().app.0 >= goal);
            let is_committed = |outcome| matches!(outcome, Some(SendOutcome::Committed(_)));
            assert!(tickets.drain(..).all(|ticket| is_committed(ticket.try_outcome())), "in round {round}");
        }
    };
    bursts(20);
    let info = allocation_counter::measure(|| bursts(100));
    assert_eq!(info.count_total, 0);
}

#[test]
fn a_poll_that_finds_no_mail_allocates_nothing() {
    let (mut world, _sender, _homes) = connected(Carrier::Shm);
    let info = allocation_counter::measure(|| {
        for _ in 0..10_000 {
            let client = &mut world.clients[0];
            assert!(!client.driver.poll(&mut client.app));
        }
    });
    assert_eq!(info.count_total, 0);
}
