//! One setting: two processes, what is between them, and somebody who kills them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::app;
use super::carrier::Carriage;
use super::judge::Judge;
use super::log::Reader;
use super::process::Process;
use super::record::{Act, Moment, Record, clock, log_name};
use super::schedule::Round;
use super::side::Side;
use super::stranger::Stranger;
use super::sweep::Sweep;
use super::tally::Tally;
use crate::proxy::{Proxy, Servers};

/// Milliseconds without a sign of life after which both lose patience.
const SILENCE: u64 = 400;
/// Longer than that.
const STOP: Duration = Duration::from_millis(600);
/// When the kills are over everything has to arrive within this time: a hundred silences and back-offs.
const SETTLED: Duration = Duration::from_secs(40);
/// What a round of kills may take at most: its work, a stop, and a machine that has other things to do.
const ROUND: Duration = Duration::from_secs(4);
/// How often to look then.
const GLANCE: Duration = Duration::from_millis(5);

/// What to do.
#[derive(Clone, Debug)]
pub struct Setting {
    /// This program.
    pub program: PathBuf,
    /// What shall carry the links.
    pub carriage: Carriage,
    /// How many links.
    pub links: u16,
    /// Whether the chaos proxy is between the two.
    pub proxy: bool,
    /// Whether somebody removes link files.
    pub sweep: bool,
    /// How many processes to kill.
    pub kills: u64,
    /// What all decisions follow from.
    pub seed: u64,
}

impl Setting {
    /// Kills as often as planned, lets the rest arrive, and judges all of it. A failure leaves the directory.
    pub fn run(&self) -> Result<Tally, String> {
        let mut arena = Arena::start(self)?;
        let result = arena.fight().and_then(|()| arena.settle());
        match result {
            Ok(()) => Ok(arena.tally),
            Err(text) => {
                arena.processes = [None, None];
                let directory = arena.directory.keep();
                Err(format!("{text}\nlogs and link files: {}", directory.display()))
            }
        }
    }
}

#[derive(Debug)]
struct Arena<'s> {
    setting: &'s Setting,
    directory: TempDir,
    random: Rng,
    capacity: u64,
    /// Keeps the server's port while no server is there.
    _port: Socket,
    /// Where the server listens, and where clients connect to.
    addresses: [SocketAddr; 2],
    proxy: Option<(Proxy, Stranger)>,
    processes: [Option<Process>; 2],
    lives: [u32; 2],
    readers: [Reader; 2],
    /// The last thing that each side wrote down.
    last: [Act; 2],
    /// The links that the present life of each side has looked at, and so has open.
    met: [BTreeSet<u16>; 2],
    /// When the later of the two was started, and the links that came since.
    started: u64,
    resumed: BTreeSet<u16>,
    judge: Judge,
    sweep: Sweep,
    tally: Tally,
}

impl<'s> Arena<'s> {
    fn start(setting: &'s Setting) -> Result<Self, String> {
        let directory = directory()?;
        let (port, address) = reserved().map_err(|error| format!("no port: {error}"))?;
        let mut random = Rng::with_seed(setting.seed);
        let capacity = [4 * 1024, 32 * 1024, 256 * 1024][random.usize(..3)];
        let proxy = if setting.proxy {
            let stranger = Stranger::start(directory.path())?;
            let servers = Servers { meant: address, other: Some(stranger.address()) };
            let proxy =
                Proxy::start(random.u64(..), servers).map_err(|error| format!("no proxy: {error}"))?;
            Some((proxy, stranger))
        } else {
            None
        };
        let near = proxy.as_ref().map_or(address, |(proxy, _)| proxy.address());
        let reader = |side| Reader::new(directory.path().join(log_name(side)));
        let mut arena = Self {
            setting,
            readers: Side::BOTH.map(reader),
            directory,
            random,
            capacity,
            _port: port,
            addresses: [address, near],
            proxy,
            processes: [None, None],
            lives: [0; 2],
            last: [Act::Start; 2],
            met: Default::default(),
            started: 0,
            resumed: BTreeSet::new(),
            judge: Judge::new(setting.links, setting.sweep),
            sweep: Sweep::default(),
            tally: Tally::default(),
        };
        for side in Side::BOTH {
            arena.launch(side, false)?;
        }
        Ok(arena)
    }

    fn launch(&mut self, side: Side, drain: bool) -> Result<(), String> {
        let at = side as usize;
        self.lives[at] += 1;
        let options = app::Options {
            side,
            parent: std::process::id(),
            directory: self.directory.path().to_owned(),
            address: self.addresses[at],
            carriage: self.setting.carriage,
            links: self.setting.links,
            capacity: self.capacity,
            silence: SILENCE,
            seed: self.setting.seed,
            life: self.lives[at],
            drain,
        };
        let process = Process::start(&self.setting.program, &options);
        self.processes[at] = Some(process.map_err(|error| format!("the {side} does not start: {error}"))?);
        self.last[at] = Act::Start;
        self.met[at].clear();
        self.started = clock();
        self.resumed.clear();
        Ok(())
    }

    // ---- kills ----

    fn fight(&mut self) -> Result<(), String> {
        let rounds = u32::try_from(self.setting.kills).unwrap_or(u32::MAX);
        let deadline = Instant::now() + ROUND.saturating_mul(rounds);
        while self.tally.count("kills") < self.setting.kills {
            if Instant::now() > deadline {
                return Err("processes cannot be killed and started as fast as planned".into());
            }
            let round = Round::draw(&mut self.random);
            self.work(round.work)?;
            if let Some(side) = round.stop {
                self.stop(side)?;
            }
            self.kill(&round.kill, round.between)?;
            self.restart(&round, false)?;
        }
        Ok(())
    }

    fn work(&mut self, lasting: Duration) -> Result<(), String> {
        let removals =
            if self.setting.sweep { self.random.u32(..=2 + u32::from(self.setting.links) / 8) } else { 0 };
        // The moment of a kill is drawn; nothing waits for it.
        let pause = lasting / (removals + 1);
        for _ in 0..removals {
            sleep(pause);
            self.sweep()?;
        }
        sleep(pause);
        self.watch()
    }

    fn sweep(&mut self) -> Result<(), String> {
        self.read()?;
        let swept = self.sweep.sweep(self.directory.path(), self.setting.links, &mut self.random);
        if let Some((side, link)) = swept.map_err(|error| format!("a file cannot be removed: {error}"))?
            && !self.met[side as usize].contains(&link)
        {
            // Its owner may not have it open yet: then nobody makes it again.
            self.judge.bereave(&BTreeSet::from([link]));
        }
        Ok(())
    }

    fn stop(&mut self, side: Side) -> Result<(), String> {
        let failed = |error| format!("the {side} cannot be stopped: {error}");
        if let Some(process) = &self.processes[side as usize] {
            process.signal(Signal::SIGSTOP).map_err(failed)?;
            sleep(STOP);
            process.signal(Signal::SIGCONT).map_err(failed)?;
            self.tally.stop();
        }
        // What was on its way meanwhile arrives now.
        sleep(Duration::from_micros(self.random.u64(..30_000)));
        Ok(())
    }

    fn kill(&mut self, sides: &[Side], between: Duration) -> Result<(), String> {
        for (index, side) in sides.iter().enumerate() {
            if index > 0 {
                sleep(between);
            }
            if let Some(process) = &mut self.processes[*side as usize] {
                process.strike().map_err(|error| format!("the {side} cannot be killed: {error}"))?;
            }
        }
        let mut trouble = Vec::new();
        for side in sides {
            if let Some(mut process) = self.processes[*side as usize].take()
                && let Err(status) = process.bury()
            {
                trouble.push(format!("the {side} had ended by itself: {status}"));
            }
        }
        // What they wrote says more than how they ended.
        self.read()?;
        if !trouble.is_empty() {
            return Err(trouble.join("; "));
        }
        if sides.len() == 2 {
            self.judge.conclude().map_err(|violation| describe(&violation))?;
            self.tally.both();
        }
        for side in sides {
            self.tally.kill(*side, self.setting.carriage, Moment::after(self.last[*side as usize]));
            let missing = self.sweep.missing(self.directory.path(), *side);
            let missing = missing.map_err(|error| format!("a file cannot be moved away: {error}"))?;
            self.judge.bereave(&missing);
            let compacted = self.readers[*side as usize].compact();
            compacted.map_err(|error| format!("the log of the {side}: {error}"))?;
        }
        Ok(())
    }

    fn restart(&mut self, round: &Round, drain: bool) -> Result<(), String> {
        let mut order = [round.first, round.first.other()].to_vec();
        order.retain(|side| round.kill.contains(side));
        for (index, side) in order.into_iter().enumerate() {
            if index > 0 {
                sleep(round.apart);
            }
            self.launch(side, drain)?;
        }
        Ok(())
    }

    // ---- reading ----

    /// Reads what both wrote since the last time, and has it judged.
    fn read(&mut self) -> Result<(), String> {
        for side in Side::BOTH {
            let records = self.readers[side as usize].news();
            for record in records.map_err(|error| format!("the log of the {side}: {error}"))? {
                self.last[side as usize] = record.act;
                self.tally.record(&record);
                if record.act == Act::Found {
                    self.met[side as usize].insert(record.link);
                }
                self.note_resumed(side, &record);
                self.judge.record(side, record).map_err(|violation| describe(&violation))?;
            }
        }
        Ok(())
    }

    fn note_resumed(&mut self, side: Side, record: &Record) {
        let news = side == Side::Client && record.act == Act::Connected && record.extra > self.started;
        if news && self.resumed.insert(record.link) {
            self.tally.resumed(Duration::from_nanos(record.extra - self.started));
        }
    }

    /// Sees that both are still there.
    fn watch(&mut self) -> Result<(), String> {
        for side in Side::BOTH {
            let Some(process) = &mut self.processes[side as usize] else {
                continue;
            };
            if let Some(status) = process.ended().map_err(|error| error.to_string())? {
                self.read()?;
                return Err(format!("the {side} has ended by itself: {status}"));
            }
        }
        Ok(())
    }

    // ---- the end ----

    /// The kills are over: everything that was committed arrives, and nothing else.
    fn settle(&mut self) -> Result<(), String> {
        if let Some((proxy, _)) = &self.proxy {
            self.tally.proxy(&proxy.counts());
            proxy.calm().map_err(|error| format!("the proxy: {error}"))?;
        }
        self.kill(&Side::BOTH, Duration::ZERO)?;
        for side in Side::BOTH {
            self.launch(side, true)?;
        }
        let deadline = Instant::now() + SETTLED;
        loop {
            sleep(GLANCE);
            self.watch()?;
            self.read()?;
            let unsettled = self.judge.unsettled();
            let Some(first) = unsettled.first() else {
                break;
            };
            if Instant::now() > deadline {
                let (count, detail) = (unsettled.len(), self.judge.detail(*first));
                let text = "I13 Live: not all that was committed has arrived";
                return Err(format!("{text}: {count} links, among them {first}: {detail}"));
            }
        }
        self.kill(&Side::BOTH, Duration::ZERO)?;
        self.tally.judged(self.judge.judged());
        let Sweep { removed, replacements, bereft, .. } = self.sweep;
        self.tally.sweep(removed, replacements, bereft);
        Ok(())
    }
}

fn describe(violation: &crate::Violation) -> String {
    crate::Failure::Violation(violation.clone()).to_string()
}

/// A private directory, in memory where there is one.
fn directory() -> Result<TempDir, String> {
    let memory = std::path::Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new()
        .prefix("tcpshm-kill-")
        .tempdir_in(place)
        .map_err(|error| format!("no directory: {error}"))
}

/// A port that the system chose, kept by a socket that does not listen.
fn reserved() -> std::io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let address = socket.local_addr()?.as_socket().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    Ok((socket, address))
}
