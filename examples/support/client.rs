//! The echo client: sends numbered messages, and judges the answers.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use tcpshm_driver::{
    Client, ClientConfig, Connected, Delivered, Disconnected, EventLoop, FileError, Handler, Kind, Link,
    LoginRefused, Name, Position, Received, ResetReport, SendError, Stalled, Undelivered,
};

use crate::entry::Place;
use crate::events;
use crate::ledger::{Answer, Counts, Ledger};
use crate::message::Messages;
use crate::pace::Pace;
use crate::record::Record;
use crate::screen::{REFRESH, Screen, grouped};
use crate::stop::Stop;

/// Any number but 0 would do.
const ECHO: Kind = Kind::new(1).expect("not 0");
/// Twice the longest pause between two attempts to connect.
const PATIENCE: Duration = Duration::from_secs(2);
/// Enough to see what kind of fault it is.
const FAULTS_SHOWN: u64 = 10;

/// How to run an echo client.
#[derive(Args, Debug)]
pub struct ClientOptions {
    /// The server's address
    #[arg(long, value_name = "IP:PORT")]
    pub connect: SocketAddr,
    /// The client's name; with the directory it says which earlier runs count
    #[arg(long, default_value = "client")]
    pub name: Name,
    /// Where to keep the link files and the record; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Messages to send in all, those of earlier runs included
    #[arg(long, default_value_t = 100_000)]
    pub count: u64,
    /// Messages in flight
    #[arg(long, default_value_t = 512, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub window: u64,
    /// Messages a second; as fast as it goes if left out
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// The server's name; any will do if left out
    #[arg(long, value_name = "NAME")]
    pub server: Option<Name>,
    /// What the messages follow from [default: that of earlier runs, or 1]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    pub child: bool,
}

/// What an echo client does from its options to its exit status: 0 if every message was answered once and
/// in order, 1 if not, 130 if it was stopped before that could be said.
pub fn main(options: &ClientOptions) -> ExitCode {
    let ended = run(options);
    let mut screen = Screen::new();
    match ended {
        Ok(Ended::Complete(counts)) => {
            // Nobody to tell is no reason to fail.
            let _ = writeln!(io::stdout(), "echo client: {counts}");
            if counts.are_flawless(options.count) {
                return ExitCode::SUCCESS;
            }
            screen.line(format_args!("echo client: not flawless, and {} answers damaged", counts.damaged));
            ExitCode::FAILURE
        }
        Ok(Ended::Stopped(counts)) => {
            screen.line(format_args!("echo client: stopped at {counts}; the same command goes on from here"));
            ExitCode::from(130)
        }
        Err(error) => {
            screen.line(format_args!("echo client: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every message was sent, and answered or given up.
    Complete(Counts),
    /// It was asked to stop.
    Stopped(Counts),
}

/// Sends until all is sent and answered, or until it is asked to stop. An unreachable server is waited for.
pub fn run(options: &ClientOptions) -> Result<Ended, Box<dyn Error>> {
    let mut config = ClientConfig::new(options.name.clone(), &options.dir, options.connect);
    config.server = options.server.clone();
    // This takes the lock of the name in the directory, so the record has one writer too.
    let client = Client::new(config)?;
    let mut app = EchoClient::new(options, Instant::now())?;
    if app.ledger.is_complete(options.count) {
        return Ok(Ended::Complete(app.ledger.counts()));
    }
    let mut events = EventLoop::new(client, Instant::now)?;
    let stop = Stop::register(events.registry(), options.child)?;
    let mut pause = None;
    let ended = loop {
        let wait = [pause, app.glance(events.driver().is_connected())].into_iter().flatten().min();
        events.turn(&mut app, wait)?;
        let now = events.now();
        if stop.asked(events.foreign()).is_some() {
            break Ended::Stopped(app.ledger.counts());
        }
        let connected = events.driver().is_connected();
        pause = app.pause(now).filter(|_| connected);
        // Only when there is something to send: a link that was asked for is looked at in the next turn.
        if pause == Some(Duration::ZERO)
            && let Some(mut link) = events.driver().link(now)
        {
            app.send(now, &mut link);
            pause = app.pause(now);
        }
        app.look(now, connected);
        if let Some(trouble) = app.trouble.take() {
            return Err(trouble);
        }
        if app.ledger.is_complete(options.count) {
            break Ended::Complete(app.ledger.counts());
        }
    };
    events.shut_down(&mut app);
    Ok(ended)
}

/// The application.
struct EchoClient<'o> {
    options: &'o ClientOptions,
    messages: Messages,
    ledger: Ledger,
    record: Record,
    pace: Pace,
    /// A claim found no room, and none has been made since.
    full: bool,
    screen: Screen,
    faults: u64,
    /// What was last said about a server that cannot be used.
    said: Option<String>,
    /// When the server last showed that it is there.
    heard: Instant,
    /// Why the run cannot go on.
    trouble: Option<Box<dyn Error>>,
}

impl Handler for EchoClient<'_> {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if self.trouble.is_none()
            && let Err(trouble) = self.judge(link, received)
        {
            self.trouble = Some(trouble);
        }
    }

    fn writable(&mut self, _: &mut Link<'_>) {
        self.full = false;
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        self.full = false;
        self.said = None;
        self.screen.line(events::connected(link, connected));
        self.settle(link);
    }

    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        self.screen.line(events::disconnected(link, reason));
    }

    fn reset(&mut self, _: &mut Link<'_>, report: &ResetReport) {
        self.screen.line(events::reset(report));
        if let Some(ended) = report.ended {
            self.ledger.reset(ended, report.undelivered.map(|undelivered| undelivered.upto));
        }
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.heard = Instant::now();
        self.say(events::refused(refused));
    }

    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        self.screen.line(events::stalled(link, stalled));
    }

    fn unconsumed(&mut self, link: &mut Link<'_>, position: Delivered) {
        self.screen.line(events::unconsumed(link, position));
    }

    fn left_behind(&mut self, peer: &Name, undelivered: &Undelivered) {
        self.screen.line(events::left_behind(peer, undelivered));
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        self.say(events::failed(peer, error));
    }
}

impl<'o> EchoClient<'o> {
    fn new(options: &'o ClientOptions, now: Instant) -> Result<Self, Box<dyn Error>> {
        let path = Record::path(&options.dir, &options.name);
        let (record, entry) = Record::open(&path, options.seed)?;
        Ok(Self {
            options,
            messages: Messages::new(record.seed()),
            ledger: Ledger::new(entry),
            record,
            pace: Pace::new(options.rate, now),
            full: false,
            screen: Screen::new(),
            faults: 0,
            said: None,
            heard: now,
            trouble: None,
        })
    }

    // ---- sending ----

    /// Finds out what of an earlier run was committed, before anything else is.
    fn settle(&mut self, link: &Link<'_>) {
        if let Err(contradiction) = self.ledger.settle(link.committed().into()) {
            self.trouble = Some(contradiction.into());
        }
    }

    /// How long until the next message may go; `None` if that does not depend on time.
    fn pause(&self, now: Instant) -> Option<Duration> {
        let due = self.ledger.next() <= self.options.count && self.ledger.in_flight() < self.options.window;
        (due && !self.full && self.trouble.is_none()).then(|| self.pace.wait(now))
    }

    /// Fills the window, as far as the pace allows.
    fn send(&mut self, now: Instant, link: &mut Link<'_>) {
        while self.pause(now) == Some(Duration::ZERO) {
            self.pace.take(now);
            if let Err(trouble) = self.send_one(link) {
                self.trouble = Some(trouble);
            }
        }
    }

    /// Commits the next message, if there is room, and writes that down before.
    fn send_one(&mut self, link: &mut Link<'_>) -> Result<(), Box<dyn Error>> {
        let (number, before) = (self.ledger.next(), Place::from(link.committed()));
        let size = self.messages.size(number);
        match link.claim(ECHO, size) {
            Ok(mut slot) => {
                self.messages.write(number, &mut slot);
                self.ledger.intend(before, behind(before.position, size));
                self.record.write(self.ledger.entry())?;
                Ok(self.ledger.committed(slot.commit().into())?)
            }
            // `writable` or `connected` will say when it is worth another try.
            Err(SendError::Full { .. } | SendError::NotEstablished) => {
                self.full = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    // ---- receiving ----

    /// Writes down what the answer was, and then consumes it.
    fn judge(&mut self, link: &mut Link<'_>, received: Received<'_>) -> Result<(), Box<dyn Error>> {
        let place = Place::from(received.position());
        match self.messages.read(received.payload()) {
            Ok(number) => match self.ledger.answer(number, place) {
                Answer::Due | Answer::Again => {}
                fault => self.show_fault(format!("the answer to {number} {fault}")),
            },
            Err(damaged) => {
                self.ledger.damaged(place);
                self.show_fault(damaged.to_string());
            }
        }
        self.record.write(self.ledger.entry())?;
        match link.consume(received) {
            Ok(_) => Ok(()),
            Err(refused) => Err(refused.reason.into()),
        }
    }

    fn show_fault(&mut self, fault: String) {
        self.faults += 1;
        if self.faults <= FAULTS_SHOWN {
            self.screen.line(fault);
        }
    }

    // ---- what a person sees ----

    /// Says something about a server that cannot be used, unless that was the last thing said about it.
    fn say(&mut self, text: String) {
        if self.said.as_ref() != Some(&text) {
            self.screen.line(format_args!("{text}; trying on"));
            self.said = Some(text);
        }
    }

    /// When to look at how things stand even if nothing happens.
    fn glance(&self, connected: bool) -> Option<Duration> {
        (self.screen.is_live() || !connected).then_some(REFRESH)
    }

    fn look(&mut self, now: Instant, connected: bool) {
        if connected {
            self.heard = now;
        } else if now.saturating_duration_since(self.heard) > PATIENCE {
            self.say(format!("no answer from {}", self.options.connect));
        }
        let (counts, count) = (self.ledger.counts(), self.options.count);
        self.screen.progress(now, || {
            let state = if connected { "" } else { " (not connected)" };
            format!("{} of {} answered{state}", grouped(counts.received), grouped(count))
        });
    }
}

/// Where a message of `size` bytes that starts at `position` ends: it takes 16 bytes more, rounded up to 8.
fn behind(position: Position, size: usize) -> Position {
    let size = u64::try_from(size + 16).expect("a few hundred bytes").next_multiple_of(8);
    Position::new(position.get() + size).expect("multiples of 8")
}
