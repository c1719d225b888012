//! A peer that takes nothing costs its sender a ring and its neighbours nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::app::App;
use support::process::alone;
use support::raw::Raw;
use support::siege::Siege;
use support::{kind, name, wish};
use tcpshm_driver::{Carrier, SendError};

#[test]
fn a_peer_that_consumes_nothing_is_told_as_full_and_no_other_link_notices() {
    let _alone = alone();
    let mut siege = Siege::new();
    let mut raw = Raw::connect(siege.stage.client.addresses[0]);
    raw.log_in(siege.world(), "idler", 9);
    a_ring_is_all_it_costs(&mut siege);
}

#[test]
fn a_peer_that_stands_still_on_shared_memory_is_told_as_full_and_no_other_link_notices() {
    let _alone = alone();
    let mut siege = Siege::new();
    let mut config = siege.stage.client.clone();
    (config.link.name, config.carrier) = (name("idler"), wish(Carrier::Shm));
    config.link.directory = siege.stage.theirs.path().to_owned();
    siege.world().connect(config, App::default());
    siege.world().until("its link", |world| world.clients[1].driver.is_connected());
    // From here on nobody turns it.
    let _still = siege.world().clients.pop();
    a_ring_is_all_it_costs(&mut siege);
}

/// The idler takes as much as its ring holds, and nobody notices.
#[track_caller]
fn a_ring_is_all_it_costs(siege: &mut Siege) {
    let size = || std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = |statm: String| statm.split(' ').nth(5).unwrap().parse::<usize>().unwrap();
    let (echoes, before, turns) = (siege.echoes(), pages(size()), 400);
    let (mut accepted, mut refused) = (0_u64, 0);
    for _ in 0..turns {
        let now = siege.world().now;
        // Neither reads its socket nor acknowledges; that it lives is all it says.
        let server = siege.world().at_server();
        server.app.received.clear();
        let mut link = server.driver.link(now, &name("idler")).expect("still connected");
        for _ in 0..50 {
            match link.send(kind(2), &[7; 100]) {
                Ok(_) => accepted += 1,
                Err(SendError::Full { needed: 120, unconsumed, .. }) => {
                    assert_eq!(unconsumed, accepted * 120);
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(link.undelivered().messages, accepted, "how far behind it is");
        drop(link);
        siege.world().turn();
    }
    assert_eq!(accepted, (4096 - 8) / 120, "as much as the ring holds");
    assert!(refused > 19_000);
    let echoes = siege.echoes() - echoes;
    assert!(echoes >= turns / 2 - 5, "{echoes} echoes in {turns} turns");
    let grown = pages(size()).saturating_sub(before) * 4096;
    assert!(grown < 1 << 20, "{grown} bytes more for 20,000 messages of 100 bytes");
}
