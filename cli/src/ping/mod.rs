//! `tcpshm ping`: the round trip to a server, live.

mod app;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tcpshm_driver::{Client, ClientConfig, EventLoop, Name};
use tcpshm_support::choices::{CarrierChoice, IdleChoice};
use tcpshm_support::screen::grouped;
use tcpshm_support::stop::Stop;

use crate::arguments::{STOPPED, default_directory};
use crate::failure::Failure;
use crate::meter::HEADING;
use crate::output::Output;
use crate::turning::turn;
use crate::units;
use app::{LEAST, Pinger};

/// Measure the round trip to an echo server, live
///
/// One message at a time goes there and back; what is measured is the time from its commit to the call with its
/// answer. On a terminal one line shows how it stands, elsewhere a line a second says so; the distribution
/// comes at the end.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm ping                                     until Ctrl-C, to 127.0.0.1:4000
  tcpshm ping --count 1 --timeout 2s              is it there? status 0 if so, 1 if not
  tcpshm ping --interval 0 --count 100000         as fast as it goes
  tcpshm ping --carrier tcp 10.0.0.7:4000         to another machine

With the default idle strategy both sides sleep between two messages, and the time has the kernel's wake-up in it.
`--idle spin` here and at the server shows what the link itself takes; each then needs a core of its own.

JSON: a document a second {\"event\":\"latency\", ...} and one at the end {\"event\":\"summary\", \"address\", \"carrier\",
\"size\", \"sent\", \"answered\", ...}, both with count, min_ns, p50_ns, p90_ns, p99_ns, p99_9_ns, max_ns, mean_ns.")]
pub(crate) struct Options {
    /// The server's address
    #[arg(value_name = "IP:PORT", default_value = "127.0.0.1:4000")]
    address: SocketAddr,
    /// End after so many messages
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Bytes of a message
    #[arg(long, value_parser = units::size, default_value = "64")]
    size: usize,
    /// What shall carry the link
    #[arg(long, value_enum, default_value_t)]
    carrier: CarrierChoice,
    /// From one message to the next; 0 means at once
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10ms")]
    interval: Duration,
    /// Give up when no answer comes for so long
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration, default_value = "5s")]
    timeout: Duration,
    /// What to do while nothing comes
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    idle: IdleChoice,
    /// This side's name; of two that ping at the same time each needs its own
    #[arg(long, default_value = "ping")]
    name: Name,
    /// Where to keep the link file; for shared memory the server's directory
    #[arg(long, value_name = "DIR", default_value_os_t = default_directory())]
    dir: PathBuf,
    /// Documents in place of text
    #[arg(long)]
    json: bool,
}

/// From one report to the next, on a terminal and elsewhere.
const EVERY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// Measures until the count is reached or it is asked to stop.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    if options.size < LEAST {
        return Err(Failure::TooSmall { size: options.size, least: LEAST });
    }
    let mut config = ClientConfig::new(options.name.clone(), &options.dir, options.address);
    config.carrier = options.carrier.wish();
    let largest = config.link.limits.send.largest();
    if options.size > largest as usize {
        return Err(Failure::TooLarge { size: options.size, largest });
    }
    let client = EventLoop::new(Client::new(config)?, Instant::now).map_err(Failure::call("epoll"))?;
    let mut events = client.with_idle(options.idle.strategy());
    let stop = Stop::register(events.registry(), false).map_err(Failure::call("signals"))?;
    let mut app = Pinger::new(options, events.now());
    let mut report = Report::new(options, events.now());
    let ended = loop {
        let now = events.now();
        if app.is_due(now)
            && let Some(mut link) = events.driver().link(now)
        {
            app.ask(&mut link);
        }
        let wait = app.wait(now).min(report.wait(now));
        turn(&mut events, &mut app, options.idle, Some(wait)).map_err(Failure::call("pinging"))?;
        if stop.asked(events.foreign()).is_some() || app.is_done() {
            break Ok(());
        }
        let now = events.now();
        report.look(now, &mut app)?;
        if let Some(waited) = app.overdue(now) {
            break Err(Failure::NoAnswer { address: options.address, waited, why: app.why() });
        }
    };
    events.shut_down(&mut app);
    report.clear()?;
    if app.answered() > 0 || ended.is_ok() {
        report.summarise(&app)?;
    }
    let done = options.count.is_none() || app.is_done();
    ended.map(|()| if done { ExitCode::SUCCESS } else { ExitCode::from(STOPPED) })
}

/// What is shown while it runs, and at the end.
struct Report<'o> {
    options: &'o Options,
    output: Output,
    /// Whether one line is shown again and again.
    live: bool,
    began: Instant,
    next: Instant,
}

impl<'o> Report<'o> {
    fn new(options: &'o Options, now: Instant) -> Self {
        let live = io::stdout().is_terminal() && !options.json;
        let mut report = Self { options, output: Output::new(), live, began: now, next: now };
        report.next += report.every();
        report
    }

    fn every(&self) -> Duration {
        if self.live { EVERY[0] } else { EVERY[1] }
    }

    fn wait(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }

    fn look(&mut self, now: Instant, app: &mut Pinger<'_>) -> Result<(), Failure> {
        if now < self.next {
            return Ok(());
        }
        self.next = now + self.every();
        let seconds = now.saturating_duration_since(self.began).as_secs();
        let meter = if self.live { &app.all } else { &app.recent };
        let state = match app.carrier() {
            None => "not connected".to_owned(),
            Some(_) if meter.count() == 0 => "no answer".to_owned(),
            Some(carrier) => format!("{}  {} over {carrier}", meter.in_one_line(), grouped(meter.count())),
        };
        if self.options.json {
            let mut document = meter.json();
            document["event"] = json!("latency");
            document["second"] = json!(seconds);
            document["carrier"] = json!(app.carrier());
            self.output.json(&document)?;
        } else if self.live {
            self.output.bytes(format!("\r\x1b[K{state}").as_bytes())?;
        } else {
            self.output.line(format_args!("{seconds:>4} s  {state}"))?;
        }
        app.recent.clear();
        self.output.flush()
    }

    /// Takes the live line away.
    fn clear(&mut self) -> Result<(), Failure> {
        if self.live {
            self.output.bytes(b"\r\x1b[K")?;
        }
        Ok(())
    }

    fn summarise(mut self, app: &Pinger<'_>) -> Result<(), Failure> {
        let Options { address, size, .. } = self.options;
        let carrier = app.last_carrier();
        if self.options.json {
            let mut document = app.all.json();
            document["event"] = json!("summary");
            document["address"] = json!(address);
            document["carrier"] = json!(carrier);
            document["size"] = json!(size);
            document["sent"] = json!(app.sent());
            document["answered"] = json!(app.answered());
            self.output.json(&document)?;
            return self.output.flush();
        }
        let size = units::bytes(*size as u64);
        let over = carrier.map_or_else(String::new, |carrier| format!(" over {carrier}"));
        let [sent, answered] = [app.sent(), app.answered()].map(grouped);
        self.output
            .line(format_args!("{address}{over}, messages of {size}: {sent} sent, {answered} answered"))?;
        if app.answered() > 0 {
            self.output.line(format_args!("\n{HEADING}\n{}\n", app.all.row("round trip")))?;
            for bar in app.all.bars() {
                self.output.line(bar)?;
            }
        }
        self.output.flush()
    }
}
