//! What must be true of a pair.

use tcpshm_protocol::Session;

use super::Pair;
use crate::violation::{Invariant, ensure};
use crate::world::truth::{Truth, exactly_once_in_order};

impl Pair {
    /// In every session, what one side consumed is a gapless prefix of what the other committed, in
    /// order and byte for byte.
    #[track_caller]
    pub fn check(&self) {
        let nothing = Truth::default();
        for (receiver, sender) in
            [(&self.client.truths, &self.server.truths), (&self.server.truths, &self.client.truths)]
        {
            for (session, truth) in receiver {
                exactly_once_in_order(truth, sender.get(session).unwrap_or(&nothing));
            }
        }
        for endpoint in [&*self.client, &*self.server] {
            if let Some(session) = &endpoint.session
                && let Some(truth) = endpoint.truths.get(&session.id().get())
            {
                truth.check_ends(session);
            }
        }
    }

    /// Nothing that was committed in the session is missing on the other side.
    #[track_caller]
    pub fn check_complete(&mut self) {
        self.check();
        self.observe();
        let [client, server] = [self.client.truth().clone(), self.server.truth().clone()];
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
