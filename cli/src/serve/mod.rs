//! `tcpshm serve`: a server that echoes, swallows or makes messages.

mod app;
mod groups;
mod host;
mod report;
mod served;
mod voice;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;
use tcpshm_driver::{EventLoop, Name, Server, ServerConfig};
use tcpshm_support::choices::{CarrierChoice, IdleChoice};
use tcpshm_support::cores::Cores;
use tcpshm_support::stop::Stop;

use crate::arguments::default_directory;
use crate::failure::Failure;
use crate::output::Output;
use crate::turning::turn;
use crate::units;
use app::App;
use groups::Groups;
use host::Host;
use voice::Voice;

/// Run a server: echo, sink or source
///
/// Its first line of output says where it listens. Whatever was committed stays in the link files: kill it, start
/// it again with the same name and directory, and its links go on where they were.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm serve                                    an echo on 127.0.0.1:4000, for `tcpshm ping` and `tcpshm bench`
  tcpshm serve --listen 127.0.0.1:0 --json        a free port, told as {\"event\":\"listening\",\"address\":...}
  tcpshm serve --mode sink --idle spin            consumes what comes, on a core of its own
  tcpshm serve --report 1s                        how each link stands, every second
  tcpshm serve --mode source --rate 1000          a thousand numbered messages a second to each client
  tcpshm serve --groups 2 --core 0,2,3            links on two threads; the server's stays on core 0, theirs on 2 and 3

It ends on SIGINT, SIGTERM or SIGHUP, tells its peers, prints what each link carried, and ends with status 0.

JSON: one document a line. \"event\" is listening {address}, connected {peer, address, carrier, outcome},
disconnected {peer, reason}, refused {text}, note {text}, report {connected, detached, refused, links: [{peer, group,
carrier, heard_seconds_ago, committed, acked, unacked_bytes, consumed, ring, space, held, logins}]}, unread {lines} that
nobody read in time, or summary {links: [{peer, connections, messages_in, bytes_in, messages_out, bytes_out}]}.")]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// The server's name, which is part of every link's identity
    #[arg(long, default_value = "server")]
    name: Name,
    /// Where to keep the link files; made if it is missing
    #[arg(long, value_name = "DIR", default_value_os_t = default_directory())]
    dir: PathBuf,
    /// What to do with messages
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// What may carry links
    #[arg(long, value_enum, default_value_t)]
    carrier: CarrierChoice,
    /// What to do while nothing comes
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    idle: IdleChoice,
    /// Bytes of the messages of a source; 64 if left out
    #[arg(long, value_parser = units::size)]
    size: Option<usize>,
    /// Messages a second of a source, for each link; as fast as they are taken if left out
    #[arg(long, value_parser = units::rate)]
    rate: Option<u64>,
    /// Give links to so many threads, each with a loop of its own: a new one to the thread that has the fewest; with 0
    /// the server's thread carries them
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = units::groups)]
    groups: usize,
    /// Stay on this core; with groups, one for the server's thread and one for each of theirs, with commas
    #[arg(long, value_name = "CORE", value_delimiter = ',')]
    core: Vec<usize>,
    /// Show so often how every link stands, as only this process knows: carrier, last sign of life, messages held
    #[arg(long, value_name = "TIME", value_parser = units::positive_duration)]
    report: Option<Duration>,
    /// Say nothing about what happens to links
    #[arg(long)]
    quiet: bool,
    /// Documents in place of text
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    child: bool,
}

/// What a server does with messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Send each back, exactly once
    #[default]
    Echo,
    /// Consume each
    Sink,
    /// Send messages to every client, numbered from 1 in each run of the server
    Source,
}

impl Options {
    /// What clap does not notice.
    fn check(&self, largest: u32) -> Result<(), Failure> {
        if self.mode != Mode::Source && (self.rate.is_some() || self.size.is_some()) {
            return Err(Failure::Usage("--rate and --size are for --mode source: others make no messages"));
        }
        if self.size() > largest as usize {
            return Err(Failure::TooLarge { size: self.size(), largest });
        }
        if !self.core.is_empty() && self.core.len() != 1 + self.groups {
            return Err(Failure::Usage(
                "--core wants one core for the server's thread and one for each group",
            ));
        }
        Ok(())
    }

    fn size(&self) -> usize {
        self.size.unwrap_or(64)
    }
}

/// Serves until it is asked to stop.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut config = ServerConfig::new(options.name.clone(), &options.dir, options.listen);
    config.carriers = options.carrier.offer();
    options.check(config.link.limits.send.largest())?;
    let mut server = Server::bind(config)?;
    let (voice, writer) = Voice::start(options.json);
    thread::scope(|scope| {
        let groups = Groups::start(scope, options, &mut server, &voice)?;
        if let Some(core) = options.core.first() {
            Cores::pin(*core).map_err(Failure::call("staying on the core of --core"))?;
        }
        let events = EventLoop::new(server, Instant::now).map_err(Failure::call("epoll"))?;
        let mut events = events.with_idle(options.idle.strategy());
        let stop = Stop::register(events.registry(), options.child).map_err(Failure::call("signals"))?;
        announce(&mut events, options.json)?;
        let mut app = App::new(options, Instant::now(), voice.clone()).with_places(groups.places());
        // Who asked for reports, and has had enough of them, has had enough.
        let unread = || options.report.is_some() && voice.is_closed();
        let stopped = |events: &mut EventLoop<Server>| {
            stop.asked(events.foreign()).is_some() || groups.has_failed() || unread()
        };
        serve(&mut events, &mut app, (options.idle, options.report), stopped, |events, app| {
            let mut rows = report::rows(events, app.peers(), None);
            rows.extend(groups.rows());
            report::tell(options, &events.driver().counters(), rows, &voice);
        })?;
        events.shut_down(&mut app);
        drop(events);
        let (links, ended) = groups.join();
        app.add_links(links);
        app.summarise();
        ended
    })?;
    drop(voice);
    writer.finish();
    Ok(ExitCode::SUCCESS)
}

/// Turns until it is stopped, and reports every so often.
fn serve<H: Host>(
    events: &mut EventLoop<H>,
    app: &mut App<'_>,
    (idle, every): (IdleChoice, Option<Duration>),
    mut stopped: impl FnMut(&mut EventLoop<H>) -> bool,
    mut report: impl FnMut(&mut EventLoop<H>, &mut App<'_>),
) -> Result<(), Failure> {
    let mut next = every.map(|every| events.now() + every);
    while !stopped(events) {
        let now = events.now();
        let until_report = next.map(|next| next.saturating_duration_since(now));
        let wait = app.wait(now).into_iter().chain(until_report).min();
        turn(events, app, idle, wait).map_err(Failure::call("serving"))?;
        let now = events.now();
        app.pump(now, events.driver());
        if let (Some(every), Some(_)) = (every, next.filter(|next| *next <= now)) {
            next = Some(now + every);
            report(events, app);
        }
    }
    Ok(())
}

fn announce(events: &mut EventLoop<Server>, json: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    for address in events.driver().local_addresses().map_err(Failure::call("listening"))? {
        if json {
            output.json(&json!({"event": "listening", "address": address}))?;
        } else {
            output.line(format_args!("listening on {address}"))?;
        }
    }
    output.flush()
}

/// How long a source with a rate sleeps between two looks at the time.
const BEAT: Duration = Duration::from_millis(1);
