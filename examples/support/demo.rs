//! The echo demo: two processes, a link between them, and somebody who keeps killing them.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tcpshm_driver::{Carrier, Name};

use crate::choices::CarrierChoice;
use crate::ends;
use crate::entry::Connections;
use crate::ledger::{Counts, Ledger};
use crate::message::Messages;
use crate::processes::{Line, Process, Side};
use crate::record::{Record, RecordError};
use crate::screen::{Screen, grouped};
use crate::stretch::Glances;

/// Short against anything that is measured, long against what looking costs.
const GLANCE: Duration = Duration::from_millis(1);
/// A process that has not started or stopped by then never will.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts to start a server.
const RETRY: Duration = Duration::from_millis(20);
/// A stretch between two kills lasts at least this long, so that there is a middle to strike in.
const STRETCH_MILLISECONDS: u64 = 50;
/// Messages a second that a run may reach: one that needs to be slower for that is slowed down.
const FULL_SPEED: u64 = 4_000_000;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What carries the link.
    pub carrier: Carrier,
    /// Where the files go.
    pub home: PathBuf,
    /// Messages to send.
    pub count: u64,
    /// How often to kill, the client first, then in turn. Less than `count`.
    pub kills: u64,
    /// Messages in flight.
    pub window: u64,
    /// When to be done with fewer, from the first connection on.
    pub limit: Option<Duration>,
    /// What the messages follow from.
    pub seed: u64,
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was to carry the link.
    pub carrier: Carrier,
    /// The client's account.
    pub counts: Counts,
    /// What carried it, by the same account.
    pub connections: Connections,
    /// From the start of the client to its end.
    pub lasted: Duration,
    /// From one answer to the next, on average, if enough was seen of it.
    pub between: Option<Duration>,
    /// The kills, in order.
    pub kills: Vec<Kill>,
    /// How the client ended.
    pub client: ExitStatus,
    /// How the server ended, when it was asked to.
    pub server: ExitStatus,
}

/// One of the two was killed.
#[derive(Clone, Debug)]
pub struct Kill {
    /// Which.
    pub side: Side,
    /// How many answers the client had.
    pub at: u64,
    /// From the kill to the first answer that came after the restart.
    pub recovered: Option<Duration>,
    when: Instant,
    /// How many answers the client had when the restarted process began.
    before: u64,
}

impl Kill {
    /// One that was just struck, or that is over.
    pub fn new(side: Side, at: u64, recovered: Option<Duration>) -> Self {
        Self { side, at, recovered, when: Instant::now(), before: at }
    }
}

impl Plan {
    /// Starts both, kills as often as planned, and waits for the client to end. An error is a failure to
    /// do that; whether the result is good is for the caller to see.
    pub fn run(&self, screen: &mut Screen) -> Result<Summary, Trouble> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in ends::signals() {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let mut demo = Demo::start(self, screen)?;
        let client = loop {
            demo.listen();
            if interrupted.load(Ordering::Relaxed) {
                return Err(Trouble::Interrupted);
            }
            demo.look();
            if let Some(status) = demo.client.ended()? {
                break status;
            }
            if let Some(status) = demo.server.ended()? {
                return Err(Trouble::Ended { side: Side::Server, status });
            }
            demo.kill_if_due()?;
        };
        let lasted = demo.started.elapsed();
        demo.look();
        let server = demo.server.stop(PATIENCE)?;
        demo.drain();
        let entry = Record::peek(&self.record())?;
        let (carrier, connections) = (self.carrier, entry.connections);
        let counts = Ledger::new(entry, Messages::new(self.seed)).counts();
        let (between, kills) = (demo.glances.mean(), demo.kills);
        Ok(Summary { carrier, counts, connections, lasted, between, kills, client, server })
    }

    /// How many answers come before the n-th kill, counted from 0.
    fn threshold(&self, kill: u64) -> u64 {
        let share = u128::from(self.count) * u128::from(kill + 1) / u128::from(self.kills + 1);
        u64::try_from(share).expect("less than the count")
    }

    /// Messages a second, where a run at full speed would be over before it could be disturbed.
    fn rate(&self) -> Option<u64> {
        let milliseconds = (self.kills + 1).saturating_mul(STRETCH_MILLISECONDS);
        let rate = self.count.saturating_mul(1000).div_ceil(milliseconds);
        (self.kills > 0 && rate < FULL_SPEED).then_some(rate)
    }

    fn record(&self) -> PathBuf {
        Record::path(&self.home, &name(Side::Client))
    }

    fn server_arguments(&self, listen: SocketAddr) -> Vec<OsString> {
        let mut arguments = self.common_arguments(Side::Server);
        arguments.extend(["--listen".into(), listen.to_string().into()]);
        arguments
    }

    fn client_arguments(&self, connect: SocketAddr) -> Vec<OsString> {
        let mut arguments = self.common_arguments(Side::Client);
        let number = |number: u64| OsString::from(number.to_string());
        arguments.extend(["--connect".into(), connect.to_string().into()]);
        arguments.extend(["--count".into(), number(self.count), "--window".into(), number(self.window)]);
        arguments.extend(["--seed".into(), number(self.seed)]);
        if let Some(rate) = self.rate() {
            arguments.extend(["--rate".into(), number(rate)]);
        }
        if let Some(limit) = self.limit {
            let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            arguments.extend(["--limit".into(), number(milliseconds)]);
        }
        arguments
    }

    fn common_arguments(&self, side: Side) -> Vec<OsString> {
        let name = side.to_string();
        vec![
            name.clone().into(),
            "--child".into(),
            "--name".into(),
            name.into(),
            "--dir".into(),
            self.home.clone().into(),
            "--carrier".into(),
            CarrierChoice::only(self.carrier).to_string().into(),
        ]
    }
}

/// Each side is called what it is.
fn name(side: Side) -> Name {
    side.to_string().parse().expect("letters only")
}

/// The demo while it runs.
struct Demo<'p> {
    plan: &'p Plan,
    screen: &'p mut Screen,
    sender: Sender<Line>,
    lines: Receiver<Line>,
    address: SocketAddr,
    server: Process,
    client: Process,
    started: Instant,
    /// Answers that the client had when we last looked.
    received: u64,
    glances: Glances,
    kills: Vec<Kill>,
}

impl<'p> Demo<'p> {
    fn start(plan: &'p Plan, screen: &'p mut Screen) -> Result<Self, Trouble> {
        let (sender, lines) = mpsc::channel();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (server, address) = start_server(plan, any, &sender, &lines, screen)?;
        let started = Instant::now();
        let client = Process::start(Side::Client, &plan.client_arguments(address), &sender)?;
        Ok(Self {
            plan,
            screen,
            sender,
            lines,
            address,
            server,
            client,
            started,
            received: 0,
            glances: Glances::default(),
            kills: Vec::new(),
        })
    }

    /// Shows what the two have to say, for a millisecond.
    fn listen(&mut self) {
        if let Ok(line) = self.lines.recv_timeout(GLANCE) {
            show(self.screen, &line);
        }
    }

    /// Shows what is left.
    fn drain(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(GLANCE) {
            show(self.screen, &line);
        }
    }

    /// Reads in the client's own record how far it is.
    fn look(&mut self) {
        // It may be about to be made, or being written.
        let received = Record::peek(&self.plan.record()).map_or(0, |entry| entry.received);
        let now = Instant::now();
        self.received = self.received.max(received);
        self.glances.note(now, self.received);
        if let Some(kill) = self.kills.last_mut().filter(|kill| kill.recovered.is_none())
            && self.received > kill.before
        {
            let time = now - kill.when;
            kill.recovered = Some(time);
            let milliseconds = time.as_secs_f64() * 1e3;
            self.screen.line(format_args!("the next answer came after {milliseconds:.1} ms"));
        }
        if self.plan.limit.is_some() {
            // Over in a moment, and nobody knows how many it will be.
            return;
        }
        let (received, kills, elapsed) = (self.received, self.kills.len(), now - self.started);
        self.screen.progress(now, || {
            let rate = grouped(per_second(received, elapsed));
            let share = received * 100 / self.plan.count.max(1);
            let (received, count) = (grouped(received), grouped(self.plan.count));
            let carrier = CarrierChoice::only(self.plan.carrier);
            format!("{carrier} {share:3} %  {received} of {count} answered, {rate} a second, {kills} kills")
        });
    }

    fn kill_if_due(&mut self) -> Result<(), Trouble> {
        let kills = u64::try_from(self.kills.len()).expect("fewer than messages");
        let recovering = self.kills.last().is_some_and(|kill| kill.recovered.is_none());
        if recovering || kills >= self.plan.kills || self.received < self.plan.threshold(kills) {
            return Ok(());
        }
        let side = if kills.is_multiple_of(2) { Side::Client } else { Side::Server };
        let when = Instant::now();
        match side {
            Side::Client => self.client.kill()?,
            Side::Server => self.server.kill()?,
        };
        self.look();
        let at = self.received;
        self.screen.line(format_args!("killed the {side} after {} answers", grouped(at)));
        match side {
            Side::Client => {
                self.client = Process::start(side, &self.plan.client_arguments(self.address), &self.sender)?;
            }
            Side::Server => {
                let (plan, address) = (self.plan, self.address);
                (self.server, _) = start_server(plan, address, &self.sender, &self.lines, self.screen)?;
                // Answers that were under way when it died are no sign of life.
                self.look();
            }
        }
        self.kills.push(Kill { when, before: self.received, ..Kill::new(side, at, None) });
        Ok(())
    }
}

/// Starts the server and waits until it says where it listens. The port of one that was killed may be
/// taken for a moment, by a client's connection attempt that met itself; then it is tried again.
fn start_server(
    plan: &Plan,
    listen: SocketAddr,
    sender: &Sender<Line>,
    lines: &Receiver<Line>,
    screen: &mut Screen,
) -> Result<(Process, SocketAddr), Trouble> {
    let deadline = Instant::now() + PATIENCE;
    let mut server = Process::start(Side::Server, &plan.server_arguments(listen), sender)?;
    while Instant::now() < deadline {
        match lines.recv_timeout(GLANCE) {
            Ok(line) if line.side == Side::Server && line.result => {
                if let Some(address) = line.text.strip_prefix("listening on ") {
                    let address = address.parse().map_err(|_| Trouble::Silent)?;
                    return Ok((server, address));
                }
            }
            Ok(line) => show(screen, &line),
            Err(_) => {
                if server.ended()?.is_some() {
                    // Its port may be taken for a moment, by a connection of somebody else's.
                    thread::sleep(RETRY);
                    server = Process::start(Side::Server, &plan.server_arguments(listen), sender)?;
                }
            }
        }
    }
    Err(Trouble::Silent)
}

/// Events are shown; the client's result is in its record too.
fn show(screen: &mut Screen, line: &Line) {
    if !line.result {
        screen.line(format_args!("{}: {}", line.side, line.text));
    }
}

/// A rate in whole messages a second.
pub fn per_second(messages: u64, elapsed: Duration) -> u64 {
    let rate = u128::from(messages) * 1_000_000 / elapsed.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Why the demo could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A process could not be started, killed or waited for.
    #[error("a process could not be started or ended: {0}")]
    Process(#[from] io::Error),
    /// The client's record could not be read at the end.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The server did not say where it listens.
    #[error("the server does not start")]
    Silent,
    /// A process ended by itself.
    #[error("the {side} has ended by itself: {status}")]
    Ended {
        /// Which.
        side: Side,
        /// How.
        status: ExitStatus,
    },
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(count: u64, kills: u64) -> Plan {
        Plan { carrier: Carrier::Tcp, home: PathBuf::new(), count, kills, window: 1, limit: None, seed: 1 }
    }

    #[test]
    fn kills_are_spread_evenly() {
        let plan = plan(1_000_000, 3);
        assert_eq!([0, 1, 2].map(|kill| plan.threshold(kill)), [250_000, 500_000, 750_000]);
    }

    #[test]
    fn only_a_short_run_is_slowed_down() {
        assert_eq!(plan(1_000_000, 2).rate(), None);
        assert_eq!(plan(20_000, 4).rate(), Some(80_000));
        assert_eq!(plan(3, 2).rate(), Some(20));
        assert_eq!(plan(3, 0).rate(), None);
    }
}
