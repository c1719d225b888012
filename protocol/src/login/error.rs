//! What can be wrong with a login, by whose fault it is.

use super::carrier::{Carrier, CarrierWish, Carriers};
use super::codec::MessageType;
use super::message::Outcome;
use super::refusal::{Refusal, RefusalCode, RefusalText};
use super::silence::SilenceError;
use super::user_data::UserDataError;
use crate::geometry::GeometryError;
use crate::id::SessionId;
use crate::name::{Name, NameError};
use crate::position::Undelivered;

/// The peer said something that ends this login. It ends the connection, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The bytes belong to some other protocol.
    #[error("not a tcpshm login: byte {at} is {found:#04x}")]
    Magic {
        /// Where the first wrong byte stands.
        at: usize,
        /// The byte.
        found: u8,
    },
    /// The peer speaks another version.
    #[error("login version {found}, this program speaks {known}: run matching versions on both sides")]
    Version {
        /// The version received.
        found: u8,
        /// The version this code speaks.
        known: u8,
    },
    /// There is no such message.
    #[error("no login message has type {found}")]
    Type {
        /// The type received.
        found: u8,
    },
    /// The message is announced as longer than any of its type.
    #[error("a {message} of {len} bytes, where {max} is the most")]
    TooLong {
        /// Its type.
        message: MessageType,
        /// Bytes announced.
        len: usize,
        /// The most there can be.
        max: usize,
    },
    /// The body is not one of its type.
    #[error("malformed {message}: {fault}")]
    Malformed {
        /// Its type.
        message: MessageType,
        /// What is wrong with it.
        #[source]
        fault: Malformed,
    },
    /// A message out of turn.
    #[error("a {found} where a {due} is due")]
    Unexpected {
        /// What came.
        found: MessageType,
        /// What comes next in a login, from whichever side.
        due: MessageType,
    },
    /// Another server answered than the one this client means to reach.
    #[error("server {found} answered where {expected} was meant: check the address")]
    WrongServer {
        /// The name the client asked for.
        expected: Name,
        /// The name that answered.
        found: Name,
    },
    /// The Confirm does not answer this connection's Welcome: somebody says again what was once said.
    #[error("the confirm answers another welcome: its challenge is good on its own connection only")]
    StaleConfirm,
    /// The server's Ready does not answer the Confirm.
    #[error("the server's ready does not answer the confirm: {0}")]
    ReadyDoesNotFit(#[from] Misfit),
}

impl LoginError {
    /// What to tell the peer before closing.
    pub fn refusal(&self) -> Refusal {
        match self {
            LoginError::Version { found, known } => {
                let numbers = [u64::from(*found), u64::from(*known)];
                Refusal { numbers, ..Refusal::new(RefusalCode::Version, self) }
            }
            LoginError::WrongServer { .. } => Refusal::new(RefusalCode::WrongServer, self),
            LoginError::StaleConfirm => Refusal::new(RefusalCode::StaleConfirm, self),
            _ => Refusal::new(RefusalCode::Malformed, self),
        }
    }
}

/// Why the body of a login message is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends within a field.
    #[error("the body ends within a field: {left} of its {needed} bytes are there")]
    Truncated {
        /// Bytes of the field.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// It goes on after its last field.
    #[error("{extra} bytes after the last field")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// A byte that says yes or no says neither.
    #[error("{found} is neither 0 nor 1")]
    Flag {
        /// The byte.
        found: u8,
    },
    /// A name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A stream cannot have these sizes.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// A tolerance out of range.
    #[error(transparent)]
    Silence(#[from] SilenceError),
    /// Too much user data.
    #[error(transparent)]
    UserData(#[from] UserDataError),
    /// Too long a text.
    #[error("a refusal text of {len} bytes, where {max} is the most", max = RefusalText::MAX)]
    Text {
        /// Bytes announced.
        len: usize,
    },
    /// There is no such wish.
    #[error("{found} is no carrier wish")]
    CarrierWish {
        /// The number received.
        found: u8,
    },
    /// There is no such carrier.
    #[error("{found} is no carrier")]
    Carrier {
        /// The number received.
        found: u8,
    },
    /// No carrier, or one that this version does not know.
    #[error("{found:#04x} is no set of carriers")]
    Carriers {
        /// The bits received.
        found: u8,
    },
    /// There is no such outcome.
    #[error("{found} is no outcome")]
    Outcome {
        /// The number received.
        found: u8,
    },
    /// No frame starts or ends there.
    #[error("position {found} is not a multiple of 8")]
    Position {
        /// The number received.
        found: u64,
    },
    /// A session id of 0.
    #[error("0 is no session id")]
    Session,
    /// An attachment id of 0.
    #[error("0 is no attachment id")]
    Attachment,
    /// A reset token of 0.
    #[error("0 is no reset token")]
    Token,
    /// So many messages cannot lie in that stretch.
    #[error("impossible count: {0}")]
    Undelivered(Undelivered),
    /// A confirm that shows no session.
    #[error("neither a held nor a proposed session")]
    NothingShown,
    /// A confirm that speaks of a holding it does not show.
    #[error("a dispute or a debt without a held session")]
    NothingHeld,
    /// A confirm whose fresh session is the one it holds.
    #[error("the proposed session is the held one")]
    ProposesItsHolding,
    /// A confirm that would reset to nothing.
    #[error("a reset token without a proposed session")]
    TokenWithoutProposal,
}

/// How a Ready can fail to answer a Confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It names a session that this outcome cannot have.
    #[error("session {found} was not asked for with outcome {outcome:?}")]
    Session {
        /// The outcome told.
        outcome: Outcome,
        /// The session named.
        found: SessionId,
    },
    /// It begins a session as if nothing were held, which would give up what is held without a word.
    #[error("a fresh session in place of the held one, without a reset")]
    FreshOverHolding,
    /// It resets the link although the client gave no leave.
    #[error("a reset that the client did not ask for")]
    ResetWithoutToken,
    /// It grants a carrier that was not wished or not offered.
    #[error("carrier {granted:?} granted, where {wish:?} was wished and {offered:?} offered")]
    Carrier {
        /// The carrier granted.
        granted: Carrier,
        /// What Hello wished.
        wish: CarrierWish,
        /// What Welcome offered.
        offered: Carriers,
    },
}

/// This side's program called a method when it was not its turn. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not the turn of a {message} in this login")]
pub struct OutOfTurn {
    /// The message it would have sent.
    pub message: MessageType,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_becomes_a_refusal_that_names_it() {
        let version = LoginError::Version { found: 9, known: 1 }.refusal();
        assert_eq!((version.code, version.numbers), (RefusalCode::Version, [9, 1]));
        let [expected, found] = ["a", "b"].map(|name| name.parse::<Name>().unwrap());
        let wrong = LoginError::WrongServer { expected, found }.refusal();
        assert_eq!(wrong.code, RefusalCode::WrongServer);
        let malformed =
            LoginError::Malformed { message: MessageType::Confirm, fault: Malformed::Position { found: 7 } };
        assert_eq!(
            malformed.refusal().to_string(),
            "the login was malformed: malformed confirm: position 7 is not a multiple of 8"
        );
    }
}
