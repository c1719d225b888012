//! The name of a process, as it stands in logins and file names.

use std::fmt;
use std::str::FromStr;

/// A validated name: 1 to 64 bytes of ASCII letters, digits, `-`, `_` and `.`, not starting with `.`.
///
/// Rejected, not repaired: nothing is ever shortened or replaced, so different names stay different.
/// The set has no separator, control character or `~`, so that a name can stand in a path and a log as
/// it is, and `~` can separate names in file names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// The longest name, in bytes.
    pub const MAX: usize = 64;

    /// The name with these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > Self::MAX {
            return Err(NameError::TooLong { len: bytes.len(), max: Self::MAX });
        }
        if bytes[0] == b'.' {
            return Err(NameError::LeadingDot);
        }
        if let Some(at) = bytes.iter().position(|byte| !allowed(*byte)) {
            return Err(NameError::Forbidden { at, byte: bytes[at] });
        }
        // The allow-list is ASCII.
        Ok(Self(bytes.iter().copied().map(char::from).collect()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') || zoo!(NamesNotChecked)
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why some bytes are not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There are no bytes.
    #[error("a name must not be empty")]
    Empty,
    /// There are too many.
    #[error("a name of {len} bytes is longer than {max}")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// It would be a hidden file.
    #[error("a name must not start with a dot")]
    LeadingDot,
    /// A byte outside the allowed set.
    #[error("byte {byte:#04x} at {at} is not allowed in a name: use letters, digits, '-', '_' and '.'")]
    Forbidden {
        /// Where it stands.
        at: usize,
        /// The byte.
        byte: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_rather_than_repaired() {
        assert_eq!(Name::from_bytes(b""), Err(NameError::Empty));
        assert_eq!(Name::from_bytes(&[b'a'; 65]), Err(NameError::TooLong { len: 65, max: 64 }));
        assert_eq!(Name::from_bytes(b".."), Err(NameError::LeadingDot));
        for bad in [b'/', b'\0', b'\n', b' ', b'~', b'\\', 0x7f, 0xc3] {
            assert_eq!(Name::from_bytes(&[b'a', bad]), Err(NameError::Forbidden { at: 1, byte: bad }));
        }
    }

    #[test]
    fn an_allowed_name_comes_back_unchanged() {
        for good in ["a", "server-20260714", "A_b.c", &"x".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
    }
}
