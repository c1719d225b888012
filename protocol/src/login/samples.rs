//! One message of each type, with every field different from its neighbours and every option there.

use super::*;
use crate::geometry::{Geometry, Limits};
use crate::id::{AttachmentId, Challenge, Nonce, ResetToken, SessionId};
use crate::position::{Position, Standing, Undelivered};

pub(super) fn at(bytes: u64) -> Position {
    Position::new(bytes).unwrap()
}

pub(super) fn session(bits: u128) -> SessionId {
    SessionId::new(bits).unwrap()
}

pub(super) fn attachment(bits: u64) -> AttachmentId {
    AttachmentId::new(bits).unwrap()
}

pub(super) fn standing(acked: u64, sent: u64, consumed: u64) -> Standing {
    Standing { acked: at(acked), sent: at(sent), consumed: at(consumed) }
}

pub(super) fn hello() -> Hello {
    Hello {
        client: "alice".parse().unwrap(),
        server: Some("bob".parse().unwrap()),
        limits: Limits { send: Geometry::new(1024, 200).unwrap(), accept: Geometry::new(512, 100).unwrap() },
        wish: CarrierWish::Auto,
        silence: Silence::default(),
        user_data: UserData::new(b"hi").unwrap(),
    }
}

pub(super) fn welcome() -> Welcome {
    Welcome {
        server: "bob".parse().unwrap(),
        limits: Limits { send: Geometry::new(256, 64).unwrap(), accept: Geometry::new(128, 32).unwrap() },
        carriers: Carriers::BOTH,
        silence: Silence::MIN,
        challenge: challenge(),
    }
}

pub(super) fn challenge() -> Challenge {
    Challenge::new(0x28)
}

/// The streams that `hello` and `welcome` agree on.
pub(super) fn streams() -> Streams {
    limits_agreed(&hello().limits, &welcome().limits).unwrap()
}

pub(super) fn proposal(bits: u128) -> Proposal {
    Proposal { session: session(bits), streams: streams() }
}

/// A confirm that asks for a reset of what it holds.
pub(super) fn confirm() -> Confirm {
    Confirm {
        held: Some(Holding {
            session: session(0xa1),
            attachment: attachment(0xb2),
            standing: standing(16, 64, 32),
        }),
        proposed: Some(proposal(0xc3)),
        disputed: true,
        token: ResetToken::new(0xd4),
        undelivered: Some(Undelivered { messages: 3, from: at(16), upto: at(64) }),
        nonce: Nonce::new(0xe5),
    }
}

pub(super) fn ready() -> Ready {
    Ready {
        outcome: Outcome::Reset,
        session: session(0xc3),
        standing: standing(24, 48, 40),
        attachment: attachment(0xf6),
        carrier: Carrier::Shm,
        nonce: Nonce::new(0x17),
        user_data: UserData::new(b"yo!").unwrap(),
    }
}

pub(super) fn refusal() -> Refusal {
    Refusal {
        token: ResetToken::new(0xd4),
        undelivered: Some(Undelivered { messages: 2, from: at(8), upto: at(72) }),
        numbers: [7, 9],
        ..Refusal::new(RefusalCode::Diverged, "no")
    }
}

pub(super) fn all() -> [LoginMessage; 5] {
    [
        LoginMessage::Hello(hello()),
        LoginMessage::Welcome(welcome()),
        LoginMessage::Confirm(confirm(), challenge()),
        LoginMessage::Ready(ready()),
        LoginMessage::Refusal(refusal()),
    ]
}
