//! The table of identities, said of what was put into the files and not of what the code reads there.

use tcpshm_protocol::login::RefusalCode;

use super::holdings::{Confirmed, Holding, Which};
use crate::world::host::Policy;

/// How it ends in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Both go on with this session.
    Resumed(Which),
    /// Neither had one; a session begins.
    Fresh,
    /// What there was is put aside; a session begins.
    Reset,
    /// Refused for this reason, as often as it is tried.
    Refused(RefusalCode),
}

/// How logins of these two end.
pub(super) fn expected(client: &Holding, server: &Holding, live: bool, policies: [Policy; 2]) -> End {
    let record = server.main.as_ref();
    let by_policy = |code| {
        if policies == [Policy::Fresh; 2] { End::Reset } else { End::Refused(code) }
    };
    // A Ready that was lost.
    if client.proposed && record.is_some_and(untouched_proposal) {
        return End::Resumed(Which::Proposed);
    }
    // Any other proposal is deleted beside a session, and where the server knows it; or it is as good as a new one.
    match (&client.main, record) {
        (None, None) => End::Fresh,
        (Some(held), Some(record)) if agree(held, record) => End::Resumed(held.session),
        (Some(held), Some(record)) if live && !disputed(held, record) => End::Refused(RefusalCode::Busy),
        (_, Some(_)) if live && client.main.is_none() => End::Refused(RefusalCode::Busy),
        (None, Some(_)) => by_policy(RefusalCode::PeerLostClient),
        (Some(_), None) => by_policy(RefusalCode::PeerLostServer),
        (Some(_), Some(_)) => by_policy(RefusalCode::Diverged),
    }
}

/// The server accepted the client's proposal, and nothing came of it since.
fn untouched_proposal(record: &Confirmed) -> bool {
    let shape = &record.shape;
    record.session == Which::Proposed && record.previous == 0 && shape.acked == 0 && shape.consumed == 0
}

/// The server finds that the two are the ends of one history.
fn server_agrees(held: &Confirmed, record: &Confirmed) -> bool {
    let (mine, yours) = (&record.shape, &held.shape);
    held.session == record.session
        && [record.current, record.previous].contains(&held.current)
        && mine.acked <= yours.consumed
        && yours.consumed <= mine.sent()
        && yours.acked <= mine.consumed
        && mine.consumed <= yours.sent()
        && mine.ends().contains(&yours.consumed)
}

/// Both find it.
fn agree(held: &Confirmed, record: &Confirmed) -> bool {
    server_agrees(held, record) && held.shape.ends().contains(&record.shape.consumed)
}

/// Only the client finds that they are not: by then the older connection is fenced.
fn disputed(held: &Confirmed, record: &Confirmed) -> bool {
    server_agrees(held, record) && !agree(held, record)
}
