//! Messages of many megabytes, whole, through sockets of any size.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit};
use support::stage::Stage;
use support::{kind, limits};
use tcpshm_driver::{Carrier, SocketConfig};

carriers! {
    messages_up_to_eight_megabytes_come_whole,
}

const LARGEST: u32 = 8 * 1024 * 1024;

/// Bytes that differ from place to place and from message to message.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

fn stage(carrier: Carrier, capacity: u64, socket: &SocketConfig) -> Stage {
    Stage::over_with(carrier, |server, client| {
        for link in [&mut server.link, &mut client.link] {
            link.limits = limits(capacity, LARGEST);
            link.socket = socket.clone();
        }
    })
}

/// Sends messages of these lengths and checks their echoes.
#[track_caller]
fn echoed(stage: &mut Stage, lengths: &[usize]) {
    stage.world.clients[0].app.received.clear();
    for (seed, len) in lengths.iter().enumerate() {
        let now = stage.world.now;
        let mut link = stage.world.clients[0].driver.link(now).unwrap();
        let mut slot = link.claim(kind(1), *len).unwrap();
        slot.copy_from_slice(&pattern(seed as u64, *len));
        slot.commit();
        drop(link);
        stage.world.until("the reply", |world| world.clients[0].app.received.len() > seed);
        let received = &stage.world.clients[0].app.received[seed];
        assert!(*received == pattern(seed as u64, *len), "message {seed} of {len} bytes");
        stage.world.calm();
    }
}

fn messages_up_to_eight_megabytes_come_whole(carrier: Carrier) {
    let mut stage = stage(carrier, 32 << 20, &SocketConfig::default());
    let most = LARGEST as usize;
    echoed(&mut stage, &[most, 0, 65_519, 65_520, 65_521, 1 << 20, most - 1, most, 7, most]);
}

#[test]
fn messages_come_whole_through_small_sockets() {
    // A receive buffer that is smaller still makes the kernel wait for its own timers.
    let small = SocketConfig { no_delay: true, send_buffer: Some(4096), receive_buffer: Some(16 * 1024) };
    let mut stage = stage(Carrier::Tcp, 16 << 20, &small);
    echoed(&mut stage, &[3 << 20, 100_000, 1, LARGEST as usize, 65_537]);
}

#[test]
fn a_message_cut_in_the_middle_comes_whole_on_the_next_connection() {
    let mut stage = stage(Carrier::Tcp, 16 << 20, &SocketConfig::default());
    stage.stop_client();
    let near = stage.world.lay_cable(stage.client.addresses[0]);
    stage.client.addresses = vec![near];
    for cut in [2_000_000, 5_000_001, 7_999_999] {
        stage.world.cables[0].up = cut;
        stage.start_client(App::default());
        stage.connected();
        stage.world.clients[0].app.received.clear();
        let large = pattern(cut as u64, LARGEST as usize);
        stage.world.send(0, &large);
        stage.world.until("the cut", |world| world.cables[0].last().to_server.allowed == 0);
        (0..5).for_each(|_| stage.world.turn());
        stage.world.cables[0].up = usize::MAX;
        stage.world.cables[0].last().cut();
        stage.world.until("the reply", |world| world.clients[0].app.received.len() == 1);
        assert!(stage.world.clients[0].app.received[0] == large, "cut at {cut}");
        assert_eq!(stage.world.at_server().app.habit, Habit::Echo);
        stage.stop_client();
    }
}
