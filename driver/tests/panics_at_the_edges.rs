//! A handler that panics when a connection begins or ends takes no place with it.
//!
//! Over TCP only: places are given to connections, whatever carries their messages, and the clients here are
//! bytes that a test writes.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use support::app::App;
use support::raw::{self, Raw};
use support::{Seat, World, server};
use tcpshm_driver::{Connected, Disconnected, Driver, Handler, Link, Received, Server};

/// Connections that the server has tokens for.
const PLACES: usize = 3;

/// Panics at every beginning, or at every end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brittle {
    AtBeginnings,
    AtEnds,
}

impl Handler for Brittle {
    fn message(&mut self, _: &mut Link<'_>, _: Received<'_>) {}

    fn connected(&mut self, _: &mut Link<'_>, _: &Connected) {
        assert!(*self != Brittle::AtBeginnings, "as it was told");
    }

    fn disconnected(&mut self, _: &mut Link<'_>, _: &Disconnected) {
        assert!(*self != Brittle::AtEnds, "as it was told");
    }
}

/// Turns as a host does that survives its handlers. Returns how often it had to.
fn turns(world: &mut World<Brittle, App>, raw: &mut Raw) -> usize {
    let mut survived = 0;
    for _ in 0..60 {
        survived += usize::from(catch_unwind(AssertUnwindSafe(|| world.turn())).is_err());
        raw.listen();
    }
    survived
}

#[test]
fn as_many_clients_are_welcome_after_a_panic_as_before() {
    for brittle in [Brittle::AtBeginnings, Brittle::AtEnds] {
        let directory = tempfile::tempdir().unwrap();
        let mut world: World<Brittle, App> = World::new();
        let mut driver = Server::bind(server(directory.path())).unwrap();
        driver.register(world.poll.registry(), 0..1 + PLACES + 1).unwrap();
        let address = driver.local_addresses().unwrap()[0];
        world.server = Some(Seat { driver, app: brittle });
        // Long enough for every deadline.
        world.tick = Duration::from_millis(200);
        for number in 0..3 * PLACES {
            let hello = raw::hello(&format!("guest-{number}"));
            let mut raw = Raw::connect(address);
            raw.say(&hello);
            turns(&mut world, &mut raw);
            assert!(!raw.understood().0.is_empty(), "{brittle:?}: number {number} is not welcome");

            let mut raw = Raw::connect(address);
            raw.greet(&mut world, &hello);
            raw.answer(raw::confirm(100 + number as u128));
            let survived = turns(&mut world, &mut raw);
            assert!(survived > 0, "{brittle:?}: it did not panic");
        }
    }
}
