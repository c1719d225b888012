//! One run of one operation: which, on which side, over what, and where in the ring.

use std::fmt;

use clap::ValueEnum;
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{Geometry, Role};

use crate::step::act::Who;
use crate::step::scenario::{self, Scenario};

/// What is the same for all that happens in a run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The side that is watched.
    pub role: Role,
    /// What carries the link.
    pub carrier: Carrier,
    /// The rings of both sides.
    pub geometry: Geometry,
}

/// All that a child must be told to do what its parent expects.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Case {
    /// The operation, by name
    #[arg(long)]
    pub operation: String,
    /// The side that is watched
    #[arg(long, value_enum)]
    pub role: Watched,
    /// What carries the link
    #[arg(long, value_enum)]
    pub carrier: Over,
    /// Decides where in the ring it happens and how long messages are
    #[arg(long)]
    pub seed: u64,
}

/// The side that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Watched {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// What carries the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Over {
    /// Bytes, carried by hand.
    Tcp,
    /// The mapped files.
    Shm,
}

impl Case {
    /// What everything happens in.
    pub fn setting(&self) -> Setting {
        setting(self.role, self.carrier)
    }

    /// What happens before, and the operation itself.
    pub fn scenario(&self) -> Result<Scenario, String> {
        scenario::named(&self.operation, self.setting(), self.seed)
    }

    /// As arguments of the program.
    pub fn arguments(&self) -> [String; 8] {
        let value = |value: &dyn ToString| value.to_string();
        let name = |possible: Option<clap::builder::PossibleValue>| {
            possible.expect("none is hidden").get_name().to_owned()
        };
        [
            value(&"--operation"),
            self.operation.clone(),
            value(&"--role"),
            name(self.role.to_possible_value()),
            value(&"--carrier"),
            name(self.carrier.to_possible_value()),
            value(&"--seed"),
            value(&self.seed),
        ]
    }
}

/// What everything happens in.
pub fn setting(role: Watched, carrier: Over) -> Setting {
    Setting {
        role: match role {
            Watched::Client => Role::Client,
            Watched::Server => Role::Server,
        },
        carrier: match carrier {
            Over::Tcp => Carrier::Tcp,
            Over::Shm => Carrier::Shm,
        },
        geometry: Geometry::new(scenario::CAPACITY, scenario::LARGEST).expect("a geometry"),
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, role, carrier, seed } = self;
        write!(f, "`{operation}` ({role:?}, {carrier:?}, seed {seed})")
    }
}

impl Setting {
    /// Which side somebody is.
    pub fn role_of(&self, who: Who) -> Role {
        match who {
            Who::Subject => self.role,
            Who::Peer => self.role.other(),
        }
    }

    /// The id that the `login`th login gets.
    pub fn attachment(&self, login: u64) -> u64 {
        0xa77a_0000 + login
    }
}
