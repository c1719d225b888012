//! One flood after the other at the door of one server.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tempfile::TempDir;

use super::good::Good;
use super::manner::{MANNERS, Manner, NAME, Stranger};
use super::server::{Besieged, LINKS, LOGIN_DEADLINE};
use super::vitals::Vitals;

/// Strangers that are there at once: more than the server lets log in at a time from one address.
const CROWD: usize = 600;
/// How long the good client may wait for an echo at most, and a newcomer for its first.
const SERVED: Duration = Duration::from_secs(5);
/// When the server has given back what strangers took: their deadlines, farewells, and a slow machine.
const QUIET: Duration = Duration::from_secs(15);
/// Kilobytes by which its memory may have grown after all: its tables keep the size that they once needed.
const GROWTH: u64 = 6 * 1024;
/// Bytes that slow strangers say, one a second: more than the deadline of a login.
const DRIPS: u64 = 4;

/// What one flood did.
#[derive(Clone, Debug)]
pub(super) struct Flood {
    pub(super) what: String,
    pub(super) logins: u64,
    pub(super) echoes: usize,
    /// Of the good client's echoes, in microseconds.
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) worst: u64,
    /// Until a newcomer had its first echo.
    pub(super) newcomer: Duration,
    /// Descriptors while the crowd was there, and kilobytes afterwards.
    pub(super) descriptors: usize,
    pub(super) memory: u64,
}

#[derive(Debug)]
pub(super) struct Siege {
    server: Besieged,
    directory: TempDir,
    good: Good,
    /// What the server had before anybody came.
    before: Vitals,
    random: Rng,
    logins: u64,
}

impl Siege {
    /// A server that may have so many descriptors open (0: no limit of ours), and a good client that is served.
    pub(super) fn begin(program: &Path, descriptors: u64, seed: u64) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("tcpshm-flood-").tempdir();
        let directory = directory.map_err(|error| format!("no directory: {error}"))?;
        let home = directory.path().join("server");
        let server = Besieged::start(program, &home, descriptors)?;
        let good = Good::start("good", &directory.path().join("good"), server.address)?;
        if !good.is_served_within(SERVED) {
            return Err("the good client is not served although nobody else is there".into());
        }
        let before = Vitals::of(server.id(), &home)?;
        Ok(Self { server, directory, good, before, random: Rng::with_seed(seed), logins: 0 })
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("server")
    }

    fn vitals(&self) -> Result<Vitals, String> {
        Vitals::of(self.server.id(), &self.home())
    }

    /// What it had before anybody came, to compare later floods with.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.before.memory = self.vitals()?.memory;
        Ok(())
    }

    /// All manners, so many strangers each.
    pub(super) fn floods(&mut self, each: u64) -> Result<Vec<Flood>, String> {
        MANNERS.into_iter().map(|manner| self.flood(manner, each)).collect()
    }

    /// So many strangers come in this manner.
    pub(super) fn flood(&mut self, manner: Manner, logins: u64) -> Result<Flood, String> {
        self.good.news();
        let mut crowd: VecDeque<Stranger> = VecDeque::new();
        let mut newcomer = None;
        // Slow ones are no more than a crowd: they take their time.
        let logins = if manner == Manner::Drip { logins.min(CROWD as u64) } else { logins };
        let mut refused = 0;
        for number in 0..logins {
            match manner.come(self.server.address, self.logins + number, &mut self.random) {
                Some(stranger) => crowd.push_back(stranger),
                None => refused += 1,
            }
            if crowd.len() > CROWD {
                crowd.pop_front();
            }
            if number == logins / 2 {
                newcomer = Some(self.newcomer()?);
            }
        }
        self.logins += logins;
        if manner == Manner::Drip {
            for _ in 0..DRIPS {
                std::thread::sleep(Duration::from_secs(1));
                crowd.iter_mut().for_each(Stranger::drip);
            }
        }
        if refused > 0 && self.before.descriptors < 40 && logins > 0 && refused == logins {
            return Err(format!("{manner}: nobody could connect at all"));
        }
        let descriptors = self.vitals()?.descriptors;
        drop(crowd);
        let memory = self.quiet(manner)?;
        let newcomer = newcomer.ok_or("a flood of nobody")?;
        self.report(manner.to_string(), logins, newcomer, descriptors, memory)
    }

    /// So many silent strangers, more than the server has descriptors for: newcomers wait until they are gone.
    pub(super) fn shortage(&mut self, limit: u64) -> Result<Flood, String> {
        self.good.news();
        let logins = limit * 4;
        let come = |number| Manner::Silent.come(self.server.address, number, &mut self.random);
        let crowd: Vec<Option<Stranger>> = (0..logins).map(come).collect();
        // Long enough to run into the limit, and for echoes meanwhile.
        std::thread::sleep(Duration::from_millis(500));
        let descriptors = self.vitals()?.descriptors;
        if descriptors as u64 + 2 < limit {
            return Err(format!("{descriptors} descriptors are no shortage"));
        }
        drop(crowd);
        let memory = self.quiet(Manner::Silent)?;
        let newcomer = self.newcomer()?;
        self.report(format!("of {limit} descriptors"), logins, newcomer, descriptors, memory)
    }

    /// Somebody else who behaves logs in, is served, and goes.
    fn newcomer(&self) -> Result<Duration, String> {
        let start = Instant::now();
        let newcomer = Good::start("newcomer", &self.directory.path().join("newcomer"), self.server.address)?;
        if newcomer.is_served_within(SERVED) {
            Ok(start.elapsed())
        } else {
            Err(format!("a newcomer is not served within {SERVED:?}"))
        }
    }

    /// Waits until the server has given back what strangers took. Returns what memory it has then.
    fn quiet(&self, manner: Manner) -> Result<u64, String> {
        let deadline = Instant::now() + LOGIN_DEADLINE + QUIET;
        loop {
            let mut now = self.vitals()?;
            now.files.retain(|name| {
                let name = name.to_string_lossy();
                // These were let in.
                !name.contains(&format!("~{NAME}.link")) && !name.contains("~newcomer.link")
            });
            if now.descriptors <= self.before.descriptors && now.files == self.before.files {
                return Ok(now.memory);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{manner}: the server does not give back what it took: {now:?}, before {:?}",
                    self.before
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn report(
        &self,
        what: String,
        logins: u64,
        newcomer: Duration,
        descriptors: usize,
        memory: u64,
    ) -> Result<Flood, String> {
        let mut news = self.good.news();
        if let Some(trouble) = news.trouble {
            return Err(format!("{what}: the good client: {trouble}"));
        }
        if news.disconnected > 0 {
            return Err(format!("{what}: the good client lost its link {} times", news.disconnected));
        }
        news.echoes.sort_unstable();
        let Some(worst) = news.echoes.last().copied() else {
            return Err(format!("{what}: the good client was not served"));
        };
        if Duration::from_micros(worst) > SERVED {
            return Err(format!("{what}: the good client waited {worst} us for an echo"));
        }
        let percentile = |percent: usize| news.echoes[(news.echoes.len() - 1) * percent / 100];
        let (p50, p99, echoes) = (percentile(50), percentile(99), news.echoes.len());
        Ok(Flood { what, logins, echoes, p50, p99, worst, newcomer, descriptors, memory })
    }

    /// All strangers are gone: every place for a link can be had, and memory is what it was.
    pub(super) fn end(self) -> Result<u64, String> {
        let start = |number| {
            let name = format!("guest-{number}");
            Good::start(&name, &self.directory.path().join(&name), self.server.address)
        };
        // One place is the good client's.
        let guests = (1..LINKS).map(start).collect::<Result<Vec<Good>, String>>()?;
        if let Some(left) = guests.iter().position(|guest| !guest.is_served_within(SERVED)) {
            return Err(format!("only {} of {LINKS} links can be made after the floods", left + 1));
        }
        drop(guests);
        let memory = self.vitals()?.memory;
        if memory > self.before.memory + GROWTH {
            let before = self.before.memory;
            return Err(format!("the server's memory has grown from {before} to {memory} kilobytes"));
        }
        Ok(memory)
    }
}
