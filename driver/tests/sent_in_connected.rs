//! What is sent as soon as a link is connected arrives, once, on either side: nobody clears a ring that the
//! other has begun to write.

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::files::Home;
use support::{World, client, kind, name, server, wish};
use tcpshm_driver::{Carrier, Connected, Dispute, Handler, Link, Policy, Received};

carriers! {
    greetings_of_both_sides_arrive_once_at_a_first_login_and_at_every_later_one,
}

/// Sends a number at every beginning, and notes the numbers that come.
#[derive(Default)]
struct Greeter {
    sent: u64,
    received: Vec<u64>,
}

impl Handler for Greeter {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let number = received.payload().try_into().expect("a number");
        self.received.push(u64::from_le_bytes(number));
        link.consume(received).expect("in order");
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        link.send(kind(1), &self.sent.to_le_bytes()).expect("room");
        self.sent += 1;
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        panic!("{dispute:?}");
    }
}

/// Turns until both have all that the other has sent, and the client has sent `count`.
#[track_caller]
fn exchanged(world: &mut World<Greeter, Greeter>, count: u64) {
    world.until("both greetings", |world| {
        let (server, client) = world.both();
        let all = |sent: u64, received: &[u64]| received.len() as u64 >= sent;
        client.app.sent == count
            && all(client.app.sent, &server.app.received)
            && all(server.app.sent, &client.app.received)
    });
    let (server, client) = world.both();
    for (sent, received) in [(client.app.sent, &server.app.received), (server.app.sent, &client.app.received)]
    {
        assert!(received.iter().copied().eq(0..sent), "{received:?} of {sent}");
    }
}

fn greetings_of_both_sides_arrive_once_at_a_first_login_and_at_every_later_one(carrier: Carrier) {
    let homes = Home::pair(carrier);
    let mut world: World<Greeter, Greeter> = World::new();
    let mut at_server = server(homes[1].path());
    let address = world.serve(at_server.clone(), Greeter::default());
    at_server.listen = vec![address];
    let mut at_client = client(homes[0].path(), address);
    at_client.carrier = wish(carrier);
    world.connect(at_client.clone(), Greeter::default());
    exchanged(&mut world, 1);
    for round in 1..20 {
        let now = world.now;
        match round % 4 {
            0 => drop(world.clients[0].driver.link(now).expect("a link").close()),
            1 => drop(world.at_server().driver.link(now, &name("client")).expect("a link").close()),
            2 => {
                let app = world.clients.remove(0).app;
                world.connect(at_client.clone(), app);
            }
            _ => {
                let app = world.server.take().expect("a server").app;
                world.serve(at_server.clone(), app);
            }
        }
        exchanged(&mut world, round + 1);
    }
}
