//! Frames made and read by hand, from the written format alone: what a hostile peer sends, and what a
//! reader that shares no code with the session sees.

use tcpshm_protocol::{Kind, Role, SessionId};

use crate::world::message::Message;

/// Bytes before a payload.
pub const HEADER: u32 = 16;
/// The code of a control frame that only acknowledges.
pub const ACK: u16 = 1;
/// The code of a heartbeat.
pub const HEARTBEAT: u16 = 2;
/// The code of a close.
pub const CLOSE: u16 = 3;

/// Who sends in which session: what the marks of a stream depend on.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// The session.
    pub session: SessionId,
    /// The side whose frames these are.
    pub sender: Role,
}

/// Something read from a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message at its position.
    Message {
        /// Where its frame starts.
        at: u64,
        /// How much of the reader's own stream the sender had consumed.
        ack: u64,
        /// What it says.
        message: Message,
    },
    /// A control frame.
    Control {
        /// What kind of.
        code: u16,
        /// How much of the reader's own stream the sender had consumed.
        ack: u64,
    },
}

/// Bytes that a message of `payload` bytes takes in a stream.
pub fn frame_size(payload: usize) -> u64 {
    (payload as u64 + u64::from(HEADER)).next_multiple_of(8)
}

/// Word 0 of a frame.
pub fn word(len: u32, kind: u16, mark: u16) -> u64 {
    u64::from(len) | u64::from(kind) << 32 | u64::from(mark) << 48
}

/// A frame of these two words, this payload, and zeros up to a multiple of 8.
pub fn frame(word: u64, ack: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [word.to_le_bytes(), ack.to_le_bytes()].concat();
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A control frame without detail.
pub fn control(code: u16, ack: u64) -> Vec<u8> {
    frame(word(HEADER, 0, code), ack, &[])
}

/// A close with the number of its reason.
pub fn close(reason: u64, ack: u64) -> Vec<u8> {
    frame(word(HEADER + 8, 0, CLOSE), ack, &reason.to_le_bytes())
}

impl Stream {
    /// The mark of the frame at `at`.
    #[expect(clippy::cast_possible_truncation, reason = "the top and bottom bits are wanted")]
    pub fn mark(self, at: u64) -> u16 {
        let id = self.session.get();
        let folded = id as u64 ^ (id >> 64) as u64;
        let salt = if self.sender == Role::Client { folded } else { !folded };
        (((at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt) >> 48) as u16
    }

    /// Word 0 of a message at `at`, as it should be.
    pub fn word(self, at: u64, kind: Kind, payload: usize) -> u64 {
        let payload = u32::try_from(payload).expect("test messages are short");
        word(HEADER + payload, kind.get(), self.mark(at))
    }

    /// A message at `at`.
    pub fn message(self, at: u64, ack: u64, message: &Message) -> Vec<u8> {
        frame(self.word(at, message.kind, message.payload.len()), ack, &message.payload)
    }

    /// Takes one frame apart, if it is there whole; panics on what is no frame of this stream. Messages
    /// are taken to start at `at`.
    pub fn read(self, at: u64, input: &mut &[u8]) -> Option<Item> {
        let words: &[u8; 16] = input.first_chunk()?;
        let [first, ack] =
            [0, 8].map(|from| u64::from_le_bytes(*words[from..].first_chunk().expect("8 bytes")));
        let len = usize::try_from(first & 0xffff_ffff).expect("64 bits");
        let (frame, rest) = input.split_at_checked(len.next_multiple_of(8))?;
        *input = rest;
        let [kind, mark] = [32, 48].map(|shift| u16::try_from(first >> shift & 0xffff).expect("16 bits"));
        let Some(kind) = Kind::new(kind) else {
            assert!(
                matches!((mark, len), (ACK | HEARTBEAT, 16) | (CLOSE, 24)),
                "control {mark} of {len} bytes"
            );
            return Some(Item::Control { code: mark, ack });
        };
        assert_eq!(mark, self.mark(at), "a message at {at} has the mark of another place");
        assert!(frame[len..].iter().all(|byte| *byte == 0), "padding at {at}");
        let message = Message { kind, payload: frame[16..len].to_vec() };
        Some(Item::Message { at, ack, message })
    }

    /// Takes a whole stream apart that starts at `at`.
    pub fn read_all(self, mut at: u64, mut input: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        while let Some(item) = self.read(at, &mut input) {
            if let Item::Message { message, .. } = &item {
                at += frame_size(message.payload.len());
            }
            items.push(item);
        }
        assert!(input.is_empty(), "{} bytes of an incomplete frame", input.len());
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_by_hand_is_read_by_hand() {
        let stream = Stream { session: SessionId::new(77).unwrap(), sender: Role::Server };
        let messages = [0, 1, 8, 13].map(|len| Message::numbered(Role::Server, len as u64, len));
        let mut bytes = control(ACK, 8);
        let mut at = 1 << 40;
        for message in &messages {
            bytes.extend(stream.message(at, 16, message));
            at += frame_size(message.payload.len());
        }
        bytes.extend(close(1, 24));
        let items = stream.read_all(1 << 40, &bytes);
        assert_eq!(items.len(), 6);
        assert_eq!(items[0], Item::Control { code: ACK, ack: 8 });
        assert!(matches!(&items[4], Item::Message { message, .. } if *message == messages[3]));
        assert_eq!(items[5], Item::Control { code: CLOSE, ack: 24 });
    }
}
