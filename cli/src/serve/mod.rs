//! `tcpshm serve`: a server that echoes, swallows or makes messages.

mod app;
mod report;
mod served;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
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

It ends on SIGINT or SIGTERM, tells its peers, prints what each link carried, and ends with status 0.

JSON: one document a line. \"event\" is listening {address}, connected {peer, address, carrier, outcome},
disconnected {peer, reason}, refused {text}, note {text}, report {connected, detached, refused, links: [{peer, carrier,
heard_seconds_ago, committed, acked, unacked_bytes, consumed, ring, space, held, logins}]}, or summary {links: [{peer,
connections, messages_in, bytes_in, messages_out, bytes_out}]}.")]
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
    /// Bytes of the messages of a source
    #[arg(long, value_parser = units::size, default_value = "64")]
    size: usize,
    /// Messages a second of a source, for each link; as fast as they are taken if left out
    #[arg(long, value_parser = units::rate)]
    rate: Option<u64>,
    /// Stay on this core
    #[arg(long, value_name = "CORE")]
    core: Option<usize>,
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
    /// Send numbered messages to every client
    Source,
}

/// Serves until it is asked to stop.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    if let Some(core) = options.core {
        Cores::pin(core).map_err(Failure::call("staying on the core of --core"))?;
    }
    let mut config = ServerConfig::new(options.name.clone(), &options.dir, options.listen);
    config.carriers = options.carrier.offer();
    let limits = config.link.limits;
    if options.size > limits.send.largest() as usize {
        return Err(Failure::TooLarge { size: options.size, largest: limits.send.largest() });
    }
    let server = EventLoop::new(Server::bind(config)?, Instant::now).map_err(Failure::call("epoll"))?;
    let mut events = server.with_idle(options.idle.strategy());
    let stop = Stop::register(events.registry(), options.child).map_err(Failure::call("signals"))?;
    let mut app = App::new(options, Instant::now());
    announce(&mut events, options.json)?;
    let mut next = options.report.map(|every| events.now() + every);
    while stop.asked(events.foreign()).is_none() {
        let now = events.now();
        let report = next.map(|next| next.saturating_duration_since(now));
        let wait = app.wait(now).into_iter().chain(report).min();
        turn(&mut events, &mut app, options.idle, wait).map_err(Failure::call("serving"))?;
        let now = events.now();
        app.pump(now, events.driver());
        if let (Some(every), Some(due)) = (options.report, next.filter(|next| *next <= now)) {
            next = Some(now.max(due) + every);
            report::print(now, options.json, events.driver(), app.links())?;
        }
    }
    events.shut_down(&mut app);
    // Whoever read the address may be gone.
    let _ = app.summarise();
    Ok(ExitCode::SUCCESS)
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
