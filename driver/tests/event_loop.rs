//! The ready-made loop while a link is on shared memory: its turns end whatever comes, and it sleeps through
//! nothing that is due.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::{Seat, World, client, kind, limits, name, server, wish};
use tcpshm_driver::mio::event::Event;
use tcpshm_driver::mio::{Registry, Token};
use tcpshm_driver::{
    Carrier, Client, Disconnected, Driver, EventLoop, Handler, Idle, IdleStrategy, Link, Pause, Received,
    Server, ServerConfig, Silence,
};
use tempfile::TempDir;

thread_local! {
    /// Each test has a thread of its own, and so a clock of its own.
    static CLOCK: Cell<Instant> = Cell::new(Instant::now());
}

/// Longer than any machine is slow: whoever slept it is told from whoever did not.
const PAUSE: Duration = Duration::from_secs(20);
/// Sleeps as soon as a poll finds nothing.
const SLEEPY: IdleStrategy = IdleStrategy::BackOff { spins: 0, yields: 0, least: PAUSE, most: PAUSE };

/// A driver with a link on shared memory that does as it is told.
struct Puppet {
    finds: bool,
    deadline: Option<Instant>,
    /// How long a poll takes.
    takes: Duration,
    polls: u32,
    left_over: bool,
    /// What time it was told while it span.
    spun_at: Vec<Instant>,
}

impl Puppet {
    fn new(finds: bool, takes: Duration, deadline: Option<Instant>) -> Self {
        Self { finds, deadline, takes, polls: 0, left_over: false, spun_at: Vec::new() }
    }
}

impl Driver for Puppet {
    fn register(&mut self, _: &Registry, _: Range<usize>) -> io::Result<()> {
        Ok(())
    }

    fn owns(&self, _: Token) -> bool {
        false
    }

    fn handle_event(&mut self, _: Instant, _: &Event, _: &mut impl Handler) -> io::Result<()> {
        Ok(())
    }

    fn handle_timeout(&mut self, _: Instant, _: &mut impl Handler) {}

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn poll(&mut self, _: &mut impl Handler) -> bool {
        self.polls += 1;
        CLOCK.set(CLOCK.get() + self.takes);
        self.finds
    }

    fn is_polling(&self) -> bool {
        true
    }

    fn set_may_sleep(&mut self, _: bool) {}

    fn set_spinning(&mut self, _: bool) {}

    fn park(&mut self) -> bool {
        false
    }

    fn is_parked(&self) -> bool {
        false
    }

    fn has_work(&self) -> bool {
        self.left_over
    }

    fn spin(&mut self, now: Instant, _: &mut impl Handler) -> bool {
        self.spun_at.push(now);
        false
    }

    fn shut_down(&mut self, _: Instant, _: &mut impl Handler) {}
}

/// One turn of a sleepy loop. Returns how often it polled.
#[track_caller]
fn polls_of_a_turn(finds: bool, takes: Duration, deadline: Option<Instant>) -> u32 {
    let puppet = Puppet::new(finds, takes, deadline);
    let mut event_loop = EventLoop::new(puppet, || CLOCK.get()).unwrap().with_idle(SLEEPY);
    awake(|| event_loop.turn(&mut App::default(), None).unwrap());
    event_loop.driver().polls
}

/// Does something that must not be slept through.
#[track_caller]
fn awake(what: impl FnOnce()) {
    let start = Instant::now();
    what();
    assert!(start.elapsed() < PAUSE / 2, "it slept");
}

/// A server in the ready-made loop, and clients in a loop of the test's, on one clock.
struct Scene<A> {
    event_loop: EventLoop<Server>,
    app: A,
    world: World<App, App>,
    config: ServerConfig,
    _directory: TempDir,
}

impl<A: Handler> Scene<A> {
    /// Without a sign of life for `silence`, both sides give up.
    fn new(app: A, silence: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = server(directory.path());
        config.link.silence = Silence::new(silence).unwrap();
        config.link.limits = limits(1 << 20, 4096);
        config.link.read_budget = 1;
        let event_loop = EventLoop::new(Server::bind(config.clone()).unwrap(), || CLOCK.get()).unwrap();
        Scene { event_loop, app, world: World::new(), config, _directory: directory }
    }

    /// One more client, connected over `carrier`. Returns its number.
    #[track_caller]
    fn connect(&mut self, client_name: &str, carrier: Carrier) -> usize {
        let link = &self.config.link;
        let address = self.event_loop.driver().local_addresses().unwrap()[0];
        let mut config = client(&link.directory, address);
        (config.link.name, config.carrier) = (name(client_name), wish(carrier));
        (config.link.limits, config.link.silence) = (link.limits, link.silence);
        self.world.connect(config, App::default());
        let index = self.world.clients.len() - 1;
        self.until("a link", |scene| scene.world.clients[index].driver.is_connected());
        index
    }

    /// The clients have their turn, then the server has.
    fn turn(&mut self) {
        self.world.turn();
        CLOCK.set(self.world.now);
        self.event_loop.turn(&mut self.app, Some(Duration::ZERO)).unwrap();
        self.world.now = CLOCK.get();
    }

    #[track_caller]
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("never came: {what}");
    }

    /// A turn of the server's, in which it may sleep as long as it likes, and must not.
    #[track_caller]
    fn turn_awake(&mut self) {
        awake(|| self.event_loop.turn(&mut self.app, None).unwrap());
    }
}

#[test]
fn work_that_is_left_over_does_not_wait_for_polls_that_find_nothing() {
    for strategy in [IdleStrategy::Spin, IdleStrategy::SLEEP] {
        let mut puppet = Puppet::new(false, Duration::ZERO, None);
        puppet.left_over = true;
        let mut event_loop = EventLoop::new(puppet, || CLOCK.get()).unwrap().with_idle(strategy);
        event_loop.turn(&mut App::default(), None).unwrap();
        assert_eq!(event_loop.driver().polls, 1, "{strategy:?}");
    }
}

#[test]
fn a_loop_that_spins_knows_the_time_whatever_its_handlers_take() {
    let puppet = Puppet::new(true, Duration::from_millis(100), None);
    let mut event_loop = EventLoop::new(puppet, || CLOCK.get()).unwrap();
    for _ in 0..10 {
        event_loop.spin_turn(&mut App::default()).unwrap();
        assert_eq!(event_loop.driver().spun_at.last(), Some(&CLOCK.get()));
    }
}

#[test]
fn a_loop_that_spins_again_knows_what_time_it_is_by_now() {
    let puppet = Puppet::new(false, Duration::ZERO, None);
    let mut event_loop = EventLoop::new(puppet, || CLOCK.get()).unwrap().with_idle(IdleStrategy::Spin);
    for _ in 0..3 {
        event_loop.spin_turn(&mut App::default()).unwrap();
        CLOCK.set(CLOCK.get() + Duration::from_secs(60));
        event_loop.turn(&mut App::default(), None).unwrap();
        event_loop.spin_turn(&mut App::default()).unwrap();
        assert_eq!(event_loop.driver().spun_at.last(), Some(&CLOCK.get()));
    }
}

#[test]
fn a_turn_ends_after_its_share_of_time_or_polls_whatever_comes() {
    type Loop = EventLoop<Puppet>;
    // One more to see what came while the loop waited.
    assert_eq!(polls_of_a_turn(true, Duration::ZERO, None), Loop::POLLS + 1);
    assert_eq!(polls_of_a_turn(true, Loop::SHARE / Loop::FINDS, None), 2 * Loop::FINDS + 1);
    assert_eq!(polls_of_a_turn(true, Loop::SHARE / Loop::FINDS / 4, None), 5 * Loop::FINDS + 1);
}

#[test]
fn a_turn_does_not_sleep_past_a_deadline() {
    for behind in [Duration::ZERO, Duration::from_secs(1)] {
        assert_eq!(polls_of_a_turn(false, Duration::ZERO, Some(CLOCK.get() - behind)), 2);
    }
    // Shorter and longer than what an epoll can wait for.
    for ahead in [Duration::from_micros(300), Duration::from_millis(3)] {
        assert_eq!(polls_of_a_turn(false, Duration::ZERO, Some(CLOCK.get() + ahead)), 2);
    }
}

#[test]
fn yielding_for_ever_is_a_strategy() {
    let mut idle = Idle::new(IdleStrategy::BackOff { spins: 0, yields: u32::MAX, least: PAUSE, most: PAUSE });
    assert_eq!(idle.after(false), Pause::Yield);
}

/// Takes this long for a message, in which its client sends the next one and looks at its own timers.
struct Slow {
    takes: Duration,
    client: Option<Seat<Client, App>>,
    ends: usize,
}

impl Handler for Slow {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let other = received.kind() != kind(1);
        link.consume(received).unwrap();
        let Some(client) = self.client.as_mut().filter(|_| !other) else {
            link.send(kind(2), b"at last").unwrap();
            return;
        };
        CLOCK.set(CLOCK.get() + self.takes);
        client.driver.link(CLOCK.get()).unwrap().send(kind(1), b"more").unwrap();
        client.driver.handle_timeout(CLOCK.get(), &mut client.app);
    }

    fn disconnected(&mut self, _: &mut Link<'_>, _: &Disconnected) {
        self.ends += 1;
    }
}

#[test]
fn a_slow_handler_with_endless_input_starves_neither_the_heartbeats_of_its_link_nor_another_link() {
    let silence = Duration::from_secs(5);
    let slow = Slow { takes: Duration::from_millis(2), client: None, ends: 0 };
    let mut scene = Scene::new(slow, silence);
    let greedy = scene.connect("greedy", Carrier::Shm);
    let modest = scene.connect("modest", Carrier::Tcp) - 1;
    (0..200).for_each(|_| scene.world.send(greedy, b"more"));
    scene.app.client = Some(scene.world.clients.remove(greedy));

    let start = CLOCK.get();
    scene.world.now = start;
    for round in 1..=10 {
        let now = scene.world.now;
        scene.world.clients[modest].driver.link(now).unwrap().send(kind(2), b"may I?").unwrap();
        scene.until("an answer", |scene| scene.world.clients[modest].app.received.len() == round);
        assert!(CLOCK.get() - now < silence, "it took {:?}", CLOCK.get() - now);
    }
    while CLOCK.get() - start < 5 * silence {
        scene.turn();
    }
    let greedy = scene.app.client.as_ref().unwrap();
    assert_eq!((scene.app.ends, greedy.app.endings().len()), (0, 0));
    assert!(scene.world.clients[modest].app.endings().is_empty());
}

#[test]
fn work_left_over_on_a_link_over_tcp_is_not_delayed_by_an_idle_link_on_shared_memory() {
    let mut scene = Scene::new(App::with(Habit::Consume), Duration::from_secs(900));
    let busy = scene.connect("busy", Carrier::Tcp);
    scene.connect("idle", Carrier::Shm);
    scene.event_loop = scene.event_loop.with_idle(SLEEPY);
    // How much the kernel hands over at once is not ours to say: until there was more than one read takes.
    for round in 1..=1000 {
        // All of it was received, but word of that may still be on its way.
        let now = scene.world.now;
        while scene.world.clients[busy].driver.link(now).unwrap().undelivered().messages > 0 {
            scene.turn();
        }
        (0..200).for_each(|_| scene.world.send(busy, &[7; 4000]));
        let mut left_over = 0;
        while scene.app.received.len() < 200 * round {
            scene.turn();
            // Nobody sends anything meanwhile.
            while scene.event_loop.driver().has_work() {
                left_over += 1;
                scene.turn_awake();
            }
        }
        if left_over > 0 {
            return;
        }
    }
    panic!("the budget was never spent");
}

/// Closes the link at the first message.
struct Closer;

impl Handler for Closer {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        link.consume(received).unwrap();
        link.close();
    }
}

#[test]
fn a_link_that_is_closed_in_a_handler_is_closed_before_the_loop_sleeps() {
    let mut scene = Scene::new(Closer, Duration::from_secs(900));
    let client = scene.connect("client", Carrier::Shm);
    scene.event_loop = scene.event_loop.with_idle(SLEEPY);
    scene.world.send(client, b"close");
    scene.turn_awake();
    assert_eq!(scene.event_loop.driver().connections(), 0);
    scene.world.until("the end", |world| world.clients[client].app.endings() == ["ByPeer(Application)"]);
}
