//! A process that has no descriptors left serves those it has, and takes new ones when it can.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::app::{App, Habit};
use support::process::alone;
use support::raw::Raw;
use support::stage::Stage;
use tcpshm_driver::Driver;

/// No descriptor can be opened while this lives.
struct Shortage {
    before: Rlimit,
}

impl Shortage {
    fn begin() -> Self {
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum: before.maximum }).unwrap();
        Shortage { before }
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.before).unwrap();
    }
}

#[test]
fn a_server_without_descriptors_serves_its_links_and_does_not_spin() {
    let _alone = alone();
    let mut stage = Stage::new();
    let mut raws: Vec<Raw> = (0..5).map(|_| Raw::connect(stage.client.addresses[0])).collect();
    raws.iter_mut().for_each(|raw| raw.say(b"GET /"));
    let shortage = Shortage::begin();
    stage.exchange("in the shortage");
    let (turns, start) = (stage.world.turns, stage.world.now);
    stage.world.pass(Duration::from_secs(10));
    let turns = stage.world.turns - turns;
    // One attempt every 100 ms, and three quiet turns before the clock moves.
    assert!(turns < 600, "{turns} turns in {:?}", stage.world.now - start);
    let now = stage.world.now;
    assert!(stage.world.at_server().driver.timeout(now) > Some(Duration::ZERO));
    raws.iter_mut().for_each(Raw::listen);
    assert!(raws.iter().all(|raw| !raw.ended && raw.heard.is_empty()), "nobody was turned away");
    drop(shortage);
    stage.world.until("all of them", |_| {
        raws.iter_mut().for_each(Raw::listen);
        raws.iter().all(|raw| raw.refusal().is_some())
    });
}

#[test]
fn a_client_without_descriptors_goes_on_trying() {
    let _alone = alone();
    let mut stage = Stage::new();
    stage.stop_server();
    stage.start_server(App::with(Habit::Echo));
    stage.world.clients[0].app.unreachable.clear();
    let shortage = Shortage::begin();
    stage.world.pass(Duration::from_secs(20));
    let failed: &Vec<(SocketAddr, _)> = &stage.world.clients[0].app.unreachable;
    assert!((10..150).contains(&failed.len()), "{} attempts in 20 s", failed.len());
    drop(shortage);
    stage.connected();
    stage.exchange("on we go");
}

#[test]
fn a_login_that_cannot_open_its_file_is_refused_and_succeeds_later() {
    let _alone = alone();
    let mut stage = Stage::new();
    stage.stop_server();
    stage.start_server(App::with(Habit::Echo));
    // The connection is accepted, and then there is nothing left to open the link file with.
    stage.world.until("a connection", |world| !world.at_server().app.attempts.is_empty());
    let shortage = Shortage::begin();
    stage.world.until("a refusal or a link", |world| {
        let server = world.at_server();
        !server.app.refusals().is_empty() || !server.app.outcomes().is_empty()
    });
    let failures = stage.world.at_server().app.failures();
    assert!(failures.len() == 1 && failures[0].contains("s~server~client.link"), "{failures:?}");
    drop(shortage);
    stage.connected();
    assert_eq!(stage.world.clients[0].app.outcomes().len(), 2);
    stage.exchange("on we go");
}
