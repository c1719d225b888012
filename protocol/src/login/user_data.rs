//! The application's own bytes in a login.

use std::fmt;

/// Up to 1024 bytes that the application adds to its side of a login. The protocol only carries them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserData(Box<[u8]>);

impl UserData {
    /// The most bytes there can be. Room for a version, an account and a signature; data of any size
    /// belongs in messages.
    pub const MAX: usize = 1024;

    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Result<Self, UserDataError> {
        if bytes.len() > Self::MAX {
            return Err(UserDataError { len: bytes.len() });
        }
        Ok(Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// The bytes are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("user data of {len} bytes, where a login carries at most {}", UserData::MAX)]
pub struct UserDataError {
    /// Bytes given.
    pub len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_has_an_end() {
        assert_eq!(UserData::new(&[7; 1024]).unwrap().as_bytes(), [7; 1024]);
        assert_eq!(UserData::new(&[7; 1025]), Err(UserDataError { len: 1025 }));
        assert_eq!(UserData::default().as_bytes(), b"");
    }

    #[test]
    fn user_data_is_escaped_when_shown() {
        assert_eq!(format!("{:?}", UserData::new(b"a\"\n\xff").unwrap()), r#"b"a\"\n\xff""#);
    }
}
