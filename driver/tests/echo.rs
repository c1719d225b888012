//! Requests go out, replies come back, and both sides may be replaced at any time.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::files::Home;
use support::{World, client, name, server, wish};
use tcpshm_driver::{Carrier, Handler, Kind, Link, Received};

carriers! {
    every_request_is_answered_once_and_in_order_across_restarts_of_the_server,
}

#[derive(Default)]
struct Echo {
    seen: u64,
}

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let mut slot = link.claim(received.kind(), received.payload().len()).unwrap();
        slot.copy_from_slice(received.payload());
        slot.commit_consuming(received).unwrap();
        self.seen += 1;
    }
}

/// Sends numbers and checks that they come back in order.
#[derive(Default)]
struct Counter {
    sent: u64,
    received: u64,
}

impl Counter {
    fn fill(&mut self, link: &mut Link<'_>, count: u64) {
        while self.sent < count && self.sent - self.received < 100 {
            link.send(Kind::new(7).unwrap(), &self.sent.to_le_bytes()).unwrap();
            self.sent += 1;
        }
    }
}

impl Handler for Counter {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        assert_eq!(received.payload(), self.received.to_le_bytes());
        self.received += 1;
        link.consume(received).unwrap();
        self.fill(link, 5000);
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &tcpshm_driver::Connected) {
        self.fill(link, 5000);
    }
}

fn every_request_is_answered_once_and_in_order_across_restarts_of_the_server(carrier: Carrier) {
    let [ours, theirs] = Home::pair(carrier);
    let mut world: World<Echo, Counter> = World::new();
    let mut config = server(theirs.path());
    let address = world.serve(config.clone(), Echo::default());
    config.listen = vec![address];
    let mut client = client(ours.path(), address);
    client.carrier = wish(carrier);
    world.connect(client, Counter::default());
    for stop in [1000, 2500, 4000] {
        world.until("some replies", |world| world.clients[0].app.received >= stop);
        world.server = None;
        world.serve(config.clone(), Echo::default());
    }
    world.until("the last reply", |world| world.clients[0].app.received == 5000);
    let now = world.now;
    let (server, client) = world.both();
    assert_eq!(client.driver.link(now).unwrap().undelivered().messages, 0);
    assert_eq!(server.driver.link(now, &name("client")).unwrap().peer().as_str(), "client");
}
