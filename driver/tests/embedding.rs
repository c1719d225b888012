//! Drivers in a loop that somebody else owns.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use support::app::{App, Habit};
use support::process::{alone, descriptors, registered};
use support::raw::{self, Raw};
use support::stage::Stage;
use support::{World, client, kind, loopback, name, server};
use tcpshm_driver::mio::net::UdpSocket;
use tcpshm_driver::mio::{Events, Interest, Poll, Token};
use tcpshm_driver::{Client, Driver, EventLoop, Server};

const FOREIGN: Token = Token(7);

/// A loop with two servers, a client of each, and a socket of its own.
struct Host {
    poll: Poll,
    events: Events,
    servers: Vec<(Server, App)>,
    clients: Vec<(Client, App)>,
    foreign: UdpSocket,
    /// How often its own socket had something.
    datagrams: usize,
    _directories: Vec<tempfile::TempDir>,
}

impl Host {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let (mut servers, mut clients, mut directories) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..2 {
            let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
            let mut server = Server::bind(server(theirs.path())).unwrap();
            server.register(poll.registry(), 100 + 100 * number..200 + 100 * number).unwrap();
            let address = server.local_addresses().unwrap()[0];
            let mut client = Client::new(client(ours.path(), address)).unwrap();
            client.register(poll.registry(), 10 + 2 * number..12 + 2 * number).unwrap();
            servers.push((server, App::with(Habit::Echo)));
            clients.push((client, App::default()));
            directories.extend([ours, theirs]);
        }
        let mut foreign = UdpSocket::bind(loopback()).unwrap();
        poll.registry().register(&mut foreign, FOREIGN, Interest::READABLE).unwrap();
        let events = Events::with_capacity(64);
        Host { poll, events, servers, clients, foreign, datagrams: 0, _directories: directories }
    }

    /// One turn, in which each event goes to whoever owns its token.
    fn turn(&mut self) {
        let now = Instant::now();
        let timeouts = self.servers.iter().map(|(driver, _)| driver.timeout(now));
        let timeouts = timeouts.chain(self.clients.iter().map(|(driver, _)| driver.timeout(now)));
        let wait = timeouts.flatten().min();
        self.poll.poll(&mut self.events, wait).unwrap();
        let now = Instant::now();
        for event in &self.events {
            let mut owners = 0;
            for (driver, app) in self.servers.iter_mut().filter(|(driver, _)| driver.owns(event.token())) {
                driver.handle_event(now, event, app).unwrap();
                owners += 1;
            }
            for (driver, app) in self.clients.iter_mut().filter(|(driver, _)| driver.owns(event.token())) {
                driver.handle_event(now, event, app).unwrap();
                owners += 1;
            }
            if event.token() == FOREIGN {
                assert_eq!(owners, 0, "a driver wants the host's token");
                self.foreign.recv(&mut [0; 16]).unwrap();
                self.datagrams += 1;
            } else {
                assert_eq!(owners, 1, "{:?}", event.token());
            }
        }
        self.servers.iter_mut().for_each(|(driver, app)| driver.handle_timeout(now, app));
        self.clients.iter_mut().for_each(|(driver, app)| driver.handle_timeout(now, app));
    }

    #[track_caller]
    fn until(&mut self, done: impl Fn(&Self) -> bool) {
        for _ in 0..100_000 {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("it never came to that");
    }
}

#[test]
fn drivers_and_the_host_share_one_poll_and_touch_their_own_tokens_only() {
    let _alone = alone();
    let mut host = Host::new();
    let to = host.foreign.local_addr().unwrap();
    let sender = std::net::UdpSocket::bind(loopback()).unwrap();
    host.until(|host| host.clients.iter().all(|(client, _)| client.is_connected()));
    for round in 1..=100 {
        for (client, _) in &mut host.clients {
            client.link(Instant::now()).unwrap().send(kind(1), &[1; 100]).unwrap();
        }
        sender.send_to(b"datagram", to).unwrap();
        host.until(|host| {
            host.datagrams == round && host.clients.iter().all(|(_, app)| app.received.len() == round)
        });
    }
}

#[test]
fn a_dropped_driver_leaves_nothing_registered_and_nothing_open() {
    let _alone = alone();
    let (poll, before) = (Poll::new().unwrap(), descriptors());
    let epoll = poll.as_raw_fd();
    let (mut world, registered_at_first) = (World::<App, App>::new(), registered(epoll));
    world.poll = poll;
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let open = descriptors();
    let address = world.serve(server(theirs.path()), App::with(Habit::Echo));
    world.connect(client(ours.path(), address), App::default());
    world.until("a link", |world| world.clients[0].driver.is_connected());
    // One that says nothing, one that was refused and stays, one in the middle of its login.
    let mut others: Vec<Raw> = (0..3).map(|_| Raw::connect(address)).collect();
    others[1].say(b"GET /");
    others[2].say(&raw::hello("half"));
    (0..5).for_each(|_| world.turn());
    assert_eq!(registered(epoll), registered_at_first + 1 + 1 + 1 + 3);

    world.server = None;
    assert_eq!(registered(epoll), registered_at_first + 1, "the client's");
    world.clients.clear();
    assert_eq!(registered(epoll), registered_at_first);
    drop(others);
    assert_eq!(descriptors(), open + 1, "the port is still reserved");
    drop(world);
    assert!(descriptors() < before);
}

#[test]
fn a_dropped_driver_leaves_nothing_registered_and_nothing_open_although_its_senders_stay() {
    let _alone = alone();
    let mut stage = Stage::new();
    let epoll = stage.world.poll.as_raw_fd();
    let (registered_before, open) = (registered(epoll), descriptors());
    let senders = [
        stage.world.clients[0].driver.sender().unwrap(),
        stage.world.at_server().driver.sender(&name("client")).unwrap(),
    ];
    assert_eq!((registered(epoll), descriptors()), (registered_before + 2, open + 2), "one for each driver");
    stage.world.clients[0].driver.sender().unwrap();
    assert_eq!((registered(epoll), descriptors()), (registered_before + 2, open + 2), "and no more");
    stage.stop_client();
    stage.stop_server();
    assert_eq!(registered(epoll), registered_before - 3, "a connection at both ends, and a listener");
    assert!(descriptors() < open);
    assert!(senders.iter().all(|sender| sender.try_send(kind(1), b"").is_err()));
}

#[test]
fn a_group_that_is_dropped_leaves_nothing_registered_and_nothing_open() {
    let _alone = alone();
    let mut stage = Stage::new();
    stage.stop_client();
    let epoll = stage.world.poll.as_raw_fd();
    let (registered_before, open) = (registered(epoll), descriptors());
    let group = stage.world.group(App::with(Habit::Echo));
    assert_eq!(
        (registered(epoll), descriptors()),
        (registered_before + 2, open + 3),
        "two that wake, and a registry"
    );
    stage.world.at_server().app.group = group;
    stage.start_client(App::default());
    stage.connected();
    stage.exchange("in the group");
    stage.stop_client();
    stage.world.at_server().app.group = tcpshm_driver::GroupId::SERVER;
    stage.world.groups.clear();
    stage.world.pass(std::time::Duration::from_secs(2));
    // What wakes the server for the next group stays, and the session that has lost its connection is open.
    assert_eq!((registered(epoll), descriptors()), (registered_before + 1, open + 1));
}

#[test]
fn a_client_dropped_at_any_moment_of_its_login_leaves_nothing_registered() {
    let _alone = alone();
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut world = World::<App, App>::new();
    let address = world.serve(server(theirs.path()), App::default());
    for turns in 0..12 {
        let (registered_before, open) = (registered(world.poll.as_raw_fd()), descriptors());
        world.connect(client(ours.path(), address), App::default());
        (0..turns).for_each(|_| world.turn());
        world.clients.clear();
        world.until("the server's notice", |world| {
            registered(world.poll.as_raw_fd()) == registered_before && descriptors() == open
        });
    }
}

#[test]
fn too_few_tokens_are_an_error_and_too_few_places_close_the_connection() {
    let _alone = alone();
    let poll = Poll::new().unwrap();
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut driver = Server::bind(server(theirs.path())).unwrap();
    assert!(driver.register(poll.registry(), 5..5).is_err());
    assert!(driver.register(poll.registry(), 5..7).is_err(), "no token for any connection");
    let address = driver.local_addresses().unwrap()[0];
    let mut client = Client::new(client(ours.path(), address)).unwrap();
    assert!(client.register(poll.registry(), 9..10).is_err());

    driver.register(poll.registry(), 5..9).unwrap();
    let mut app = App::default();
    let mut raws: Vec<Raw> = (0..5).map(|_| Raw::connect(address)).collect();
    for _ in 0..20 {
        driver.handle_timeout(Instant::now(), &mut app);
        raws.iter_mut().for_each(Raw::listen);
    }
    let open = raws.iter().filter(|raw| !raw.ended).count();
    assert_eq!(open, 2, "one token is the listener's, one the waker's");
}

#[test]
fn stale_spurious_and_foreign_events_change_nothing() {
    let _alone = alone();
    let mut stage = Stage::new();
    stage.world.be_haunted();
    stage.world.clients[0].app.habit = Habit::Echo;
    stage.world.send(0, b"ball");
    let address: SocketAddr = stage.client.addresses[0];
    let mut guests: Vec<Raw> = Vec::new();
    // Places are given up and taken again while events for their last owners are still coming.
    for round in 0..300 {
        let mut raw = Raw::connect(address);
        raw.say([&b"GET /"[..], &raw::hello("guest"), &raw::hello("guest")[..20], b""][round % 4]);
        guests.push(raw);
        if round % 3 == 0 {
            guests.remove(guests.len() / 2);
        }
        stage.world.turn();
        guests.iter_mut().for_each(Raw::listen);
        guests.retain(|raw| !raw.ended);
    }
    let echoes = stage.world.clients[0].app.received.len();
    assert!(echoes >= 140, "{echoes} echoes in 300 turns");
    assert!(
        stage.world.at_server().app.endings().is_empty() && stage.world.clients[0].app.endings().is_empty()
    );
    assert_eq!(stage.world.at_server().driver.connections(), 1);
}

#[test]
fn any_method_may_be_called_at_any_time() {
    let _alone = alone();
    let now = Instant::now();
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (mut app, poll) = (App::default(), Poll::new().unwrap());
    let mut server = Server::bind(server(theirs.path())).unwrap();
    let mut client = Client::new(client(ours.path(), server.local_addresses().unwrap()[0])).unwrap();
    assert!(!server.owns(Token(0)) && !client.owns(Token(0)), "not registered yet");
    for _ in 0..2 {
        server.handle_timeout(now, &mut app);
        server.spin(now, &mut app);
        client.handle_timeout(now, &mut app);
        client.spin(now, &mut app);
        assert!(client.link(now).is_none() && server.link(now, &name("nobody")).is_none());
        assert!(server.open_link(now, &name("nobody")).unwrap().is_none());
        assert_eq!((server.timeout(now), client.timeout(now)), (None, None));
    }
    server.register(poll.registry(), 0..10).unwrap();
    client.register(poll.registry(), 10..12).unwrap();
    for _ in 0..2 {
        server.shut_down(now, &mut app);
        client.shut_down(now, &mut app);
        server.handle_timeout(now, &mut app);
        client.handle_timeout(now, &mut app);
        server.spin(now, &mut app);
        client.spin(now, &mut app);
        assert_eq!((server.timeout(now), client.timeout(now)), (None, None));
    }
    assert!(app.notes.is_empty() && registered(poll.as_raw_fd()) == 0);
}

#[test]
fn the_ready_made_loop_hands_the_hosts_own_events_to_the_host() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::bind(server(directory.path())).unwrap();
    let mut event_loop = EventLoop::new(server, Instant::now).unwrap();
    let mut foreign = UdpSocket::bind(loopback()).unwrap();
    event_loop.registry().register(&mut foreign, FOREIGN, Interest::READABLE).unwrap();
    let sender = std::net::UdpSocket::bind(loopback()).unwrap();
    let mut app = App::default();
    event_loop.turn(&mut app, Some(Duration::ZERO)).unwrap();
    assert!(event_loop.foreign().is_empty());
    sender.send_to(b"datagram", foreign.local_addr().unwrap()).unwrap();
    event_loop.turn(&mut app, Some(Duration::from_secs(5))).unwrap();
    assert_eq!(event_loop.foreign(), [FOREIGN]);
    event_loop.shut_down(&mut app);
}
