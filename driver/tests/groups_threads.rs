//! Groups on threads of their own, with links that move under load: every message arrives once and in order.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use support::files::Home;
use support::{client, kind, limits, name, server, wish};
use tcpshm_driver::{
    Carrier, Client, Connected, EventLoop, Group, GroupId, Handler, IdleStrategy, Link, LoginAttempt, Name,
    Received, Sender, Server, Silence,
};

carriers! {
    links_that_move_under_load_lose_repeat_and_reorder_nothing,
    threads_that_send_on_links_that_move_keep_their_order,
    a_group_whose_thread_panics_under_load_costs_a_reconnect,
    loops_that_sleep_are_woken_for_every_move_and_message,
}

const DEADLINE: Duration = Duration::from_secs(60);
const CLIENTS: u32 = 3;

/// What everybody knows of a run.
#[derive(Default)]
struct Board {
    stop: AtomicBool,
    moves: AtomicU64,
    /// Arrivals that handlers were told.
    arrivals: AtomicU64,
    /// What was sent by threads and has arrived.
    mail: AtomicU64,
}

/// The application of a group: replies to everything, and sees that each client's requests come in order.
struct Echo {
    board: Arc<Board>,
    /// Panics at the first request with this number.
    panics_at: Option<u32>,
}

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, request: Received<'_>) {
        let number = u32::from_le_bytes(request.payload()[..4].try_into().unwrap());
        if self.panics_at.is_some_and(|at| at <= number) {
            panic!("as it was told");
        }
        let mut slot = link.claim(request.kind(), request.payload().len()).expect("windows are small");
        slot.copy_from_slice(request.payload());
        slot.commit_consuming(request).expect("in order");
    }

    fn arrived(&mut self, _: &mut Link<'_>, _: GroupId) {
        self.board.arrivals.fetch_add(1, Ordering::Relaxed);
    }
}

/// The server's own application: it sends links to groups by turns, and has none itself.
struct Desk {
    groups: Vec<GroupId>,
    turn: usize,
}

impl Handler for Desk {
    fn message(&mut self, _: &mut Link<'_>, received: Received<'_>) {
        panic!("links are in groups: {received:?}");
    }

    fn choose_group(&mut self, _: &LoginAttempt<'_>) -> GroupId {
        self.turn += 1;
        self.groups[self.turn % self.groups.len()]
    }

    fn group_gone(&mut self, group: GroupId) {
        self.groups.retain(|known| *known != group);
    }
}

/// A client that keeps a window of requests on their way, and checks its replies.
struct Asker {
    count: u32,
    window: u32,
    sent: u32,
    next: u32,
    /// Of threads that send on the server's side.
    mail: HashMap<u8, u32>,
    board: Arc<Board>,
}

impl Asker {
    fn ask(&mut self, link: &mut Link<'_>) {
        if self.sent < self.count {
            let mut payload = vec![7; 4 + self.sent as usize % 60];
            payload[..4].copy_from_slice(&self.sent.to_le_bytes());
            link.send(kind(1), &payload).expect("windows are small");
            self.sent += 1;
        }
    }
}

impl Handler for Asker {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let number = u32::from_le_bytes(received.payload()[..4].try_into().unwrap());
        if received.kind() == kind(1) {
            assert_eq!(number, self.next, "replies come once and in order");
            self.next += 1;
            link.consume(received).expect("in order");
            return self.ask(link);
        }
        let thread = received.payload()[4];
        link.consume(received).expect("in order");
        let next = self.mail.entry(thread).or_default();
        assert_eq!(number, *next, "what thread {thread} sent");
        *next += 1;
        self.board.mail.fetch_add(1, Ordering::Relaxed);
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        if self.sent == 0 {
            (0..self.window).for_each(|_| self.ask(link));
        }
    }
}

/// A server with two groups, each loop in its thread, and clients.
struct Camp {
    board: Arc<Board>,
    server: JoinHandle<()>,
    groups: Vec<JoinHandle<()>>,
    clients: Vec<JoinHandle<u32>>,
    senders: Vec<Sender>,
    _homes: [Home; 2],
}

/// How the loops of a run behave.
#[derive(Clone, Copy)]
struct Manner {
    carrier: Carrier,
    /// Whether the first group spins, in place of sleeping.
    spins: bool,
    /// Messages of each client, and how many are on their way.
    count: u32,
    window: u32,
    /// The request at which the first group panics.
    panics_at: Option<u32>,
    moves: bool,
    senders: bool,
}

fn client_name(number: u32) -> Name {
    name(&format!("client-{number}"))
}

fn run_group(mut group: EventLoop<Group>, mut app: Echo, spins: bool) {
    while !group.driver().is_stopped() {
        if spins {
            group.spin_turn(&mut app).unwrap();
            // There are fewer cores than loops here.
            thread::yield_now();
        } else {
            group.turn(&mut app, None).unwrap();
        }
    }
}

/// Turns the server, and moves a link in every turn.
fn run_server(mut server: EventLoop<Server>, mut app: Desk, board: &Board, moves: bool) {
    let mut turn = 0;
    while !board.stop.load(Ordering::Relaxed) {
        server.turn(&mut app, Some(Duration::from_millis(1))).unwrap();
        if moves {
            let client = client_name(turn % CLIENTS);
            turn += 1;
            let to = app.groups[usize::from(server.driver().group_of(&client) == Some(app.groups[0]))];
            let now = server.now();
            if server.driver().move_link(now, &client, to, &mut app).is_ok() {
                board.moves.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    server.shut_down(&mut app);
}

fn run_client(mut client: EventLoop<Client>, mut app: Asker) -> u32 {
    let start = Instant::now();
    while !app.board.stop.load(Ordering::Relaxed) && start.elapsed() < DEADLINE {
        client.turn(&mut app, Some(Duration::from_millis(5))).unwrap();
        if app.next == app.count && app.mail.is_empty() {
            break;
        }
    }
    app.next
}

impl Camp {
    fn pitch(manner: Manner) -> Self {
        let Manner { carrier, spins, count, window, panics_at, moves, senders } = manner;
        let homes = Home::pair(carrier);
        let board = Arc::new(Board::default());
        let mut config = server(homes[1].path());
        // Nothing but messages and moves ends a sleep.
        let silence = Silence::new(Duration::from_secs(900)).unwrap();
        (config.link.limits, config.link.silence) = (limits(1 << 16, 512), silence);
        let mut driver = Server::bind(config).unwrap();
        let address = driver.local_addresses().unwrap()[0];
        let mut ids = Vec::new();
        let mut groups = Vec::new();
        for index in 0..2 {
            let group = driver.group().unwrap();
            ids.push(group.id());
            let spins = spins && index == 0;
            let strategy = if spins { IdleStrategy::Spin } else { IdleStrategy::SLEEP };
            let group = EventLoop::new(group, Instant::now).unwrap().with_idle(strategy);
            let app = Echo { board: Arc::clone(&board), panics_at: panics_at.filter(|_| index == 0) };
            groups.push(thread::spawn(move || run_group(group, app, spins)));
        }
        let mut events = EventLoop::new(driver, Instant::now).unwrap();
        let mut app = Desk { groups: ids, turn: 0 };
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let mut config = client(homes[0].path(), address);
            config.link.name = client_name(number);
            (config.link.limits, config.link.silence) = (limits(1 << 16, 512), silence);
            config.carrier = wish(carrier);
            let client = EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap();
            let (mail, board) = (HashMap::new(), Arc::clone(&board));
            let mut app = Asker { count, window, sent: 0, next: 0, mail, board };
            if senders {
                // It does not leave before it has got some.
                app.mail.insert(u8::MAX, 0);
            }
            clients.push(thread::spawn(move || run_client(client, app)));
        }
        let start = Instant::now();
        while events.driver().connections() < CLIENTS as usize {
            events.turn(&mut app, Some(Duration::from_millis(1))).unwrap();
            assert!(start.elapsed() < DEADLINE);
        }
        let all = if senders { 0..CLIENTS } else { 0..0 };
        let senders = all.map(|number| events.driver().sender(&client_name(number)).unwrap()).collect();
        let wall = Arc::clone(&board);
        let server = thread::spawn(move || run_server(events, app, &wall, moves));
        Camp { board, server, groups, clients, senders, _homes: homes }
    }

    /// Waits for the clients to have all their replies.
    #[track_caller]
    fn finish(self, count: u32) -> Vec<thread::Result<()>> {
        for client in self.clients {
            assert_eq!(client.join().expect("its checks"), count);
        }
        self.board.stop.store(true, Ordering::Relaxed);
        self.server.join().expect("the server's thread");
        self.groups.into_iter().map(JoinHandle::join).collect()
    }
}

const LOAD: u32 = 20_000;

fn links_that_move_under_load_lose_repeat_and_reorder_nothing(carrier: Carrier) {
    let manner = Manner {
        carrier,
        spins: true,
        count: LOAD,
        window: 40,
        panics_at: None,
        moves: true,
        senders: false,
    };
    let camp = Camp::pitch(manner);
    let board = Arc::clone(&camp.board);
    let groups = camp.finish(LOAD);
    assert!(groups.iter().all(Result::is_ok));
    let (moves, arrivals) = (board.moves.load(Ordering::Relaxed), board.arrivals.load(Ordering::Relaxed));
    assert!(moves > 10 && arrivals > 10, "{moves} moves were asked for, {arrivals} made");
}

fn threads_that_send_on_links_that_move_keep_their_order(carrier: Carrier) {
    const EACH: u32 = 3_000;
    let manner = Manner {
        carrier,
        spins: false,
        count: u32::MAX,
        window: 10,
        panics_at: None,
        moves: true,
        senders: true,
    };
    let camp = Camp::pitch(manner);
    let senders = camp.senders.iter().flat_map(|sender| (0..2).map(|thread| (thread, sender.clone())));
    let threads: Vec<_> = senders
        .map(|(thread, sender)| {
            thread::spawn(move || {
                for number in 0..EACH {
                    let [a, b, c, d] = number.to_le_bytes();
                    sender.send(kind(2), &[a, b, c, d, thread], DEADLINE).expect("it is committed in time");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("its outcomes");
    }
    let all = u64::from(CLIENTS * 2 * EACH);
    let start = Instant::now();
    while camp.board.mail.load(Ordering::Relaxed) < all {
        assert!(start.elapsed() < DEADLINE);
        thread::sleep(Duration::from_millis(1));
    }
    camp.board.stop.store(true, Ordering::Relaxed);
    for client in camp.clients {
        assert!(client.join().expect("its checks") > 0);
    }
    camp.server.join().expect("the server's thread");
    assert!(camp.groups.into_iter().map(JoinHandle::join).all(|group| group.is_ok()));
    assert!(camp.board.arrivals.load(Ordering::Relaxed) > 10);
}

fn a_group_whose_thread_panics_under_load_costs_a_reconnect(carrier: Carrier) {
    let manner = Manner {
        carrier,
        spins: false,
        count: LOAD,
        window: 40,
        panics_at: Some(LOAD / 2),
        moves: false,
        senders: false,
    };
    let camp = Camp::pitch(manner);
    // Some of three clients are in the first group, and none of them there from when it is gone.
    let groups = camp.finish(LOAD);
    assert!(groups[0].is_err() && groups[1].is_ok());
}

fn loops_that_sleep_are_woken_for_every_move_and_message(carrier: Carrier) {
    let manner = Manner {
        carrier,
        spins: false,
        count: 2_000,
        window: 1,
        panics_at: None,
        moves: true,
        senders: false,
    };
    let camp = Camp::pitch(manner);
    let groups = camp.finish(2_000);
    assert!(groups.iter().all(Result::is_ok));
}
