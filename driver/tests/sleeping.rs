//! Links on shared memory whose hosts sleep when nothing comes: whatever comes wakes them, and nothing else does.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use support::app::{App, Habit, Note};
use support::files::Home;
use support::sleeper::Sleepers;
use support::{client, kind, name, server, wish};
use tcpshm_driver::{
    Carrier, CarrierWish, Client, Driver, EventLoop, Held, IdleStrategy, Link, SendError, Server,
};

/// Who may sleep: the client, the server.
const WHO: [[bool; 2]; 3] = [[true, true], [true, false], [false, true]];

#[test]
fn a_message_wakes_a_sleeping_peer() {
    for who in WHO {
        let mut sleepers = Sleepers::new(who);
        for round in 1..4 {
            sleepers.send(b"up");
            sleepers.until("a message", |sleepers| sleepers.server().app.received.len() == round);
            sleepers.answer(b"down");
            sleepers.until("a message", |sleepers| sleepers.client.app.received.len() == round);
            sleepers.calm();
        }
    }
}

#[test]
fn an_echo_finds_both_sides_asleep_and_wakes_both() {
    for who in WHO {
        let mut sleepers = Sleepers::new(who);
        sleepers.server().app.habit = Habit::Echo;
        for round in 1..20 {
            sleepers.send(b"echo");
            sleepers.until("the echo", |sleepers| sleepers.client.app.received.len() == round);
            if round % 3 == 0 {
                sleepers.calm();
            }
        }
    }
}

/// Sends until the ring is full. Returns how many messages that took.
fn fill(link: &mut Link<'_>) -> usize {
    let mut sent = 0;
    loop {
        match link.send(kind(2), &[0; 200]) {
            Ok(_) => sent += 1,
            Err(SendError::Full { .. }) => return sent,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Consumes all that is held.
fn let_go(link: &mut Link<'_>, held: Vec<Held>) {
    for held in held {
        let received = link.redeem(held).expect("held by this link");
        link.consume(received).expect("in order");
    }
}

fn is_writable(app: &App) -> bool {
    app.notes.iter().any(|note| matches!(note, Note::Writable))
}

#[test]
fn room_wakes_a_client_that_sleeps_over_a_full_ring() {
    for who in WHO {
        let mut sleepers = Sleepers::new(who);
        sleepers.server().app.habit = Habit::Hold;
        let now = sleepers.now;
        let sent = fill(&mut sleepers.client.driver.link(now).unwrap());
        sleepers.calm();
        assert!(sleepers.server().app.held.len() == sent && !is_writable(&sleepers.client.app));
        let server = sleepers.server();
        let held = std::mem::take(&mut server.app.held);
        let_go(&mut server.driver.link(now, &name("client")).unwrap(), held);
        sleepers.until("room", |sleepers| is_writable(&sleepers.client.app));
    }
}

#[test]
fn room_wakes_a_server_that_sleeps_over_a_full_ring() {
    for who in WHO {
        let mut sleepers = Sleepers::new(who);
        sleepers.client.app.habit = Habit::Hold;
        let now = sleepers.now;
        let sent = fill(&mut sleepers.server().driver.link(now, &name("client")).unwrap());
        sleepers.calm();
        assert!(sleepers.client.app.held.len() == sent && !is_writable(&sleepers.server().app));
        let held = std::mem::take(&mut sleepers.client.app.held);
        let_go(&mut sleepers.client.driver.link(now).unwrap(), held);
        sleepers.until("room", |sleepers| is_writable(&sleepers.server().app));
    }
}

#[test]
fn consumption_wakes_nobody_who_does_not_wait_for_room() {
    let mut sleepers = Sleepers::new([true, true]);
    sleepers.send(b"up");
    sleepers.until("a message", |sleepers| sleepers.server().app.received.len() == 1);
    sleepers.calm();
    let before = sleepers.client.woken;
    for round in 2..10 {
        sleepers.send(b"up");
        sleepers.until("a message", |sleepers| sleepers.server().app.received.len() == round);
        sleepers.calm();
    }
    assert_eq!(sleepers.client.woken, before);
}

#[test]
fn a_sleeper_is_woken_once_however_much_comes_before_it_is_awake() {
    let mut sleepers = Sleepers::new([true, true]);
    let before = sleepers.server().turns;
    for _ in 0..20 {
        sleepers.send(b"many");
    }
    sleepers.until("all of it", |sleepers| sleepers.server().app.received.len() == 20);
    sleepers.calm();
    assert_eq!(sleepers.server().turns, before + 1);
}

#[test]
fn one_that_said_nothing_of_sleep_cannot_sleep_until_its_next_login() {
    let mut sleepers = Sleepers::new([false, false]);
    sleepers.client.driver.set_may_sleep(true);
    assert!(!sleepers.client.driver.park() && !sleepers.client.driver.is_parked());
    assert_eq!(sleepers.client.driver.timeout(sleepers.now), Some(Duration::ZERO));
    let (now, client) = (sleepers.now, &mut sleepers.client);
    client.driver.change_carrier(now, CarrierWish::Shm, &mut client.app);
    sleepers.until("another login", |sleepers| sleepers.carriers().len() == 2);
    sleepers.calm();
    assert!(sleepers.client.driver.park() && sleepers.client.driver.is_parked());
}

#[test]
fn nobody_sleeps_over_a_claim_that_was_refused_meanwhile() {
    let mut sleepers = Sleepers::new([true, true]);
    let now = sleepers.now;
    assert!(sleepers.client.driver.is_parked());
    fill(&mut sleepers.client.driver.link(now).unwrap());
    assert!(!sleepers.client.driver.is_parked());
}

#[test]
fn a_sleeping_peer_that_is_killed_and_started_again_is_woken_again() {
    let mut sleepers = Sleepers::new([true, true]);
    // As a kill leaves it: nothing is said, and its file says that it sleeps.
    assert!(sleepers.server().driver.is_parked());
    sleepers.server = None;
    sleepers.until("its end", |sleepers| !sleepers.client.driver.is_connected());
    sleepers.send(b"while it is away");
    sleepers.start_server();
    for round in 1..4 {
        sleepers.pass(Duration::from_secs(1));
        assert!(sleepers.client.driver.is_connected());
        assert_eq!(sleepers.server().app.received.len(), round);
        sleepers.send(b"again");
    }
    sleepers.until("the last", |sleepers| sleepers.server().app.received.len() == 4);
}

#[test]
fn a_carrier_is_changed_while_both_sleep() {
    let mut sleepers = Sleepers::new([true, true]);
    let carriers = [Carrier::Tcp, Carrier::Shm, Carrier::Shm, Carrier::Tcp, Carrier::Shm];
    for (round, carrier) in (1..).zip(carriers) {
        sleepers.calm();
        let (now, client) = (sleepers.now, &mut sleepers.client);
        client.driver.change_carrier(now, wish(carrier), &mut client.app);
        sleepers.send(b"between");
        sleepers.until("the change", |sleepers| sleepers.carriers().len() == round + 1);
        assert_eq!(sleepers.carriers().last(), Some(&carrier));
        sleepers.until("a message", |sleepers| sleepers.server().app.received.len() == 2 * round - 1);
        sleepers.calm();
        sleepers.send(b"after");
        sleepers.until("a message", |sleepers| sleepers.server().app.received.len() == 2 * round);
    }
}

#[test]
fn an_idle_link_is_looked_after_a_few_times_in_a_silence() {
    let mut sleepers = Sleepers::new([true, true]);
    let before = [sleepers.client.turns, sleepers.server().turns];
    let silences = 30;
    sleepers.pass(sleepers.server_config.link.silence.duration() * silences);
    assert!(sleepers.client.driver.is_connected() && sleepers.client.app.endings().is_empty());
    // Three heartbeats go and three come, and the files are looked for twice; some fall together.
    let after = [sleepers.client.turns, sleepers.server().turns];
    for (before, after) in before.into_iter().zip(after) {
        assert!(after - before <= 10 * u64::from(silences), "{} turns", after - before);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what it costs")]
fn ready_made_loops_that_sleep_answer_each_other() {
    let strategy = IdleStrategy::Sleep { spins: 16, yields: 1 };
    let homes = Home::pair(Carrier::Shm);
    let server = Server::bind(server(homes[1].path())).unwrap();
    let mut config = client(homes[0].path(), server.local_addresses().unwrap()[0]);
    config.carrier = wish(Carrier::Shm);
    let done = AtomicBool::new(false);
    let mut times = thread::scope(|scope| {
        scope.spawn(|| {
            let mut events = EventLoop::new(server, Instant::now).unwrap().with_idle(strategy);
            let mut app = App::with(Habit::Echo);
            while !done.load(Ordering::Relaxed) {
                events.turn(&mut app, Some(Duration::from_millis(500))).unwrap();
            }
        });
        let events = EventLoop::new(Client::new(config).unwrap(), Instant::now);
        let (mut events, mut app) = (events.unwrap().with_idle(strategy), App::default());
        let mut times = Vec::new();
        while times.len() < 100 {
            // Long enough for both to be asleep.
            events.turn(&mut app, Some(Duration::from_millis(3))).unwrap();
            let Some(mut link) = events.driver().link(Instant::now()).filter(Link::is_connected) else {
                continue;
            };
            let (start, before) = (Instant::now(), app.received.len());
            link.send(kind(1), b"ball").unwrap();
            drop(link);
            while app.received.len() == before {
                events.turn(&mut app, None).unwrap();
            }
            times.push(start.elapsed());
        }
        done.store(true, Ordering::Relaxed);
        times
    });
    times.sort_unstable();
    println!("there and back, both asleep: median {:?}, longest {:?}", times[50], times[99]);
    // What is forgotten waits for a heartbeat, a second, each time.
    assert!(times[50] < Duration::from_millis(200), "{:?}", times[50]);
}

/// Turns and time on a core, of each of two ready-made loops that have nothing to do.
fn idle_for(time: Duration, strategy: IdleStrategy) -> Vec<(u32, Duration)> {
    let homes = Home::pair(Carrier::Shm);
    let server = Server::bind(server(homes[1].path())).unwrap();
    let mut config = client(homes[0].path(), server.local_addresses().unwrap()[0]);
    config.carrier = wish(Carrier::Shm);
    let (met, meet) = mpsc::channel();
    thread::scope(|scope| {
        let serving = scope.spawn(move || {
            let mut events = EventLoop::new(server, Instant::now).unwrap().with_idle(strategy);
            let mut app = App::default();
            while events.driver().connections() == 0 {
                events.turn(&mut app, Some(Duration::from_millis(100))).unwrap();
            }
            met.send(()).unwrap();
            let end = Instant::now() + time;
            count(&mut events, &mut app, end)
        });
        let mut events =
            EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap().with_idle(strategy);
        let (mut app, mut met) = (App::default(), false);
        while !met || !events.driver().is_connected() {
            events.turn(&mut app, Some(Duration::from_millis(1))).unwrap();
            met |= meet.try_recv().is_ok();
        }
        let counted = count(&mut events, &mut app, Instant::now() + time);
        assert_eq!(app.carriers(), [Carrier::Shm]);
        vec![counted, serving.join().unwrap()]
    })
}

fn count<D: Driver>(events: &mut EventLoop<D>, app: &mut App, end: Instant) -> (u32, Duration) {
    let (mut turns, before) = (0, on_core());
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        events.turn(app, Some(left)).unwrap();
        turns += 1;
    }
    (turns, on_core() - before)
}

/// How long this thread has had a core.
fn on_core() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
#[expect(clippy::print_stdout, reason = "what it costs")]
fn an_idle_loop_turns_a_few_times_a_second() {
    let time = Duration::from_secs(2);
    for (turns, core) in idle_for(time, IdleStrategy::Sleep { spins: 16, yields: 4 }) {
        println!("{turns} turns, {core:?} on a core in {time:?}");
        // Four yields, the heartbeats and looks of two thirds of a silence, and the last wait in pieces.
        assert!(turns < 50, "{turns} turns");
    }
}
