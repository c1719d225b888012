//! A session on a byte stream: input, output and timers of one connection.

#[cfg(feature = "explore")]
mod digest;

use std::time::{Duration, Instant};

use super::Session;
use crate::control::{CloseReason, Control};
use crate::geometry::Geometry;
use crate::header::Header;
use crate::id::Kind;
use crate::inbound::{Frame, Inbound, InboundFault};
use crate::liveness::{AckPacing, Liveness, StallWatch, TimedOut, Timing};
use crate::parking::Sleeper;
use crate::position::{Position, Undelivered};
use crate::queue::{AckFault, Queue};
use crate::reader::Reader;
use crate::received::{Received, Ticket};
use crate::storage::Storage;
use crate::transmit::Transmit;

/// What one connection needs, from login to its end.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub(super) struct Attached {
    transmit: Transmit,
    inbound: Inbound,
    /// Over shared memory: the place in the peer's ring. The connection carries control frames only.
    pub(super) reader: Option<Reader>,
    liveness: Liveness,
    acks: AckPacing,
    stall: StallWatch,
    /// On a server, until the first frame shows that the client has stored the attachment.
    pub(super) unproven: bool,
    /// An ack to send at once, whatever the timers say: it is the first on the connection, or wakes the peer.
    pub(super) greet: bool,
    /// Over shared memory: the peer, which may sleep.
    pub(super) sleeper: Sleeper,
    /// Bytes that the host was given and has not said to be written. No more than these can be.
    offered: usize,
    pub(super) closing: Closing,
    /// What the peer's words were found to be where no error could be returned.
    pub(super) fault: Option<ProtocolError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    Asked(CloseReason),
    /// The last frame is in the transmit buffer or out.
    Told,
    /// The peer sent its last frame.
    Heard,
}

/// What may go out next.
#[derive(Clone, Copy)]
enum Next {
    Nothing,
    /// A control frame waits for the end of the frame that is half written.
    RestOfFrame,
    Pending,
}

/// How a connection starts.
pub(super) struct Start {
    /// How much of our stream the peer said it has consumed.
    pub(super) peer_consumed: Position,
    /// How much of the peer's stream we said we have consumed.
    pub(super) told: Position,
    pub(super) unproven: bool,
    pub(super) greet: bool,
    /// Over shared memory: the place in the peer's ring.
    pub(super) reader: Option<Reader>,
}

impl Attached {
    pub(super) fn new(now: Instant, header: &Header, timing: &Timing, start: Start) -> Self {
        let incoming: Geometry = header.incoming;
        let inbound = Inbound::new(header.session, header.role.other(), incoming, start.told);
        let (transmit, inbound) = match start.reader {
            None => (Transmit::new(start.peer_consumed), inbound),
            Some(_) => (Transmit::control_only(start.peer_consumed), inbound.control_only()),
        };
        Self {
            transmit,
            inbound,
            reader: start.reader,
            liveness: Liveness::new(now, timing),
            acks: AckPacing::new(timing, incoming.capacity(), start.told),
            stall: StallWatch::new(timing),
            unproven: start.unproven,
            greet: start.greet,
            sleeper: Sleeper::default(),
            offered: 0,
            closing: Closing::No,
            fault: None,
        }
    }

    #[inline]
    pub(super) fn is_closing(&self) -> bool {
        self.closing != Closing::No
    }

    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.closing == Closing::No {
            self.closing = Closing::Asked(reason);
        }
    }
}

/// What input amounted to.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message. Its bytes are those of the input, or of the peer's link file.
    Message(Received<'a>),
    /// There is room again for the claim that was refused as [full](crate::SendError::Full).
    Writable,
    /// The peer ended the connection on purpose. Nothing more will come on it.
    Closed(CloseReason),
}

/// Neither side can go on: this side's ring is full of messages that the peer does not consume, while
/// the application keeps messages of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// What the peer has not consumed.
    pub undelivered: Undelivered,
    /// Bytes of the peer's messages that were delivered and not consumed.
    pub unconsumed: u64,
    /// How long nothing has moved.
    pub lasted: Duration,
}

/// The peer broke the protocol. The connection must be ended; the session is unharmed, and nothing of
/// the offending frame was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Its bytes are not its stream.
    #[error(transparent)]
    Inbound(#[from] InboundFault),
    /// What it stored in its link file is no position.
    #[error("the peer's link file says that {found:#x} bytes were consumed, which is no position")]
    Consumed {
        /// The word.
        found: u64,
    },
    /// It acknowledged what it cannot have consumed.
    #[error(transparent)]
    Ack(#[from] AckFault),
}

impl<S: Storage> Session<S> {
    /// Takes the next frames from the front of `input`, up to one that is an event; what remains in
    /// `input` is to be given again, with whatever came after it.
    ///
    /// `None` means that more bytes are needed. Calling with no new bytes, or none at all, is
    /// harmless and tells of room that [`Session::handle_transmitted`] has made.
    pub fn handle_input<'a>(
        &mut self,
        now: Instant,
        input: &mut &'a [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        self.lending.lent = false;
        if !input.is_empty() && !zoo!(SleptThroughWake) {
            // What woke the host is read here, and will not wake it again.
            self.unpark();
        }
        if zoo!(AcksNotReadWhenFull) && self.queue.is_wanted() && self.lending.held > 0 {
            return Ok(None);
        }
        loop {
            // Over shared memory it is `receive` that tells of room.
            let mapped = self.attached.as_ref().is_some_and(|attached| attached.reader.is_some());
            if !mapped && self.queue.take_writable() {
                return Ok(Some(Event::Writable));
            }
            let Some(attached) = self.attached.as_mut().filter(|attached| attached.closing != Closing::Heard)
            else {
                return Ok(None);
            };
            if attached.inbound.is_news(input) {
                attached.liveness.heard(now);
            }
            match attached.inbound.take(input, self.queue.consumed(), self.lending.delivered)? {
                None => return Ok(None),
                Some(frame) => {
                    if let Some(event) = self.handle_frame(frame)? {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    fn handle_frame<'a>(&mut self, frame: Frame<'a>) -> Result<Option<Event<'a>>, ProtocolError> {
        let (Frame::Control { ack, .. } | Frame::Message { ack, .. }) = frame;
        // Everything of the frame is checked before anything of it is stored.
        let attached = self.attached.as_mut().expect("frames come from a connection");
        // Over shared memory nothing but the peer's own word frees what the peer may be reading.
        let on_memory = attached.reader.is_some() && !zoo!(ControlAckFreesMemory);
        let news = if on_memory { None } else { self.queue.check_ack(ack)? };
        if std::mem::take(&mut attached.unproven) {
            self.queue.end_doubt();
        }
        if let Some(position) = news {
            self.queue.acknowledge(position);
        }
        match frame {
            Frame::Control { control: Control::Close(reason), .. } => {
                attached.closing = Closing::Heard;
                Ok(Some(Event::Closed(reason)))
            }
            Frame::Control { .. } => Ok(None),
            // Sent again after a reconnect; the application has it.
            Frame::Message { end, .. } if end <= self.lending.delivered && !zoo!(ResentFramesDelivered) => {
                Ok(None)
            }
            Frame::Message { start, end, kind, payload, .. } => {
                Ok(Some(Event::Message(self.lend(start, end, kind, payload))))
            }
        }
    }

    /// Hands out the next message of the peer's stream.
    #[inline]
    pub(super) fn lend<'a>(
        &mut self,
        start: Position,
        end: Position,
        kind: Kind,
        payload: &'a [u8],
    ) -> Received<'a> {
        self.lending.delivered = end;
        self.lending.out = Some(end);
        self.lending.lent = true;
        let Header { session, role: to, .. } = self.header;
        let ticket = Ticket { brand: self.lending.brand, session, to, start, end, kind };
        Received::new(ticket, payload)
    }

    /// The next bytes to write: a slice of the link file, or a control frame. Empty when there is
    /// nothing to write. Report what was written to [`Session::handle_transmitted`].
    pub fn poll_transmit(&mut self, now: Instant) -> &[u8] {
        self.watch_for_stall(now);
        self.watch_the_peer(now);
        let Some(attached) = &mut self.attached else {
            return &[];
        };
        let next = attached.next(now, &self.queue);
        attached.offered = attached.bytes(next, &self.queue).len();
        attached.bytes(next, &self.queue)
    }

    /// `bytes` bytes of what [`Session::poll_transmit`] gave were written. More than it gave, or the
    /// same a second time, is ignored.
    pub fn handle_transmitted(&mut self, now: Instant, bytes: usize) {
        let Some(attached) = self.attached.as_mut() else {
            return;
        };
        let bytes = if zoo!(TransmittedTwice) { bytes } else { bytes.min(attached.offered) };
        if bytes == 0 {
            return;
        }
        attached.offered -= bytes.min(attached.offered);
        attached.liveness.spoke(now);
        attached.transmit.advance(bytes, &mut self.queue);
        if attached.transmit.is_at(self.queue.tail()) {
            attached.acks.told(self.queue.newest_ack());
        }
    }

    /// When to call [`Session::handle_timeout`] next, if nothing happens before. `None` without a
    /// connection.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let attached = self.attached.as_ref()?;
        // With bytes on offer the host waits for the carrier to take them, and no timer adds any; behind
        // the last frame nothing comes.
        let heartbeat = Some(attached.liveness.heartbeat_deadline()).filter(|_| !zoo!(NotWokenToSpeak));
        let speak = [attached.acks.deadline(), heartbeat];
        let behind_close = attached.closing == Closing::Told && !zoo!(WokenBehindClose);
        let may_speak = attached.offered == 0 && !behind_close;
        let speak = speak.into_iter().flatten().filter(|_| may_speak);
        let watch = attached.stall.deadline().into_iter();
        speak.chain(watch).chain([attached.liveness.silence_deadline()]).min()
    }

    /// Time has passed. [`Session::poll_transmit`] has heartbeats and acks that are due.
    ///
    /// Give the connection's waiting bytes to [`Session::handle_input`] first: after a long pause they
    /// show that the peer is alive.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<Option<Stalled>, TimedOut> {
        let Some(attached) = &mut self.attached else {
            return Ok(None);
        };
        attached.liveness.not_after(now);
        if let Some(timed_out) = attached.liveness.timed_out(now) {
            return Err(timed_out);
        }
        // With a carrier that takes nothing, `poll_transmit` may not have been called for long.
        if !zoo!(StalledWhileConsuming) {
            self.watch_for_stall(now);
        }
        let lasted = self.attached.as_mut().and_then(|attached| attached.stall.report(now));
        Ok(lasted.map(|lasted| Stalled {
            undelivered: self.queue.undelivered(),
            unconsumed: self.lending.delivered.since(self.queue.consumed()),
            lasted,
        }))
    }

    fn watch_for_stall(&mut self, now: Instant) {
        let starving = self.queue.is_wanted() && self.lending.delivered > self.queue.consumed();
        let progress = (self.queue.acked(), self.queue.consumed());
        if let Some(attached) = &mut self.attached {
            attached.stall.observe(now, starving, progress);
        }
    }

    /// Whether the last frame of this connection was sent or received: the socket can be closed.
    pub fn is_closed(&self) -> bool {
        self.attached.as_ref().is_some_and(|attached| match attached.closing {
            Closing::Heard => true,
            Closing::Told => !attached.transmit.has_control(),
            Closing::No | Closing::Asked(_) => false,
        })
    }
}

impl Attached {
    /// When the peer was heard last.
    pub(super) fn heard(&self) -> Instant {
        self.liveness.last_heard()
    }

    fn next<S: Storage>(&mut self, now: Instant, queue: &Queue<S>) -> Next {
        if self.transmit.has_control() {
            return Next::Pending;
        }
        if self.closing == Closing::Told {
            return Next::Nothing;
        }
        match self.due_control(now, queue) {
            Some(_) if !self.transmit.takes_control() => return Next::RestOfFrame,
            Some(control) => self.put_control(control, queue.consumed()),
            None => {}
        }
        Next::Pending
    }

    fn bytes<'a, S: Storage>(&'a self, next: Next, queue: &'a Queue<S>) -> &'a [u8] {
        match next {
            Next::Nothing => &[],
            Next::RestOfFrame => self.transmit.rest_of_frame(queue),
            Next::Pending => self.transmit.pending(queue),
        }
    }

    /// The control frame that has to go out before any further message.
    fn due_control<S: Storage>(&mut self, now: Instant, queue: &Queue<S>) -> Option<Control> {
        // Frames that wait to go out carry an ack themselves.
        let carried = if self.transmit.is_at(queue.tail()) { Position::ZERO } else { queue.newest_ack() };
        match self.closing {
            Closing::Asked(reason) => Some(Control::Close(reason)),
            _ if self.greet => Some(Control::Ack),
            // Over shared memory the peer sees what is consumed.
            _ if self.reader.is_some() => self.liveness.must_speak(now).then_some(Control::Heartbeat),
            _ if self.acks.is_due(now, queue.consumed())
                && carried < queue.consumed()
                && !zoo!(AcksOnlyRide) =>
            {
                Some(Control::Ack)
            }
            _ if self.liveness.must_speak(now) => Some(Control::Heartbeat),
            _ => None,
        }
    }

    fn put_control(&mut self, control: Control, consumed: Position) {
        if matches!(control, Control::Close(_)) {
            self.closing = Closing::Told;
        }
        self.greet = false;
        self.acks.told(consumed);
        self.transmit.put_control(control, consumed);
    }
}
