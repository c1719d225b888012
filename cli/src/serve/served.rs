//! What a server knows of one client.

use std::collections::VecDeque;

use serde::Serialize;
use tcpshm_driver::{Held, Name, SessionId};

/// What a link carried since the server started.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    pub(super) connections: u64,
    pub(super) messages_in: u64,
    pub(super) bytes_in: u64,
    pub(super) messages_out: u64,
    pub(super) bytes_out: u64,
}

/// One link.
pub(super) struct Served {
    pub(super) peer: Name,
    /// By which the link of a message is known without comparing names.
    pub(super) session: SessionId,
    pub(super) connected: bool,
    /// There may be room for what a source makes.
    pub(super) ready: bool,
    /// What a source has made by now.
    pub(super) made: u64,
    /// In order, the messages whose answers found no room. They stay unconsumed, so the client's ring fills
    /// and it stops sending: this needs no bound of its own.
    pub(super) waiting: VecDeque<Held>,
    pub(super) tally: Tally,
}

/// The links of a server. One that is used again and again is found by its session alone.
#[derive(Default)]
pub(super) struct AllServed {
    links: Vec<Served>,
    last: usize,
}

impl AllServed {
    /// The link with this peer and session, new if it was never seen.
    #[inline]
    pub(super) fn of(&mut self, peer: &Name, session: SessionId) -> &mut Served {
        if self.links.get(self.last).is_none_or(|link| link.session != session) {
            self.last = self.find(peer, session);
        }
        &mut self.links[self.last]
    }

    fn find(&mut self, peer: &Name, session: SessionId) -> usize {
        let Some(at) = self.links.iter().position(|link| link.peer == *peer) else {
            self.links.push(Served {
                peer: peer.clone(),
                session,
                connected: false,
                ready: false,
                made: 0,
                waiting: VecDeque::new(),
                tally: Tally::default(),
            });
            return self.links.len() - 1;
        };
        let link = &mut self.links[at];
        if link.session != session {
            // They belong to the session that has ended.
            link.waiting.clear();
            link.session = session;
        }
        at
    }

    /// Adds what another thread has carried, here too maybe.
    pub(super) fn add(&mut self, other: Served) {
        let Tally { connections, messages_in, bytes_in, messages_out, bytes_out } = other.tally;
        let tally = &mut self.of(&other.peer, other.session).tally;
        tally.connections += connections;
        tally.messages_in += messages_in;
        tally.bytes_in += bytes_in;
        tally.messages_out += messages_out;
        tally.bytes_out += bytes_out;
    }

    pub(super) fn into_links(self) -> Vec<Served> {
        self.links
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.links.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Served> {
        self.links.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_one_over_its_sessions_and_forgets_what_waited_in_an_earlier_one() {
        let [one, other]: [Name; 2] = ["one", "other"].map(|name| name.parse().unwrap());
        let session = |bits| SessionId::new(bits).unwrap();
        let mut all = AllServed::default();
        all.of(&one, session(1)).tally.messages_in = 7;
        all.of(&other, session(2)).tally.messages_in = 8;
        assert_eq!(all.of(&one, session(1)).tally.messages_in, 7);
        assert_eq!(all.of(&one, session(3)).tally.messages_in, 7);
        assert_eq!(all.of(&one, session(3)).session, session(3));
        assert_eq!(all.iter().count(), 2);
    }
}
