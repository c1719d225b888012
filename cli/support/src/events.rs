//! What happens to a link, in one line each.

use tcpshm_driver::protocol::login::Outcome;
use tcpshm_driver::{
    Carrier, Connected, Delivered, Disconnected, FileError, Link, LoginRefused, Name, ResetReport, Stalled,
    Undelivered, ViewError,
};

/// A link has a connection.
pub fn connected(link: &Link<'_>, connected: &Connected) -> String {
    let how = match connected.outcome {
        Outcome::Resumed => "the session goes on",
        Outcome::Fresh => "a session begins",
        Outcome::Reset => "a session begins anew",
    };
    let over = match connected.carrier {
        Carrier::Tcp => "TCP",
        Carrier::Shm => "shared memory",
    };
    let (peer, address, waiting) = (link.peer(), connected.address, link.undelivered().messages);
    format!("connected with {peer} at {address} over {over}: {how}, {waiting} messages wait")
}

/// A link has lost it.
pub fn disconnected(link: &Link<'_>, reason: &Disconnected) -> String {
    format!("disconnected from {}: {reason}", link.peer())
}

/// A session began anew.
pub fn reset(report: &ResetReport) -> String {
    let count = |undelivered: Option<Undelivered>| undelivered.map_or(0, |undelivered| undelivered.messages);
    let kept = report.kept.as_ref().map(|kept| format!("; they are kept in {}", kept.path.display()));
    format!(
        "the link with {} begins anew: {} messages of this side and {} of the other were not delivered{}",
        report.peer,
        count(report.undelivered),
        count(report.peer_undelivered),
        kept.unwrap_or_default()
    )
}

/// A login was refused.
pub fn refused(refused: &LoginRefused) -> String {
    let LoginRefused { address, refusal, .. } = refused;
    let peer = refused.peer.as_ref().map_or("somebody", Name::as_str);
    let by = if refused.by_us { "refused" } else { "refused by" };
    format!("{by} {peer} at {address}: {refusal}")
}

/// Both sides wait for each other.
pub fn stalled(link: &Link<'_>, stalled: &Stalled) -> String {
    let Stalled { undelivered, unconsumed, lasted } = stalled;
    let peer = link.peer();
    format!("stalled for {lasted:?}: {undelivered} for {peer}, {unconsumed} bytes of {peer}'s not consumed")
}

/// A handler left a message.
pub fn unconsumed(link: &Link<'_>, position: Delivered) -> String {
    format!("the message of {} that ends at {} was not consumed", link.peer(), position.position())
}

/// Another link still holds messages.
pub fn left_behind(peer: &Name, undelivered: &Undelivered) -> String {
    format!("{undelivered} for {peer} stay behind")
}

/// There is no shared memory with a peer.
pub fn not_shared(peer: &Name, error: &ViewError) -> String {
    format!("no shared memory with {peer}: {error}")
}

/// A link file cannot be used.
pub fn failed(peer: &Name, error: &FileError) -> String {
    format!("the link with {peer}: {error}")
}
