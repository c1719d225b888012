//! Random numbers that tell sessions, attachments, openings and connections apart. The host draws them; the
//! protocol only compares them.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU64, NonZeroU128};

/// The type of a user message: 1 to 65535. Kind 0 belongs to the protocol and never stands in the ring.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(NonZeroU16);

impl Kind {
    /// The kind with this number, or `None` for 0.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number, 1 to 65535.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.0)
    }
}

/// Which side of a link somebody is. The client dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that connects, and that makes session ids.
    Client,
    /// The side that accepts, and that makes attachment ids.
    Server,
}

impl Role {
    /// The other side.
    pub const fn other(self) -> Role {
        match self {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }
}

/// One history of a link, 128 random bits drawn by the client. Not 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(NonZeroU128);

impl SessionId {
    /// The id with these random bits, or `None` for 0.
    pub const fn new(bits: u128) -> Option<Self> {
        match NonZeroU128::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Its bits.
    pub const fn get(self) -> u128 {
        self.0.get()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl fmt::Display for SessionId {
    /// 32 hexadecimal digits, as in file names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One accepted login of a session, 64 random bits drawn by the server. Not 0: a link file whose
/// attachment word is 0 has not been confirmed.
///
/// Attachment ids show what positions cannot: a copy of a link file that has gone its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttachmentId(NonZeroU64);

impl AttachmentId {
    /// The id with these random bits, or `None` for 0.
    pub const fn new(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Its bits.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// 64 random bits that an owner stores in its link file whenever it opens, attaches or detaches it, so
/// that a reader can tell this memory, now, from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(u64);

impl Nonce {
    /// The nonce with these random bits.
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// 64 random bits that a server draws for one connection and says in Welcome. A Confirm that does not say
/// them again was made for another connection, and decides nothing on this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Challenge(u64);

impl Challenge {
    /// The challenge with these random bits.
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// One boot of the machine, 64 bits by which the host tells it from every other. Not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootId(NonZeroU64);

impl BootId {
    /// The id with these bits, or `None` for 0.
    pub const fn new(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Its bits.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// A server's leave to reset one link once, 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResetToken(NonZeroU128);

impl ResetToken {
    /// The token with these random bits, or `None` for 0.
    pub const fn new(bits: u128) -> Option<Self> {
        match NonZeroU128::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Its bits.
    pub const fn get(self) -> u128 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_kind_session_attachment_boot_or_token() {
        assert_eq!(Kind::new(0), None);
        assert_eq!(SessionId::new(0), None);
        assert_eq!(AttachmentId::new(0), None);
        assert_eq!(BootId::new(0), None);
        assert_eq!(ResetToken::new(0), None);
        assert_eq!(Kind::new(65535).map(Kind::get), Some(65535));
    }

    #[test]
    fn a_session_id_prints_as_32_digits() {
        assert_eq!(SessionId::new(0xabc).unwrap().to_string(), "00000000000000000000000000000abc");
    }
}
