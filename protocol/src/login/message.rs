//! What the four steps of a login say.

use super::carrier::{Carrier, CarrierWish, Carriers};
use super::error::Malformed;
use super::silence::Silence;
use super::streams::Streams;
use super::user_data::UserData;
use crate::geometry::Limits;
use crate::id::{AttachmentId, Challenge, Nonce, ResetToken, SessionId};
use crate::name::Name;
use crate::position::{Standing, Undelivered};

/// The first step, from the client: who it is and what it takes. Receiving one changes no state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The client's name; together with the server's it identifies the link.
    pub client: Name,
    /// The server it means to reach, or `None` if any will do.
    pub server: Option<Name>,
    /// What it sends and what it takes.
    pub limits: Limits,
    /// The carrier it would like.
    pub wish: CarrierWish,
    /// How long it tolerates hearing nothing.
    pub silence: Silence,
    /// For the server's `login` hook, which may admit or refuse on it.
    pub user_data: UserData,
}

/// The second step, from the server: who it is and what it takes.
///
/// It says nothing about any session: saying a name must not be enough to learn of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The server's name, by which the client chooses the link file it shows next.
    pub server: Name,
    /// What it sends and what it takes.
    pub limits: Limits,
    /// The carriers it can offer this client.
    pub carriers: Carriers,
    /// How long it tolerates hearing nothing.
    pub silence: Silence,
    /// Fresh for this connection. The client's machine says it again with its Confirm.
    pub challenge: Challenge,
}

/// The third step, from the client: what it remembers of the link. The server decides on it.
///
/// At least one of `held` and `proposed` is there, and they name different sessions; a token comes with
/// the session to reset to; `disputed` and `undelivered` speak of `held` and come only with it.
/// Anything else is refused as malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The confirmed session in the client's link file, if there is one.
    pub held: Option<Holding>,
    /// A fresh, unconfirmed link file that the client prepared, in this login or in an earlier one that
    /// was cut.
    pub proposed: Option<Proposal>,
    /// The client found that an earlier Ready for this very holding does not fit it. The server then
    /// treats the pair as diverged, however well it fits on its own side.
    pub disputed: bool,
    /// Leave to reset the link, from an earlier refusal.
    pub token: Option<ResetToken>,
    /// What the client's own stream still owes in `held`, so that the server can report what a reset
    /// gives up. Told whenever something is held.
    pub undelivered: Option<Undelivered>,
    /// What the server must read through its mapping of the client's file, over shared memory. Stored in
    /// every file that is shown, since any of them may be the one that goes on.
    pub nonce: Nonce,
}

impl Confirm {
    /// Whether its parts can go together.
    pub(super) fn check(&self) -> Result<(), Malformed> {
        match (&self.held, self.proposed) {
            (None, None) => return Err(Malformed::NothingShown),
            (Some(held), Some(proposed)) if held.session == proposed.session => {
                return Err(Malformed::ProposesItsHolding);
            }
            _ => {}
        }
        if self.token.is_some() && self.proposed.is_none() {
            return Err(Malformed::TokenWithoutProposal);
        }
        if self.held.is_none() && (self.disputed || self.undelivered.is_some()) {
            return Err(Malformed::NothingHeld);
        }
        Ok(())
    }
}

/// A confirmed session, as it stands in the client's link file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The session.
    pub session: SessionId,
    /// The last login of it that the client saw accepted.
    pub attachment: AttachmentId,
    /// How far the client has come in it.
    pub standing: Standing,
}

/// A session that could begin, as the client's unconfirmed link file was made for it.
///
/// The file keeps its sizes, while limits may change from one login to the next. So it says them: a
/// session begins only with streams that both sides' limits lead to in this very login, or the two
/// sides would have rings of different sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The session.
    pub session: SessionId,
    /// The streams that the file was made for.
    pub streams: Streams,
}

/// The fourth step, from the server: the session that goes on or begins. Frames follow at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What was decided.
    pub outcome: Outcome,
    /// The session the stream belongs to.
    pub session: SessionId,
    /// How far the server has come in it.
    pub standing: Standing,
    /// The id of this login, which the client stores before it transmits anything.
    pub attachment: AttachmentId,
    /// What carries the frames.
    pub carrier: Carrier,
    /// What the client must read through its mapping of the server's file, over shared memory.
    pub nonce: Nonce,
    /// For the client's application.
    pub user_data: UserData,
}

/// How an accepted login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides go on with a session they already had.
    Resumed,
    /// Neither side had one; this is the first.
    Fresh,
    /// Both sides agreed to put aside what they had, and to begin anew.
    Reset,
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn fault(edit: impl FnOnce(&mut Confirm)) -> Result<(), Malformed> {
        let mut confirm = samples::confirm();
        edit(&mut confirm);
        confirm.check()
    }

    #[test]
    fn a_confirm_shows_something_and_nothing_twice() {
        assert_eq!(fault(|_| {}), Ok(()));
        assert_eq!(fault(|c| (c.held, c.proposed) = (None, None)), Err(Malformed::NothingShown));
        assert_eq!(
            fault(|c| {
                let Holding { session, .. } = c.held.unwrap();
                c.proposed = Some(Proposal { session, streams: samples::streams() });
            }),
            Err(Malformed::ProposesItsHolding)
        );
    }

    #[test]
    fn a_token_needs_a_session_to_reset_to() {
        assert_eq!(fault(|c| c.proposed = None), Err(Malformed::TokenWithoutProposal));
        assert_eq!(fault(|c| (c.proposed, c.token) = (None, None)), Ok(()));
    }

    #[test]
    fn a_dispute_and_a_debt_are_about_something_held() {
        let proposal = Confirm { held: None, disputed: false, undelivered: None, ..samples::confirm() };
        assert_eq!(proposal.check(), Ok(()));
        let disputed = Confirm { disputed: true, ..proposal.clone() };
        assert_eq!(disputed.check(), Err(Malformed::NothingHeld));
        let owing = Confirm { undelivered: samples::confirm().undelivered, ..proposal };
        assert_eq!(owing.check(), Err(Malformed::NothingHeld));
    }
}
