//! An application whose links say in the log what happens to them.

use std::io;
use std::net::SocketAddr;

use log::{debug, error, info, warn};
use tcpshm_protocol::{Delivered, Name, Received, SessionId, Stalled, Undelivered};
use tcpshm_shm::{FileError, ViewError};

use crate::disconnected::Disconnected;
use crate::handler::{
    Admission, Connected, Dispute, Handler, LoginAttempt, LoginRefused, Policy, ResetReport,
};
use crate::handover::GroupId;
use crate::link::Link;

/// What the records are said to come from.
const TARGET: &str = "tcpshm";

/// A handler that tells the [`log`] crate what it is told, and hands it on.
///
/// The library itself says nothing anywhere; whoever wants a log wraps the application: `Logged(app)`. The target of all records
/// is `tcpshm`.
///
/// | level | what |
/// |---|---|
/// | error | a link file cannot be used |
/// | warn | a login refused, histories that do not fit, a link begun anew, a machine started anew, a stall, messages left behind or not consumed, a group gone, no shared memory |
/// | info | a link connected, disconnected |
/// | debug | an address not reached, a link closed for another's sake, a move between groups |
///
/// Nothing is said of messages and of room: they take the way that they take without it.
#[derive(Clone, Debug, Default)]
pub struct Logged<H>(pub H);

// What is not handed on would be lost.
#[deny(clippy::missing_trait_methods)]
impl<H: Handler> Handler for Logged<H> {
    #[inline(always)]
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.0.message(link, received);
    }

    #[inline]
    fn writable(&mut self, link: &mut Link<'_>) {
        self.0.writable(link);
    }

    fn login(&mut self, attempt: &LoginAttempt<'_>) -> Admission {
        self.0.login(attempt)
    }

    fn choose_group(&mut self, attempt: &LoginAttempt<'_>) -> GroupId {
        self.0.choose_group(attempt)
    }

    fn group_gone(&mut self, group: GroupId) {
        warn!(target: TARGET, "{group} is gone: its links are disconnected");
        self.0.group_gone(group);
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        let Connected { outcome, address, carrier, machine_restarted, .. } = connected;
        let waiting = link.undelivered();
        info!(target: TARGET, "{}: connected with {address} over {carrier:?}, {outcome:?}, {waiting}", link.peer());
        if *machine_restarted {
            warn!(target: TARGET, "{}: the machine was started anew: the last messages may be lost", link.peer());
        }
        self.0.connected(link, connected);
    }

    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        info!(target: TARGET, "{}: disconnected: {reason}", link.peer());
        self.0.disconnected(link, reason);
    }

    fn departing(&mut self, link: &mut Link<'_>, to: GroupId) {
        debug!(target: TARGET, "{}: leaves for {to}", link.peer());
        self.0.departing(link, to);
    }

    fn arrived(&mut self, link: &mut Link<'_>, from: GroupId) {
        debug!(target: TARGET, "{}: comes from {from}", link.peer());
        self.0.arrived(link, from);
    }

    fn closed(&mut self, peer: &Name, session: SessionId) {
        debug!(target: TARGET, "{peer}: session {session} is closed until its next login");
        self.0.closed(peer, session);
    }

    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        let Stalled { undelivered, unconsumed, lasted } = stalled;
        warn!(
            target: TARGET,
            "{}: stalled for {lasted:?}: {undelivered}, {unconsumed} bytes not consumed here", link.peer()
        );
        self.0.stalled(link, stalled);
    }

    fn unconsumed(&mut self, link: &mut Link<'_>, position: Delivered) {
        warn!(target: TARGET, "{}: the message that ends at {} was not consumed", link.peer(), position.position());
        self.0.unconsumed(link, position);
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        let policy = self.0.dispute(dispute);
        warn!(target: TARGET, "{}: histories do not fit ({:?}): {policy:?}", dispute.peer, dispute.quarrel);
        policy
    }

    fn reset(&mut self, link: &mut Link<'_>, report: &ResetReport) {
        let ResetReport { peer, undelivered, peer_undelivered, kept, .. } = report;
        let kept = kept.as_ref().map(|kept| kept.path.display().to_string());
        warn!(
            target: TARGET,
            "{peer}: begins anew: undelivered here {undelivered:?}, there {peer_undelivered:?}, kept aside {kept:?}"
        );
        self.0.reset(link, report);
    }

    fn refused(&mut self, refused: &LoginRefused) {
        let LoginRefused { peer, address, by_us, refusal } = refused;
        let peer = peer.as_ref().map_or("somebody", Name::as_str);
        let way = if *by_us { "refused" } else { "refused us" };
        warn!(target: TARGET, "{peer}: {way} at {address}: {refusal}");
        self.0.refused(refused);
    }

    fn unreachable(&mut self, address: SocketAddr, error: &io::Error) {
        debug!(target: TARGET, "{address} is not reached: {error}");
        self.0.unreachable(address, error);
    }

    fn left_behind(&mut self, peer: &Name, undelivered: &Undelivered) {
        warn!(target: TARGET, "{peer}: {undelivered} stay behind");
        self.0.left_behind(peer, undelivered);
    }

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        warn!(target: TARGET, "{peer}: no shared memory: {error}");
        self.0.not_shared(peer, error);
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        error!(target: TARGET, "{peer}: {error}");
        self.0.failed(peer, error);
    }
}
