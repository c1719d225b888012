//! Where links are found: in a server, or in one of its groups.

use std::time::Instant;

use tcpshm_driver::{Driver, Group, Link, Name, Server};

/// What has links.
pub(super) trait Host: Driver {
    /// The link with this peer, if it is here.
    fn link(&mut self, now: Instant, peer: &Name) -> Option<Link<'_>>;
}

impl Host for Server {
    fn link(&mut self, now: Instant, peer: &Name) -> Option<Link<'_>> {
        Server::link(self, now, peer)
    }
}

impl Host for Group {
    fn link(&mut self, now: Instant, peer: &Name) -> Option<Link<'_>> {
        Group::link(self, now, peer)
    }
}
