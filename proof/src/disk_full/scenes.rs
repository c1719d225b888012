//! What happens on a disk that runs full.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_protocol::Role;

use super::filler::Filler;
use super::mounts::Mounted;
use crate::calls::acts::{send, talk};
use crate::calls::app::App;
use crate::calls::judge::judge_record;
use crate::calls::record::{Entry, Record};
use crate::calls::stage::{Stage, Stuck};

/// A story, and what it is called.
pub(super) struct Scene {
    pub(super) name: &'static str,
    play: fn(&mut Ground) -> Result<(), Stuck>,
    /// Whether the disk runs full in it.
    pub(super) fills: bool,
}

/// All of them.
pub(super) const SCENES: [Scene; 9] = [
    Scene { name: "full before the first login", play: full_before, fills: true },
    Scene { name: "full under a link on TCP", play: full_under_tcp, fills: true },
    Scene { name: "full under a link on shared memory", play: full_under_memory, fills: true },
    Scene { name: "full when both sides start again", play: full_at_a_start, fills: true },
    Scene { name: "full when a newcomer logs in", play: full_for_a_newcomer, fills: true },
    Scene { name: "full when a live file is removed", play: full_when_swept, fills: true },
    Scene { name: "full when a reset is due", play: full_at_a_reset, fills: true },
    Scene { name: "a live file is replaced by a copy", play: replaced, fills: false },
    Scene { name: "an overlay, files in either layer", play: overlay, fills: false },
];

/// What a scene has shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Messages consumed.
    pub(super) messages: usize,
    /// How often somebody was told that there is no room.
    pub(super) refused: usize,
    /// Pages that were taken.
    pub(super) pages: u64,
    pub(super) violations: Vec<String>,
}

/// A disk, and what happened on it.
struct Ground {
    disk: Mounted,
    record: Record,
    pages: u64,
}

/// Bytes of each ring: a link file has three pages, so that several fit on the disk.
const CAPACITY: u64 = 4096;
/// Turns in which what cannot be made would have been made, many times.
const TURNS: u32 = 400;

impl Scene {
    /// Plays it on a disk of its own.
    pub(super) fn play(&self) -> std::io::Result<Shown> {
        let record = Record::Remembered(Rc::new(RefCell::new(Vec::new())));
        let mut ground = Ground { disk: Mounted::small_disk()?, record, pages: 0 };
        let played = (self.play)(&mut ground);
        let entries = ground.record.entries();
        let count = |wanted: fn(&&Entry) -> bool| entries.iter().filter(wanted).count();
        let mut violations = judge_record(&entries);
        violations.extend(played.err().map(|stuck| format!("it got stuck: {stuck}: {:?}", entries.last())));
        Ok(Shown {
            messages: count(|entry| matches!(entry, Entry::Consumed(..))),
            refused: count(|entry| says(entry, NO_ROOM)),
            pages: ground.pages,
            violations,
        })
    }
}

impl Ground {
    /// Two sides on a directory of the disk.
    fn stage(&self, directory: &str) -> Stage {
        self.stage_at(&self.disk.path().join(directory))
    }

    fn stage_at(&self, directory: &Path) -> Stage {
        let app = |side| App::new(side, 0, false, self.record.clone());
        Stage::new(directory, CAPACITY, app(Role::Client), app(Role::Server))
    }

    fn fill(&mut self) -> Result<Filler, Stuck> {
        let filler = Filler::fill(self.disk.path()).map_err(|error| Stuck(format!("filling: {error}")))?;
        self.pages += filler.pages;
        Ok(filler)
    }

    /// For a while nothing comes of it, and somebody is told why.
    fn refuses(&self, stage: &mut Stage, why: &str) -> Result<(), Stuck> {
        let told = || self.record.entries().iter().filter(|entry| says(entry, why)).count();
        let before = told();
        (0..TURNS).for_each(|_| stage.turn());
        if stage.is_connected() {
            return Err(Stuck("a refusal: it connected".into()));
        }
        if told() == before {
            return Err(Stuck(format!("a word: {why}")));
        }
        Ok(())
    }

    /// The connection ends, since a file is not in its place, and none is made.
    fn refuses_after_the_end(&self, stage: &mut Stage, why: &str) -> Result<(), Stuck> {
        let before = stage.at_client.endings;
        stage.until("the end of the connection", |stage| stage.at_client.endings > before)?;
        self.refuses(stage, why)
    }
}

/// What a full disk is called.
const NO_ROOM: &str = "no room for its";

/// Whether the handler was told of a file that cannot be used, for this reason.
fn says(entry: &Entry, why: &str) -> bool {
    matches!(entry, Entry::Trouble(method, text) if method == "failed" && text.contains(why))
}

fn start(stage: &mut Stage) -> Result<(), Stuck> {
    stage.start_server()?;
    stage.start_client()
}

fn full_before(ground: &mut Ground) -> Result<(), Stuck> {
    let mut stage = ground.stage("links");
    let filler = ground.fill()?;
    start(&mut stage)?;
    ground.refuses(&mut stage, NO_ROOM)?;
    drop(filler);
    stage.connected()?;
    talk(&mut stage)
}

fn full_under_tcp(ground: &mut Ground) -> Result<(), Stuck> {
    full_under(ground, CarrierWish::Tcp, CarrierWish::Shm)
}

fn full_under_memory(ground: &mut Ground) -> Result<(), Stuck> {
    full_under(ground, CarrierWish::Shm, CarrierWish::Tcp)
}

/// The link goes on, on the carrier it has, and on the other one.
fn full_under(ground: &mut Ground, carrier: CarrierWish, other: CarrierWish) -> Result<(), Stuck> {
    let mut stage = ground.stage("links");
    stage.wish = carrier;
    start(&mut stage)?;
    stage.connected()?;
    let _filler = ground.fill()?;
    // Several laps of the rings.
    (0..20).try_for_each(|_| talk(&mut stage))?;
    stage.change_carrier(other);
    stage.connected()?;
    (0..20).try_for_each(|_| talk(&mut stage))
}

/// Files that are whole are opened without a byte to spare.
fn full_at_a_start(ground: &mut Ground) -> Result<(), Stuck> {
    let mut stage = ground.stage("links");
    start(&mut stage)?;
    stage.connected()?;
    talk(&mut stage)?;
    let _filler = ground.fill()?;
    for wish in [CarrierWish::Shm, CarrierWish::Tcp] {
        stage.with_server("a message before the end", send)?;
        stage.stop_server();
        stage.with_client("a message without a server", send)?;
        stage.stop_client();
        stage.wish = wish;
        start(&mut stage)?;
        talk(&mut stage)?;
    }
    Ok(())
}

/// A link that is open is served while another one cannot be made.
fn full_for_a_newcomer(ground: &mut Ground) -> Result<(), Stuck> {
    let mut old = ground.stage("old");
    old.wish = CarrierWish::Shm;
    start(&mut old)?;
    talk_connected(&mut old)?;
    let filler = ground.fill()?;
    let elsewhere = Record::Remembered(Rc::new(RefCell::new(Vec::new())));
    let newcomers = Ground {
        disk: Mounted::small_disk().map_err(|error| Stuck(error.to_string()))?,
        record: elsewhere,
        pages: 0,
    };
    let mut new = newcomers.stage_at(&ground.disk.path().join("new"));
    start(&mut new)?;
    for _ in 0..5 {
        newcomers.refuses(&mut new, NO_ROOM)?;
        talk(&mut old)?;
    }
    drop(filler);
    talk_connected(&mut new)?;
    talk(&mut old)?;
    let told = newcomers.record.entries();
    judge_record(&told).into_iter().next().map_or(Ok(()), |found| Err(Stuck(found)))?;
    told.iter().filter(|entry| says(entry, NO_ROOM)).for_each(|entry| ground.record.write(entry));
    Ok(())
}

fn talk_connected(stage: &mut Stage) -> Result<(), Stuck> {
    stage.connected()?;
    talk(stage)
}

/// Its owner goes on with what is mapped, and makes the file again when there is room.
fn full_when_swept(ground: &mut Ground) -> Result<(), Stuck> {
    // One record for both links: the second goes on with the numbers of the first.
    let mut sent = [0, 0];
    for (directory, side) in [("one", Role::Client), ("two", Role::Server)] {
        let mut stage = ground.stage(directory);
        [stage.at_client.sent, stage.at_server.sent] = sent;
        start(&mut stage)?;
        talk_connected(&mut stage)?;
        let filler = ground.fill()?;
        stage.with_client("a message before the removal", send)?;
        stage.remove_file(side);
        ground.refuses_after_the_end(&mut stage, NO_ROOM)?;
        stage.with_client("a message for the mapped file", send)?;
        stage.with_server("a message for the mapped file", send)?;
        drop(filler);
        talk_connected(&mut stage)?;
        sent = [stage.at_client.sent, stage.at_server.sent];
    }
    Ok(())
}

/// What is to be kept aside stays where it is until there is room for the new file.
fn full_at_a_reset(ground: &mut Ground) -> Result<(), Stuck> {
    let mut stage = ground.stage("links");
    start(&mut stage)?;
    talk_connected(&mut stage)?;
    stage.stop_client();
    stage.with_server("a message for nobody", send)?;
    stage.remove_file(Role::Client);
    let filler = ground.fill()?;
    (stage.at_client.may_reset, stage.at_server.may_reset) = (true, true);
    stage.start_client()?;
    ground.refuses(&mut stage, NO_ROOM)?;
    drop(filler);
    talk_connected(&mut stage)?;
    (stage.at_client.may_reset, stage.at_server.may_reset) = (false, false);
    stage.release_kept()?;
    talk(&mut stage)
}

/// Nobody can say whose the other file is: logins are refused until it is moved away.
fn replaced(ground: &mut Ground) -> Result<(), Stuck> {
    let failed = |error: std::io::Error| Stuck(format!("replacing a file: {error}"));
    let mut stage = ground.stage("links");
    stage.wish = CarrierWish::Shm;
    start(&mut stage)?;
    talk_connected(&mut stage)?;
    for side in [Role::Client, Role::Server] {
        let file = stage.file_of(side);
        let (copy, aside) = (file.with_extension("copy"), file.with_extension("aside"));
        fs::copy(&file, &copy).and_then(|_| fs::rename(&copy, &file)).map_err(failed)?;
        stage.with_client("a message for the mapped file", send)?;
        ground.refuses_after_the_end(&mut stage, "another file was put in the place")?;
        stage.with_server("a message for the mapped file", send)?;
        fs::rename(&file, &aside).map_err(failed)?;
        talk_connected(&mut stage)?;
    }
    Ok(())
}

/// Files are made in the upper layer, and those of the lower one are copied there before they are mapped.
fn overlay(ground: &mut Ground) -> Result<(), Stuck> {
    let failed = |error: std::io::Error| Stuck(format!("mounting an overlay: {error}"));
    let lower = tempfile::tempdir().map_err(failed)?;
    let mut stage = ground.stage_at(&lower.path().join("links"));
    start(&mut stage)?;
    talk_connected(&mut stage)?;
    stage.with_client("a message before the end", send)?;
    let sent = [stage.at_client.sent, stage.at_server.sent];
    stage.stop_client();
    stage.stop_server();
    drop(stage);
    let layers = Mounted::overlay(lower.path(), &ground.disk).map_err(failed)?;
    for (directory, sent) in [("links", sent), ("new", [1000, 1000])] {
        let mut stage = ground.stage_at(&layers.path().join(directory));
        [stage.at_client.sent, stage.at_server.sent] = sent;
        for wish in [CarrierWish::Shm, CarrierWish::Tcp, CarrierWish::Shm] {
            stage.wish = wish;
            start(&mut stage)?;
            talk_connected(&mut stage)?;
            stage.stop_client();
            stage.stop_server();
        }
    }
    Ok(())
}
