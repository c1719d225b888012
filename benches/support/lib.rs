//! What the benches share: two pinned sides, rounds that alternate between a subject and its floor, and
//! what is printed of them.
//!
//! ```text
//!        core 0: this process                           core 1
//!   SocketClient ─┐                            ┌─ SocketEcho   ┐
//!   LinkClient   ─┼─ Course ── one round ──────┼─ LinkEcho     ┴ Peer, a child process
//!   CacheLine    ─┘                            └─ a thread of this process
//! ```
//!
//! Timings on a shared machine drift, so every figure is a ratio to a floor measured in the same run,
//! round by round, and medians are reported. One pair of sides runs at a time; the others sleep.
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

mod block_stream;
mod cache_line;
mod callgrind;
mod cores;
mod course;
mod crowd;
mod echo;
mod helper;
mod hosted;
mod link_client;
mod link_stream;
mod mix;
mod pair;
mod peer;
mod picture;
mod process;
mod record;
mod report;
mod rounds;
mod socket;
mod spread;
mod times;
mod usual;
mod victim;
mod watching;

pub use block_stream::block_stream;
pub use cache_line::CacheLine;
pub use callgrind::{count_instructions, counted_under_callgrind};
pub use cores::Cores;
pub use course::{Course, Plan, clock_cost};
pub use crowd::{Crowd, Returned, serve_crowd};
pub use echo::serve;
pub use helper::{Helper, say_line};
pub use hosted::beside_server;
pub use link_client::LinkClient;
pub use link_stream::Stream;
pub use mix::Mix;
pub use pair::{Pair, fill};
pub use peer::{Addresses, Peer, Station, home};
pub use picture::{curves, draw};
pub use process::{Usage, raise_descriptors};
pub use record::{Record, Verdict};
pub use report::{Line, Ratio, carrier_name, write_json};
pub use rounds::ratios;
pub use socket::SocketClient;
pub use spread::Spread;
pub use times::{Curve, Times, readable};
pub use usual::Usual;
pub use victim::{Side, Survivor, Word};
pub use watching::Watching;
