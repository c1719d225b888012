//! What becomes of a login, from what the client shows and what the server holds.

use super::message::{Confirm, Holding, Proposal};
use super::refusal::{Refusal, RefusalCode};
use super::streams::Streams;
use crate::id::{AttachmentId, SessionId};
use crate::position::{Position, Standing};

/// What the server's link file says of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The session it holds.
    pub session: SessionId,
    /// The last login it accepted, or `None` if it was cut before it could store one.
    pub current: Option<AttachmentId>,
    /// The login before that, which the client may still be in; `None` in a fresh file whose Ready is
    /// not known to have arrived.
    pub previous: Option<AttachmentId>,
    /// How far the server has come in it.
    pub standing: Standing,
    /// How much of its stream it had sent when it accepted the last login. A client that is still at the one
    /// before has seen nothing since, whatever was written to a connection that it never had.
    pub previous_sent: Position,
    /// Up to where the server's process was given the client's stream. Frames up to here are skipped when
    /// they come again, so the client must have sent that much.
    pub delivered: Position,
    /// Whether what the client has consumed (nothing, for a proposed session) is the start or the end of
    /// one of the server's frames.
    pub lands_on_frame: bool,
}

/// What becomes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both sides go on with what they have.
    Resume {
        /// The session.
        session: SessionId,
        /// Whether an older connection under the name must be fenced first.
        takeover: bool,
    },
    /// Neither side has anything: this session begins.
    Fresh(SessionId),
    /// Both sides' policies allow it: the old session is put aside and this one begins.
    Reset(SessionId),
    /// The proposed session can never begin, or not with the limits of this login; the client is to
    /// forget it and to show what is left, or another one.
    ProposalDead,
    /// The token is void; the client is to log in without it.
    TokenVoid,
    /// A connection with another history is live under the name. It is neither fenced nor reset.
    Busy,
    /// The client lost its state: a matter of policy.
    PeerLostClient,
    /// The server lost its state: a matter of policy.
    PeerLostServer,
    /// The two are not ends of one history: a matter of policy.
    Diverged(Disagreement),
    /// A live connection without a link file, or a confirm that shows nothing: a bug of ours.
    Internal,
}

/// What shows that two link files are not the ends of one history.
///
/// It names no id of the server's, since it is told to a client that has not shown the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// They belong to different sessions.
    #[error("the two sides hold different sessions")]
    Session,
    /// The client found that they do not fit.
    #[error("the client found that the server's positions do not fit its own")]
    Disputed,
    /// They were last attached to different peers: one is a copy, or an older state.
    #[error("one side is a copy or an older state of what the other was last connected to")]
    Attachment,
    /// They count differently.
    #[error("the positions contradict each other: client {client:?}, server {server:?}")]
    Positions {
        /// How far the client says it has come.
        client: Standing,
        /// How far the server has come.
        server: Standing,
    },
    /// The server was given more of the client's stream than this client can have sent.
    #[error("the server was given messages up to {delivered}, and the client sent up to {sent}")]
    Delivered {
        /// Up to where the server was given the client's stream.
        delivered: Position,
        /// Up to where the client can have sent.
        sent: Position,
    },
    /// The client consumed a part of a frame.
    #[error("the client consumed up to {consumed}, where no frame of the server's ends")]
    Frame {
        /// Where the client says it is in the server's stream.
        consumed: Position,
    },
}

/// What becomes of a login: the first rule that fits. Nothing else decides, and nothing is changed here.
///
/// `record` is what the server holds under the link's names, `agreed` what
/// [`limits_agreed`](super::limits_agreed) gives in this login, `live` whether a connection under the names
/// is up, `token_valid` whether the token in `confirm` is the one this server gave last and not yet void.
pub fn decide(
    confirm: &Confirm,
    record: Option<&Record>,
    agreed: &Streams,
    live: bool,
    token_valid: bool,
) -> Verdict {
    if live && record.is_none() {
        return Verdict::Internal;
    }
    if let Some(proposed) = confirm.proposed {
        // A Ready that was lost comes first: whatever else the client shows, it speaks of before that.
        let same = |record: &&Record| record.session == proposed.session || zoo!(SessionNotCompared);
        if let Some(record) = record.filter(same) {
            return decide_lost_ready(record, live);
        }
        if confirm.token.is_some() {
            return match (live && !zoo!(StrangerFences), token_valid || zoo!(ResetWithoutToken)) {
                (true, _) => Verdict::Busy,
                (false, true) => begin(&proposed, agreed, Verdict::Reset),
                // Without the token the proposal would be left over: said at once, it costs one login less.
                (false, false) if confirm.held.is_some() => Verdict::ProposalDead,
                (false, false) => Verdict::TokenVoid,
            };
        }
    }
    match (&confirm.held, confirm.proposed, record) {
        (None, None, _) => Verdict::Internal,
        (None, Some(proposed), None) => begin(&proposed, agreed, Verdict::Fresh),
        // A proposal beside a session it does not belong to is merely the fresh id of a later reset.
        (None, Some(_), Some(_)) if live && !zoo!(StrangerFences) => Verdict::Busy,
        (None, Some(_), Some(_)) => Verdict::PeerLostClient,
        // Left over from a reset that was never accepted.
        (Some(_), Some(_), _) => Verdict::ProposalDead,
        (Some(_), None, None) => Verdict::PeerLostServer,
        (Some(held), None, Some(record)) => match disagreement(held, confirm.disputed, record) {
            None => Verdict::Resume { session: record.session, takeover: live },
            Some(_) if live && !zoo!(StrangerFences) => Verdict::Busy,
            Some(disagreement) => Verdict::Diverged(disagreement),
        },
    }
}

/// The server holds the session that the client proposes: it accepted an earlier login of it, whose
/// Ready the client never saw, or this is an older copy of a client that did.
fn decide_lost_ready(record: &Record, live: bool) -> Verdict {
    let unproven = record.previous.is_none();
    let nothing_came = record.standing.agrees_with(&Standing::START) && record.delivered == Position::ZERO;
    if unproven && nothing_came && record.lands_on_frame || zoo!(UnconfirmedUnchecked) {
        Verdict::Resume { session: record.session, takeover: live }
    } else {
        Verdict::ProposalDead
    }
}

/// Begins the proposed session, unless its file was made under limits that have changed since.
fn begin(proposed: &Proposal, agreed: &Streams, verdict: fn(SessionId) -> Verdict) -> Verdict {
    if proposed.streams == *agreed { verdict(proposed.session) } else { Verdict::ProposalDead }
}

fn disagreement(held: &Holding, disputed: bool, record: &Record) -> Option<Disagreement> {
    let attachment = Some(held.attachment);
    if held.session != record.session && !zoo!(SessionNotCompared) {
        Some(Disagreement::Session)
    } else if disputed && !zoo!(DisputeIgnored) {
        Some(Disagreement::Disputed)
    } else if attachment != record.current && attachment != record.previous && !zoo!(AttachmentNotCompared) {
        Some(Disagreement::Attachment)
    } else if !record.standing_at(held.attachment).agrees_with(&held.standing) {
        let server = record.standing_at(held.attachment);
        Some(Disagreement::Positions { client: held.standing, server })
    } else if record.delivered > held.standing.sent && !zoo!(DeliveredNotCompared) {
        Some(Disagreement::Delivered { delivered: record.delivered, sent: held.standing.sent })
    } else if !record.lands_on_frame {
        Some(Disagreement::Frame { consumed: held.standing.consumed })
    } else {
        None
    }
}

impl Record {
    /// How far the server has come, as far as a client at `attachment` can know.
    pub fn standing_at(&self, attachment: AttachmentId) -> Standing {
        let is_current = self.current == Some(attachment) || zoo!(UnheardCountsAsSent);
        Standing { sent: if is_current { self.standing.sent } else { self.previous_sent }, ..self.standing }
    }
}

impl Verdict {
    /// What to tell the client, or `None` if the login goes on. Where a policy is asked, the caller adds
    /// the token and the counts.
    pub fn refusal(&self) -> Option<Refusal> {
        let code = match self {
            Verdict::Resume { .. } | Verdict::Fresh(_) | Verdict::Reset(_) => return None,
            Verdict::ProposalDead => RefusalCode::ProposalDead,
            Verdict::TokenVoid => RefusalCode::TokenVoid,
            Verdict::Busy => RefusalCode::Busy,
            Verdict::PeerLostClient => RefusalCode::PeerLostClient,
            Verdict::PeerLostServer => RefusalCode::PeerLostServer,
            Verdict::Diverged(disagreement) => {
                return Some(Refusal::new(RefusalCode::Diverged, disagreement));
            }
            Verdict::Internal => RefusalCode::Internal,
        };
        Some(Refusal::new(code, ""))
    }
}

#[cfg(test)]
mod combinations;
#[cfg(test)]
mod tests;
