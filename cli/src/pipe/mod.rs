//! What `send`, `recv` and `replay` share: one end of one link, whichever side dials.

pub(crate) mod app;
pub(crate) mod format;
pub(crate) mod input;
mod inputs;
pub(crate) mod journal;
mod laying;
pub(crate) mod sending;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use tcpshm_driver::{Client, ClientConfig, Driver, Kind, Link, Name, Server, ServerConfig};
use tcpshm_support::choices::{CarrierChoice, IdleChoice};

use crate::arguments::default_directory;
use crate::failure::Failure;

/// A piece of a line that is too long for one message: no newline behind it.
pub(crate) const PIECE: Kind = Kind::new(65_534).expect("not 0");
/// The end of the input: no payload.
pub(crate) const END: Kind = Kind::new(65_535).expect("not 0");

/// Which end of which link.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct EndOptions {
    /// Dial the other side
    #[arg(long, value_name = "IP:PORT", conflicts_with = "listen", required_unless_present = "listen")]
    pub(crate) connect: Option<SocketAddr>,
    /// Be dialled; the address is told on standard error
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// This side's name; with the other's and the directory it says which link this is [default: the subcommand's]
    #[arg(long)]
    pub(crate) name: Option<Name>,
    /// The other side's name; any will do if left out
    #[arg(long)]
    pub(crate) peer: Option<Name>,
    /// Where to keep the link file; for shared memory the same on both sides
    #[arg(long, value_name = "DIR", default_value_os_t = default_directory())]
    pub(crate) dir: PathBuf,
    /// What shall carry the link
    #[arg(long, value_enum, default_value_t)]
    pub(crate) carrier: CarrierChoice,
    /// What to do while nothing comes
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub(crate) idle: IdleChoice,
}

impl EndOptions {
    /// This side's name, or that of the subcommand.
    pub(crate) fn name_or(&self, subcommand: &str) -> Name {
        self.name.clone().unwrap_or_else(|| subcommand.parse().expect("it is a name"))
    }

    /// As a client.
    pub(crate) fn client(&self, name: Name, address: SocketAddr) -> Result<Client, Failure> {
        let mut config = ClientConfig::new(name, &self.dir, address);
        config.carrier = self.carrier.wish();
        config.server = self.peer.clone();
        // Messages that were committed have to get out, whatever sizes they were committed with.
        config.link.adopt_geometry = true;
        Ok(Client::new(config)?)
    }

    /// As a server.
    pub(crate) fn server(&self, name: Name, address: SocketAddr) -> Result<Server, Failure> {
        let mut config = ServerConfig::new(name, &self.dir, address);
        config.carriers = self.carrier.offer();
        config.link.adopt_geometry = true;
        Ok(Server::bind(config)?)
    }
}

/// A driver that is used for one link.
pub(crate) trait End: Driver {
    /// The link with `peer`, connected or not, once it is known.
    fn end_link(&mut self, now: Instant, peer: Option<&Name>) -> Option<Link<'_>>;

    /// Where it listens, if it does.
    fn listens_at(&self) -> Option<SocketAddr>;
}

impl End for Client {
    fn end_link(&mut self, now: Instant, _: Option<&Name>) -> Option<Link<'_>> {
        self.link(now)
    }

    fn listens_at(&self) -> Option<SocketAddr> {
        None
    }
}

impl End for Server {
    fn end_link(&mut self, now: Instant, peer: Option<&Name>) -> Option<Link<'_>> {
        self.link(now, peer?)
    }

    fn listens_at(&self) -> Option<SocketAddr> {
        self.local_addresses().ok()?.first().copied()
    }
}
