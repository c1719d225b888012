//! Login messages as bytes.
//!
//! ```text
//!   0          4         5      6               8
//!   +----------+---------+------+---------------+----------------------------+
//!   | t s h m  | version | type | body length   | body, see `field`          |  little-endian
//!   +----------+---------+------+---------------+----------------------------+
//! ```
//!
//! The prologue is the same in every version to come, so that a side always learns what the other speaks.

use std::fmt;

use super::error::{LoginError, Malformed};
use super::field::Field;
use super::message::{Confirm, Hello, Ready, Welcome};
use super::refusal::Refusal;
use crate::id::Challenge;

/// The version of the login and of the stream after it.
pub const VERSION: u8 = 1;

/// The most bytes the body of any login message has. A longer one is refused from its prologue alone.
pub const MAX_BODY: usize = {
    let mut max = 0;
    let mut at = 0;
    while at < MessageType::ALL.len() {
        let body = MessageType::ALL[at].max_body();
        max = if body > max { body } else { max };
        at += 1;
    }
    max
};

const MAGIC: [u8; 4] = *b"tshm";
const PROLOGUE: usize = 8;

/// One message of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginMessage {
    /// The first step, from the client.
    Hello(Hello),
    /// The second step, from the server.
    Welcome(Welcome),
    /// The third step, from the client, with the challenge of the Welcome that it answers.
    Confirm(Confirm, Challenge),
    /// The fourth step, from the server.
    Ready(Ready),
    /// The end, from either side.
    Refusal(Refusal),
}

impl LoginMessage {
    /// The most bytes a message has: all that a side needs to keep of a peer's input during a login.
    pub const MAX: usize = PROLOGUE + MAX_BODY;

    /// Takes one message from the front of `input`. `None`: more bytes are needed.
    ///
    /// `input` moves only past a whole message. A fault is found at the first byte that shows it, before
    /// anything is kept of the message; it leaves `input` where it was.
    pub fn decode(input: &mut &[u8]) -> Result<Option<LoginMessage>, LoginError> {
        let bytes = *input;
        let Some((message, len)) = decode_prologue(bytes)? else {
            return Ok(None);
        };
        let Some((body, rest)) = bytes[PROLOGUE..].split_at_checked(len) else {
            return Ok(None);
        };
        let decoded =
            Self::decode_body(message, body).map_err(|fault| LoginError::Malformed { message, fault })?;
        *input = rest;
        Ok(Some(decoded))
    }

    fn decode_body(message: MessageType, mut body: &[u8]) -> Result<LoginMessage, Malformed> {
        let decoded = match message {
            MessageType::Hello => LoginMessage::Hello(Field::read(&mut body)?),
            MessageType::Welcome => LoginMessage::Welcome(Field::read(&mut body)?),
            MessageType::Confirm => {
                let (confirm, challenge) = (Confirm::read(&mut body)?, Field::read(&mut body)?);
                confirm.check()?;
                LoginMessage::Confirm(confirm, challenge)
            }
            MessageType::Ready => LoginMessage::Ready(Field::read(&mut body)?),
            MessageType::Refusal => LoginMessage::Refusal(Field::read(&mut body)?),
        };
        if body.is_empty() { Ok(decoded) } else { Err(Malformed::Trailing { extra: body.len() }) }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, self.message_type().number()]);
        let length_at = out.len();
        out.extend_from_slice(&[0; 2]);
        let body_at = out.len();
        match self {
            LoginMessage::Hello(hello) => hello.write(out),
            LoginMessage::Welcome(welcome) => welcome.write(out),
            LoginMessage::Confirm(confirm, challenge) => {
                confirm.write(out);
                challenge.write(out);
            }
            LoginMessage::Ready(ready) => ready.write(out),
            LoginMessage::Refusal(refusal) => refusal.write(out),
        }
        let len = u16::try_from(out.len() - body_at).expect("no body is longer than MAX_BODY");
        out[length_at..body_at].copy_from_slice(&len.to_le_bytes());
    }

    /// Which message it is.
    pub fn message_type(&self) -> MessageType {
        match self {
            LoginMessage::Hello(_) => MessageType::Hello,
            LoginMessage::Welcome(_) => MessageType::Welcome,
            LoginMessage::Confirm(..) => MessageType::Confirm,
            LoginMessage::Ready(_) => MessageType::Ready,
            LoginMessage::Refusal(_) => MessageType::Refusal,
        }
    }
}

/// The type and the body length of the message that starts here, as soon as they are all there.
fn decode_prologue(input: &[u8]) -> Result<Option<(MessageType, usize)>, LoginError> {
    if let Some(at) = input.iter().zip(MAGIC).position(|(found, expected)| *found != expected) {
        return Err(LoginError::Magic { at, found: input[at] });
    }
    let Some(&version) = input.get(4) else { return Ok(None) };
    if version != VERSION && !zoo!(VersionNotCompared) {
        return Err(LoginError::Version { found: version, known: VERSION });
    }
    let Some(&number) = input.get(5) else { return Ok(None) };
    let message = MessageType::from_number(number).ok_or(LoginError::Type { found: number })?;
    let Some(&[low, high]) = input.get(6..PROLOGUE).and_then(<[u8]>::first_chunk) else {
        return Ok(None);
    };
    let (len, max) = (usize::from(u16::from_le_bytes([low, high])), message.max_body());
    if len > max {
        return Err(LoginError::TooLong { message, len, max });
    }
    Ok(Some((message, len)))
}

/// Which message of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// The first step, from the client.
    Hello,
    /// The second step, from the server.
    Welcome,
    /// The third step, from the client.
    Confirm,
    /// The fourth step, from the server.
    Ready,
    /// The end, from either side.
    Refusal,
}

impl MessageType {
    pub(super) const ALL: [MessageType; 5] = [
        MessageType::Hello,
        MessageType::Welcome,
        MessageType::Confirm,
        MessageType::Ready,
        MessageType::Refusal,
    ];

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|message| message.number() == number)
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            MessageType::Hello => 1,
            MessageType::Welcome => 2,
            MessageType::Confirm => 3,
            MessageType::Ready => 4,
            MessageType::Refusal => 5,
        }
    }

    pub(super) const fn max_body(self) -> usize {
        match self {
            MessageType::Hello => Hello::MAX,
            MessageType::Welcome => Welcome::MAX,
            MessageType::Confirm => Confirm::MAX + Challenge::MAX,
            MessageType::Ready => Ready::MAX,
            MessageType::Refusal => Refusal::MAX,
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MessageType::Hello => "hello",
            MessageType::Welcome => "welcome",
            MessageType::Confirm => "confirm",
            MessageType::Ready => "ready",
            MessageType::Refusal => "refusal",
        })
    }
}

#[cfg(test)]
mod tests;
