//! Two processes, a million messages, and somebody who keeps killing them: over TCP, and over shared memory.
//!
//! ```text
//! cargo run --release --example echo
//! ```
//!
//! Nothing to set up: it starts itself as an echo server and as an echo client, on a free loopback port and
//! in a temporary directory. In the middle of the stream it kills the client with SIGKILL and starts it
//! again, then the server. Then it does the same over the other carrier. At the end the client's own
//! account, not the library's, must say that every message was answered once and in order, over the
//! carrier that was asked for; anything else is exit status 1.
//!
//! Before each stream, for a third of a second at most and undisturbed, there is one message in flight
//! only: `one at a time` in the table is how long such an echo took on average, the application's own books
//! included. That is where the carriers differ most; a stream hides it, as answers come while others are
//! on their way. On a busy machine the two processes wait for a core longer than for each other. What a
//! small `--count` leaves no time to see is left out. `support/stretch.rs` says what is measured.
//!
//! `--carrier shm` runs over shared memory only, `--kills 100` kills a hundred times, `--dir DIR` keeps the
//! files, `--help` lists the rest. The application is in `support/server.rs` and `support/client.rs`, the
//! killing in `support/demo.rs`.

use std::error::Error;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use examples::client::{self, ClientOptions};
use examples::demo::Plan;
use examples::report::{self, Column};
use examples::screen::Screen;
use examples::server::{self, ServerOptions};
use examples::stretch;
use tcpshm_driver::Carrier;
use tempfile::TempDir;

/// Memory that looks like files: what a link over shared memory should lie in.
const MEMORY: &str = "/dev/shm";

/// Echoes messages between two processes, kills both sides on the way, and checks that nothing was lost.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    demo: DemoOptions,
}

/// What this program is when the demo starts it.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Server(ServerOptions),
    #[command(hide = true)]
    Client(ClientOptions),
}

#[derive(Args)]
struct DemoOptions {
    /// What carries the link
    #[arg(long, value_enum, value_name = "CARRIER", default_value_t)]
    carrier: Runs,
    /// Messages to send over each carrier
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// How often to kill: the client first, then the server, and so on, spread over each run
    #[arg(long, default_value_t = 2)]
    kills: u64,
    /// Messages in flight
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    window: u64,
    /// Where to make a directory for the files, which then stays [default: a temporary one, in /dev/shm if
    /// there is one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What sizes and contents of the messages follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Which runs to make.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Runs {
    /// TCP only
    Tcp,
    /// Shared memory only
    Shm,
    /// TCP, then shared memory
    #[default]
    Both,
}

impl Runs {
    fn carriers(self) -> &'static [Carrier] {
        match self {
            Runs::Tcp => &[Carrier::Tcp],
            Runs::Shm => &[Carrier::Shm],
            Runs::Both => &[Carrier::Tcp, Carrier::Shm],
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Server(options)) => return server::main(&options),
        Some(Role::Client(options)) => return client::main(&options),
        None => {}
    }
    match demo(&arguments.demo) {
        Ok(()) => ExitCode::SUCCESS,
        Err(deviation) => {
            Screen::new().line(format_args!("echo: {deviation}"));
            ExitCode::FAILURE
        }
    }
}

fn demo(options: &DemoOptions) -> Result<(), Box<dyn Error>> {
    let DemoOptions { count, kills, window, seed, .. } = *options;
    if kills >= count.max(1) {
        return Err(format!("{count} messages are too few to be disturbed {kills} times").into());
    }
    let mut screen = Screen::new();
    let home = home(options.dir.as_deref())?;
    screen.line(format_args!("the files are in {}", home.path().display()));
    let (mut columns, mut deviations) = (Vec::new(), Vec::<Box<dyn Error>>::new());
    for &carrier in options.carrier.carriers() {
        // A directory for each run, so that neither goes on where the other ended.
        let home = home.path().join(format!("{carrier:?}").to_lowercase());
        let plan = Plan { carrier, home, count, kills, window, limit: None, seed };
        let mut one_at_a_time = None;
        if let Some(stretch) = stretch::plan(&plan) {
            screen.line(format_args!("one message at a time"));
            let summary = stretch.run(&mut screen)?;
            let judged = report::judge(&summary, &stretch);
            deviations.extend(judged.err().map(|deviation| format!("one at a time {deviation}").into()));
            one_at_a_time = summary.between;
        }
        screen.line(format_args!("{window} messages in flight"));
        let run = plan.run(&mut screen)?;
        deviations.extend(report::judge(&run, &plan).err().map(Into::into));
        columns.push(Column { run, one_at_a_time });
    }
    screen.clear();
    report::write(&mut io::stdout().lock(), &columns)?;
    deviations.into_iter().next().map_or(Ok(()), Err)
}

/// Both runs have their files in the same kind of place, so that they can be compared.
fn home(parent: Option<&Path>) -> io::Result<TempDir> {
    let mut home = tempfile::Builder::new();
    home.prefix("tcpshm-echo-");
    match parent {
        Some(parent) => {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            let mut home = home.tempdir_in(parent)?;
            home.disable_cleanup(true);
            Ok(home)
        }
        None => home.tempdir_in(MEMORY).or_else(|_| home.tempdir()),
    }
}
