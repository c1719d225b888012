//! How a login must end, from what was really done to each side's files.
//!
//! Written from the table of identity alone: the first row that fits decides.

use tcpshm_protocol::login::{Outcome, RefusalCode};

use crate::world::ruling::{Row, Ruling, Shown};

/// The outcomes that a login may have; more than one only where a copy of a file is about, and it depends on
/// more than lists of messages whether it can be told from the original.
pub(super) fn expected(ruling: &Ruling, tainted: bool) -> Vec<Row> {
    let Some(shown) = &ruling.shown else { return Vec::new() };
    if let Some(code) = refused_first_of_all(ruling) {
        return vec![Row::Refused(code)];
    }
    if let (Some(proposed), Some(found)) = (shown.proposed, &ruling.found)
        && found.session == proposed
    {
        // A Ready that was lost, unless the server has heard from somebody who had it.
        return if found.heard { vec![refused(RefusalCode::ProposalDead)] } else { resume(ruling) };
    }
    if shown.token && shown.proposed.is_some() {
        return match (ruling.live, ruling.token_valid) {
            (true, _) => vec![refused(RefusalCode::Busy)],
            (false, true) => begin(ruling, Outcome::Reset),
            (false, false) if shown.held.is_some() => vec![refused(RefusalCode::ProposalDead)],
            (false, false) => vec![refused(RefusalCode::TokenVoid)],
        };
    }
    match (shown.held, shown.proposed, &ruling.found) {
        (None, None, _) => vec![refused(RefusalCode::Internal)],
        (None, Some(_), None) => begin(ruling, Outcome::Fresh),
        (None, Some(_), Some(_)) => quarrel(ruling, RefusalCode::PeerLostClient),
        (Some(_), Some(_), _) => vec![refused(RefusalCode::ProposalDead)],
        (Some(_), None, None) => vec![refused(RefusalCode::PeerLostServer)],
        (Some(held), None, Some(found)) if held != found.session => quarrel(ruling, RefusalCode::Diverged),
        (Some(_), None, Some(_)) => one_session(ruling, shown, tainted),
    }
}

/// Refusals that come before any row.
fn refused_first_of_all(ruling: &Ruling) -> Option<RefusalCode> {
    if ruling.stale {
        return Some(RefusalCode::StaleConfirm);
    }
    if ruling.refuses.is_some() {
        return ruling.refuses;
    }
    if ruling.dead {
        return Some(RefusalCode::ProposalDead);
    }
    ruling.copy.then_some(RefusalCode::Busy)
}

/// Both show the same session.
fn one_session(ruling: &Ruling, shown: &Shown, tainted: bool) -> Vec<Row> {
    let diverged = quarrel(ruling, RefusalCode::Diverged);
    match ruling.fits {
        _ if shown.disputed => diverged,
        Some(false) => diverged,
        Some(true) if !tainted => resume(ruling),
        // Where nothing would be lost a copy may go on, or be found out.
        Some(true) | None => [resume(ruling), diverged].concat(),
    }
}

fn resume(ruling: &Ruling) -> Vec<Row> {
    if !ruling.promises {
        return vec![refused(RefusalCode::LimitsShrunk)];
    }
    vec![Row::Accepted(Outcome::Resumed), refused(RefusalCode::NoCarrier)]
}

fn begin(ruling: &Ruling, outcome: Outcome) -> Vec<Row> {
    if !ruling.sizes {
        return vec![refused(RefusalCode::ProposalDead)];
    }
    let unable = [RefusalCode::NoCarrier, RefusalCode::Storage, RefusalCode::KeptFull].map(refused);
    [vec![Row::Accepted(outcome)], unable.to_vec()].concat()
}

/// A live link is never fenced or reset by somebody with another history.
fn quarrel(ruling: &Ruling, code: RefusalCode) -> Vec<Row> {
    vec![refused(if ruling.live { RefusalCode::Busy } else { code })]
}

fn refused(code: RefusalCode) -> Row {
    Row::Refused(code)
}
