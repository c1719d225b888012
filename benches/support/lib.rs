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

mod block_stream;
mod callgrind;
mod crowd;
mod echo;
mod helper;
mod hosted;
mod link_client;
mod link_stream;
mod pair;
mod peer;
mod process;
mod record;
mod report;
mod rounds;
mod usual;
mod victim;
mod watching;

pub use block_stream::block_stream;
pub use callgrind::{count_instructions, counted_under_callgrind};
pub use crowd::{Crowd, Returned, serve_crowd};
pub use echo::serve;
pub use helper::{Helper, say_line};
pub use hosted::beside_server;
pub use link_client::LinkClient;
pub use link_stream::Stream;
pub use pair::{Pair, fill};
pub use peer::{Addresses, Peer, Station, home};
pub use process::{Usage, raise_descriptors};
pub use record::{Record, Verdict};
pub use report::{Line, Ratio, carrier_name, write_json};
pub use rounds::ratios;
pub use tcpshm_support::cache_line::CacheLine;
pub use tcpshm_support::cores::Cores;
pub use tcpshm_support::course::{Course, Plan, clock_cost};
pub use tcpshm_support::mix::Mix;
pub use tcpshm_support::picture::{curves, draw};
pub use tcpshm_support::socket::SocketClient;
pub use tcpshm_support::spread::Spread;
pub use tcpshm_support::times::{Curve, Times, readable};
pub(crate) use tcpshm_support::{cores, course, mix, socket, spread, times};
pub use usual::Usual;
pub use victim::{Side, Survivor, Word};
pub use watching::Watching;
