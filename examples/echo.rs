//! Two processes, a million messages, and somebody who keeps killing them.
//!
//! ```text
//! cargo run --release --example echo
//! ```
//!
//! Nothing to set up: it starts itself as an echo server and as an echo client, on a free loopback port and
//! in a temporary directory. In the middle of the stream it kills the client with SIGKILL and starts it
//! again, then the server. At the end the client's own account, not the library's, must say that every
//! message was answered once and in order; anything else is exit status 1.
//!
//! `--kills 100` kills a hundred times, `--dir DIR` keeps the files, `--help` lists the rest.
//! The application is in `support/server.rs` and `support/client.rs`, the killing in `support/demo.rs`.

use std::error::Error;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use examples::client::{self, ClientOptions};
use examples::demo::{Plan, Summary, per_second};
use examples::screen::{Screen, grouped};
use examples::server::{self, ServerOptions};

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
    /// Messages to send
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// How often to kill: the client first, then the server, and so on, spread over the run
    #[arg(long, default_value_t = 2)]
    kills: u64,
    /// Messages in flight
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    window: u64,
    /// Where to make a directory for the files, which then stays; a temporary one if left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What sizes and contents of the messages follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
    let mut home = tempfile::Builder::new();
    home.prefix("tcpshm-echo-");
    let home = match &options.dir {
        Some(parent) => {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            let mut home = home.tempdir_in(parent)?;
            home.disable_cleanup(true);
            screen.line(format_args!("the files stay in {}", home.path().display()));
            home
        }
        None => home.tempdir()?,
    };
    let plan = Plan { home: home.path().to_owned(), count, kills, window, seed };
    let summary = plan.run(&mut screen)?;
    screen.clear();
    print(&summary)?;
    judge(&summary, count, kills)
}

fn print(summary: &Summary) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let counts = &summary.counts;
    let rate = grouped(per_second(counts.received, summary.lasted));
    let seconds = summary.lasted.as_secs_f64();
    writeln!(output, "{} echoes in {seconds:.2} s, {rate} a second", grouped(counts.received))?;
    if !summary.kills.is_empty() {
        writeln!(output, "\n  kill  side    after answers  kill to next answer")?;
    }
    for (kill, number) in summary.kills.iter().zip(1..) {
        let recovered =
            kill.recovered.map_or("never".into(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3));
        writeln!(output, "  {number:>4}  {}  {:>13}  {recovered:>19}", kill.side, grouped(kill.at))?;
    }
    writeln!(output, "\necho tcp: {counts} kills={}", summary.kills.len())?;
    output.flush()
}

/// Whatever is not as it should be is an error.
fn judge(summary: &Summary, count: u64, kills: u64) -> Result<(), Box<dyn Error>> {
    let Summary { counts, client, server, .. } = summary;
    let struck = summary.kills.len();
    if counts.sent != count || !counts.are_flawless(count) {
        return Err(format!("of {count} messages: {counts}, damaged={}", counts.damaged).into());
    }
    if u64::try_from(struck)? != kills {
        return Err(format!("the run was over after {struck} of {kills} kills").into());
    }
    if !client.success() || !server.success() {
        return Err(format!("the client ended with {client}, the server with {server}").into());
    }
    Ok(())
}
