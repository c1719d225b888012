//! An echo server that can be killed at any moment.
//!
//! ```text
//! cargo run --release --example echo_server -- --listen 127.0.0.1:4000 --name server --dir links
//! ```
//!
//! It prints `listening on IP:PORT` and serves until Ctrl-C, SIGTERM or the end of its terminal. Kill it with
//! `kill -9` as often as you like and start it again: with the same name and directory its links go on where they were. What it
//! does with a message is in `support/server.rs`: the answer and the consumption of the question are one
//! store in its link file, `slot.commit_consuming(received)`, so there is no moment between them.
//!
//! Clients with the same directory that wish it are served over shared memory, others over TCP;
//! `--carrier tcp` or `--carrier shm` offers one of them only. While a link is on shared memory the server
//! polls: `--idle spin` gives it a core of its own, the default sleeps when nothing comes.

use std::process::ExitCode;

use clap::Parser;
use examples::server::{self, ServerOptions};

/// Sends every message back, exactly once, whoever is killed in between.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: ServerOptions,
}

fn main() -> ExitCode {
    server::main(&Arguments::parse().options)
}
