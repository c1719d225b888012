//! What the echo programs let a person choose about carriers and idling.

use std::fmt;

use clap::ValueEnum;
use tcpshm_driver::{Carrier, CarrierWish, Carriers, IdleStrategy};

/// What may carry a link: what a client wishes, or what a server offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CarrierChoice {
    /// TCP and nothing else
    Tcp,
    /// Shared memory and nothing else: both sides need the same directory
    Shm,
    /// Shared memory where both sides have the same directory and wish it, TCP otherwise
    #[default]
    Auto,
}

impl CarrierChoice {
    /// As a client says it.
    pub fn wish(self) -> CarrierWish {
        match self {
            CarrierChoice::Tcp => CarrierWish::Tcp,
            CarrierChoice::Shm => CarrierWish::Shm,
            CarrierChoice::Auto => CarrierWish::Auto,
        }
    }

    /// As a server says it.
    pub fn offer(self) -> Carriers {
        match self {
            CarrierChoice::Tcp => Carriers::TCP,
            CarrierChoice::Shm => Carriers::SHM,
            CarrierChoice::Auto => Carriers::BOTH,
        }
    }

    /// This carrier and no other.
    pub fn only(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Tcp => CarrierChoice::Tcp,
            Carrier::Shm => CarrierChoice::Shm,
        }
    }
}

impl fmt::Display for CarrierChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CarrierChoice::Tcp => "tcp",
            CarrierChoice::Shm => "shm",
            CarrierChoice::Auto => "auto",
        })
    }
}

/// What a process does with its core while its links are on shared memory and nothing comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IdleChoice {
    /// Poll on: the fastest, on a core of its own
    Spin,
    /// Poll on, and let others run between two polls
    Yield,
    /// Poll for a while, yield for a while, then sleep up to a millisecond
    BackOff,
    /// Poll for a while, yield for a while, then sleep until the peer says that something came
    #[default]
    Sleep,
}

impl IdleChoice {
    /// What the loop is told.
    pub fn strategy(self) -> IdleStrategy {
        match self {
            IdleChoice::Spin => IdleStrategy::Spin,
            // As many as the default strategy begins with: longer than an answer takes.
            IdleChoice::Yield => IdleStrategy::SpinThenYield { spins: 4096 },
            IdleChoice::BackOff => IdleStrategy::BACK_OFF,
            IdleChoice::Sleep => IdleStrategy::SLEEP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_shown_as_it_is_typed() {
        for choice in CarrierChoice::value_variants() {
            let typed = choice.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), choice.to_string());
        }
    }

    #[test]
    fn one_carrier_is_wished_and_offered_alone() {
        for carrier in [Carrier::Tcp, Carrier::Shm] {
            let choice = CarrierChoice::only(carrier);
            let other = if carrier == Carrier::Tcp { Carrier::Shm } else { Carrier::Tcp };
            assert!(choice.wish().allows(carrier) && choice.offer().contains(carrier));
            assert!(!choice.wish().allows(other) && !choice.offer().contains(other));
        }
    }
}
