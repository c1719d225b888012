//! One link with endless input does not starve the others, and what a budget puts off is not forgotten.

mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::process::alone;
use support::raw::{self, Raw};
use support::siege::Siege;
use support::stage::Stage;
use support::wish;
use tcpshm_driver::mio::Events;
use tcpshm_driver::{Carrier, Driver};

/// Messages of kind 2, one after the other.
struct Torrent {
    raw: Raw,
    position: u64,
    rest: Vec<u8>,
    bytes: usize,
}

const ID: u128 = 9;

impl Torrent {
    fn over(raw: Raw) -> Self {
        Torrent { raw, position: 0, rest: Vec::new(), bytes: 0 }
    }

    /// Fills the socket.
    fn pour(&mut self) {
        loop {
            while self.rest.len() < 64 * 1024 {
                let mark = raw::mark(ID, self.position);
                self.rest.extend(raw::frame(16 + 512, 2, mark, 0, &[0xaa; 512]));
                self.position += 528;
            }
            let count = self.raw.push(&self.rest);
            self.rest.drain(..count);
            self.bytes += count;
            if count == 0 {
                return;
            }
        }
    }
}

#[test]
fn a_link_with_endless_input_does_not_starve_another() {
    let _alone = alone();
    let mut siege = Siege::with(|server, _| server.link.read_budget = 64 * 1024);
    let mut raw = Raw::connect(siege.stage.client.addresses[0]);
    raw.log_in(siege.world(), "greedy", ID);
    let mut torrent = Torrent::over(raw);
    let (echoes, turns) = (siege.echoes(), 500);
    for _ in 0..turns {
        torrent.pour();
        siege.world().turn();
        torrent.raw.listen();
        // What is received is not what this is about.
        siege.world().at_server().app.received.clear();
    }
    assert!(torrent.bytes > 20_000_000, "{} bytes", torrent.bytes);
    let echoes = siege.echoes() - echoes;
    assert!(echoes >= turns / 2 - 5, "{echoes} echoes in {turns} turns");
}

#[test]
fn a_spent_budget_is_continued_without_a_new_event() {
    let _alone = alone();
    let mut stage = Stage::with(|server, _| server.link.read_budget = 1);
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.log_in(&mut stage.world, "greedy", ID);
    stage.world.calm();
    let mut torrent = Torrent::over(raw);
    // The kernel makes a receive buffer large only for those who empty it.
    for _ in 0..100 {
        torrent.pour();
        stage.world.turn();
    }
    torrent.pour();
    // The events, and then none any more.
    let mut events = Events::with_capacity(16);
    stage.world.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    let now = stage.world.now;
    let server = stage.world.at_server();
    for event in &events {
        // It ignores those of others.
        server.driver.handle_event(now, event, &mut server.app).unwrap();
    }
    let at_first = server.app.received.len();
    let mut visits = 0;
    while server.driver.timeout(now) == Some(Duration::ZERO) {
        server.driver.handle_timeout(now, &mut server.app);
        visits += 1;
        assert!(visits < 10_000, "a busy loop");
    }
    assert!(visits > 0 && server.app.received.len() > at_first, "the budget was not spent");
}

#[test]
fn a_client_continues_a_spent_budget_too() {
    let _alone = alone();
    let mut stage = Stage::with(|server, client| {
        let limits = support::limits(1 << 21, 4096);
        (server.link.limits, client.link.limits) = (limits, limits);
        client.link.read_budget = 1;
    });
    stage.world.clients[0].app = App::with(Habit::Hold);
    for _ in 0..300 {
        stage.world.answer(&[7; 4000]);
    }
    stage.world.stop_clock();
    stage.world.until("all of it", |world| world.clients[0].app.held.len() == 300);
    let now = stage.world.now;
    assert!(stage.world.clients[0].driver.timeout(now) > Some(Duration::ZERO));
}

#[test]
fn connections_beyond_the_accept_budget_are_accepted_without_a_new_event() {
    let _alone = alone();
    let mut stage = Stage::with(|server, _| server.accept_budget = 1);
    let mut raws: Vec<Raw> = (0..50).map(|_| Raw::connect(stage.client.addresses[0])).collect();
    raws.iter_mut().for_each(|raw| raw.say(b"GET /"));
    stage.world.turn();
    let now = stage.world.now;
    let server = stage.world.at_server();
    let mut visits = 0;
    while server.driver.timeout(now) == Some(Duration::ZERO) {
        server.driver.handle_timeout(now, &mut server.app);
        visits += 1;
    }
    assert!((49..60).contains(&visits), "{visits} visits");
    raws.iter_mut().for_each(Raw::listen);
    assert!(raws.iter().all(|raw| raw.refusal().is_some()));
}

#[test]
fn a_link_that_the_host_asks_for_and_does_not_use_makes_no_work() {
    let _alone = alone();
    let mut stage = Stage::new();
    let now = stage.world.now;
    let (server, client) = stage.world.both();
    assert_eq!(server.driver.link(now, &support::name("client")).unwrap().held(), 0);
    assert_eq!(client.driver.link(now).unwrap().held(), 0);
    assert!(server.driver.timeout(now) > Some(Duration::ZERO));
    assert!(client.driver.timeout(now) > Some(Duration::ZERO));
}

/// A client on shared memory, beside the good one.
fn on_memory(siege: &mut Siege, name: &str) -> usize {
    let mut config = siege.stage.client.clone();
    (config.link.name, config.carrier) = (support::name(name), wish(Carrier::Shm));
    config.link.directory = siege.stage.theirs.path().to_owned();
    siege.world().connect(config, App::default());
    let index = siege.world().clients.len() - 1;
    siege.world().until("a link", |world| world.clients[index].driver.is_connected());
    index
}

#[test]
fn an_endless_link_on_shared_memory_starves_neither_another_nor_one_over_tcp() {
    let _alone = alone();
    let mut siege = Siege::new();
    let greedy = on_memory(&mut siege, "greedy");
    let modest = on_memory(&mut siege, "modest");
    siege.world().clients[modest].app.habit = Habit::Echo;
    siege.world().send(modest, b"ball");
    let (echoes, turns, mut poured) = (siege.echoes(), 500, 0);
    for _ in 0..turns {
        let now = siege.world().now;
        let mut link = siege.world().clients[greedy].driver.link(now).expect("a link");
        while link.send(support::kind(2), &[0xaa; 8]).is_ok() {
            poured += 1;
        }
        drop(link);
        siege.world().turn();
        siege.world().at_server().app.received.clear();
    }
    assert!(poured > 64 * turns, "only {poured} messages in {turns} turns: not endless");
    let echoes = siege.echoes() - echoes;
    assert!(echoes >= turns / 2 - 5, "{echoes} echoes over TCP in {turns} turns");
    let echoes = siege.world().clients[modest].app.received.len();
    assert!(echoes >= turns - 5, "{echoes} echoes over shared memory in {turns} turns");
}

#[test]
fn endless_input_over_tcp_does_not_starve_a_link_on_shared_memory() {
    let _alone = alone();
    let mut siege = Siege::with(|server, _| server.link.read_budget = 64 * 1024);
    let modest = on_memory(&mut siege, "modest");
    siege.world().clients[modest].app.habit = Habit::Echo;
    siege.world().send(modest, b"ball");
    let mut raw = Raw::connect(siege.stage.client.addresses[0]);
    raw.log_in(siege.world(), "greedy", ID);
    let mut torrent = Torrent::over(raw);
    let (echoes, turns) = (siege.world().clients[modest].app.received.len(), 300);
    for _ in 0..turns {
        torrent.pour();
        siege.world().turn();
        torrent.raw.listen();
        siege.world().at_server().app.received.clear();
    }
    assert!(torrent.bytes > turns * 16 * 1024, "only {} bytes: not endless", torrent.bytes);
    let echoes = siege.world().clients[modest].app.received.len() - echoes;
    assert!(echoes >= turns - 5, "{echoes} echoes over shared memory in {turns} turns");
}
