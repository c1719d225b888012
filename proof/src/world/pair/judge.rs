//! What must be true of a pair.

use tcpshm_protocol::Session;

use super::Pair;
use crate::violation::{Invariant, ensure};
use crate::world::truth::{History, Truth, exactly_once_in_order};

impl Pair {
    /// In every session, what one side consumed is a gapless prefix of what the other committed, in
    /// order and byte for byte.
    #[track_caller]
    pub fn check(&self) {
        let histories = [&self.client.history, &self.server.history].map(History::copy);
        let nothing = Truth::default();
        for [receiver, sender] in [[0, 1], [1, 0]] {
            for (session, truth) in &histories[receiver] {
                exactly_once_in_order(truth, histories[sender].get(session).unwrap_or(&nothing));
            }
        }
        self.check_ends();
    }

    /// Each session stands where its application thinks.
    #[track_caller]
    pub fn check_ends(&self) {
        for endpoint in [&*self.client, &*self.server] {
            if let Some(session) = &endpoint.session {
                endpoint.history.read(session.id().get(), |truth| truth.check_ends(session));
            }
        }
    }

    /// Nothing that was committed in the session is missing on the other side.
    #[track_caller]
    pub fn check_complete(&mut self) {
        self.check();
        self.observe();
        let [client, server] = [self.client.truth(), self.server.truth()];
        let arrived = |receiver: &Truth, sender: &Truth| {
            let (consumed, committed) = (receiver.consumed.len(), sender.committed.len());
            ensure(consumed == committed, Invariant::NothingLost, || format!("{consumed} of {committed}"));
        };
        arrived(&client, &server);
        arrived(&server, &client);
        let at_end = |session: &Session<_>| session.standing().acked == session.committed().position();
        let acked = at_end(self.client.session()) && at_end(self.server.session());
        ensure(acked, Invariant::Live, || "an ack never arrived".into());
    }
}
