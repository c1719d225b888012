//! Client and server as processes of their own, killed with SIGKILL in the middle of their work, one at a
//! time and both at once: every request is answered once and in order, and nothing has to be cleaned.

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use fastrand::Rng;
use support::files::Home;
use support::process::{Process, child, end_with_parent, task};
use support::{client, kind, server, wish};
use tcpshm_driver::{
    Carrier, Client, Connected, Dispute, EventLoop, Handler, Link, Policy, Received, Server,
};

carriers! {
    a_client_killed_in_the_middle_of_its_work_goes_on_where_it_was,
    a_server_killed_in_the_middle_of_its_work_goes_on_where_it_was,
    both_killed_at_once_go_on_where_they_were,
}

/// What a message of 8 bytes takes in a ring: positions tell how many there were.
const FRAME: u64 = 24;
const WINDOW: u64 = 50;
const KILLS: u64 = 12;

/// Answers a request with the same number, and knows which comes next.
struct Answers;

impl Handler for Answers {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let expected = link.consumed().position().get() / FRAME;
        assert_eq!(received.payload(), expected.to_le_bytes());
        let mut slot = link.claim(received.kind(), received.payload().len()).expect("room");
        slot.copy_from_slice(received.payload());
        slot.commit_consuming(received).expect("in order");
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        panic!("{dispute:?}");
    }
}

/// Sends numbers and takes the answers. All that it knows of earlier lives it reads from the link.
struct Requests {
    carrier: Carrier,
    /// Whether it sends nothing new, and ends when all is answered.
    last: bool,
    done: bool,
}

impl Requests {
    fn go_on(&mut self, link: &mut Link<'_>) {
        loop {
            let (sent, answered) = (link.committed().position().get(), link.consumed().position().get());
            self.done = self.last && sent == answered;
            if self.last || sent - answered >= WINDOW * FRAME {
                return;
            }
            link.send(kind(1), &(sent / FRAME).to_le_bytes()).expect("room");
        }
    }
}

impl Handler for Requests {
    #[expect(clippy::print_stdout, reason = "the parent reads it")]
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let answered = link.consumed().position().get() / FRAME;
        assert_eq!(received.payload(), answered.to_le_bytes());
        link.consume(received).expect("in order");
        self.go_on(link);
        if answered.is_multiple_of(100) {
            println!("\nprogress {answered}");
        }
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        assert_eq!(connected.carrier, self.carrier);
        self.go_on(link);
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        panic!("{dispute:?}");
    }
}

/// The body of a child. A test like any other when nobody has given it a task.
#[test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child_of_the_tests_below() {
    let Some(task) = task() else {
        return;
    };
    end_with_parent();
    let [role, carrier, directory, address] = &task[..] else {
        panic!("{task:?}");
    };
    let carrier = if carrier == "Shm" { Carrier::Shm } else { Carrier::Tcp };
    let (directory, address) = (Path::new(directory), address.parse().expect("an address"));
    if role == "server" {
        let mut config = server(directory);
        config.listen = vec![address];
        let mut events =
            EventLoop::new(Server::bind(config).expect("a server"), Instant::now).expect("a loop");
        loop {
            events.turn(&mut Answers, None).expect("a turn");
        }
    }
    let mut config = client(directory, address);
    config.carrier = wish(carrier);
    let mut events = EventLoop::new(Client::new(config).expect("a client"), Instant::now).expect("a loop");
    let mut app = Requests { carrier, last: role == "last client", done: false };
    while !app.done {
        events.turn(&mut app, None).expect("a turn");
    }
    let now = events.now();
    let link = events.driver().link(now).expect("a link");
    println!("\ndone {}", link.consumed().position().get() / FRAME);
}

struct Pair {
    carrier: Carrier,
    homes: [Home; 2],
    address: SocketAddr,
    /// Keeps the port while no server is there.
    _port: socket2::Socket,
    server: Process,
    client: Process,
}

impl Pair {
    fn start(carrier: Carrier) -> Self {
        let homes = Home::pair(carrier);
        let (port, address) = support::reserved(support::loopback());
        let server = process(carrier, "server", &homes[1], address);
        let client = process(carrier, "client", &homes[0], address);
        Pair { carrier, homes, address, _port: port, server, client }
    }

    fn restart_server(&mut self) {
        self.server = process(self.carrier, "server", &self.homes[1], self.address);
    }

    fn restart_client(&mut self) {
        self.client = process(self.carrier, "client", &self.homes[0], self.address);
    }

    /// Kills one side or both, each time that some more requests were answered, and lets the rest be answered.
    #[track_caller]
    fn run(&mut self, kill_server: bool, kill_client: bool) {
        let mut random = Rng::with_seed(u64::from(kill_server) + 2 * u64::from(kill_client));
        for _ in 0..KILLS {
            (0..random.u8(1..5)).for_each(|_| drop(self.client.says("progress").expect("it goes on")));
            // Dead before anything is restarted: nobody hands over.
            if kill_client {
                self.client.kill();
            }
            if kill_server {
                self.server.kill();
            }
            if kill_server {
                self.restart_server();
            }
            if kill_client {
                self.restart_client();
            }
        }
        self.client.kill();
        self.client = process(self.carrier, "last client", &self.homes[0], self.address);
        let answered: u64 = self.client.says("done").expect("it goes on").parse().expect("a number");
        assert!(answered > 100 * KILLS);
        assert_eq!(self.homes[0].names(), ["c~client~server.link"]);
        assert_eq!(self.homes[1].names(), ["s~server~client.link"]);
    }
}

#[track_caller]
fn process(carrier: Carrier, role: &str, home: &Home, address: SocketAddr) -> Process {
    let (carrier, address) = (format!("{carrier:?}"), address.to_string());
    let directory = home.path().to_str().expect("plain names");
    Process::start(child("child_of_the_tests_below", &[role, &carrier, directory, &address]))
}

fn a_client_killed_in_the_middle_of_its_work_goes_on_where_it_was(carrier: Carrier) {
    Pair::start(carrier).run(false, true);
}

fn a_server_killed_in_the_middle_of_its_work_goes_on_where_it_was(carrier: Carrier) {
    Pair::start(carrier).run(true, false);
}

fn both_killed_at_once_go_on_where_they_were(carrier: Carrier) {
    Pair::start(carrier).run(true, true);
}
