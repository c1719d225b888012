//! How tcpshm proves its promises: the code under test is the real one, and what is simulated is the
//! world around it.
//!
//! | part | what it does | command |
//! |---|---|---|
//! | [`world`] | storage, network, clock and memory of two processes, and a reference model | |
//! | [`sim`] | random schedules of everything that can happen to a link | `proof sim` |
//! | [`explore`] | every state of a small link | `proof explore` |
//! | `zoo` | known defects put back, each of which must be caught | `proof zoo` |
//! | [`kill`] | real processes, killed at random moments, and a judge of their logs | `proof kill` |
//! | [`proxy`] | a proxy that does to connections what networks and strangers do | |
//! | [`flood`] | crowds of strangers at a server's door, and a good client among them | `proof flood` |
//! | [`step`] | one instruction of a process after another, and what a kill there would leave | `proof step` |
//! | [`calls`] | every system call of a server and a client fails in turn | `proof calls` |
//! | [`disk_full`] | a small disk runs full under a link, and an overlay file system | `proof disk` |
//!
//! Everything that is not a real process is deterministic: what is random comes from a seed, which is
//! printed when something fails. [`violation`] names what must hold.
#![forbid(unsafe_code)]

pub mod calls;
mod child;
pub mod disk_full;
pub mod explore;
pub mod flood;
pub mod kill;
pub mod proxy;
pub mod sim;
pub mod step;
pub mod violation;
pub mod world;
#[cfg(feature = "zoo")]
pub mod zoo;

pub use violation::{Failure, Invariant, Violation};
pub use world::carriers::{self, CARRIERS, over_both};
pub use world::client::{self, Client};
pub use world::clock::{self, Clock};
pub use world::disk::{self, Directory, Disk};
pub use world::endpoint;
pub use world::host;
pub use world::image;
pub use world::journal::{self, Journal};
pub use world::message::{self, Message};
pub use world::model::{self, Model, View};
pub use world::pair::{self, Pair, Setup};
pub use world::pipe;
pub use world::scripted;
pub use world::server::{self, Server};
pub use world::shared::{self, LiveFile};
pub use world::solo::{self, Solo};
pub use world::truth;
pub use world::wire;
