//! The peer's stream as it comes from a socket.

use crate::control::{Control, ControlFault};
use crate::frame::{ACK, FrameFault, FrameHeader, FrameRule};
use crate::geometry::Geometry;
use crate::id::{Kind, Role, SessionId};
use crate::position::Position;

/// A parser that keeps no bytes: a frame is taken from the input whole or not at all, and what is not
/// whole yet stays in the input.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone, Hash))]
pub(crate) struct Inbound {
    rule: FrameRule,
    /// Where the next frame of the peer's stream starts.
    expected: Position,
    /// How much of the peer's stream can be unconsumed: what its ring holds.
    window: u64,
    /// Bytes of an incomplete frame that were there at the last call.
    seen: usize,
    /// Whether messages come another way.
    control_only: bool,
}

/// One whole frame.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    Control { control: Control, ack: u64 },
    Message { start: Position, end: Position, kind: Kind, ack: u64, payload: &'a [u8] },
}

impl Inbound {
    /// The stream of `sender` from `start`, the position it was told we have consumed.
    pub(crate) fn new(session: SessionId, sender: Role, geometry: Geometry, start: Position) -> Self {
        Self {
            rule: FrameRule::new(session, sender, geometry.largest()),
            expected: start,
            // The sender keeps 8 bytes of its ring free for the zero behind the last frame.
            window: geometry.capacity() - 8,
            seen: 0,
            control_only: false,
        }
    }

    /// The same for a connection that carries control frames and no messages.
    pub(crate) fn control_only(self) -> Self {
        Self { control_only: true, ..self }
    }

    /// Whether `input` holds bytes that were not there when the last call left it incomplete.
    pub(crate) fn is_news(&self, input: &[u8]) -> bool {
        input.len() > self.seen || zoo!(PartialFrameIsLife) && !input.is_empty()
    }

    /// Takes one frame from the front of `input`. `consumed` and `delivered` say how much of the stream
    /// the application has consumed, and how much it was given.
    pub(crate) fn take<'a>(
        &mut self,
        input: &mut &'a [u8],
        consumed: Position,
        delivered: Position,
    ) -> Result<Option<Frame<'a>>, InboundFault> {
        if input.is_empty() {
            // A call without input. It does not mean that an incomplete frame has gone.
            return Ok(None);
        }
        let frame = self.parse(input, consumed, delivered)?;
        self.seen = input.len();
        Ok(frame)
    }

    fn parse<'a>(
        &mut self,
        input: &mut &'a [u8],
        consumed: Position,
        delivered: Position,
    ) -> Result<Option<Frame<'a>>, InboundFault> {
        let Some(word) = input.first_chunk() else {
            return Ok(None);
        };
        let word = u64::from_le_bytes(*word);
        if zoo!(LengthZeroTaken) && FrameHeader::from_word(word).len == 0 {
            return Ok(Some(Frame::Control { control: Control::Ack, ack: 0 }));
        }
        // What word 0 shows to be wrong is refused before anything is waited for.
        if FrameHeader::from_word(word).kind == 0 {
            return self.parse_control(input, FrameHeader::from_word(word));
        }
        if self.control_only {
            return Err(InboundFault::MessageOnControl);
        }
        let start = self.expected;
        let at_fault = |fault| InboundFault::Frame { at: start, fault };
        let (header, kind) = self.rule.check(start, word).map_err(at_fault)?;
        let end = start
            .checked_add(header.size())
            .filter(|end| end.since(consumed) <= self.window || zoo!(WindowNotChecked));
        let end = end.ok_or(InboundFault::Overrun { at: start, window: self.window })?;
        // Sent again after a reconnect, a stream has the same frames as before.
        if start < delivered && delivered < end {
            return Err(InboundFault::Overlap { at: start, delivered });
        }
        let Some((frame, rest)) = input.split_at_checked(header.padding().end) else {
            return Ok(None);
        };
        if frame[header.padding()].iter().any(|byte| *byte != 0) {
            return Err(at_fault(FrameFault::Padding));
        }
        let ack = ack_of(frame);
        *input = rest;
        self.expected = end;
        Ok(Some(Frame::Message { start, end, kind, ack, payload: &frame[header.payload()] }))
    }

    fn parse_control<'a>(
        &self,
        input: &mut &'a [u8],
        header: FrameHeader,
    ) -> Result<Option<Frame<'a>>, InboundFault> {
        Control::check(header)?;
        let Some((frame, rest)) = input.split_at_checked(header.len as usize) else {
            return Ok(None);
        };
        *input = rest;
        let control = Control::decode(header, &frame[header.payload()]);
        Ok(Some(Frame::Control { control, ack: ack_of(frame) }))
    }
}

fn ack_of(frame: &[u8]) -> u64 {
    u64::from_le_bytes(*frame[ACK..].first_chunk().expect("a frame has at least 16 bytes"))
}

/// Why the peer's bytes are not its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboundFault {
    /// They are not the frame that belongs at this position.
    #[error("at position {at}: {fault}")]
    Frame {
        /// The position in the peer's stream.
        at: Position,
        /// What is wrong.
        fault: FrameFault,
    },
    /// A control frame that is none.
    #[error(transparent)]
    Control(#[from] ControlFault),
    /// A message that is in part one that was delivered before.
    #[error("at position {at}: a message that reaches over position {delivered}, where an earlier one ended")]
    Overlap {
        /// Where the message starts.
        at: Position,
        /// Where the last delivered one ended.
        delivered: Position,
    },
    /// A message on a connection that carries control frames only, while shared memory carries the messages.
    #[error("a message on the control connection of a link that shared memory carries")]
    MessageOnControl,
    /// The peer has left the memory that its frames are read from: it detached, or restarted.
    #[error("the peer has left the shared memory of this connection")]
    Left,
    /// More unconsumed messages than the peer's ring could hold.
    #[error("at position {at}: more than {window} bytes of messages that were not consumed")]
    Overrun {
        /// Where the first message too many starts.
        at: Position,
        /// Bytes that the peer's ring can hold.
        window: u64,
    },
}
