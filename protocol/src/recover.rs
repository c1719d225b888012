//! What a link file holds: one read-only walk, bounded, over bytes that may be anything.

use crate::boundaries::Boundaries;
use crate::frame::{self, FrameFault, FrameRule};
use crate::header::{Header, HeaderError};
use crate::id::AttachmentId;
use crate::layout;
use crate::login::Record;
use crate::position::{Position, Standing, Undelivered};
use crate::ring::Ring;
use crate::storage::Published;

/// The state of a link file, found without changing it.
///
/// It is what opening the file would give: `consumed` already covers what the last published frame
/// acknowledges, and `sent` is what an opening would take it to be.
#[derive(Clone, Debug)]
pub struct Survey {
    header: Header,
    standing: Standing,
    current: Option<AttachmentId>,
    previous: Option<AttachmentId>,
    previous_sent: Position,
    walk: Walk,
}

impl Survey {
    /// Identity and sizes.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How far its owner has come.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The last attachment; `None` while the session was never confirmed.
    pub fn current(&self) -> Option<AttachmentId> {
        self.current
    }

    /// In a server's file: the attachment its client may still be at.
    pub fn previous(&self) -> Option<AttachmentId> {
        self.previous
    }

    /// What is not known to have been consumed.
    pub fn undelivered(&self) -> Undelivered {
        Undelivered {
            messages: self.walk.boundaries.count(),
            from: self.standing.acked,
            upto: self.walk.tail,
        }
    }

    /// Whether `position` is where one of the unconsumed frames ends, or the first one starts.
    pub fn lands_on_frame(&self, position: Position) -> bool {
        position == self.standing.acked
            || position == self.walk.tail
            || (self.standing.acked < position
                && position < self.walk.tail
                && self.walk.boundaries.contains(position))
    }

    /// What a server decides by; see [`Session::record`](crate::Session::record).
    pub fn record(&self, shown: Position) -> Record {
        Record {
            session: self.header.session,
            current: self.current,
            previous: self.previous,
            previous_sent: self.previous_sent,
            standing: self.standing,
            delivered: self.standing.consumed,
            lands_on_frame: self.lands_on_frame(shown),
        }
    }

    pub(crate) fn into_parts(self) -> (Header, Standing, Option<AttachmentId>, Walk) {
        (self.header, self.standing, self.current, self.walk)
    }
}

/// What the walk over the unconsumed frames found.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// Where the last frame ends.
    pub(crate) tail: Position,
    pub(crate) boundaries: Boundaries,
    /// The end of the last frame that ran up to or past the end of the ring; zero if none did.
    pub(crate) lap_end: Position,
    /// The highest consumption that a frame tells.
    pub(crate) newest_ack: Position,
}

/// Reads a whole link file and checks everything in it before it is used.
pub fn survey<P: Published>(file: &P) -> Result<Survey, RecoverError> {
    let header = Header::parse(file)?;
    let acked = position_word(file, layout::ACKED, "acked")?;
    let consumed = position_word(file, layout::CONSUMED, "consumed")?;
    let floor = position_word(file, layout::FLOOR, "floor")?;
    let walk = walk(file, &header, acked)?;
    if walk.tail < floor && !zoo!(FloorNotChecked) {
        return Err(RecoverError::BelowFloor { end: walk.tail, floor });
    }
    let sent_floor = position_word(file, layout::SENT_FLOOR, "sent_floor")?;
    let sent = if is_floor_taken(file) { sent_floor } else { walk.tail };
    if sent < acked || sent > walk.tail {
        return Err(RecoverError::Word { word: "sent_floor", value: sent.get() });
    }
    let standing = Standing { acked, sent, consumed: consumed.max(walk.newest_ack) };
    let current = AttachmentId::new(file.load(layout::CURRENT));
    let previous = AttachmentId::new(file.load(layout::PREVIOUS));
    let previous_sent = position_word(file, layout::PREVIOUS_SENT, "previous_sent")?;
    Ok(Survey { header, standing, current, previous, previous_sent, walk })
}

/// Whether `sent_floor` holds the tail that was found at the first opening since the last attachment. It names
/// the attachment, so the store that makes a new one also ends the floor of the one before: a kill leaves
/// both, or neither.
pub(crate) fn is_floor_taken<P: Published>(file: &P) -> bool {
    let of = file.load(layout::SENT_FLOOR_OF);
    if zoo!(SentFloorNotUsed) {
        return false;
    }
    of == file.load(layout::CURRENT) || zoo!(SentFloorOutlives) && of != 0
}

fn position_word<P: Published>(file: &P, at: usize, word: &'static str) -> Result<Position, RecoverError> {
    let value = file.load(at);
    Position::new(value).ok_or(RecoverError::Word { word, value })
}

/// Walks from `acked` over frames to the first place without one. Every step goes forward by at least
/// a frame header and the whole stays within one lap, so the walk ends whatever the bytes are.
fn walk<P: Published>(file: &P, header: &Header, acked: Position) -> Result<Walk, RecoverError> {
    let ring = Ring::new(header.outgoing);
    let rule = FrameRule::new(header.session, header.role, header.outgoing.largest());
    let mut walk = Walk {
        tail: acked,
        boundaries: Boundaries::new(ring.capacity()),
        lap_end: Position::ZERO,
        newest_ack: Position::ZERO,
    };
    loop {
        let start = walk.tail;
        let place = ring.place(start);
        let word = file.load(place);
        if zoo!(WalkWithoutBound) && word == 0 && start.get() < file.load(layout::FLOOR) {
            walk.tail = start.saturating_add(frame::ALIGNMENT);
            continue;
        }
        if word == 0 || rule.is_of_another_place(start, word) {
            return Ok(walk);
        }
        let at_fault = |fault| RecoverError::Frame { at: start, fault };
        let (frame, _kind) = rule.check(start, word).map_err(at_fault)?;
        let end = start.checked_add(frame.size()).ok_or(RecoverError::Overfull { at: start })?;
        // The zero behind the last frame is part of every lap.
        if end.since(acked) + frame::ALIGNMENT > ring.capacity() {
            return Err(RecoverError::Overfull { at: start });
        }
        let ack = file.load(place + frame::ACK);
        let ack = Position::new(ack).filter(|ack| *ack >= walk.newest_ack);
        walk.newest_ack = ack.ok_or(RecoverError::FrameAck { at: start })?;
        // It is the upper end of the frame's last word.
        let padding = frame.padding();
        if !padding.is_empty() && file.load(place + padding.end - 8) >> (8 * (padding.start % 8)) != 0 {
            return Err(at_fault(FrameFault::Padding));
        }
        walk.boundaries.insert(start);
        if ring.crosses_lap(start, end) {
            walk.lap_end = end;
        }
        walk.tail = end;
    }
}

/// Why a link file cannot be used. The file is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// Its header is not one.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A control word holds what it cannot.
    #[error("the word `{word}` holds {value:#x}, which cannot be: the file is damaged")]
    Word {
        /// Its name.
        word: &'static str,
        /// Its value.
        value: u64,
    },
    /// Bytes where a frame must be are none.
    #[error("at position {at}: {fault}: the file is damaged")]
    Frame {
        /// Where the frame would start.
        at: Position,
        /// What is wrong with it.
        fault: FrameFault,
    },
    /// A frame acknowledges less than the one before it, or no position at all.
    #[error("at position {at}: a frame's acknowledgement cannot be: the file is damaged")]
    FrameAck {
        /// Where the frame starts.
        at: Position,
    },
    /// There are more frames than the ring can hold.
    #[error("at position {at}: more frames than the ring can hold: the file is damaged")]
    Overfull {
        /// Where the first frame too many starts.
        at: Position,
    },
    /// Frames that were published are missing.
    #[error("the frames end at position {end}, but some were published up to {floor}: the file is damaged")]
    BelowFloor {
        /// Where the walk ended.
        end: Position,
        /// Where it must have come to.
        floor: Position,
    },
}
