//! In steady state nothing is allocated, however many messages pass.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::files::Home;
use support::{World, client, limits, server, wish};
use tcpshm_driver::{Carrier, Connected, Driver, Handler, Kind, Link, Received, Silence};

carriers! {
    an_echo_at_a_time_allocates_nothing,
    many_echoes_at_a_time_allocate_nothing,
    deadlines_that_come_meanwhile_allocate_nothing_for_each_message,
    a_look_at_the_links_files_allocates_their_names_and_no_more,
}

const KIND: Kind = Kind::new(1).unwrap();
const SIZES: [usize; 4] = [16, 36, 68, 200];

/// Replies to everything.
struct Echo;

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let mut slot = link.claim(received.kind(), received.payload().len()).unwrap();
        slot.copy_from_slice(received.payload());
        slot.commit_consuming(received).unwrap();
    }
}

/// Keeps a window of messages on their way.
struct Pump {
    window: u64,
    sent: u64,
    received: u64,
}

impl Pump {
    fn send(&mut self, link: &mut Link<'_>) {
        let len = SIZES[usize::try_from(self.sent % 4).unwrap()];
        let mut slot = link.claim(KIND, len).unwrap();
        slot.fill(0);
        slot[..8].copy_from_slice(&self.sent.to_le_bytes());
        slot.commit();
        self.sent += 1;
    }
}

impl Handler for Pump {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        assert_eq!(received.payload()[..8], self.received.to_le_bytes());
        link.consume(received).unwrap();
        self.received += 1;
        self.send(link);
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        (0..self.window).for_each(|_| self.send(link));
    }
}

/// A link that keeps `window` messages on their way, after a while, with a clock that stands still. Its
/// files are looked after twice in every `silence`.
fn pumping(carrier: Carrier, window: u64, silence: Duration) -> (World<Echo, Pump>, [Home; 2]) {
    let homes = Home::pair(carrier);
    let silence = Silence::new(silence).unwrap();
    let mut world = World::new();
    let mut server = server(homes[1].path());
    (server.link.limits, server.link.silence) = (limits(1 << 18, 4096), silence);
    let address = world.serve(server, Echo);
    let mut client = client(homes[0].path(), address);
    (client.link.limits, client.link.silence) = (limits(1 << 18, 4096), silence);
    client.carrier = wish(carrier);
    // Frames that are written and read in parts, too.
    client.link.socket.send_buffer = Some(16 * 1024);
    world.connect(client, Pump { window, sent: 0, received: 0 });
    world.stop_clock();
    world.until("a few echoes", |world| {
        let client = &world.clients[0];
        client.driver.is_connected() && (window == 0 || client.app.received > 5000)
    });
    (world, homes)
}

/// How often memory is allocated while `count` echoes pass.
fn allocations(carrier: Carrier, window: u64, count: u64, silence: Duration, tick: Duration) -> u64 {
    let (mut world, _homes) = pumping(carrier, window, silence);
    world.tick = tick;
    let info = allocation_counter::measure(|| {
        world.until("all echoes", |world| world.clients[0].app.received > 5000 + count);
    });
    info.count_total
}

const SILENCE: Duration = Duration::from_secs(3);

fn an_echo_at_a_time_allocates_nothing(carrier: Carrier) {
    assert_eq!(allocations(carrier, 1, 10_000, SILENCE, Duration::ZERO), 0);
}

fn many_echoes_at_a_time_allocate_nothing(carrier: Carrier) {
    assert_eq!(allocations(carrier, 500, 200_000, SILENCE, Duration::ZERO), 0);
}

fn deadlines_that_come_meanwhile_allocate_nothing_for_each_message(carrier: Carrier) {
    // A hundred seconds or so, with a timer or two each second, and no look at a file.
    let hour = Duration::from_secs(3600);
    let few = allocations(carrier, 1, 10_000, hour, Duration::from_millis(5));
    let same = allocations(carrier, 1, 20_000, hour, Duration::from_millis(5));
    assert!(few < 50 && same < 50, "{few} and {same}");
}

fn a_look_at_the_links_files_allocates_their_names_and_no_more(carrier: Carrier) {
    let (mut world, _homes) = pumping(carrier, 1, SILENCE);
    world.tick = Duration::from_millis(5);
    let start = world.now;
    let info = allocation_counter::measure(|| {
        world.until("all echoes", |world| world.clients[0].app.received > 15_000);
    });
    let looks = 2 * ((world.now - start).as_millis() / (SILENCE / 2).as_millis() + 1);
    // The peer's file is looked for under two names.
    let files = if carrier == Carrier::Shm { 3 } else { 1 };
    let most = u64::try_from(looks).unwrap() * files * 6;
    assert!(info.count_total <= most, "{} in {looks} looks at {files} files", info.count_total);
}

#[test]
fn a_poll_that_finds_nothing_allocates_nothing() {
    let (mut world, _homes) = pumping(Carrier::Shm, 0, SILENCE);
    let info = allocation_counter::measure(|| {
        for _ in 0..10_000 {
            let (server, client) = world.both();
            assert!(!server.driver.poll(&mut server.app) && !client.driver.poll(&mut client.app));
        }
    });
    assert_eq!(info.count_total, 0);
}
