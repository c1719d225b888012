//! A client finds its server again: at another address, later, and without hurry.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::process::skipped;
use support::stage::Stage;
use support::{World, client, server};
use tcpshm_driver::{BackOff, Carrier, Connected, Driver, Handler, Link, Received};

carriers! {
    a_server_that_comes_back_at_the_first_address_is_found_there,
    a_link_that_lasted_is_tried_again_at_once_however_long_the_server_was_away_before,
    a_clock_that_goes_back_ends_nothing_and_one_that_jumps_ends_a_connection_at_most,
}

/// An address that nobody listens on: its port is taken, and leads nowhere.
struct Nowhere {
    _socket: socket2::Socket,
    address: SocketAddr,
}

fn nowhere() -> Nowhere {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&support::loopback().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    Nowhere { _socket: socket, address }
}

#[test]
fn an_address_that_refuses_gives_way_to_the_next() {
    let nowhere = nowhere();
    let mut stage = Stage::new();
    stage.stop_client();
    stage.client.addresses.insert(0, nowhere.address);
    let start = stage.world.now;
    stage.start_client(App::default());
    stage.connected();
    assert!(stage.world.now - start < Duration::from_millis(100), "at once");
    let connected: Vec<_> = stage.world.clients[0].app.connections().map(|login| login.address).collect();
    assert_eq!(connected, [stage.client.addresses[1]]);
    let (address, error) = &stage.world.clients[0].app.unreachable[0];
    assert_eq!((*address, *error), (nowhere.address, std::io::ErrorKind::ConnectionRefused));
    stage.exchange("on we go");
}

#[test]
fn an_address_that_accepts_and_never_answers_gives_way_at_the_login_deadline() {
    let silent = TcpListener::bind(support::loopback()).unwrap();
    let mut stage = Stage::new();
    stage.stop_client();
    stage.client.addresses.insert(0, silent.local_addr().unwrap());
    let start = stage.world.now;
    stage.start_client(App::default());
    stage.connected();
    let waited = stage.world.now - start;
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_millis(5100), "{waited:?}");
    stage.exchange("on we go");
}

#[test]
fn an_address_that_hangs_up_in_the_middle_gives_way_to_the_next() {
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut world = World::<App, App>::new();
    let address = world.serve(server(theirs.path()), App::default());
    let cable = world.lay_cable(address);
    world.cables[0].down = 10;
    let mut config = client(ours.path(), cable);
    config.addresses.push(address);
    world.connect(config, App::default());
    world.until("the cut", |world| {
        world.cables[0].wires.first().is_some_and(|wire| wire.to_client.allowed == 0)
    });
    world.cables[0].last().cut();
    world.until("a link", |world| world.clients[0].driver.is_connected());
    assert_eq!(world.clients[0].app.connections().next().unwrap().address, address);
}

fn a_server_that_comes_back_at_the_first_address_is_found_there(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let nowhere = nowhere();
    stage.stop_client();
    stage.client.addresses.push(nowhere.address);
    stage.start_client(App::default());
    for _ in 0..3 {
        stage.connected();
        stage.exchange("here we are");
        stage.stop_server();
        stage.world.pass(Duration::from_secs(7));
        stage.start_server(App::with(Habit::Echo));
    }
    stage.connected();
}

#[test]
fn links_run_over_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return skipped("there is no IPv6 loopback here");
    };
    drop(listener);
    let mut stage = Stage::with(|server, _| server.listen = vec!["[::1]:0".parse().unwrap()]);
    assert!(stage.client.addresses[0].is_ipv6());
    stage.exchange("on we go");
}

#[test]
fn a_server_listens_on_several_addresses_with_one_port_for_both_families() {
    let Ok(listener) = TcpListener::bind("[::]:0") else {
        return skipped("there is no IPv6 here");
    };
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut config = server(theirs.path());
    config.listen = vec![SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from(([0_u16; 8], port))];
    let mut world = World::<App, App>::new();
    if world.try_serve(config, App::default()).is_err() {
        return skipped("somebody took the port meanwhile");
    }
    for (number, loopback) in ["127.0.0.1", "::1"].into_iter().enumerate() {
        let mut config = client(ours.path(), SocketAddr::new(loopback.parse().unwrap(), port));
        config.link.name = support::name(&format!("client-{number}"));
        world.connect(config, App::default());
        world.until("a link", |world| world.clients[number].driver.is_connected());
    }
}

/// Notes when attempts come.
struct Watch {
    now: Instant,
    attempts: Vec<Instant>,
}

impl Handler for Watch {
    fn message(&mut self, _: &mut Link<'_>, _: Received<'_>) {}

    fn connected(&mut self, _: &mut Link<'_>, _: &Connected) {
        panic!("to nobody");
    }

    fn unreachable(&mut self, _: SocketAddr, _: &std::io::Error) {
        self.attempts.push(self.now);
    }
}

/// The waits of a client whose server is away, for `time`, and the turns that it took.
fn waits(back_off: BackOff, time: Duration) -> (Vec<Duration>, usize) {
    let (directory, nowhere) = (tempfile::tempdir().unwrap(), nowhere());
    let mut world = World::<App, Watch>::new();
    let mut config = client(directory.path(), nowhere.address);
    config.back_off = back_off;
    world.connect(config, Watch { now: world.now, attempts: Vec::new() });
    let end = world.now + time;
    world.until("the end", |world| {
        world.clients[0].app.now = world.now;
        world.now >= end
    });
    let attempts = &world.clients[0].app.attempts;
    let waits = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (waits, world.turns)
}

#[test]
fn the_back_off_grows_to_its_limit_and_is_jittered() {
    let back_off = BackOff { first: Duration::from_millis(10), most: Duration::from_secs(1) };
    let (waits, turns) = waits(back_off, Duration::from_secs(100));
    for (round, wait) in waits.iter().take(7).enumerate() {
        assert!(*wait <= Duration::from_millis(10 << round), "round {round}: {wait:?}");
    }
    let late = &waits[10..];
    let mean = late.iter().sum::<Duration>() / u32::try_from(late.len()).unwrap();
    assert!(mean > Duration::from_millis(350) && mean < Duration::from_millis(650), "{mean:?}");
    assert!(late.iter().all(|wait| *wait <= Duration::from_secs(1)));
    let short = late.iter().filter(|wait| **wait < Duration::from_millis(250)).count();
    assert!(short > late.len() / 10 && short < late.len() / 2, "{short} of {} are short", late.len());
    // The clock of this world moves after three quiet turns.
    assert!(turns < waits.len() * 8, "{turns} turns for {} attempts: a busy loop", waits.len());
}

fn a_link_that_lasted_is_tried_again_at_once_however_long_the_server_was_away_before(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_server();
    stage.world.pass(Duration::from_secs(60));
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    stage.world.pass(Duration::from_secs(10));
    let near = stage.world.now;
    stage.stop_server();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    assert!(stage.world.now - near <= Duration::from_millis(10), "{:?}", stage.world.now - near);
}

#[test]
fn two_clients_that_lost_the_same_server_do_not_come_back_in_step() {
    let time = Duration::from_secs(5);
    let back_off = BackOff::default();
    assert_ne!(waits(back_off, time).0, waits(back_off, time).0);
}

#[test]
fn a_server_without_clients_sleeps() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::<App, App>::new();
    world.serve(server(directory.path()), App::default());
    world.turn();
    let now = world.now;
    assert_eq!(world.at_server().driver.timeout(now), None);
}

fn a_clock_that_goes_back_ends_nothing_and_one_that_jumps_ends_a_connection_at_most(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let start = stage.world.now;
    stage.world.now = start + Duration::from_secs(600);
    stage.world.calm();
    stage.connected();
    stage.exchange("after a jump");
    let endings = stage.world.clients[0].app.endings().len();
    assert!(endings <= 1);
    stage.world.now = start;
    stage.exchange("before it");
    stage.world.pass(Duration::from_secs(30));
    stage.exchange("again");
    assert_eq!(stage.world.clients[0].app.endings().len(), endings);
    assert!(stage.world.at_server().app.disputes().is_empty());
}
