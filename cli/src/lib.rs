//! The tool `tcpshm`: runs links, measures them, looks into their files and checks the machine.
//!
//! ```text
//!   runs a link        serve   ping   bench   send   recv   replay      each an event loop of the driver
//!   only looks         inspect   export   stat   doctor                 files are opened for reading only
//! ```
//!
//! One file or folder for each subcommand. Data goes to standard output, everything else to standard error;
//! nothing is configured by files.
#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod doctor;
mod export;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hex;
mod inspect;
mod look;
mod meter;
mod output;
mod pauses;
mod ping;
mod pipe;
mod recv;
mod replay;
mod send;
mod serve;
mod stat;
mod table;
mod turning;
mod units;

pub use arguments::main;
