//! Frames of the protocol's own: between the messages on a TCP connection, never in a ring, and not
//! counted in positions.
//!
//! They are frames of kind 0 with a code in the place of the mark; word 1 is an acknowledgement as in
//! any frame.

use crate::frame::{FrameHeader, HEADER};
use crate::position::Position;

/// What a control frame says besides its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Nothing: it carries an ack that no message is there to carry.
    Ack,
    /// I am alive.
    Heartbeat,
    /// This is the last frame on this connection.
    Close(CloseReason),
}

/// Why a side ends a connection on purpose. The session is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The application closed the link.
    Application,
    /// The process is stopping.
    ShuttingDown,
    /// A newer login of the same client took over.
    Replaced,
    /// The peer broke the protocol.
    Fault,
    /// Nothing was heard from the peer for too long.
    Silence,
    /// A reason that this version does not know.
    Other(u64),
}

impl CloseReason {
    fn number(self) -> u64 {
        match self {
            CloseReason::Application => 1,
            CloseReason::ShuttingDown => 2,
            CloseReason::Replaced => 3,
            CloseReason::Fault => 4,
            CloseReason::Silence => 5,
            CloseReason::Other(number) => number,
        }
    }

    fn from_number(number: u64) -> Self {
        match number {
            1 => CloseReason::Application,
            2 => CloseReason::ShuttingDown,
            3 => CloseReason::Replaced,
            4 => CloseReason::Fault,
            5 => CloseReason::Silence,
            other => CloseReason::Other(other),
        }
    }
}

const ACK: u16 = 1;
const HEARTBEAT: u16 = 2;
const CLOSE: u16 = 3;

/// Bytes of the longest control frame.
pub(crate) const LONGEST: usize = 24;

impl Control {
    /// The frame, and how many of the bytes it takes.
    pub(crate) fn encode(self, ack: Position) -> ([u8; LONGEST], usize) {
        let (code, detail) = match self {
            Control::Ack => (ACK, None),
            Control::Heartbeat => (HEARTBEAT, None),
            Control::Close(reason) => (CLOSE, Some(reason.number())),
        };
        let len = if detail.is_some() { HEADER + 8 } else { HEADER };
        let header = FrameHeader { len, kind: 0, mark: code };
        let mut bytes = [0; LONGEST];
        bytes[..8].copy_from_slice(&header.word().to_le_bytes());
        bytes[8..16].copy_from_slice(&ack.get().to_le_bytes());
        bytes[16..].copy_from_slice(&detail.unwrap_or(0).to_le_bytes());
        (bytes, len as usize)
    }

    /// Checks what word 0 alone can tell: that this is a control frame of a known kind and length.
    pub(crate) fn check(header: FrameHeader) -> Result<(), ControlFault> {
        let expected = match header.mark {
            ACK | HEARTBEAT => HEADER,
            CLOSE => HEADER + 8,
            code => return Err(ControlFault::Unknown { code }),
        };
        if header.len == expected || zoo!(ControlLengthNotChecked) && header.len >= HEADER {
            Ok(())
        } else {
            Err(ControlFault::Length { code: header.mark, len: header.len, expected })
        }
    }

    /// What a frame whose header was checked says.
    pub(crate) fn decode(header: FrameHeader, payload: &[u8]) -> Self {
        match (header.mark, payload.first_chunk()) {
            (CLOSE, Some(number)) => Control::Close(CloseReason::from_number(u64::from_le_bytes(*number))),
            (HEARTBEAT, _) => Control::Heartbeat,
            _ => Control::Ack,
        }
    }
}

/// Why a frame of kind 0 is no control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlFault {
    /// Its code is not known.
    #[error("unknown control code {code}")]
    Unknown {
        /// The code.
        code: u16,
    },
    /// Its length is not that of its code.
    #[error("a control frame of code {code} with {len} bytes, where {expected} belong")]
    Length {
        /// The code.
        code: u16,
        /// Bytes it claims.
        len: u32,
        /// Bytes it has.
        expected: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(len: u32, code: u16) -> FrameHeader {
        FrameHeader { len, kind: 0, mark: code }
    }

    #[test]
    fn unknown_codes_and_wrong_lengths_are_refused() {
        assert_eq!(Control::check(header(16, 0)), Err(ControlFault::Unknown { code: 0 }));
        assert_eq!(Control::check(header(16, 4)), Err(ControlFault::Unknown { code: 4 }));
        for (code, expected) in [(ACK, 16), (HEARTBEAT, 16), (CLOSE, 24)] {
            for len in [0, 1, 7, 8, 15, 17, 23, 25, 32, u32::MAX] {
                let fault = ControlFault::Length { code, len, expected };
                assert_eq!(Control::check(header(len, code)), Err(fault));
            }
        }
    }

    #[test]
    fn golden_bytes() {
        let (bytes, len) = Control::Close(CloseReason::Silence).encode(Position::new(0x0108).unwrap());
        assert_eq!(&bytes[..len], [24, 0, 0, 0, 0, 0, 3, 0, 8, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn every_control_frame_comes_back() {
        let reasons = (0..8).map(|number| Control::Close(CloseReason::from_number(number)));
        for control in [Control::Ack, Control::Heartbeat].into_iter().chain(reasons) {
            let (bytes, len) = control.encode(Position::ZERO);
            let header = FrameHeader::from_word(u64::from_le_bytes(*bytes.first_chunk().unwrap()));
            assert_eq!(Control::check(header), Ok(()));
            assert_eq!(header.len as usize, len);
            assert_eq!(Control::decode(header, &bytes[16..len]), control);
        }
    }
}
