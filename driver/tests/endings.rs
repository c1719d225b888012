//! How a connection ends: at once, with its reason, and without loss.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::raw::{self, CLOSE, HEARTBEAT, Raw};
use support::stage::Stage;
use support::{kind, name, server};
use tcpshm_driver::mio::{Events, Poll};
use tcpshm_driver::{Carrier, Driver, Server, Silence};

carriers! {
    a_client_notices_at_once_that_its_server_ended_with_its_last_bytes,
    a_link_closed_by_its_application_tells_the_peer_and_loses_nothing,
    a_link_closed_by_the_servers_application_tells_the_client,
    a_link_closed_in_the_middle_of_a_stream_tells_its_reason_to_a_peer_that_is_still_sending,
    a_server_that_shuts_down_tells_every_peer_and_waits_for_none,
    a_client_that_shuts_down_tells_its_server_and_does_nothing_more,
    a_peer_that_is_silent_for_too_long_is_given_up_and_the_link_goes_on_later,
    bytes_that_wait_after_a_long_pause_of_this_process_count_as_a_sign_of_life,
    an_idle_link_lives_on_by_its_heartbeats,
    a_close_right_behind_the_login_is_told_with_its_reason,
}

/// The reasons in a close frame, as they are numbered on the wire.
const APPLICATION: u64 = 1;
const SHUTTING_DOWN: u64 = 2;

#[test]
fn an_end_that_comes_together_with_the_last_bytes_is_noticed_at_once() {
    let heartbeat = raw::frame(16, 0, HEARTBEAT, 0, b"");
    for (last, text) in [(raw::message(9, 0, b"last words"), Some("last words")), (heartbeat, None)] {
        let mut stage = Stage::new();
        stage.world.at_server().app.habit = Habit::Hold;
        let mut raw = Raw::connect(stage.client.addresses[0]);
        raw.log_in(&mut stage.world, "guest", 9);
        stage.world.calm();
        raw.listen();
        let start = stage.world.now;
        // One event for both, since the loop does not run in between.
        raw.say(&last);
        drop(raw);
        stage.world.until("the end", |world| !world.at_server().app.endings().is_empty());
        let app = &stage.world.at_server().app;
        assert_eq!(app.endings(), ["Cut"]);
        assert_eq!(app.texts().get(1).copied(), text);
        assert!(stage.world.now - start < Duration::from_millis(500), "not at the end of a silence");
    }
}

fn a_client_notices_at_once_that_its_server_ended_with_its_last_bytes(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.answer(b"last words");
    let start = stage.world.now;
    stage.world.server = None;
    stage.world.until("the end", |world| !world.clients[0].driver.is_connected());
    assert!(stage.world.now - start < Duration::from_millis(500), "not at the end of a silence");
    stage.world.until("all of it", |world| world.clients[0].app.texts() == ["first", "last words"]);
}

fn a_link_closed_by_its_application_tells_the_peer_and_loses_nothing(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let now = stage.world.now;
    let mut link = stage.world.clients[0].driver.link(now).unwrap();
    link.send(kind(1), b"before").unwrap();
    assert_eq!(link.close().messages, 1, "nothing of it is known to have been consumed");
    drop(link);
    stage.world.until("the end", |world| !world.clients[0].app.endings().is_empty());
    stage.world.until("a new connection", |world| world.clients[0].app.outcomes().len() == 2);
    stage.world.until("the reply", |world| world.clients[0].app.texts() == ["first", "before"]);
    let (server, client) = stage.world.both();
    assert_eq!(client.app.endings(), ["Closed"]);
    assert_eq!(server.app.endings(), ["ByPeer(Application)"]);
    assert_eq!(server.app.texts(), ["first", "before"]);
}

fn a_link_closed_by_the_servers_application_tells_the_client(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let now = stage.world.now;
    stage.world.at_server().driver.link(now, &name("client")).unwrap().close();
    stage.world.until("a new connection", |world| world.clients[0].app.outcomes().len() == 2);
    let (server, client) = stage.world.both();
    assert_eq!((server.app.endings(), client.app.endings()), (vec!["Closed"], vec!["ByPeer(Application)"]));
    stage.exchange("on we go");
}

fn a_link_closed_in_the_middle_of_a_stream_tells_its_reason_to_a_peer_that_is_still_sending(
    carrier: Carrier,
) {
    for round in 0..20 {
        let mut stage = Stage::over(carrier);
        stage.world.at_server().app.habit = Habit::Echo;
        for number in 0..50 {
            stage.world.send(0, format!("{number:0400}").as_bytes()[..40].as_ref());
        }
        (0..round % 5).for_each(|_| stage.world.turn());
        stage.world.answer(b"unread by the time of the close");
        let now = stage.world.now;
        stage.world.clients[0].driver.link(now).unwrap().close();
        stage.world.until("the end", |world| !world.at_server().app.endings().is_empty());
        assert_eq!(stage.world.at_server().app.endings(), ["ByPeer(Application)"], "round {round}");
        stage.world.until("all replies", |world| world.clients[0].app.received.len() == 52);
    }
}

fn a_server_that_shuts_down_tells_every_peer_and_waits_for_none(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.log_in(&mut stage.world, "guest", 9);
    stage.world.answer(b"queued before the end");
    let now = stage.world.now;
    let server = stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    assert_eq!(server.app.endings(), ["ShutDown", "ShutDown"]);
    assert_eq!(server.driver.timeout(now), None, "there is nothing left to do");
    assert!(server.driver.link(now, &name("client")).is_none());
    raw.until(&mut stage.world, "the end", |raw| raw.ended);
    assert_eq!(raw.close_reason(), Some(SHUTTING_DOWN));
    stage.world.until("the client's notice", |world| !world.clients[0].driver.is_connected());
    assert_eq!(stage.world.clients[0].app.endings(), ["ByPeer(ShuttingDown)"]);
    if carrier == Carrier::Tcp {
        assert!(stage.world.clients[0].app.texts().contains(&"queued before the end"));
    }

    stage.world.server = None;
    stage.start_server(App::with(Habit::Echo));
    stage.world.until("all of it", |world| world.clients[0].app.texts().contains(&"queued before the end"));
    stage.exchange("on we go");
}

fn a_client_that_shuts_down_tells_its_server_and_does_nothing_more(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let now = stage.world.now;
    let client = &mut stage.world.clients[0];
    client.driver.shut_down(now, &mut client.app);
    assert_eq!(client.app.endings(), ["ShutDown"]);
    assert_eq!(client.driver.timeout(now), None);
    stage.world.until("the server's notice", |world| !world.at_server().app.endings().is_empty());
    assert_eq!(stage.world.at_server().app.endings(), ["ByPeer(ShuttingDown)"]);
    stage.world.pass(Duration::from_secs(10));
    assert_eq!(stage.world.clients[0].app.outcomes().len(), 1, "it does not come back");
}

fn a_peer_that_is_silent_for_too_long_is_given_up_and_the_link_goes_on_later(carrier: Carrier) {
    let silence = Duration::from_secs(2);
    let mut stage = Stage::over_with(carrier, |server, client| {
        server.link.silence = Silence::new(silence).unwrap();
        client.link.silence = Silence::new(Duration::from_secs(3600)).unwrap();
    });
    let start = stage.world.now;
    // The client's process stands still: nobody turns it.
    let still = stage.world.clients.pop().unwrap();
    stage.world.until("the end", |world| !world.at_server().app.endings().is_empty());
    assert!(stage.world.now - start <= silence + Duration::from_millis(100));
    let ending = stage.world.at_server().app.endings()[0].to_owned();
    assert!(ending.starts_with("Silent(TimedOut { silent: 2"), "{ending}");
    stage.world.answer(b"meanwhile");

    stage.world.clients.push(still);
    stage.world.until("a new connection", |world| world.clients[0].app.outcomes().len() == 2);
    assert_eq!(stage.world.clients[0].app.endings(), ["ByPeer(Silence)"]);
    stage.world.until("the message", |world| world.clients[0].app.texts().contains(&"meanwhile"));
    stage.exchange("on we go");
}

fn bytes_that_wait_after_a_long_pause_of_this_process_count_as_a_sign_of_life(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.send(0, b"while it stood still");
    // Both clocks are one here, so the client speaks while it is early, and then the server wakes late.
    stage.world.now += Duration::from_millis(1500);
    let now = stage.world.now;
    let client = &mut stage.world.clients[0];
    client.driver.handle_timeout(now, &mut client.app);
    stage.world.now += Duration::from_secs(60);
    let now = stage.world.now;
    let server = stage.world.at_server();
    server.driver.handle_timeout(now, &mut server.app);
    assert!(server.app.endings().is_empty(), "{:?}", server.app.endings());
    assert_eq!(server.app.texts(), ["first", "while it stood still"]);
}

fn an_idle_link_lives_on_by_its_heartbeats(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.stride = Duration::from_millis(500);
    let turns = stage.world.turns;
    stage.world.pass(Duration::from_secs(120));
    let (server, client) = stage.world.both();
    assert!(server.app.endings().is_empty() && client.app.endings().is_empty());
    // A heartbeat each way every second, and a few quiet turns before the clock moves.
    let turns = stage.world.turns - turns;
    assert!(turns < 120 * 20, "{turns} turns for 120 s of idling");
}

/// Whoever sleeps until either side's next deadline, and looks at neither before.
#[test]
fn a_link_on_shared_memory_that_is_looked_at_when_a_deadline_comes_lives_on() {
    for of_server in [true, false] {
        let mut stage = Stage::over(Carrier::Shm);
        let end = stage.world.now + Duration::from_secs(120);
        while stage.world.now < end {
            let (server, client) = stage.world.both();
            let due = if of_server { server.driver.deadline() } else { client.driver.deadline() };
            stage.world.stride = due.unwrap().saturating_duration_since(stage.world.now);
            stage.world.turn();
        }
        let (server, client) = stage.world.both();
        assert!(server.app.endings().is_empty() && client.app.endings().is_empty());
    }
}

#[test]
fn a_half_closed_peer_is_a_closed_one() {
    let mut stage = Stage::new();
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.log_in(&mut stage.world, "guest", 9);
    raw.hang_up();
    raw.until(&mut stage.world, "the end", |raw| raw.ended);
    assert_eq!(stage.world.at_server().app.endings(), ["Cut"]);
}

#[test]
fn the_last_frame_of_a_closed_link_says_why() {
    let mut stage = Stage::new();
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.log_in(&mut stage.world, "guest", 9);
    let now = stage.world.now;
    stage.world.at_server().driver.link(now, &name("guest")).unwrap().close();
    raw.until(&mut stage.world, "the end", |raw| raw.ended);
    let last = raw.understood().1.pop().unwrap();
    assert_eq!((last.mark, raw.close_reason()), (CLOSE, Some(APPLICATION)));
}

fn a_close_right_behind_the_login_is_told_with_its_reason(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    stage.world.at_server().app.closes = true;
    stage.start_client(App::default());
    stage.world.until("an end", |world| world.at_server().app.endings().len() > 1);
    assert_eq!(stage.world.at_server().app.endings(), ["Cut", "Closed"]);
    // However often it happens, it does not become a busy loop.
    stage.world.pass(Duration::from_secs(20));
    let app = &stage.world.clients[0].app;
    let attempts = match carrier {
        Carrier::Tcp => {
            assert_eq!(app.story()[..2], ["Resumed", "ByPeer(Application)"]);
            app.outcomes().len()
        }
        // By the time that the Ready is read there is no memory to attach to.
        Carrier::Shm => {
            assert!(app.story().is_empty() && app.refusals().is_empty() && app.not_shared.is_empty());
            app.unreachable.len()
        }
    };
    assert!((15..150).contains(&attempts), "{attempts} in 20 s");
    stage.world.at_server().app.closes = false;
    stage.connected();
    stage.exchange("on we go");
}

#[test]
fn an_event_of_a_listener_that_comes_after_the_end_does_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
    let mut driver = Server::bind(server(directory.path())).unwrap();
    driver.register(poll.registry(), 10..1000).unwrap();
    let _peer = TcpStream::connect(driver.local_addresses().unwrap()[0]).unwrap();
    poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
    let (now, mut app) = (Instant::now(), App::default());
    driver.shut_down(now, &mut app);
    let late: Vec<_> = events.iter().filter(|event| driver.owns(event.token())).collect();
    assert_eq!(late.len(), 1, "{events:?}");
    for event in late {
        driver.handle_event(now, event, &mut app).unwrap();
    }
    assert!(app.notes.is_empty() && !driver.has_work());
}
