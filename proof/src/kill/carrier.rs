//! What shall carry the links of a run.

use std::fmt;

use fastrand::Rng;
use tcpshm_driver::CarrierWish;

/// What shall carry the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Carriage {
    /// Only TCP.
    Tcp,
    /// Only shared memory.
    Shm,
    /// Each life and link wishes something else, and changes its mind.
    Changing,
}

impl Carriage {
    /// All of them.
    pub const ALL: [Carriage; 3] = [Carriage::Tcp, Carriage::Shm, Carriage::Changing];

    /// What a client asks for now.
    pub fn wish(self, random: &mut Rng) -> CarrierWish {
        match self {
            Carriage::Tcp => CarrierWish::Tcp,
            Carriage::Shm => CarrierWish::Shm,
            Carriage::Changing => [CarrierWish::Tcp, CarrierWish::Shm, CarrierWish::Auto][random.usize(..3)],
        }
    }
}

impl fmt::Display for Carriage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Carriage::Tcp => "tcp",
            Carriage::Shm => "shm",
            Carriage::Changing => "changing",
        })
    }
}
