//! The same script on a link, alone with its server and beside a program that says anything: the handlers on
//! both ends of the link are told the same, word for word.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use support::raw::{self, Raw};
use support::{World, client, kind, name, server, wish};
use tcpshm_driver::{
    Carrier, ClientConfig, Connected, Delivered, Disconnected, Handler, Link, Name, Received, ResetReport,
    SendError, Stalled,
};

const ROUNDS: usize = 60;

/// Writes down what it is told of one link, and answers there.
#[derive(Clone)]
struct Scribe {
    peer: Name,
    answers: bool,
    told: Rc<RefCell<Vec<String>>>,
}

impl Scribe {
    fn of(peer: &str, answers: bool) -> Self {
        Scribe { peer: name(peer), answers, told: Rc::default() }
    }

    fn note(&self, peer: &Name, what: String) {
        if *peer == self.peer {
            self.told.borrow_mut().push(what);
        }
    }
}

impl Handler for Scribe {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let (kind, at) = (received.kind().get(), received.position().position());
        let payload = received.payload().to_vec();
        self.note(link.peer(), format!("{kind} at {at}: {}", payload.escape_ascii()));
        if self.answers && kind == 1 && *link.peer() == self.peer {
            let mut slot = link.claim(received.kind(), payload.len()).expect("room for a reply");
            slot.copy_from_slice(&payload);
            slot.commit_consuming(received).expect("messages come in order");
        } else {
            link.consume(received).expect("messages come in order");
        }
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        self.note(link.peer(), format!("{:?} over {:?}", connected.outcome, connected.carrier));
    }

    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        self.note(link.peer(), format!("{reason:?}"));
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.note(link.peer(), "writable".into());
    }

    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        self.note(link.peer(), format!("{stalled:?}"));
    }

    fn unconsumed(&mut self, link: &mut Link<'_>, position: Delivered) {
        self.note(link.peer(), format!("{position:?}"));
    }

    fn reset(&mut self, link: &mut Link<'_>, report: &ResetReport) {
        self.note(link.peer(), format!("{report:?}"));
    }
}

/// A server, a client that follows the script, and perhaps somebody else.
struct Scene {
    world: World<Scribe, Scribe>,
    config: ClientConfig,
    ours: Scribe,
    theirs: Scribe,
    stranger: Option<Stranger>,
}

impl Scene {
    /// What the handlers on both ends of the link are told.
    fn play(carrier: Carrier, hostile: bool) -> [Vec<String>; 2] {
        let directory = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Scribe::of("server", false), Scribe::of("client", true));
        let mut world = World::new();
        let address = world.serve(server(directory.path()), theirs.clone());
        let mut config = client(directory.path(), address);
        config.carrier = wish(carrier);
        let stranger = hostile.then(|| Stranger { random: Rng::with_seed(7), raws: Vec::new(), logins: 0 });
        let mut scene = Scene { world, config, ours, theirs, stranger };
        scene.start();
        for round in 0..ROUNDS {
            scene.disturb();
            scene.round(round);
        }
        [scene.ours.told.take(), scene.theirs.told.take()]
    }

    fn start(&mut self) {
        self.world.connect(self.config.clone(), self.ours.clone());
        self.world.until("a link", |world| world.clients[0].driver.is_connected());
    }

    fn round(&mut self, round: usize) {
        match round % 12 {
            5 => self.fill(),
            8 => self.world.pass(Duration::from_secs(3)),
            11 => {
                self.world.clients.clear();
                self.world.until("its notice", |world| {
                    let now = world.now;
                    let driver = &mut world.at_server().driver;
                    driver.link(now, &name("client")).is_none_or(|link| !link.is_connected())
                });
                self.start();
            }
            _ => {}
        }
        self.world.send(0, format!("round {round}").as_bytes());
        self.answered();
    }

    /// Sends as much as there is room for.
    fn fill(&mut self) {
        let now = self.world.now;
        let mut link = self.world.clients[0].driver.link(now).expect("a link");
        let refused = std::iter::repeat_with(|| link.send(kind(2), &[7; 200])).find_map(Result::err);
        assert!(matches!(refused, Some(SendError::Full { .. })), "{refused:?}");
        drop(link);
        self.answered();
    }

    /// Waits until everything is answered and acknowledged.
    fn answered(&mut self) {
        let (ours, theirs) = (Rc::clone(&self.ours.told), Rc::clone(&self.theirs.told));
        let messages = |told: &[String]| told.iter().filter(|what| what.starts_with("1 at")).count();
        self.world.until("the answers", |world| {
            let now = world.now;
            let owed = world.clients[0].driver.link(now).expect("a link").undelivered().messages;
            owed == 0 && messages(&ours.borrow()) == messages(&theirs.borrow())
        });
        self.world.calm();
    }

    fn disturb(&mut self) {
        let address = self.config.addresses[0];
        if let Some(stranger) = &mut self.stranger {
            stranger.act(&mut self.world, Raw::connect(address));
        }
    }
}

/// Somebody who is at nothing.
struct Stranger {
    random: Rng,
    raws: Vec<Raw>,
    logins: u128,
}

impl Stranger {
    fn act(&mut self, world: &mut World<Scribe, Scribe>, mut raw: Raw) {
        let mut noise = vec![0; self.random.usize(1..2_000)];
        self.random.fill(&mut noise);
        match self.random.u8(..7) {
            0 => raw.say(&noise),
            // Half a login, in the name of the other, which stays.
            1 => raw.say(&raw::hello("client")),
            2 => raw.say(&raw::hello("half")[..self.random.usize(1..20)]),
            how => {
                self.logins += 1;
                let session = self.logins;
                raw.log_in(world, &format!("mallory-{session}"), session);
                match how {
                    3 => raw.say(&noise),
                    4 => raw.say(&raw::frame(16, 0, raw::ACK, self.random.u64(..), b"")),
                    // More than anybody reads at once.
                    5 => (0..200).for_each(|number| raw.say(&raw::message(session, number * 520, &[1; 500]))),
                    _ => raw.say(&raw::message(session, 0, &noise[..noise.len().min(500)])[..8]),
                }
            }
        }
        self.raws.push(raw);
        if self.raws.len() > 10 {
            self.raws.remove(self.random.usize(..10));
        }
        self.raws.iter_mut().for_each(Raw::listen);
    }
}

#[track_caller]
fn the_same_is_told(carrier: Carrier) {
    let [alone, beside] = [false, true].map(|hostile| Scene::play(carrier, hostile));
    let [ours, theirs] = &alone;
    assert!(ours.len() > ROUNDS && theirs.len() > 2 * ROUNDS, "{} and {}", ours.len(), theirs.len());
    for (alone, beside) in alone.iter().zip(&beside) {
        let place = alone.iter().zip(beside).position(|(alone, beside)| alone != beside);
        assert_eq!(place.map(|place| (&alone[place], &beside[place])), None, "after {place:?} others");
        assert_eq!(alone.len(), beside.len());
    }
}

#[test]
fn a_link_over_tcp_is_told_the_same_beside_a_hostile_client() {
    the_same_is_told(Carrier::Tcp);
}

#[test]
fn a_link_on_shared_memory_is_told_the_same_beside_a_hostile_client() {
    the_same_is_told(Carrier::Shm);
}
