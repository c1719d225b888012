//! One link with endless input does not starve the others, and what a budget puts off is not forgotten.

mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::process::alone;
use support::raw::{self, Raw};
use support::siege::Siege;
use support::stage::Stage;
use tcpshm_driver::Driver;
use tcpshm_driver::mio::Events;

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
