//! How each value of a login message stands in a body: fixed widths, little-endian, one after the other.
//!
//! ```text
//!   number, id, position    its bytes, little-endian
//!   choice                  u8
//!   name                    u8 length, bytes
//!   user data, text         u16 length, bytes
//!   option                  u8 0, or u8 1 and the value
//!   several fields          one after the other, in the order of their `record!`
//! ```
//!
//! Every value has exactly one encoding, so two programs that agree on a message agree on its bytes.

use super::carrier::{Carrier, CarrierWish, Carriers};
use super::error::Malformed;
use super::message::{Confirm, Hello, Holding, Outcome, Proposal, Ready, Welcome};
use super::refusal::{Refusal, RefusalCode, RefusalText};
use super::silence::Silence;
use super::streams::Streams;
use super::user_data::UserData;
use crate::frame;
use crate::geometry::{Geometry, Limits};
use crate::id::{AttachmentId, Challenge, Nonce, ResetToken, SessionId};
use crate::name::Name;
use crate::position::{Position, Standing, Undelivered};

/// Something that stands in the body of a login message.
pub(super) trait Field: Sized {
    /// The most bytes it takes.
    const MAX: usize;

    /// Appends it to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes it from the front of `body`.
    fn read(body: &mut &[u8]) -> Result<Self, Malformed>;
}

/// Makes a struct a field that is its fields, in the order written here and nowhere else.
macro_rules! record {
    ($name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Field for $name {
            const MAX: usize = 0 $(+ <$type as Field>::MAX)+;

            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)+
            }

            fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
                // The fields of a struct expression are evaluated in the order they are written.
                Ok($name { $($field: <$type as Field>::read(body)?),+ })
            }
        }
    };
}

record!(Hello {
    client: Name,
    server: Option<Name>,
    limits: Limits,
    wish: CarrierWish,
    silence: Silence,
    user_data: UserData,
});
record!(Welcome { server: Name, limits: Limits, carriers: Carriers, silence: Silence, challenge: Challenge });
record!(Confirm {
    held: Option<Holding>,
    proposed: Option<Proposal>,
    disputed: bool,
    token: Option<ResetToken>,
    undelivered: Option<Undelivered>,
    nonce: Nonce,
});
record!(Ready {
    outcome: Outcome,
    session: SessionId,
    standing: Standing,
    attachment: AttachmentId,
    carrier: Carrier,
    nonce: Nonce,
    user_data: UserData,
});
record!(Refusal {
    code: RefusalCode,
    token: Option<ResetToken>,
    undelivered: Option<Undelivered>,
    numbers: [u64; 2],
    text: RefusalText,
});
record!(Limits { send: Geometry, accept: Geometry });
record!(Holding { session: SessionId, attachment: AttachmentId, standing: Standing });
record!(Proposal { session: SessionId, streams: Streams });
record!(Streams { client: Geometry, server: Geometry });
record!(Standing { acked: Position, sent: Position, consumed: Position });

/// Makes a type a field that is a number on the wire and may refuse some numbers.
macro_rules! number {
    ($name:ident: $raw:ty, $to:expr, $from:expr) => {
        impl Field for $name {
            const MAX: usize = <$raw as Field>::MAX;

            fn write(&self, out: &mut Vec<u8>) {
                let to: fn($name) -> $raw = $to;
                to(*self).write(out);
            }

            fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
                let from: fn($raw) -> Result<$name, Malformed> = $from;
                from(<$raw as Field>::read(body)?)
            }
        }
    };
}

number!(SessionId: u128, SessionId::get, |bits| SessionId::new(bits).ok_or(Malformed::Session));
number!(ResetToken: u128, ResetToken::get, |bits| ResetToken::new(bits).ok_or(Malformed::Token));
number!(AttachmentId: u64, AttachmentId::get, |bits| AttachmentId::new(bits).ok_or(Malformed::Attachment));
number!(Position: u64, Position::get, |found| Position::new(found).ok_or(Malformed::Position { found }));
number!(Nonce: u64, Nonce::get, |bits| Ok(Nonce::new(bits)));
number!(Challenge: u64, Challenge::get, |bits| Ok(Challenge::new(bits)));
number!(Silence: u32, Silence::milliseconds, |number| Ok(Silence::from_milliseconds(number)?));
number!(RefusalCode: u16, RefusalCode::number, |number| Ok(RefusalCode::from_number(number)));
number!(Carriers: u8, Carriers::bits, |found| {
    Carriers::from_bits(found).ok_or(Malformed::Carriers { found })
});
number!(
    bool: u8,
    u8::from,
    |found| match found {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(Malformed::Flag { found }),
    }
);
number!(
    Carrier: u8,
    |carrier| match carrier {
        Carrier::Tcp => 1,
        Carrier::Shm => 2,
    },
    |found| match found {
        1 => Ok(Carrier::Tcp),
        2 => Ok(Carrier::Shm),
        found => Err(Malformed::Carrier { found }),
    }
);
number!(
    CarrierWish: u8,
    |wish| match wish {
        CarrierWish::Tcp => 1,
        CarrierWish::Shm => 2,
        CarrierWish::Auto => 3,
    },
    |found| match found {
        1 => Ok(CarrierWish::Tcp),
        2 => Ok(CarrierWish::Shm),
        3 => Ok(CarrierWish::Auto),
        found => Err(Malformed::CarrierWish { found }),
    }
);
number!(
    Outcome: u8,
    |outcome| match outcome {
        Outcome::Resumed => 1,
        Outcome::Fresh => 2,
        Outcome::Reset => 3,
    },
    |found| match found {
        1 => Ok(Outcome::Resumed),
        2 => Ok(Outcome::Fresh),
        3 => Ok(Outcome::Reset),
        found => Err(Malformed::Outcome { found }),
    }
);

macro_rules! integer {
    ($($name:ident)+) => {$(
        impl Field for $name {
            const MAX: usize = size_of::<$name>();

            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
                const SIZE: usize = size_of::<$name>();
                let bytes = take(body, SIZE)?.first_chunk().expect("as long as taken");
                Ok($name::from_le_bytes(*bytes))
            }
        }
    )+};
}

integer!(u8 u16 u32 u64 u128);

impl<T: Field> Field for Option<T> {
    const MAX: usize = bool::MAX + T::MAX;

    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
        if bool::read(body)? { T::read(body).map(Some) } else { Ok(None) }
    }
}

impl Field for [u64; 2] {
    const MAX: usize = 2 * <u64 as Field>::MAX;

    fn write(&self, out: &mut Vec<u8>) {
        self[0].write(out);
        self[1].write(out);
    }

    fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
        Ok([u64::read(body)?, u64::read(body)?])
    }
}

impl Field for Name {
    const MAX: usize = 1 + Name::MAX;

    fn write(&self, out: &mut Vec<u8>) {
        let bytes = self.as_str().as_bytes();
        u8::try_from(bytes.len()).expect("a name has at most 64 bytes").write(out);
        out.extend_from_slice(bytes);
    }

    fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
        let len = u8::read(body)?;
        Ok(Name::from_bytes(take(body, len.into())?)?)
    }
}

impl Field for UserData {
    const MAX: usize = 2 + UserData::MAX;

    fn write(&self, out: &mut Vec<u8>) {
        write_bytes(self.as_bytes(), out);
    }

    fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
        let len = u16::read(body)?;
        Ok(UserData::new(take(body, len.into())?)?)
    }
}

impl Field for RefusalText {
    const MAX: usize = 2 + RefusalText::MAX;

    fn write(&self, out: &mut Vec<u8>) {
        write_bytes(self.as_bytes(), out);
    }

    fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
        let len = usize::from(u16::read(body)?);
        RefusalText::from_bytes(take(body, len)?).ok_or(Malformed::Text { len })
    }
}

impl Field for Geometry {
    const MAX: usize = <u64 as Field>::MAX + <u32 as Field>::MAX;

    fn write(&self, out: &mut Vec<u8>) {
        self.capacity().write(out);
        self.largest().write(out);
    }

    fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(Geometry::new(u64::read(body)?, u32::read(body)?)?)
    }
}

impl Field for Undelivered {
    const MAX: usize = <u64 as Field>::MAX + 2 * <Position as Field>::MAX;

    fn write(&self, out: &mut Vec<u8>) {
        self.messages.write(out);
        self.from.write(out);
        self.upto.write(out);
    }

    fn read(body: &mut &[u8]) -> Result<Self, Malformed> {
        let undelivered = Undelivered {
            messages: u64::read(body)?,
            from: Position::read(body)?,
            upto: Position::read(body)?,
        };
        let Undelivered { messages, from, upto } = undelivered;
        let most = upto.since(from) / frame::padded_size(0);
        // A stretch that ends before it starts has room for none and is not empty either.
        let possible = messages <= most && (messages == 0) == (from == upto);
        if possible { Ok(undelivered) } else { Err(Malformed::Undelivered(undelivered)) }
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    u16::try_from(bytes.len()).expect("user data and texts have at most 1024 bytes").write(out);
    out.extend_from_slice(bytes);
}

fn take<'a>(body: &mut &'a [u8], needed: usize) -> Result<&'a [u8], Malformed> {
    let Some((taken, rest)) = body.split_at_checked(needed) else {
        return Err(Malformed::Truncated { needed, left: body.len() });
    };
    *body = rest;
    Ok(taken)
}
