//! How many instructions the operations of the hot path take, counted by callgrind: the one measurement of this
//! project that is the same on every run, so the one that can fail a build.
//!
//! ```text
//! cargo bench --bench instructions                # compares with benches/instructions.json, fails if worse
//! cargo bench --bench instructions -- --record    # writes that file anew
//! cargo bench --bench instructions -- poll        # only operations with this in their names
//! ```
//!
//! Needs valgrind. A count is the mean over some thousands of operations on real link files, the loop around
//! them included. What it depends on is the compiler: with another one than recorded nothing is compared, and
//! `SKIPPED` is printed. Instructions are not time: a missed cache line costs what a hundred of them do.
//!
//! The crates for this (gungraun, once iai-callgrind) need a runner of the very same version to be
//! installed beside them, and keep what they compare with among the build's products rather than with the source.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use benches::{Pair, Record, Verdict, count_instructions, counted_under_callgrind, fill, home, write_json};
use clap::Parser;
use tcpshm_driver::protocol::{Event, Memory, Nonce, Role, survey};
use tcpshm_driver::shm::{LinkDirectory, MappedSession, Outbox, Polled};
use tcpshm_driver::{Carrier, Geometry, Kind, Received};

/// Operations in one count; their set-up is not counted.
const TIMES: u64 = 1000;
/// Frames that recovery walks over.
const FRAMES: u64 = 10_000;
/// How much more than recorded is let pass: what a new compiler would change is not compared at all, so this is for
/// what the linker and the order of functions change.
const TOLERANCE: f64 = 0.03;
const KIND: Kind = Kind::new(1).expect("not 0");

#[derive(Parser)]
struct Arguments {
    /// Only operations whose names contain this; nothing is compared
    only: Option<String>,
    /// Write the record anew
    #[arg(long, conflicts_with = "only")]
    record: bool,
    /// Where the record is
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json"))]
    against: PathBuf,
    /// Write what was found to a file, in the form of the record
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Be the process that is counted
    #[arg(long, hide = true)]
    run: Option<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Name, operations in a count, and what is counted.
type Operation = (&'static str, u64, fn(&Path));

const OPERATIONS: [Operation; 12] = [
    ("commit 16 B", TIMES, |home| commit(home, 16)),
    ("commit 64 B", TIMES, |home| commit(home, 64)),
    ("commit 1024 B", TIMES, |home| commit(home, 1024)),
    ("commit_consuming 64 B", TIMES, commit_consuming),
    ("consume", TIMES, consume),
    ("decode and consume 64 B", TIMES, decode),
    ("transmit 64 B", TIMES, transmit),
    ("poll and consume 64 B", TIMES, poll),
    ("poll and answer 64 B", TIMES, poll_and_answer),
    ("poll, nothing there", TIMES, poll_nothing),
    ("look over, one frame", FRAMES, look_over),
    ("open, one frame", FRAMES, open),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(name) = &arguments.run {
        let home = home().unwrap();
        let (_, _, operation) = OPERATIONS.into_iter().find(|(known, ..)| known == name).unwrap();
        operation(home.path());
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| arguments.only.as_ref().is_none_or(|only| name.contains(only));
    let mut counts = BTreeMap::new();
    for (name, times, _) in OPERATIONS.into_iter().filter(|(name, ..)| wanted(name)) {
        let count = count_instructions(&["--run", name]).unwrap();
        // A tenth is more than exact, and does not change with the number of operations.
        counts.insert(name.to_owned(), (10.0 * count as f64 / times as f64).round() / 10.0);
    }
    let found = Record { compiler: compiler(), counts };
    if let Some(path) = &arguments.json {
        write_json(path, &found).unwrap();
    }
    if arguments.record {
        write_json(&arguments.against, &found).unwrap();
    }
    if arguments.only.is_some() {
        print(&found);
        return ExitCode::SUCCESS;
    }
    judge(&Record::read(&arguments.against).expect("there is a record, or --record writes one"), &found)
}

fn judge(record: &Record, found: &Record) -> ExitCode {
    if record.compiler != found.compiler {
        print(found);
        println!(
            "\ninstructions: SKIPPED, the record is for {}, this is {}",
            record.compiler, found.compiler
        );
        return ExitCode::SUCCESS;
    }
    println!("{}", Verdict::HEADING);
    let verdicts = record.compare(found, TOLERANCE);
    verdicts.iter().for_each(|verdict| println!("{verdict}"));
    let failed = verdicts.iter().filter(|verdict| !verdict.is_well()).count();
    let percent = 100.0 * TOLERANCE;
    println!("\ninstructions: operations={} failed={failed} tolerance={percent}%", verdicts.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(found: &Record) {
    found.counts.iter().for_each(|(name, count)| println!("{name:<28}{count:>12.1}"));
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().unwrap();
    format!("{} for {ARCH}", String::from_utf8(output.stdout).unwrap().trim())
}

/// Both sides, with rings in which everything has room.
fn pair(home: &Path, carrier: Carrier) -> Pair {
    let ring = Geometry::new(4 << 20, 1024).unwrap();
    Pair::attach(home, carrier, ring, ring).unwrap()
}

/// Claims room, copies, commits.
fn commit(home: &Path, len: usize) {
    let mut pair = pair(home, Carrier::Tcp);
    let payload = vec![7; len];
    let mut outbox = pair.client.outbox();
    counted_under_callgrind(|| {
        for _ in 0..TIMES {
            let mut slot = outbox.claim(KIND, len).unwrap();
            slot.copy_from_slice(&payload);
            slot.commit();
        }
    });
}

/// Claims room, copies, commits and consumes in one store; what brought the message is not counted.
fn commit_consuming(home: &Path) {
    each_received(home, |outbox, received| {
        let payload = [7; 64];
        counted_under_callgrind(|| {
            let mut slot = outbox.claim(KIND, payload.len()).unwrap();
            slot.copy_from_slice(&payload);
            slot.commit_consuming(received).unwrap();
        });
    });
}

/// Consumes the oldest message; what brought it is not counted.
fn consume(home: &Path) {
    each_received(home, |outbox, received| {
        counted_under_callgrind(|| outbox.consume(received).unwrap());
    });
}

/// Hands over messages of 64 bytes one at a time.
fn each_received(home: &Path, mut app: impl FnMut(&mut Outbox<'_>, Received<'_>)) {
    let mut pair = pair(home, Carrier::Shm);
    fill(&mut pair.client, 64, TIMES);
    let mut taken = 0;
    while pair.server.poll(64, |polled| {
        if let Polled::Event(mut outbox, Event::Message(received)) = polled {
            app(&mut outbox, received);
            taken += 1;
        }
    }) {}
    assert_eq!(taken, TIMES);
}

/// What the client has to send, as one piece.
fn stream(client: &mut MappedSession, now: Instant) -> Vec<u8> {
    let (mut bytes, mut outbox) = (Vec::new(), client.outbox());
    loop {
        let piece = outbox.poll_transmit(now);
        if piece.is_empty() {
            return bytes;
        }
        bytes.extend_from_slice(piece);
        let written = piece.len();
        outbox.handle_transmitted(now, written);
    }
}

/// Takes frames from a stream of bytes, and consumes each.
fn decode(home: &Path) {
    let mut pair = pair(home, Carrier::Tcp);
    let now = Instant::now();
    fill(&mut pair.client, 64, TIMES);
    let bytes = stream(&mut pair.client, now);
    let mut consumed = 0;
    counted_under_callgrind(|| {
        pair.server.handle_input(now, &mut &bytes[..], |polled| consumed += u64::from(consumes(polled)))
    })
    .unwrap();
    assert_eq!(consumed, TIMES);
}

/// Gives frame after frame to a socket.
fn transmit(home: &Path) {
    let mut pair = pair(home, Carrier::Tcp);
    let now = Instant::now();
    // What a connection begins with is none of them.
    stream(&mut pair.client, now);
    fill(&mut pair.client, 64, TIMES);
    let mut outbox = pair.client.outbox();
    counted_under_callgrind(|| {
        for _ in 0..TIMES {
            let waiting = outbox.poll_transmit(now).len();
            outbox.handle_transmitted(now, waiting.min(16 + 64));
        }
    });
    assert!(outbox.poll_transmit(now).is_empty());
}

/// Takes one message at a time from the peer's memory, and consumes it.
fn poll(home: &Path) {
    let mut pair = pair(home, Carrier::Shm);
    fill(&mut pair.client, 64, TIMES);
    let mut consumed = 0;
    counted_under_callgrind(|| {
        for _ in 0..TIMES {
            pair.server.poll(1, |polled| consumed += u64::from(consumes(polled)));
        }
    });
    assert_eq!(consumed, TIMES);
}

/// What a server does in a round trip over shared memory.
fn poll_and_answer(home: &Path) {
    let mut pair = pair(home, Carrier::Shm);
    fill(&mut pair.client, 64, TIMES);
    counted_under_callgrind(|| {
        for _ in 0..TIMES {
            pair.server.poll(1, |polled| {
                let Polled::Event(mut outbox, Event::Message(received)) = polled else {
                    panic!("{polled:?}")
                };
                let mut slot = outbox.claim(received.kind(), received.payload().len()).unwrap();
                slot.copy_from_slice(received.payload());
                slot.commit_consuming(received).unwrap();
            });
        }
    });
    assert_eq!(pair.server.undelivered().messages, TIMES);
}

/// What spinning does.
fn poll_nothing(home: &Path) {
    let mut pair = pair(home, Carrier::Shm);
    counted_under_callgrind(|| {
        for _ in 0..TIMES {
            assert!(!pair.server.poll(1, |polled| panic!("{polled:?}")));
        }
    });
}

/// A link file of the client's that is full of messages of 16 bytes.
fn full(home: &Path) -> LinkDirectory {
    let ring = Geometry::new((FRAMES * 32).next_power_of_two(), 1024).unwrap();
    let mut pair = Pair::attach(home, Carrier::Tcp, ring, ring).unwrap();
    assert_eq!(fill(&mut pair.client, 16, FRAMES), FRAMES);
    Pair::open(home, Role::Client).unwrap()
}

/// Walks over all frames of a file, and checks them.
fn look_over(home: &Path) {
    let directory = full(home);
    let path = directory.path_of_link(&Pair::name(Role::Server));
    let image = Memory::from_image(std::fs::read(path).unwrap());
    let survey = counted_under_callgrind(|| survey(&image)).unwrap();
    assert_eq!(survey.undelivered().messages, FRAMES);
}

/// Opens a file, which looks it over on a copy, and once more where it is mapped.
fn open(home: &Path) {
    let directory = full(home);
    let peer = Pair::name(Role::Server);
    let opened = counted_under_callgrind(|| directory.open_link(&peer, None, Nonce::new(1)));
    assert_eq!(opened.unwrap().unwrap().session.undelivered().messages, FRAMES);
}

fn consumes(polled: Polled<'_>) -> bool {
    let Polled::Event(mut outbox, Event::Message(received)) = polled else { return false };
    outbox.consume(received).unwrap();
    true
}
