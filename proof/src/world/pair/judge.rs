//! What must be true of a pair.

use tcpshm_protocol::{Role, Session};

use super::{ClientEnd, Connection, Pair, ServerEnd};
use crate::violation::{Invariant, ensure};
use crate::world::client::Client;
use crate::world::disk::{Directory, Disk};
use crate::world::ring;
use crate::world::ruling::{Ruling, Shown, fits};
use crate::world::server::Server;
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
        self.check_arrived();
    }

    /// The same, whatever came of earlier sessions.
    #[track_caller]
    pub fn check_arrived(&mut self) {
        self.check_ends();
        self.observe();
        let [client, server] = [self.client.truth(), self.server.truth()];
        let arrived = |receiver: &Truth, sender: &Truth| {
            let (consumed, committed) = (receiver.consumed.len(), sender.committed.len());
            ensure(consumed == committed, Invariant::NothingLost, || format!("{consumed} of {committed}"));
        };
        exactly_once_in_order(&client, &server);
        exactly_once_in_order(&server, &client);
        arrived(&client, &server);
        arrived(&server, &client);
        let at_end = |session: &Session<_>| session.standing().acked == session.committed().position();
        let acked = at_end(self.client.session()) && at_end(self.server.session());
        ensure(acked, Invariant::Live, || "an ack never arrived".into());
    }

    /// I10: the newest connection, which is at rest, carried each message once, and no more control frames than
    /// a greeting, an acknowledgement for each message that came, a frame for each time that the peer slept, and a
    /// heartbeat a second.
    #[track_caller]
    pub fn check_wire(&self) {
        let Some(connection) = self.connections.last() else { return };
        let carried = [Role::Client, Role::Server].map(|role| connection.carried(role));
        let [Some(up), Some(down)] = carried else { return };
        let [client, server] = [&*self.client, &*self.server];
        for (endpoint, peer, mine, theirs) in [(client, server, up, down), (server, client, down, up)] {
            let Some(session) = &endpoint.session else { continue };
            let tail = session.committed().position().get();
            let most = theirs.messages + peer.sleeps() + CONTROLS;
            let once = mine.upto <= tail && mine.controls <= most;
            ensure(once, Invariant::Bounded, || {
                format!("{:?}: {mine:?} with {theirs:?} from the peer, and a tail of {tail}", endpoint.role)
            });
        }
    }

    /// At most one connection is live, and it is the one that the session belongs to.
    #[track_caller]
    pub fn check_fenced(&self) {
        let at_server = |connection: &&Connection| matches!(connection.server, ServerEnd::Stream(_));
        let at_client = |connection: &&Connection| matches!(connection.client, ClientEnd::Stream);
        let live = [
            (self.connections.iter().filter(at_client).count(), self.client.is_attached()),
            (self.connections.iter().filter(at_server).count(), self.server.is_attached()),
        ];
        for (count, attached) in live {
            ensure(count == usize::from(attached), Invariant::Fenced, || {
                format!("{count} connections are live, attached: {attached}")
            });
        }
    }

    /// Whether a side is about to send frames again that tell less than the other knows by now.
    pub fn sends_old_acks(&self) -> bool {
        let [client, server] = [&self.client.disk, &self.server.disk].map(Disk::content);
        [(&client, &server), (&server, &client)].into_iter().any(|(sender, receiver)| {
            let (Some(sender), Some(receiver)) = (sender.main(), receiver.main()) else { return false };
            let known = ring::words(receiver).acked;
            ring::frames(sender).flatten().any(|frame| frame.ack < known)
        })
    }

    /// A mapping of an earlier connection shows nothing that counts.
    pub fn look_at_old_mappings(&mut self) {
        self.client.look_at_old_mapping();
        self.server.look_at_old_mapping();
    }

    /// Keeps the server's last decision, with what only somebody who knows both sides can tell.
    pub(super) fn note_ruling(&mut self, shown: Option<Shown>) {
        let Some(mut ruling) = self.server.ruling.take() else { return };
        if let (Some(shown), Some(found)) = (&shown, &ruling.found)
            && shown.past == self.client.history.past()
        {
            let [messages, positions] = fits(shown, &self.client.history, &self.server.history, found);
            (ruling.fits, ruling.positions) = (Some(messages), positions);
        }
        self.rulings.push(Ruling { shown, ..ruling });
    }
}

/// A greeting, the heartbeats of a second or two, and a close.
const CONTROLS: u64 = 4;

/// Up to a Confirm that it accepts a server changes nothing.
pub(super) fn server_untouched(before: &Directory, server: &Server) {
    let untouched = server.disk.is_dead() || before.is_untouched(&server.disk.content(), false);
    ensure(untouched, Invariant::Untouched, || "a login that was not accepted changed the server".into());
}

/// Up to a Ready that it accepts a client changes nothing but what it proposes.
pub(super) fn client_untouched(before: &Directory, client: &Client) {
    let untouched = client.disk.is_dead() || before.is_untouched(&client.disk.content(), true);
    ensure(untouched, Invariant::Untouched, || "a login that was not accepted changed the client".into());
}
