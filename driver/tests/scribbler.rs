//! A peer that stores anything whatever into its own link file, which this side reads: it ends its own
//! connection with a fault that has a name, and nothing else.
//!
//! The scribbler writes through the file, as any process of the same user can. What it cannot do is write a
//! byte of ours, which is mapped by us alone for writing.
//!
//! `SEEDS=100..200 cargo test -p tcpshm-driver --test scribbler` runs others than the usual seeds.

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::iter;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use support::app::{App, Habit};
use support::stage::Stage;
use support::{Seat, kind, name, raw};
use tcpshm_driver::{Carrier, Client, SendError};

const SEEDS: Range<u64> = 0..150;
/// Where its words stand, and its frames.
const CONSUMED: u64 = 1152;
const NONCE: u64 = 1280;
const FRAMES: u64 = 4096;
/// The bytes of a message of 8.
const FRAME: u64 = 24;
const CAPACITY: u64 = 4096;

/// A server with a good link that never pauses, and one whose client stands still while its file is
/// scribbled on.
struct Scene {
    stage: Stage,
    mallory: Seat<Client, App>,
    file: File,
    session: u128,
}

impl Scene {
    /// Both sides of the bad link have sent `count` messages of 8 bytes; the server does `habit` with them.
    #[track_caller]
    fn new(count: u64, habit: Habit) -> Self {
        let mut stage = Stage::over(Carrier::Shm);
        let mut config = stage.client.clone();
        config.link.name = name("mallory");
        stage.world.connect(config, App::default());
        stage.world.until("its link", |world| world.clients[1].driver.is_connected());
        stage.world.at_server().app.habit = habit;
        let now = stage.world.now;
        let mut link = stage.world.clients[1].driver.link(now).expect("a link");
        let session = u128::from_str_radix(&link.session().to_string(), 16).expect("hexadecimal");
        for number in 0..count {
            link.send(kind(2), &number.to_le_bytes()).expect("room");
        }
        drop(link);
        let before = 1 + usize::try_from(count).expect("a few");
        stage.world.until("its messages", |world| world.at_server().app.received.len() == before);
        stage.world.calm();
        // From here on it is dead, for all that its process does.
        let mallory = stage.world.clients.pop().expect("two clients");
        let now = stage.world.now;
        let mut link = stage.world.at_server().driver.link(now, &name("mallory")).expect("a link");
        for number in 0..2_u64 {
            link.send(kind(2), &number.to_le_bytes()).expect("room");
        }
        drop(link);
        let path = stage.ours.path().join("c~mallory~server.link");
        let file = File::options().write(true).open(path).expect("it is there");
        stage.world.at_server().app.habit = Habit::Echo;
        stage.world.clients[0].app.habit = Habit::Echo;
        stage.world.send(0, b"ball");
        Scene { stage, mallory, file, session }
    }

    fn scribble(&self, at: u64, value: u64) {
        self.file.write_all_at(&value.to_le_bytes(), at).expect("a file of ours");
    }

    /// Word 0 of a frame at `position` that checks.
    fn word(&self, len: u32, kind: u16, position: u64) -> u64 {
        let mark = raw::mark(self.session, position);
        u64::from(mark) << 48 | u64::from(kind) << 32 | u64::from(len)
    }

    /// Turns for a while, in which the good link goes on at full speed. Returns how the bad one ended.
    #[track_caller]
    fn verdict(&mut self) -> Option<String> {
        let echoes = |stage: &Stage| stage.world.clients[0].app.received.len();
        let before = echoes(&self.stage);
        for _ in 0..20 {
            // Asking for the link looks at what its peer has consumed.
            let now = self.stage.world.now;
            let _ = self.stage.world.at_server().driver.link(now, &name("mallory"));
            self.stage.world.turn();
        }
        assert!(echoes(&self.stage) >= before + 10, "the good link waits");
        let server = self.stage.world.at_server();
        let endings = server.app.endings();
        assert!(endings.len() <= 1, "{endings:?}");
        let ending = endings.first().map(|ending| (*ending).to_owned());
        assert_eq!(server.driver.connections(), if ending.is_some() { 1 } else { 2 });
        ending
    }
}

/// Scribbles once and says how the connection must end.
#[track_caller]
fn ends_with(expected: &str, scribble: impl FnOnce(&Scene)) {
    let mut scene = Scene::new(3, Habit::Consume);
    assert_eq!(scene.verdict(), None);
    scribble(&scene);
    let ending = scene.verdict().expect("an end");
    assert!(ending.contains(expected), "{ending} where {expected} belongs");
    let reason = scene.stage.world.at_server().app.texts().len();
    assert!(reason > 4, "the server goes on");
    drop(scene.mallory);
}

const TAIL: u64 = 3 * FRAME;

#[test]
fn a_consumed_word_that_is_no_position_is_a_fault() {
    for value in [1, 7, u64::MAX, u64::MAX - 7 + 4] {
        ends_with("Fault(Consumed", |scene| scene.scribble(CONSUMED, value));
    }
}

#[test]
fn a_consumed_word_beyond_what_was_sent_is_a_fault() {
    for value in [2 * FRAME + 8, 1 << 40, u64::MAX << 3 >> 1] {
        ends_with("Fault(Ack(", |scene| scene.scribble(CONSUMED, value & !7));
    }
}

#[test]
fn a_consumed_word_inside_a_message_is_a_fault() {
    for value in [8, 16, FRAME + 8] {
        ends_with("Fault(Ack(", |scene| scene.scribble(CONSUMED, value));
    }
}

#[test]
fn a_length_that_cannot_be_is_a_fault() {
    for len in [0, 1, 15, 512 + 17, u32::MAX] {
        ends_with("Length", |scene| scene.scribble(FRAMES + TAIL, scene.word(len, 1, TAIL)));
    }
}

#[test]
fn a_frame_of_kind_0_is_a_fault() {
    ends_with("fault: Kind", |scene| scene.scribble(FRAMES + TAIL, scene.word(24, 0, TAIL)));
}

#[test]
fn a_mark_of_another_place_is_a_fault() {
    ends_with("Mark", |scene| scene.scribble(FRAMES + TAIL, scene.word(24, 1, TAIL + 8)));
}

#[test]
fn padding_that_is_not_zero_is_a_fault() {
    ends_with("Padding", |scene| {
        scene.scribble(FRAMES + TAIL + 16, u64::MAX);
        scene.scribble(FRAMES + TAIL, scene.word(17, 1, TAIL));
    });
}

#[test]
fn a_message_under_another_nonce_is_not_read() {
    ends_with("Cut", |scene| {
        scene.scribble(NONCE, 1);
        scene.scribble(FRAMES + TAIL, scene.word(24, 1, TAIL));
    });
}

#[test]
fn more_messages_than_the_ring_holds_are_a_fault() {
    let fit = (CAPACITY - 8) / FRAME;
    let mut scene = Scene::new(fit, Habit::Ignore);
    let tail = fit * FRAME;
    scene.scribble(FRAMES + tail % CAPACITY, scene.word(24, 1, tail));
    let ending = scene.verdict().expect("an end");
    assert!(ending.contains("Overrun"), "{ending}");
}

#[test]
fn a_scribbler_never_writes_a_byte_of_ours() {
    let mut scene = Scene::new(3, Habit::Consume);
    let ours = scene.stage.theirs.path().join("s~server~mallory.link");
    scene.verdict();
    let before = std::fs::read(&ours).expect("it is there");
    scene.scribble(CONSUMED, 1 << 40);
    assert!(scene.verdict().expect("an end").contains("Ack"));
    let mut after = std::fs::read(&ours).expect("it is there");
    // The server has detached.
    let nonce = usize::try_from(NONCE).expect("64 bits");
    let nonce = nonce..nonce + 8;
    after[nonce.clone()].copy_from_slice(&before[nonce]);
    assert!(before == after);
}

/// A place and a value that are likely to hurt.
fn scrawl(random: &mut Rng) -> (u64, u64) {
    let words = [0, 8, 16, 24, 1024, 1032, 1040, CONSUMED, NONCE, NONCE + 8, NONCE + 16, NONCE + 32];
    let at = match random.u8(..4) {
        0 => words[random.usize(..words.len())],
        1 => FRAMES + TAIL,
        2 => FRAMES + random.u64(..300) * 8,
        _ => FRAMES + random.u64(..CAPACITY),
    };
    let value = match random.u8(..5) {
        0 => random.u64(..),
        1 => 1 << random.u8(..64),
        2 => u64::MAX >> random.u8(..64),
        3 => random.u64(..200) * 8,
        // A length that may be, of a kind that may be.
        _ => random.u64(..1 << 24) << 40 | 1 << 32 | random.u64(..600),
    };
    (at, value)
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else {
        return SEEDS;
    };
    let (from, to) = text.split_once("..").expect("SEEDS=100..200");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn whatever_a_peer_scribbles_its_own_link_ends_with_a_typed_fault_and_the_others_go_on() {
    let mut verdicts = BTreeMap::<String, u32>::new();
    for seed in seeds() {
        let run = AssertUnwindSafe(|| {
            let mut random = Rng::with_seed(seed);
            let mut scene = Scene::new(3, Habit::Consume);
            (0..random.u8(1..60)).find_map(|_| {
                for _ in 0..random.u8(1..4) {
                    let (at, value) = scrawl(&mut random);
                    scene.scribble(at, value);
                }
                scene.verdict()
            })
        });
        let Ok(verdict) = catch_unwind(run) else {
            panic!("to repeat it: SEEDS={seed}..{}", seed + 1);
        };
        let verdict = verdict.unwrap_or_else(|| "none".into());
        assert!(
            ["Fault(", "Cut", "none"].iter().any(|known| verdict.starts_with(known)),
            "{seed}: {verdict}"
        );
        let sort = verdict.split(['{', ' ']).next().expect("a word").to_owned();
        *verdicts.entry(sort).or_default() += 1;
    }
    for sort in ["Fault(Consumed", "Fault(Ack(", "Fault(Inbound(Frame", "Cut"] {
        let met = verdicts.keys().any(|verdict| verdict.starts_with(sort));
        assert!(met || seeds() != SEEDS, "{sort} was never met: {verdicts:?}");
    }
}

#[test]
fn whatever_a_server_scribbles_its_client_goes_on_trying() {
    for seed in seeds().take(50) {
        let run = AssertUnwindSafe(|| {
            let mut random = Rng::with_seed(seed);
            let mut stage = Stage::over(Carrier::Shm);
            stage.world.send(0, b"for the server");
            // The server stands still.
            let still = stage.world.server.take();
            let path = support::files::server_file(stage.theirs.path());
            let file = File::options().write(true).open(path).expect("it is there");
            for _ in 0..100 {
                let (at, value) = scrawl(&mut random);
                file.write_all_at(&value.to_le_bytes(), at).expect("a file of ours");
                let now = stage.world.now;
                let _ = stage.world.clients[0].driver.link(now);
                stage.world.turn();
                if let Some(ending) = stage.world.clients[0].app.endings().first() {
                    assert!(ending.starts_with("Fault(") || *ending == "Cut", "{ending}");
                    break;
                }
            }
            drop(still);
        });
        assert!(catch_unwind(run).is_ok(), "to repeat it: SEEDS={seed}..{}", seed + 1);
    }
}

#[test]
fn a_file_that_is_scribbled_on_by_a_thread_while_it_is_read_ends_one_link_and_no_process() {
    for seed in seeds().take(15) {
        let mut scene = Scene::new(3, Habit::Consume);
        let stop = AtomicBool::new(false);
        let file = scene.file.try_clone().expect("a descriptor");
        let verdict = thread::scope(|scope| {
            let scribbler = scope.spawn(|| {
                let mut random = Rng::with_seed(seed);
                while !stop.load(Ordering::Relaxed) {
                    let (at, value) = scrawl(&mut random);
                    file.write_all_at(&value.to_le_bytes(), at).expect("a file of ours");
                }
            });
            // The scribbler has to have its turns, too: on a busy machine that may take a moment.
            let limit = Instant::now() + Duration::from_secs(30);
            let run = AssertUnwindSafe(|| {
                iter::repeat_with(|| scene.verdict()).take_while(|_| Instant::now() < limit).flatten().next()
            });
            let verdict = catch_unwind(run);
            stop.store(true, Ordering::Relaxed);
            scribbler.join().expect("it only writes");
            verdict
        });
        let verdict = verdict.unwrap_or_else(|_| panic!("seed {seed}")).expect("it does not last");
        assert!(verdict.starts_with("Fault(") || verdict == "Cut", "{verdict}");
    }
}

#[test]
fn a_ring_that_a_scribbler_claims_to_have_consumed_is_not_overrun() {
    let mut scene = Scene::new(3, Habit::Consume);
    let now = scene.stage.world.now;
    // What it may claim: all that was sent. No more is freed by it than that.
    scene.scribble(CONSUMED, 2 * FRAME);
    let mut link = scene.stage.world.at_server().driver.link(now, &name("mallory")).expect("a link");
    assert_eq!((link.space(), link.undelivered().messages), (CAPACITY - 8, 0));
    let mut sent = 0;
    let full = loop {
        match link.send(kind(2), &[0; 8]) {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(sent, (CAPACITY - 8) / FRAME);
    assert!(matches!(full, SendError::Full { .. }), "{full}");
}
