//! Links of one server in two groups, each with a thread of its own: one spins for links on shared memory, one sleeps for
//! links over TCP.
//!
//! ```text
//! cargo run --release --example groups
//! ```
//!
//! The main thread accepts and logs in, and says where each link goes. Then the link on shared memory moves from the thread
//! that spins to the one that sleeps and back, while its client goes on asking and checks that every reply comes, once
//! and in order. (With fewer cores than threads a thread that spins keeps others waiting: the times tell.)

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use tcpshm_driver::{
    Carrier, CarrierWish, Client, ClientConfig, Connected, EventLoop, Group, GroupId, Handler, IdleStrategy,
    Kind, Link, LoginAttempt, Name, Received, Server, ServerConfig,
};

const REQUEST: Kind = Kind::new(1).expect("not 0");

/// Carries links in groups, and moves one.
#[derive(Parser)]
struct Arguments {
    /// Requests of each client, one at a time
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    count: u32,
    /// Moves of the link on shared memory
    #[arg(long, value_name = "N", default_value_t = 100)]
    moves: u32,
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let Arguments { count, moves } = Arguments::parse();
    let home = tempfile::tempdir()?;
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut server = Server::bind(ServerConfig::new("server".parse()?, home.path(), local))?;
    let address = *server.local_addresses()?.first().ok_or("the server does not listen")?;

    let mut fast = EventLoop::new(server.group()?, Instant::now)?.with_idle(IdleStrategy::Spin);
    let mut quiet = EventLoop::new(server.group()?, Instant::now)?.with_idle(IdleStrategy::SLEEP);
    let mut door = Door { fast: fast.driver().id(), quiet: quiet.driver().id() };
    let threads = [("fast", fast), ("quiet", quiet)];
    let threads = threads.map(|(name, group)| thread::spawn(move || run(group, &mut Echo { name })));

    let clients = [("trader", CarrierWish::Shm), ("clerk", CarrierWish::Tcp)].map(|(name, wish)| {
        let home = home.path().to_owned();
        thread::spawn(move || ask(name, wish, &home, address, count))
    });

    let mut server = EventLoop::new(server, Instant::now)?;
    let trader: Name = "trader".parse()?;
    let mut moved = 0;
    while clients.iter().any(|client| !client.is_finished()) {
        server.turn(&mut door, Some(Duration::from_millis(1)))?;
        let to = match server.driver().group_of(&trader) {
            Some(group) if moved < moves => {
                if group == door.fast {
                    door.quiet
                } else {
                    door.fast
                }
            }
            _ => continue,
        };
        let now = server.now();
        // It may be between two connections, or on its way.
        moved += u32::from(server.driver().move_link(now, &trader, to, &mut door).is_ok());
    }
    for client in clients {
        println!("{}", client.join().map_err(|_| "a client panicked")??);
    }
    server.shut_down(&mut door);
    for thread in threads {
        thread.join().map_err(|_| "a group panicked")??;
    }
    println!("the link on shared memory was asked to move {moved} times; nothing was lost or came twice");
    Ok(())
}

/// The loop of a group, until its server ends.
fn run(mut group: EventLoop<Group>, echo: &mut Echo) -> io::Result<()> {
    while !group.driver().is_stopped() {
        group.turn(echo, None)?;
    }
    Ok(())
}

/// The application of the server's own thread. It has no links: it says where they go.
struct Door {
    fast: GroupId,
    quiet: GroupId,
}

impl Handler for Door {
    fn choose_group(&mut self, attempt: &LoginAttempt<'_>) -> GroupId {
        if attempt.wish.allows(Carrier::Shm) { self.fast } else { self.quiet }
    }

    fn message(&mut self, _: &mut Link<'_>, received: Received<'_>) {
        unreachable!("links are in groups: {received:?}");
    }
}

/// The application of a group.
struct Echo {
    name: &'static str,
}

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, request: Received<'_>) {
        let mut slot = link.claim(request.kind(), request.payload().len()).expect("one is on its way");
        slot.copy_from_slice(request.payload());
        slot.commit_consuming(request).expect("in order");
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        println!("{:?} carries {} in the {} group", connected.carrier, link.peer(), self.name);
    }
}

/// A client that asks one thing at a time. Returns how long the answers took.
fn ask(
    name: &str,
    wish: CarrierWish,
    home: &Path,
    server: SocketAddr,
    count: u32,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut config = ClientConfig::new(name.parse()?, home, server);
    config.carrier = wish;
    let mut client = EventLoop::new(Client::new(config)?, Instant::now)?;
    let mut asker = Asker { count, sent: Instant::now(), times: Vec::new() };
    while asker.times.len() < count as usize {
        client.turn(&mut asker, None)?;
    }
    client.shut_down(&mut asker);
    asker.times.sort_unstable();
    let [median, longest] = [asker.times.len() / 2, asker.times.len() - 1].map(|at| asker.times[at]);
    Ok(format!("{name}: {count} replies, median {median:.1?}, longest {longest:.1?}"))
}

struct Asker {
    count: u32,
    sent: Instant,
    times: Vec<Duration>,
}

impl Asker {
    fn next(&mut self, link: &mut Link<'_>) {
        let number = u32::try_from(self.times.len()).expect("no more than `count`");
        if number < self.count {
            self.sent = Instant::now();
            link.send(REQUEST, &number.to_le_bytes()).expect("one is on its way");
        }
    }
}

impl Handler for Asker {
    fn message(&mut self, link: &mut Link<'_>, reply: Received<'_>) {
        let expected = u32::try_from(self.times.len()).expect("no more than `count`");
        assert_eq!(*reply.payload(), expected.to_le_bytes(), "once and in order");
        link.consume(reply).expect("in order");
        self.times.push(self.sent.elapsed());
        self.next(link);
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        self.next(link);
    }
}
