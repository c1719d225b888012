//! User messages whose content can be told from their number.

use std::fmt;

use tcpshm_protocol::{Kind, Role};

/// One user message, as the world outside of a session sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The type.
    pub kind: Kind,
    /// The bytes.
    pub payload: Vec<u8>,
}

impl Message {
    /// The `number`th message that `sender` sends, with `len` bytes that no other message has (as far as
    /// so few bytes can differ) and that are never all zero.
    pub fn numbered(sender: Role, number: u64, len: usize) -> Self {
        let salt = match sender {
            Role::Client => 0x5eed_0000,
            Role::Server => 0xfeed_0000,
        };
        let mut random = fastrand::Rng::with_seed(salt + number);
        let kind = Kind::new(random.u16(1..)).expect("not 0");
        Self { kind, payload: (0..len).map(|_| random.u8(1..)).collect() }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} bytes", self.kind.get(), self.payload.len())?;
        self.payload.iter().take(4).try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}
