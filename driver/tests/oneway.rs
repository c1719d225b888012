//! A stream in one direction runs as fast as its ring goes round, whatever the clock does.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::files::Home;
use support::{World, client, limits, name, server, wish};
use tcpshm_driver::{Carrier, Connected, Driver, Handler, Kind, Link, Received, SendError};

carriers! {
    a_million_messages_to_the_server_need_no_tick_of_the_clock,
    a_million_messages_to_the_client_need_no_tick_of_the_clock,
    both_directions_at_once_need_no_tick_of_the_clock,
    a_host_that_sends_from_outside_and_spins_needs_no_poll,
}

const MESSAGES: u64 = 1_000_000;
const KIND: Kind = Kind::new(1).unwrap();

/// Sends numbers or takes them, whichever comes.
struct Stream {
    /// How many it is to send.
    count: u64,
    sent: u64,
    received: u64,
}

impl Stream {
    fn of(count: u64) -> Self {
        Stream { count, sent: 0, received: 0 }
    }

    fn fill(&mut self, link: &mut Link<'_>) {
        while self.sent < self.count {
            let mut slot = match link.claim(KIND, 16) {
                Ok(slot) => slot,
                Err(SendError::Full { .. }) => return,
                Err(error) => panic!("{error}"),
            };
            slot[..8].copy_from_slice(&self.sent.to_le_bytes());
            slot[8..].copy_from_slice(&(!self.sent).to_le_bytes());
            slot.commit();
            self.sent += 1;
        }
    }
}

impl Handler for Stream {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        assert_eq!(received.payload()[..8], self.received.to_le_bytes());
        assert_eq!(received.payload()[8..], (!self.received).to_le_bytes());
        link.consume(received).unwrap();
        self.received += 1;
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        self.fill(link);
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.fill(link);
    }
}

/// Runs a stream of each length in either direction, with a clock that stands still.
fn run(carrier: Carrier, to_server: u64, to_client: u64) -> World<Stream, Stream> {
    let [ours, theirs] = Home::pair(carrier);
    let mut world = World::new();
    let mut server = server(theirs.path());
    server.link.limits = limits(64 * 1024, 4096);
    let address = world.serve(server, Stream::of(to_client));
    let mut client = client(ours.path(), address);
    client.link.limits = limits(64 * 1024, 4096);
    client.carrier = wish(carrier);
    world.connect(client, Stream::of(to_server));
    let start = world.now;
    world.stop_clock();
    world.until("the last message", |world| {
        let (server, client) = world.both();
        server.app.received == to_server && client.app.received == to_client
    });
    assert_eq!(world.now, start);
    world
}

fn a_million_messages_to_the_server_need_no_tick_of_the_clock(carrier: Carrier) {
    let mut world = run(carrier, MESSAGES, 0);
    assert!(world.turns < 20_000, "{} turns", world.turns);
    let now = world.now;
    let link = world.at_server().driver.link(now, &name("client")).unwrap();
    assert_eq!(link.committed().position().get(), 0, "nothing was ever sent back");
}

fn a_million_messages_to_the_client_need_no_tick_of_the_clock(carrier: Carrier) {
    let world = run(carrier, 0, MESSAGES);
    assert!(world.turns < 20_000, "{} turns", world.turns);
}

fn both_directions_at_once_need_no_tick_of_the_clock(carrier: Carrier) {
    run(carrier, MESSAGES / 4, MESSAGES / 4);
}

fn a_host_that_sends_from_outside_and_spins_needs_no_poll(carrier: Carrier) {
    let [ours, theirs] = Home::pair(carrier);
    let mut world = World::new();
    let address = world.serve(server(theirs.path()), Stream::of(0));
    let mut client = client(ours.path(), address);
    client.carrier = wish(carrier);
    world.connect(client, Stream::of(0));
    world.until("a link", |world| world.clients[0].driver.is_connected());
    let now = world.now;
    let mut sender = Stream::of(50_000);
    for _ in 0..1_000_000 {
        let (server, client) = world.both();
        sender.fill(&mut client.driver.link(now).unwrap());
        server.driver.spin(now, &mut server.app);
        client.driver.spin(now, &mut client.app);
        if server.app.received == 50_000 {
            return;
        }
    }
    panic!("only {} messages came", world.at_server().app.received);
}
