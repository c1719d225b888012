//! The outgoing queue: frames in a ring over a [`Storage`], and the words beside them.

mod ahead;
#[cfg(feature = "explore")]
mod digest;
mod error;
mod identity;
mod room;

use crate::boundaries::Boundaries;
use crate::frame::{self, FrameHeader, FrameRule};
use crate::geometry::Geometry;
use crate::header::Header;
use crate::id::{AttachmentId, Kind, Nonce, SessionId};
use crate::layout;
use crate::position::{Position, Standing, Undelivered};
use crate::recover::{self, RecoverError, survey};
use crate::ring::Ring;
use crate::storage::Storage;

pub(crate) use ahead::Zeroed;
pub use error::{AckFault, SendError};
use room::Wanted;

/// One side's link file, opened by its owner.
///
/// Invariants, in every image that a kill can leave:
/// * from `acked` to `tail` there is frame after frame, and the word behind the last one is 0;
/// * the `consumed` word covers the `ack` of every frame below `acked`, since it is stored before any
///   ack of what told it can come back;
/// * bytes from `bound` (see [`Queue::bound`]) to `tail` are never written;
/// * from `tail` to `zeroed` every place where a frame could start holds a zero word.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub(crate) struct Queue<S> {
    storage: S,
    ring: Ring,
    rule: FrameRule,
    geometry: Geometry,
    pub(crate) session: SessionId,
    acked: Position,
    tail: Position,
    /// How much this process, or an earlier one as `sent_floor` tells, has given to a carrier: what
    /// the peer can have seen at all. Never falls.
    handed: Position,
    consumed: Position,
    /// The consumption that the last committed frame tells.
    newest_ack: Position,
    boundaries: Boundaries,
    /// The end of the last frame that was followed by the front of the ring.
    lap_end: Position,
    current: Option<AttachmentId>,
    /// The start of the frame that is being written to a socket: its bytes stay until the write is
    /// over, even if the peer, who may have had them before, acknowledges them.
    writing: Option<Position>,
    /// Whether the peer reads the file through a mapping: then all that is committed is handed over.
    mapped: bool,
    /// Up to where the places behind the tail are known to be zero: one word at least.
    zeroed: Position,
    /// Where the free part of the ring ends, with the zero word behind the last frame; 0 while nothing can be
    /// committed. It follows from the rest, and is what every claim is measured by.
    limit: u64,
    /// What a refused claim is waiting for.
    wanted: Option<Wanted>,
}

impl<S: Storage> Queue<S> {
    /// Opens a link file of one's own. Nothing is written unless everything in it checks.
    pub(crate) fn open(mut storage: S, nonce: Nonce) -> Result<(Header, Self), RecoverError> {
        let survey = survey(&storage)?;
        if zoo!(RecoveryWritesFirst) {
            storage.store(layout::CONSUMED, 0);
        }
        let (header, standing, current, walk) = survey.into_parts();
        if storage.load(layout::CONSUMED) != standing.consumed.get() && !zoo!(ConsumedNotRaised) {
            storage.store(layout::CONSUMED, standing.consumed.get());
        }
        if !recover::is_floor_taken(&storage) {
            storage.store(layout::SENT_FLOOR, walk.tail.get());
            storage.store(layout::SENT_FLOOR_OF, current.map_or(0, AttachmentId::get));
        }
        storage.store(layout::NONCE, nonce.get());
        let mut queue = Self {
            storage,
            ring: Ring::new(header.outgoing),
            rule: FrameRule::new(header.session, header.role, header.outgoing.largest()),
            geometry: header.outgoing,
            session: header.session,
            acked: standing.acked,
            tail: walk.tail,
            handed: standing.sent,
            consumed: standing.consumed,
            newest_ack: walk.newest_ack,
            boundaries: walk.boundaries,
            lap_end: walk.lap_end,
            current,
            writing: None,
            mapped: false,
            zeroed: walk.tail.saturating_add(frame::ALIGNMENT),
            limit: 0,
            wanted: None,
        };
        queue.set_limit();
        Ok((header, queue))
    }

    // ---- frames ----

    /// Bytes below this position may be overwritten. A minimum over whatever still needs them.
    fn bound(&self) -> Position {
        self.writing
            .filter(|_| !zoo!(AckFreesBytesBeingWritten))
            .map_or(self.acked, |writing| self.acked.min(writing))
    }

    /// Whatever the bound, or whether anything may be committed, depends on has changed.
    fn set_limit(&mut self) {
        let end = self.bound().saturating_add(self.ring.capacity());
        self.limit = if self.current.is_some() { end.get() } else { 0 };
    }

    /// Whether `size` bytes of frames fit behind `start`, with the zero word behind them.
    fn fits(&self, start: Position, size: u64) -> bool {
        if zoo!(AdditionWraps) {
            return start.get().wrapping_add(size + frame::ALIGNMENT) <= self.limit;
        }
        let size = if zoo!(FitOffByEight) { size - frame::ALIGNMENT } else { size };
        // A sum that is not representable fits nowhere: the next place must be representable too.
        start.get().checked_add(size + frame::ALIGNMENT).is_some_and(|end| end <= self.limit)
    }

    /// Checks that a frame with `payload` bytes can be written at `start`, which is the tail or, in a
    /// batch, lies behind frames not yet published. Returns its header and its end. The padding is
    /// written here, as the frame's last word: the payload comes over it.
    #[inline]
    pub(crate) fn reserve(
        &mut self,
        start: Position,
        kind: Kind,
        payload: usize,
    ) -> Result<(FrameHeader, Position), SendError> {
        let most = self.geometry.largest();
        let len = u32::try_from(payload).ok().filter(|len| *len <= most || zoo!(LimitNotEnforced));
        let Some(len) = len else {
            let error = SendError::TooLarge { len: payload, most };
            return Err(if self.current.is_some() { error } else { SendError::NotEstablished });
        };
        let size = frame::padded_size(len);
        if !self.fits(start, size) {
            return Err(self.no_room(start, size));
        }
        let header = self.rule.header(start, kind, len);
        let end = start.saturating_add(size);
        if !header.padding().is_empty() && !zoo!(PaddingNotZeroed) {
            let last = self.place(start) + header.padding().end - 8;
            self.storage.bytes_mut(last, 8).copy_from_slice(&[0; 8]);
        }
        Ok((header, end))
    }

    /// Why `size` bytes do not fit behind `start`.
    #[cold]
    fn no_room(&mut self, start: Position, size: u64) -> SendError {
        let needed = start.since(self.tail) + size;
        let capacity = self.ring.capacity();
        if self.current.is_none() {
            return SendError::NotEstablished;
        }
        if needed + frame::ALIGNMENT > capacity {
            return SendError::BatchTooLarge { needed, capacity };
        }
        if start.since(self.bound()) + size + frame::ALIGNMENT <= capacity {
            return SendError::StreamExhausted;
        }
        self.wanted = Some(Wanted::new(needed));
        let needed = if zoo!(BatchMiscounted) { size } else { needed };
        SendError::Full { needed, free: self.space(), unconsumed: self.tail.since(self.acked) }
    }

    /// Where the bytes of the frame at `start` lie in the storage.
    pub(crate) fn place(&self, start: Position) -> usize {
        self.ring.place(start)
    }

    pub(crate) fn payload_mut(&mut self, start: Position, header: FrameHeader) -> &mut [u8] {
        let place = self.place(start);
        self.storage.bytes_mut(place + header.payload().start, header.payload().len())
    }

    pub(crate) fn payload(&self, start: Position, header: FrameHeader) -> &[u8] {
        let place = self.place(start);
        self.storage.bytes(place + header.payload().start, header.payload().len())
    }

    /// Writes word 1 of a frame whose word 0 is not there yet: nothing is visible.
    #[inline]
    pub(crate) fn finish(&mut self, start: Position, ack: Position) {
        let place = self.place(start);
        self.storage.bytes_mut(place + frame::ACK, 8).copy_from_slice(&ack.get().to_le_bytes());
    }

    /// Writes word 0 of a frame that stands behind an unpublished one, and so is not visible either.
    pub(crate) fn stage(&mut self, start: Position, header: FrameHeader) {
        let place = self.place(start);
        self.storage.bytes_mut(place, 8).copy_from_slice(&header.word().to_le_bytes());
    }

    /// Word 0 of a frame that stands in the ring, published or staged.
    pub(crate) fn header_at(&self, start: Position) -> FrameHeader {
        FrameHeader::from_word(self.storage.load(self.place(start)))
    }

    /// Publishes everything from the tail to `end`, whose first frame has `header`, and then records
    /// the consumption that its frames tell. The store of word 0 is the commit.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        header: FrameHeader,
        end: Position,
        consumed: Position,
        Zeroed(ahead): Zeroed,
    ) {
        let start = self.tail;
        let next = end.saturating_add(frame::ALIGNMENT);
        if next > ahead && !zoo!(NextPlaceNotZeroed | LapTag) {
            self.storage.store(self.place(end), 0);
        }
        self.zeroed = ahead.max(next);
        self.storage.store(self.place(start), header.word());
        let mut frame = start;
        let mut next = start.saturating_add(header.size());
        self.note_frame(frame, next);
        while next < end {
            frame = next;
            next = frame.saturating_add(self.header_at(frame).size());
            self.note_frame(frame, next);
        }
        self.tail = end;
        self.newest_ack = consumed;
        if zoo!(AckedBeforeConsumed) {
            self.consumed = consumed;
        }
        self.consume_to(consumed);
    }

    /// There is a frame from `start` to `end`.
    fn note_frame(&mut self, start: Position, end: Position) {
        self.boundaries.insert(start);
        if self.ring.crosses_lap(start, end) {
            self.lap_end = end;
        }
    }

    // ---- words ----

    /// Records that the peer's stream was consumed up to `position`.
    #[inline]
    pub(crate) fn consume_to(&mut self, position: Position) {
        if position > self.consumed {
            self.storage.store(layout::CONSUMED, position.get());
            self.consumed = position;
        }
    }

    /// Whether an acknowledgement can be true, and whether it is news. Changes nothing.
    pub(crate) fn check_ack(&self, ack: u64) -> Result<Option<Position>, AckFault> {
        let Some(position) = Position::new(ack) else {
            return Err(AckFault::InsideFrame { ack });
        };
        if position <= self.acked {
            return Ok(None);
        }
        if zoo!(AckBeyondTail) && position > self.tail {
            return Ok(Some(position));
        }
        let sent = self.writing.filter(|_| zoo!(AckJudgedByCursor)).unwrap_or(self.handed());
        if position > sent {
            return Err(AckFault::BeyondSent { ack, sent });
        }
        if position != self.tail && !self.boundaries.contains(position) && !zoo!(AckInsideFrame) {
            return Err(AckFault::InsideFrame { ack });
        }
        Ok(Some(position))
    }

    /// Frees the frames below `position`, which [`Queue::check_ack`] has let pass.
    pub(crate) fn acknowledge(&mut self, position: Position) {
        if zoo!(AckInTwoStores) {
            self.storage.store(layout::ACKED, self.acked.get() & !0xff | position.get() & 0xff);
        }
        self.storage.store(layout::ACKED, position.get());
        if zoo!(AckedBeforeConsumed) {
            self.storage.store(layout::CONSUMED, self.consumed.get());
        }
        self.boundaries.remove(self.acked, position);
        self.acked = position;
        self.set_limit();
        // Lazily, where the line is being written anyway: recovery must find frames at least up to here.
        self.storage.store(layout::FLOOR, self.tail.get());
    }

    pub(crate) fn move_to<E>(
        &mut self,
        mut storage: S,
        publish: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let behind_magic = layout::MAGIC + 8;
        let len = self.storage.size() - behind_magic;
        storage.bytes_mut(behind_magic, len).copy_from_slice(self.storage.bytes(behind_magic, len));
        storage.store(layout::MAGIC, layout::MAGIC_VALUE);
        publish()?;
        self.storage = storage;
        Ok(())
    }

    // ---- output ----

    /// The bytes to write when `done` bytes of the frame at `start` are out: to the tail, or to the
    /// end of the lap.
    pub(crate) fn unsent(&self, start: Position, done: u64) -> &[u8] {
        let len = self.run_end(start).since(start) - done;
        let offset = usize::try_from(done).expect("less than a frame");
        if zoo!(CursorMasked) {
            let masked = self.place(start.saturating_add(done & !7)) + offset % 8;
            return self.storage.bytes(masked, usize::try_from(len).expect("less than the ring"));
        }
        self.storage.bytes(self.place(start) + offset, usize::try_from(len).expect("less than the ring"))
    }

    /// Up to where the bytes from `start` on are contiguous.
    pub(crate) fn run_end(&self, start: Position) -> Position {
        if self.lap_end > start { self.lap_end } else { self.tail }
    }

    /// Frames up to `end` are out, and the one that starts there is being written.
    pub(crate) fn set_writing(&mut self, end: Position) {
        self.handed = self.handed.max(end);
        self.writing = Some(end);
        self.set_limit();
    }

    /// The peer sees the file itself from here on.
    pub(crate) fn show(&mut self) {
        self.mapped = true;
    }

    /// No carrier takes anything any more.
    pub(crate) fn stop_writing(&mut self) {
        self.handed = self.handed();
        self.mapped = false;
        self.writing = None;
        self.set_limit();
    }

    /// What the peer can have seen.
    fn handed(&self) -> Position {
        if self.mapped { self.tail } else { self.handed }
    }

    // ---- getters ----

    pub(crate) fn standing(&self) -> Standing {
        let sent = if zoo!(TailForSent) { self.tail } else { self.handed() };
        Standing { acked: self.acked, sent, consumed: self.consumed }
    }

    pub(crate) fn tail(&self) -> Position {
        self.tail
    }

    pub(crate) fn acked(&self) -> Position {
        self.acked
    }

    pub(crate) fn consumed(&self) -> Position {
        self.consumed
    }

    pub(crate) fn newest_ack(&self) -> Position {
        self.newest_ack
    }

    pub(crate) fn current(&self) -> Option<AttachmentId> {
        self.current
    }

    /// Bytes that frames can still take, headers included.
    pub(crate) fn space(&self) -> u64 {
        (self.ring.capacity() - frame::ALIGNMENT).saturating_sub(self.tail.since(self.bound()))
    }

    pub(crate) fn undelivered(&self) -> Undelivered {
        Undelivered { messages: self.boundaries.count(), from: self.acked, upto: self.tail }
    }

    /// Whether the peer can have consumed exactly up to `position`.
    pub(crate) fn lands_on_frame(&self, position: Position) -> bool {
        position == self.acked || self.check_ack(position.get()).is_ok_and(|news| news.is_some())
    }
}
