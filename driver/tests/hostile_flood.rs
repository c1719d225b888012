//! Floods of connections take a bounded number of places, and none from those who are served.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use support::app::App;
use support::client;
use support::process::alone;
use support::raw::{self, Raw};
use support::siege::Siege;
use tcpshm_driver::RefusalCode;

const FLOOD: usize = 2_000;

/// Whoever is oldest gives way at once.
fn siege(pending: usize, per_address: usize) -> Siege {
    graceful_siege(pending, per_address, Duration::ZERO)
}

fn graceful_siege(pending: usize, per_address: usize, grace: Duration) -> Siege {
    Siege::with(|server, _| {
        server.max_pending = pending;
        server.max_pending_per_address = per_address;
        server.login_grace = grace;
    })
}

/// Turns until the server has seen the connections.
fn settle(siege: &mut Siege, all: &mut [Raw]) {
    (0..20).for_each(|_| siege.world().turn());
    all.iter_mut().for_each(Raw::listen);
}

/// Connects `count` times, each time saying what `words` gives.
fn flood(siege: &mut Siege, count: usize, words: impl Fn(usize) -> Vec<u8>) -> Vec<Raw> {
    let address = siege.stage.client.addresses[0];
    let mut all = Vec::new();
    for number in 0..count {
        let mut raw = Raw::connect(address);
        raw.say(&words(number));
        all.push(raw);
        if number % 20 == 0 {
            siege.world().turn();
        }
    }
    settle(siege, &mut all);
    all
}

fn open(all: &[Raw]) -> Vec<usize> {
    all.iter().enumerate().filter(|(_, raw)| !raw.ended).map(|(number, _)| number).collect()
}

#[test]
fn half_open_connections_take_a_bounded_number_of_places_and_the_oldest_give_way() {
    let _alone = alone();
    let mut siege = siege(100, 1000);
    let all = flood(&mut siege, FLOOD, |_| Vec::new());
    let newest: Vec<usize> = (FLOOD - 100..FLOOD).collect();
    assert_eq!(open(&all), newest);
    assert_eq!(siege.more_descriptors(), FLOOD + 100);
    drop(all);
    siege.conclude();
}

#[test]
fn a_login_that_has_just_begun_is_not_driven_out_by_those_that_come_later() {
    let _alone = alone();
    let mut siege = graceful_siege(100, 100, Duration::from_secs(3600));
    let all = flood(&mut siege, FLOOD, |number| raw::hello(&format!("mallory-{number}")));
    assert_eq!(open(&all), (0..100).collect::<Vec<_>>());
    assert!(all[..100].iter().all(|raw| raw.understood().0.len() == 1), "those that stay are welcome");
    assert_eq!(siege.more_descriptors(), FLOOD + 100);
    drop(all);
    siege.conclude();
}

#[test]
fn distinct_names_leave_no_files_and_no_names_behind() {
    let _alone = alone();
    let mut siege = siege(100, 1000);
    let all = flood(&mut siege, FLOOD, |number| raw::hello(&format!("mallory-{number}")));
    assert_eq!(open(&all).len(), 100);
    assert!(all.iter().all(|raw| raw.ended || raw.understood().0.len() == 1), "those that stay are welcome");
    drop(all);
    siege.conclude();
}

#[test]
fn refused_connections_that_stay_take_a_bounded_number_of_places() {
    let _alone = alone();
    let mut siege = siege(100, 1000);
    let all = flood(&mut siege, FLOOD, |_| b"GET / HTTP/1.1\r\n\r\n".to_vec());
    let refused =
        all.iter().filter(|raw| raw.refusal().map(|refusal| refusal.code) == Some(RefusalCode::Malformed));
    assert_eq!(refused.count(), FLOOD);
    let places = siege.more_descriptors() - FLOOD;
    assert!(places <= 100, "{places} sockets for refused connections");
    drop(all);
    siege.conclude();
}

#[test]
fn one_address_takes_its_share_only_and_its_own_oldest_give_way() {
    let _alone = alone();
    let mut siege = siege(100, 20);
    let address = siege.stage.client.addresses[0];
    let mut others: Vec<Raw> = (0..15).map(|_| connect_from("127.0.0.2:0", address)).collect();
    settle(&mut siege, &mut others);
    let all = flood(&mut siege, 200, |_| Vec::new());
    assert_eq!(open(&all), (180..200).collect::<Vec<_>>());
    settle(&mut siege, &mut others);
    assert_eq!(open(&others).len(), 15, "another address has its places still");
    drop((all, others));
    siege.conclude();
}

#[test]
fn a_good_login_gets_through_a_flood() {
    let _alone = alone();
    // No longer than a client waits before it tries again.
    let mut siege = graceful_siege(100, 1000, Duration::from_millis(10));
    let directory = tempfile::tempdir().unwrap();
    let mut all = flood(&mut siege, FLOOD, |number| raw::hello(&format!("mallory-{number}")));
    let mut config = client(directory.path(), siege.stage.client.addresses[0]);
    config.link.name = "newcomer".parse().unwrap();
    siege.world().connect(config, App::default());
    for _ in 0..20 {
        // As many again, while it logs in.
        all.drain(..50);
        all.extend(flood(&mut siege, 50, |_| Vec::new()));
    }
    siege.world().until("the link", |world| world.clients[1].driver.is_connected());
    assert!(siege.stage.theirs.names().contains(&"s~server~newcomer.link".to_owned()));
}

#[test]
fn a_flood_of_links_stops_at_the_most_there_may_be() {
    let _alone = alone();
    let mut siege = Siege::with(|server, _| server.max_links = 5);
    let address = siege.stage.client.addresses[0];
    let mut all: Vec<Raw> = Vec::new();
    for number in 0..10 {
        let mut raw = Raw::connect(address);
        raw.greet(siege.world(), &raw::hello(&format!("guest-{number}")));
        raw.answer(raw::confirm(100 + number));
        raw.until(siege.world(), "an answer", |raw| raw.understood().0.len() == 2);
        all.push(raw);
    }
    let refused =
        all.iter().filter(|raw| raw.refusal().map(|refusal| refusal.code) == Some(RefusalCode::Overloaded));
    assert_eq!(refused.count(), 6, "one place is the good client's");
    assert_eq!(siege.world().at_server().driver.connections(), 5);
    assert_eq!(siege.stage.theirs.names().len(), 5, "the refused ones left no file");
}

/// A connection from one of the other addresses that this machine has for itself.
fn connect_from(from: &str, to: SocketAddr) -> Raw {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&from.parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&to.into()).unwrap();
    Raw::over(socket.into())
}
