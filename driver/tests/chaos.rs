//! Cuts, stalls and restarts at random: every request is answered once and in order, and nobody hears of
//! a loss.
//!
//! `SEEDS=100..200 cargo test -p tcpshm-driver --test chaos` runs others than the usual seeds.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fastrand::Rng;
use support::{World, client, kind, name, server};
use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_driver::{
    Carrier, ClientConfig, Connected, Dispute, Handler, Held, Link, LoginRefused, Name, Policy, Received,
    RefusalCode, ServerConfig,
};
use tempfile::TempDir;

carriers! {
    whatever_happens_every_request_is_answered_once_and_in_order,
}

const CLIENTS: usize = 3;
const SEEDS: Range<u64> = 0..8;
const STEPS: usize = 120;
/// Requests on their way at most.
const WINDOW: u64 = 20;

/// Answers requests, some of them later.
struct Answers {
    random: Rng,
    held: HashMap<Name, Vec<Held>>,
}

impl Answers {
    fn new(seed: u64) -> Self {
        Answers { random: Rng::with_seed(seed), held: HashMap::new() }
    }

    fn answer(link: &mut Link<'_>, request: Received<'_>) {
        let mut slot = link.claim(request.kind(), request.payload().len()).expect("a window is small");
        slot.copy_from_slice(request.payload());
        slot.commit_consuming(request).expect("in order");
    }

    fn answer_held(&mut self, link: &mut Link<'_>) {
        for held in self.held.remove(link.peer()).unwrap_or_default() {
            let request = link.redeem(held).expect("held by this link");
            Self::answer(link, request);
        }
    }
}

impl Handler for Answers {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if self.random.u8(..4) == 0 {
            let held = link.hold(received).expect("a message of this link");
            self.held.entry(link.peer().clone()).or_default().push(held);
        } else {
            self.answer_held(link);
            Self::answer(link, received);
        }
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        panic!("{dispute:?}");
    }
}

/// Sends numbers, and checks that they come back in order.
#[derive(Default)]
struct Requests {
    sent: u64,
    answered: u64,
}

impl Requests {
    fn fill(&mut self, link: &mut Link<'_>, most: u64) {
        while self.sent - self.answered < most {
            let number = self.sent.to_le_bytes();
            let len = 8 + usize::try_from(self.sent * 7 % 90).unwrap();
            let mut slot = link.claim(kind(1), len).expect("a window is small");
            slot.fill(number[0]);
            slot[..8].copy_from_slice(&number);
            slot.commit();
            self.sent += 1;
        }
    }
}

impl Handler for Requests {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let number = self.answered.to_le_bytes();
        let payload = received.payload();
        assert_eq!(payload[..8], number, "answer {} is another", self.answered);
        assert_eq!(payload.len(), 8 + usize::try_from(self.answered * 7 % 90).unwrap());
        assert!(payload[8..].iter().all(|byte| *byte == number[0]));
        link.consume(received).expect("in order");
        self.answered += 1;
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        self.fill(link, WINDOW / 2);
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        panic!("{dispute:?}");
    }

    fn refused(&mut self, refused: &LoginRefused) {
        // A client that was restarted may say Hello before its last life's Confirm is through.
        let expected = [RefusalCode::StaleConfirm, RefusalCode::ProposalDead];
        assert!(expected.contains(&refused.refusal.code), "{}", refused.refusal);
    }
}

struct Chaos {
    world: World<Answers, Requests>,
    random: Rng,
    server: ServerConfig,
    clients: Vec<ClientConfig>,
    /// What the clients may wish.
    wishes: &'static [CarrierWish],
    _directory: TempDir,
}

impl Chaos {
    fn new(seed: u64, wishes: &'static [CarrierWish]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut random = Rng::with_seed(seed);
        let mut world = World::new();
        // A third each with an ordinary host, one that repeats events and one that spins.
        match seed % 3 {
            1 => world.be_haunted(),
            2 => world.spins = true,
            _ => {}
        }
        let mut server = server(directory.path());
        let address = world.serve(server.clone(), Answers::new(seed));
        server.listen = vec![address];
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let near: SocketAddr = world.lay_cable(address);
            let mut config = client(directory.path(), near);
            config.link.name = name(&format!("client-{number}"));
            config.carrier = wishes[random.usize(..wishes.len())];
            world.connect(config.clone(), Requests::default());
            clients.push(config);
        }
        Chaos { world, random, server, clients, wishes, _directory: directory }
    }

    fn step(&mut self) {
        let number = self.random.usize(..CLIENTS);
        match self.random.u8(..16) {
            0 => self.restart_server(),
            1 => self.restart_client(number),
            2 => self.with_wire(number, |wire, _| wire.cut()),
            3 => self.with_wire(number, |wire, _| wire.cut_client()),
            4 => self.with_wire(number, |wire, random| wire.to_server.allowed = random.usize(..400)),
            5 => self.with_wire(number, |wire, random| wire.to_client.allowed = random.usize(..400)),
            6 => self.world.cables[number].up = self.random.usize(..300),
            7 => self.world.cables[number].down = self.random.usize(..300),
            8 => {
                let time = Duration::from_millis(self.random.u64(..2000));
                self.world.pass(time);
            }
            9 => self.change_carrier(number),
            _ => self.send(number),
        }
        (0..self.random.usize(..12)).for_each(|_| self.world.turn());
    }

    fn with_wire(&mut self, number: usize, change: impl Fn(&mut support::cable::Wire, &mut Rng)) {
        if let Some(wire) = self.world.cables[number].wires.last_mut() {
            change(wire, &mut self.random);
        }
    }

    fn send(&mut self, number: usize) {
        let (now, most) = (self.world.now, self.random.u64(1..WINDOW));
        let seat = &mut self.world.clients[number];
        if let Some(mut link) = seat.driver.link(now) {
            seat.app.fill(&mut link, most);
        }
    }

    fn a_wish(&mut self) -> CarrierWish {
        self.wishes[self.random.usize(..self.wishes.len())]
    }

    fn change_carrier(&mut self, number: usize) {
        let (now, wish) = (self.world.now, self.a_wish());
        self.clients[number].carrier = wish;
        let client = &mut self.world.clients[number];
        client.driver.change_carrier(now, wish, &mut client.app);
    }

    fn restart_server(&mut self) {
        self.world.server = None;
        if self.random.bool() {
            self.world.turn();
        }
        let seed = self.random.u64(..);
        self.world.serve(self.server.clone(), Answers::new(seed));
    }

    /// The application knows what it has sent and what it has been answered, whatever happens to the rest.
    fn restart_client(&mut self, number: usize) {
        let app = self.world.clients.remove(number).app;
        if self.random.bool() {
            self.world.turn();
        }
        self.clients[number].carrier = self.a_wish();
        self.world.connect(self.clients[number].clone(), app);
        let restarted = self.world.clients.pop().unwrap();
        self.world.clients.insert(number, restarted);
    }

    /// The faults are over: what was sent is answered.
    fn end(&mut self) {
        for cable in &mut self.world.cables {
            (cable.up, cable.down) = (usize::MAX, usize::MAX);
            cable.wires.iter_mut().for_each(support::cable::Wire::cut);
        }
        self.world.until("all answers", |world| {
            let now = world.now;
            let server = world.at_server();
            for number in 0..CLIENTS {
                if let Some(mut link) = server.driver.link(now, &name(&format!("client-{number}"))) {
                    server.app.answer_held(&mut link);
                }
            }
            world
                .clients
                .iter()
                .all(|client| client.driver.is_connected() && client.app.sent == client.app.answered)
        });
        self.world.calm();
        let now = self.world.now;
        for client in &mut self.world.clients {
            let link = client.driver.link(now).unwrap();
            assert_eq!((link.undelivered().messages, link.held()), (0, 0));
        }
    }
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else {
        return SEEDS;
    };
    let (from, to) = text.split_once("..").expect("SEEDS=100..200");
    from.parse().unwrap()..to.parse().unwrap()
}

/// Runs all seeds with clients that wish now this, now that.
#[track_caller]
fn run(wishes: &'static [CarrierWish]) {
    let mut answered = 0;
    for seed in seeds() {
        let mut chaos = Chaos::new(seed, wishes);
        let run = AssertUnwindSafe(|| {
            (0..STEPS).for_each(|_| chaos.step());
            chaos.end();
            chaos.world.clients.iter().map(|client| client.app.answered).sum::<u64>()
        });
        match catch_unwind(run) {
            Ok(count) => answered += count,
            Err(_) => panic!("to repeat it: SEEDS={seed}..{}", seed + 1),
        }
    }
    assert!(answered > 1000, "only {answered} requests were answered");
}

fn whatever_happens_every_request_is_answered_once_and_in_order(carrier: Carrier) {
    run(match carrier {
        Carrier::Tcp => &[CarrierWish::Tcp],
        Carrier::Shm => &[CarrierWish::Shm],
    });
}

#[test]
fn whatever_happens_to_links_that_change_carriers_every_request_is_answered_once_and_in_order() {
    run(&[CarrierWish::Tcp, CarrierWish::Shm, CarrierWish::Auto]);
}
