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
    LoginRefused, Name, Received, ResetReport, SendError, Stalled, Undelivered, ViewError,
};

use crate::choices::{CarrierChoice, IdleChoice};
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
/// Messages that are noted in one write: enough that the system call is no longer what a message costs.
const GROUP: u64 = 32;
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
    /// Where to keep the link files and the record; made if it is missing. For shared memory the server's
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// What shall carry the link
    #[arg(long, value_enum, value_name = "CARRIER", default_value_t)]
    pub carrier: CarrierChoice,
    /// What to do while shared memory is polled and nothing comes
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub idle: IdleChoice,
    /// Messages to send in all, those of earlier runs included
    #[arg(long, default_value_t = 100_000)]
    pub count: u64,
    /// Messages in flight
    #[arg(long, default_value_t = 512, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub window: u64,
    /// Messages a second; as fast as it goes if left out
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Send no more when the link has been there for so many milliseconds, and be done with that
    #[arg(long, value_name = "MS", hide = true)]
    pub limit: Option<u64>,
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
            let due = options.limit.map_or(options.count, |_| counts.sent);
            if counts.are_flawless(due) {
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
    config.carrier = options.carrier.wish();
    // This takes the lock of the name in the directory, so the record has one writer too.
    let client = Client::new(config)?;
    let mut app = EchoClient::new(options, Instant::now())?;
    if app.ledger.is_complete(app.count) {
        return Ok(Ended::Complete(app.ledger.counts()));
    }
    let mut events = EventLoop::new(client, Instant::now)?.with_idle(options.idle.strategy());
    let stop = Stop::register(events.registry(), options.child)?;
    let mut pause = None;
    let ended = loop {
        let wait = [pause, app.glance(events.driver().is_connected())].into_iter().flatten().min();
        events.turn(&mut app, wait)?;
        let now = events.now();
        if stop.asked(events.foreign()).is_some() {
            break Ended::Stopped(app.ledger.counts());
        }
        app.limit(now);
        let connected = events.driver().is_connected();
        // Only when there is something to do: a link that was asked for is looked at in the next turn.
        if app.has_work(now, connected)
            && let Some(mut link) = events.driver().link(now)
        {
            app.work(Some(now), connected, &mut link);
        }
        pause = app.pause(now).filter(|_| connected);
        app.look(now, connected);
        if let Some(trouble) = app.trouble.take() {
            return Err(trouble);
        }
        if app.ledger.is_complete(app.count) {
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
    /// Messages to send in all.
    count: u64,
    /// When no more are sent, if that is limited and the link has been there.
    until: Option<Instant>,
    /// The last answer that was judged and not consumed, and how many there are.
    judged: Option<(Delivered, u64)>,
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
    /// It is only looked at here, and consumed with others: see [`EchoClient::work`].
    fn message(&mut self, _: &mut Link<'_>, received: Received<'_>) {
        self.judge(&received);
    }

    /// The message is not lent any more, and can be consumed through.
    fn unconsumed(&mut self, link: &mut Link<'_>, position: Delivered) {
        let judged = self.judged.map_or(0, |(_, count)| count) + 1;
        self.judged = Some((position, judged));
        // Otherwise it waits for others, and for the end of the turn at most.
        if judged >= self.group() || self.ledger.in_flight() == 0 {
            self.work(None, true, link);
        }
    }

    fn writable(&mut self, _: &mut Link<'_>) {
        self.full = false;
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        self.full = false;
        self.said = None;
        self.screen.line(events::connected(link, connected));
        if let Err(trouble) = self.begin(link, connected) {
            self.trouble = Some(trouble);
        }
    }

    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        self.screen.line(events::disconnected(link, reason));
    }

    fn reset(&mut self, _: &mut Link<'_>, report: &ResetReport) {
        self.screen.line(events::reset(report));
        // They cannot be consumed any more.
        self.judged = None;
        self.ledger.consumed();
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

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        self.heard = Instant::now();
        self.say(events::not_shared(peer, error));
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
            ledger: Ledger::new(entry, Messages::new(record.seed())),
            record,
            pace: Pace::new(options.rate, now),
            count: options.count,
            until: None,
            judged: None,
            full: false,
            screen: Screen::new(),
            faults: 0,
            said: None,
            heard: now,
            trouble: None,
        })
    }

    /// Finds out what of an earlier run was committed, before anything else is.
    fn begin(&mut self, link: &Link<'_>, connected: &Connected) -> Result<(), Box<dyn Error>> {
        let Connected { carrier, .. } = connected;
        if !self.options.carrier.wish().allows(*carrier) {
            let wished = self.options.carrier;
            return Err(format!("connected over {carrier:?}, while {wished} was asked for").into());
        }
        self.ledger.connected(*carrier);
        if let (Some(limit), None) = (self.options.limit, self.until) {
            self.until = Instant::now().checked_add(Duration::from_millis(limit));
        }
        self.ledger.settle(link.committed().into())?;
        Ok(self.record.write(self.ledger.entry())?)
    }

    // ---- receiving ----

    /// Notes in memory what an answer was.
    fn judge(&mut self, received: &Received<'_>) {
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
    }

    // ---- acting on it ----

    /// The messages that are noted in one write.
    fn group(&self) -> u64 {
        // A small window is kept moving.
        (self.options.window / 4).clamp(1, GROUP)
    }

    /// How long until the next message may go; `None` if that does not depend on time.
    fn pause(&self, now: Instant) -> Option<Duration> {
        (self.room() > 0).then(|| self.pace.wait(now))
    }

    /// How many messages may go as far as the window, the count and the link allow.
    fn room(&self) -> u64 {
        let left = (self.count + 1).saturating_sub(self.ledger.next());
        let room = self.options.window.saturating_sub(self.ledger.in_flight()).min(left);
        if self.full || self.trouble.is_some() { 0 } else { room }
    }

    /// When its time is over, what was sent is all there is to send: at least one message.
    fn limit(&mut self, now: Instant) {
        let sent = self.ledger.next() - 1;
        if sent > 0 && self.until.is_some_and(|until| until <= now) {
            self.count = self.count.min(sent);
        }
    }

    fn has_work(&self, now: Instant, connected: bool) -> bool {
        self.judged.is_some() || (connected && self.pause(now) == Some(Duration::ZERO))
    }

    /// Consumes what was judged, and sends what the window and the pace allow, a group at a time. Without
    /// `now`, in the middle of a turn, nothing is sent if there is a pace to keep.
    fn work(&mut self, now: Option<Instant>, connected: bool, link: &mut Link<'_>) {
        while self.trouble.is_none() {
            let count = if connected { self.take(now) } else { 0 };
            if count == 0 && self.judged.is_none() {
                return;
            }
            if let Err(trouble) = self.step(count, link) {
                self.trouble = Some(trouble);
            }
        }
    }

    /// How many messages to send now.
    fn take(&mut self, now: Option<Instant>) -> u64 {
        let room = self.room().min(GROUP);
        match (self.options.rate, now) {
            (None, _) => room,
            (Some(_), Some(now)) => (0..room).take_while(|_| self.pace.take(now)).map(|_| 1).sum(),
            (Some(_), None) => 0,
        }
    }

    /// Writes down what the answers were and which messages come next, and then consumes the ones and sends
    /// the others: one system call for a group of messages. A kill at any place leaves no more open than the
    /// ledger can answer.
    fn step(&mut self, count: u64, link: &mut Link<'_>) -> Result<(), Box<dyn Error>> {
        if count > 0 {
            self.ledger.intend(link.committed().into(), count);
        }
        self.record.write(self.ledger.entry())?;
        if let Some((upto, _)) = self.judged.take() {
            link.consume_through(upto)?;
            self.ledger.consumed();
        }
        for _ in 0..count {
            let number = self.ledger.next();
            match link.claim(ECHO, self.messages.size(number)) {
                Ok(mut slot) => {
                    self.messages.write(number, &mut slot);
                    self.ledger.committed(slot.commit().into())?;
                }
                // `writable` or `connected` will say when it is worth another try.
                Err(SendError::Full { .. } | SendError::NotEstablished) => {
                    self.full = true;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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
        let (counts, count) = (self.ledger.counts(), self.count);
        self.screen.progress(now, || {
            let state = if connected { "" } else { " (not connected)" };
            format!("{} of {} answered{state}", grouped(counts.received), grouped(count))
        });
    }
}
