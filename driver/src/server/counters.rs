//! How a server stands, in numbers.

use tcpshm_protocol::login::RefusalCode;

use super::Server;

/// What a server has to do, and whom it has refused. Of each link see [`Link::counters`](crate::Link::counters).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCounters {
    /// Links that have a connection.
    pub connected: usize,
    /// Sessions without one that are kept open.
    pub detached: usize,
    /// Refused connections that are still fetching their refusal.
    pub leaving: usize,
    /// Logins that this server refused since it was bound, by reason, each reason once.
    pub refused: Vec<(RefusalCode, u64)>,
}

impl ServerCounters {
    /// How many logins were refused for this reason.
    pub fn refused_for(&self, code: RefusalCode) -> u64 {
        self.refused.iter().find(|(counted, _)| *counted == code).map_or(0, |(_, count)| *count)
    }

    /// One more was.
    pub(super) fn refuse(&mut self, code: RefusalCode) {
        match self.refused.iter_mut().find(|(counted, _)| *counted == code) {
            Some((_, count)) => *count += 1,
            None => self.refused.push((code, 1)),
        }
    }
}

impl Server {
    /// How it stands.
    pub fn counters(&self) -> ServerCounters {
        let refused = self.counters.refused.clone();
        let (connected, detached) = (self.connections(), self.detached.len());
        ServerCounters { connected, detached, leaving: self.hall.farewells, refused }
    }
}
