//! A frame: the same bytes in the ring, in the peer's mapping and on the wire.
//!
//! ```text
//!   0        4      6      8                16              16 + payload
//!   +--------+------+------+----------------+----------------+---------+
//!   | len    | kind | mark | ack            | payload        | zeros   |  little-endian,
//!   +--------+------+------+----------------+----------------+---------+  zeros up to 8
//!   '------- word 0 -------'---- word 1 ----'
//! ```
//!
//! `len` counts header and payload, without the zeros. Word 0 is never 0 in a frame: its 8-byte store is
//! what publishes one, and a 0 in its place says that there is none.

use std::ops::Range;

use crate::id::{Kind, Role, SessionId};
use crate::position::Position;

/// Bytes before the payload.
pub(crate) const HEADER: u32 = 16;
/// Where word 1 (`ack`) stands in a frame.
pub(crate) const ACK: usize = 8;
/// Frames start and end at multiples of this.
pub(crate) const ALIGNMENT: u64 = 8;

/// Bytes that a frame with this payload takes.
pub(crate) const fn padded_size(payload: u32) -> u64 {
    (payload as u64 + HEADER as u64).next_multiple_of(ALIGNMENT)
}

/// How many bytes a frame takes in all that begins with `front`; `None` if that is not in it yet.
///
/// For a host that wants to know how much of a long one is still to come, when
/// [`Session::handle_input`](crate::Session::handle_input) has looked at it and needs more. Of bytes that no session
/// has looked at it says nothing.
#[must_use]
pub fn frame_size(front: &[u8]) -> Option<usize> {
    let word = front.first_chunk().map(|word| u64::from_le_bytes(*word))?;
    usize::try_from(FrameHeader::from_word(word).size()).ok()
}

/// Word 0 of a frame, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) len: u32,
    pub(crate) kind: u16,
    pub(crate) mark: u16,
}

impl FrameHeader {
    #[expect(clippy::cast_possible_truncation, reason = "the fields of word 0")]
    pub(crate) const fn from_word(word: u64) -> Self {
        Self { len: word as u32, kind: (word >> 32) as u16, mark: (word >> 48) as u16 }
    }

    pub(crate) const fn word(self) -> u64 {
        self.len as u64 | (self.kind as u64) << 32 | (self.mark as u64) << 48
    }

    /// Bytes the frame takes, padding included.
    pub(crate) const fn size(self) -> u64 {
        (self.len as u64).next_multiple_of(ALIGNMENT)
    }

    /// Where the payload stands in the frame. Only for a header that was checked.
    pub(crate) const fn payload(self) -> Range<usize> {
        HEADER as usize..self.len as usize
    }

    /// Where the zeros behind the payload stand in the frame, up to 7 of them.
    pub(crate) const fn padding(self) -> Range<usize> {
        let end = self.len as usize;
        end..end.next_multiple_of(8)
    }
}

/// What a frame in a given place must look like: the marks and the largest length of one stream.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "explore", derive(Hash))]
pub(crate) struct FrameRule {
    salt: u64,
    most: u32,
}

/// Odd, so that every bit of the position reaches the top ones.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

impl FrameRule {
    /// The rule for what `sender` sends in `session`, with payloads of up to `largest` bytes.
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the id are used")]
    pub(crate) fn new(session: SessionId, sender: Role, largest: u32) -> Self {
        let folded = session.get() as u64 ^ (session.get() >> 64) as u64;
        let salt = match sender {
            Role::Client => folded,
            Role::Server => !folded,
        };
        Self { salt, most: HEADER + largest }
    }

    fn mark(&self, at: Position) -> u16 {
        let mark = (((at.get() / ALIGNMENT).wrapping_mul(MIX) ^ self.salt) >> 48) as u16;
        if zoo!(LapTag) { mark & 1 } else { mark }
    }

    /// The header of a frame of ours that starts at `at`.
    pub(crate) fn header(&self, at: Position, kind: Kind, payload: u32) -> FrameHeader {
        FrameHeader { len: HEADER + payload, kind: kind.get(), mark: self.mark(at) }
    }

    /// Whether a word 0 found at `at` was written for another place or lap. Never, since zeros stand behind the last frame.
    #[inline(always)]
    pub(crate) fn is_of_another_place(&self, at: Position, word: u64) -> bool {
        zoo!(LapTag) && FrameHeader::from_word(word).mark != self.mark(at)
    }

    /// Checks a word 0 that was found at `at` and is not that of a control frame.
    pub(crate) fn check(&self, at: Position, word: u64) -> Result<(FrameHeader, Kind), FrameFault> {
        let header = FrameHeader::from_word(word);
        if header.len < HEADER || header.len > self.most {
            return Err(FrameFault::Length { len: header.len, least: HEADER, most: self.most });
        }
        let Some(kind) = Kind::new(header.kind) else {
            return Err(FrameFault::Kind);
        };
        let expected = self.mark(at);
        if header.mark != expected && !zoo!(MarkNotChecked) {
            return Err(FrameFault::Mark { found: header.mark, expected });
        }
        Ok((header, kind))
    }
}

/// Why bytes in a frame's place are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// Its length cannot be.
    #[error("a frame length of {len} bytes, where {least} to {most} are possible")]
    Length {
        /// The length found, header included.
        len: u32,
        /// The least there is.
        least: u32,
        /// The most this stream carries.
        most: u32,
    },
    /// It has the protocol's own kind, which never stands in a ring.
    #[error("kind 0 in the place of a message")]
    Kind,
    /// Its mark belongs to another place, lap or session.
    #[error("a frame mark of {found:#06x} where {expected:#06x} belongs")]
    Mark {
        /// The mark found.
        found: u16,
        /// The mark of this place.
        expected: u16,
    },
    /// The bytes between payload and end are not zero.
    #[error("padding that is not zero")]
    Padding,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(sender: Role) -> FrameRule {
        FrameRule::new(SessionId::new(0x1234 << 112 | 0xffff).unwrap(), sender, 100)
    }

    #[test]
    fn the_front_of_a_frame_tells_its_size() {
        let header = FrameHeader { len: 30, kind: 1, mark: 0xffff };
        let word = header.word().to_le_bytes();
        assert_eq!(frame_size(&word), Some(32));
        assert_eq!(frame_size(&[&word[..], &[9; 3]].concat()), Some(32));
        assert_eq!(frame_size(&word[..7]), None);
    }

    #[test]
    fn a_size_is_a_multiple_of_eight_that_holds_header_and_payload() {
        for (payload, size) in [(0, 16), (1, 24), (8, 24), (9, 32), (1 << 30, (1 << 30) + 16)] {
            assert_eq!(padded_size(payload), size);
        }
    }

    #[test]
    fn a_header_is_refused_for_length_kind_and_mark() {
        let rule = rule(Role::Client);
        let at = Position::new(4096).unwrap();
        let good = rule.header(at, Kind::new(7).unwrap(), 100);
        assert_eq!(rule.check(at, good.word()), Ok((good, Kind::new(7).unwrap())));
        for len in [0, 1, 7, 15, 117, u32::MAX] {
            let word = FrameHeader { len, ..good }.word();
            assert_eq!(rule.check(at, word), Err(FrameFault::Length { len, least: 16, most: 116 }));
        }
        assert_eq!(rule.check(at, FrameHeader { kind: 0, ..good }.word()), Err(FrameFault::Kind));
        let next = Position::new(4104).unwrap();
        assert!(matches!(rule.check(next, good.word()), Err(FrameFault::Mark { .. })));
    }

    #[test]
    fn the_two_directions_of_a_session_have_different_marks() {
        let at = Position::new(64).unwrap();
        assert_ne!(rule(Role::Client).mark(at), rule(Role::Server).mark(at));
    }

    #[test]
    fn word_0_has_its_written_layout() {
        let header = FrameHeader { len: 0x0403_0201, kind: 0x0605, mark: 0x0807 };
        assert_eq!(header.word().to_le_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(FrameHeader::from_word(header.word()), header);
    }
}
