//! A handler that panics where a panic is dealt with, or where a timer is, takes its connection with it at most:
//! nothing stays connected that nobody looks after.

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::app::{App, Habit};
use support::files::Home;
use support::{World, client, kind, server, wish};
use tcpshm_driver::{Carrier, Delivered, Disconnected, Handler, Link, Received, Stalled};

carriers! {
    a_server_whose_handler_panics_again_when_it_is_told_of_the_message_ends_the_connection,
    a_client_whose_handler_panics_again_when_it_is_told_of_the_message_ends_the_connection,
    a_panic_in_the_handler_of_a_timer_loses_no_timer,
}

/// Turns in which whatever has to come, comes: a turn without an event moves the clock.
const TURNS: usize = 20_000;

/// Turns as a host does that survives its handlers, until `done`. Returns how often it had to.
#[track_caller]
fn survive<A: Handler, B: Handler>(
    world: &mut World<A, B>,
    what: &str,
    done: impl Fn(&mut World<A, B>, usize) -> bool,
) -> usize {
    let mut survived = 0;
    for _ in 0..TURNS {
        if done(world, survived) {
            return survived;
        }
        survived += usize::from(catch_unwind(AssertUnwindSafe(|| world.turn())).is_err());
    }
    panic!("never came: {what}");
}

/// A server and a client that are connected over `carrier`.
#[track_caller]
fn connected<A: Handler, B: Handler>(carrier: Carrier, theirs: A, ours: B) -> (World<A, B>, [Home; 2]) {
    let homes = Home::pair(carrier);
    let mut world = World::new();
    let address = world.serve(server(homes[1].path()), theirs);
    let mut config = client(homes[0].path(), address);
    config.carrier = wish(carrier);
    world.connect(config, ours);
    world.until("a link", |world| {
        let (server, client) = world.both();
        client.driver.is_connected() && server.driver.connections() == 1
    });
    (world, homes)
}

/// Panics at messages, which it does not consume, and again when it is told of that, as often as it is told to.
#[derive(Default)]
struct Grim {
    panics: u32,
    endings: Vec<String>,
}

impl Grim {
    fn panic(&mut self) {
        if self.panics > 0 {
            self.panics -= 1;
            panic!("as it was told");
        }
    }
}

impl Handler for Grim {
    fn message(&mut self, _: &mut Link<'_>, _: Received<'_>) {
        self.panic();
    }

    fn unconsumed(&mut self, _: &mut Link<'_>, _: Delivered) {
        self.panic();
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.endings.push(format!("{reason:?}"));
    }
}

fn a_server_whose_handler_panics_again_when_it_is_told_of_the_message_ends_the_connection(carrier: Carrier) {
    let (mut world, _homes) = connected(carrier, Grim { panics: 2, ..Grim::default() }, App::default());
    world.send(0, b"poison");
    let survived = survive(&mut world, "the end", |world, _| !world.at_server().app.endings.is_empty());
    assert_eq!((survived, &world.at_server().app.endings[..]), (2, &["HandlerPanicked".to_owned()][..]));
}

fn a_client_whose_handler_panics_again_when_it_is_told_of_the_message_ends_the_connection(carrier: Carrier) {
    let (mut world, _homes) = connected(carrier, App::default(), Grim { panics: 2, ..Grim::default() });
    world.answer(b"poison");
    let survived = survive(&mut world, "the end", |world, _| !world.clients[0].app.endings.is_empty());
    assert_eq!((survived, &world.clients[0].app.endings[..]), (2, &["HandlerPanicked".to_owned()][..]));
}

/// Holds what comes, sends until nothing more goes, and panics once when it hears that this has stalled.
#[derive(Default)]
struct Stubborn {
    stalls: u32,
    endings: Vec<String>,
}

impl Handler for Stubborn {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        // What is held for ever is never consumed.
        let _ = link.hold(received);
        while link.send(kind(1), &[0; 400]).is_ok() {}
    }

    fn stalled(&mut self, _: &mut Link<'_>, _: &Stalled) {
        self.stalls += 1;
        assert!(self.stalls > 1, "as it was told");
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.endings.push(format!("{reason:?}"));
    }
}

fn a_panic_in_the_handler_of_a_timer_loses_no_timer(carrier: Carrier) {
    let (mut world, _homes) = connected(carrier, Stubborn::default(), App::with(Habit::Hold));
    world.send(0, b"go");
    survive(&mut world, "a panic", |_, survived| survived > 0);
    assert_eq!((world.at_server().app.stalls, world.at_server().driver.connections()), (1, 1));
    // It lives, and is never looked at again.
    let _silent = world.clients.remove(0);
    world.until("the end", |world| !world.at_server().app.endings.is_empty());
    let endings = &world.at_server().app.endings;
    assert!(endings.len() == 1 && endings[0].starts_with("Silent("), "{endings:?}");
}
