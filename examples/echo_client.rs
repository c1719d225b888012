//! An echo client that can be killed at any moment, and that judges the link it uses.
//!
//! ```text
//! cargo run --release --example echo_client -- \
//!     --connect 127.0.0.1:4000 --name c1 --dir links --count 1000000 --window 512
//! ```
//!
//! It sends so many numbered messages in all, those of earlier runs with the same name and directory
//! included: kill it with `kill -9` and start it again. `--rate 1000` sends a thousand a second. It ends
//! with `echo client: sent=N received=N lost=0 duplicated=0 reordered=0`, and with status 0 only if that
//! is what it says. How it knows is in `support/ledger.rs`; what it does with the link is in
//! `support/client.rs`.
//!
//! With the server's directory the link is on shared memory, with another one on TCP. `--carrier tcp` and
//! `--carrier shm` insist on one of them, and runs over both may follow each other on one link.

use std::process::ExitCode;

use clap::Parser;
use examples::client::{self, ClientOptions};

/// Sends numbered messages to an echo server and checks that each is answered once and in order.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: ClientOptions,
}

fn main() -> ExitCode {
    client::main(&Arguments::parse().options)
}
