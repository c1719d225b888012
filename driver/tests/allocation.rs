//! In steady state nothing is allocated, however many messages pass.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::{World, client, limits, server};
use tcpshm_driver::{Connected, Handler, Kind, Link, Received};

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

/// How often memory is allocated while `count` echoes pass, after a while.
fn allocations(window: u64, count: u64, tick: Duration) -> u64 {
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut world = World::new();
    let mut server = server(theirs.path());
    server.link.limits = limits(1 << 18, 4096);
    let address = world.serve(server, Echo);
    let mut client = client(ours.path(), address);
    client.link.limits = limits(1 << 18, 4096);
    // Frames that are written and read in parts, too.
    client.link.socket.send_buffer = Some(16 * 1024);
    world.connect(client, Pump { window, sent: 0, received: 0 });
    world.stop_clock();
    world.until("a few echoes", |world| world.clients[0].app.received > 5000);
    world.tick = tick;
    let info = allocation_counter::measure(|| {
        world.until("all echoes", |world| world.clients[0].app.received > 5000 + count);
    });
    info.count_total
}

#[test]
fn an_echo_at_a_time_allocates_nothing() {
    assert_eq!(allocations(1, 10_000, Duration::ZERO), 0);
}

#[test]
fn many_echoes_at_a_time_allocate_nothing() {
    assert_eq!(allocations(500, 200_000, Duration::ZERO), 0);
}

#[test]
fn deadlines_that_come_meanwhile_allocate_nothing_for_each_message() {
    // A hundred seconds, with a timer or two each second.
    let allocations = allocations(1, 10_000, Duration::from_millis(5));
    assert!(allocations < 500, "{allocations}");
}
