//! One side of a link: its outgoing queue, its place in the peer's stream, and the connection that
//! carries both.

mod carrier;
mod counters;
#[cfg(feature = "explore")]
mod digest;
mod login;
mod mapped;
mod sleep;

use std::time::Instant;

use crate::batch::Batch;
use crate::control::CloseReason;
use crate::header::Header;
use crate::id::{BootId, Kind, Nonce, SessionId};
use crate::name::Name;
use crate::parking::Parked;
use crate::position::{Committed, Delivered, Position, Standing, Undelivered};
use crate::queue::{Queue, SendError};
use crate::received::{Brand, Held, Lending, Received, Refused, RefusedReason};
use crate::recover::RecoverError;
use crate::slot::Slot;
use crate::storage::Storage;

pub use carrier::{Event, ProtocolError, Stalled};
pub use counters::Counters;
pub use login::{Grant, LoginFault};

use carrier::Attached;

/// One side of a link, without sockets, clock or threads.
///
/// It lives as long as the process keeps it open, across any number of connections. Every method may
/// be called at any time; one that makes no sense at the moment does nothing or says so.
///
/// * `handle_*`: bytes came, bytes went, time passed;
/// * `poll_*`: bytes to write, when to wake;
/// * commands: [`claim`](Session::claim), [`send`](Session::send), [`batch`](Session::batch),
///   [`consume`](Session::consume), [`hold`](Session::hold), [`close`](Session::close);
/// * over shared memory [`receive`](Session::receive) takes the messages from a view of the peer's file, and
///   the connection carries control frames only; a host that sleeps says so with [`park`](Session::park), and
///   [`rouse`](Session::rouse) wakes a peer that does;
/// * logins: [`record`](Session::record) and [`accept`](Session::accept) on a server,
///   [`show`](Session::show) and [`establish`](Session::establish) on a client; both attach a
///   connection, [`detach`](Session::detach) ends it.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub struct Session<S: Storage> {
    header: Header,
    queue: Queue<S>,
    lending: Lending,
    /// The consumption told at the last login: the peer's stream on its connection starts there, even
    /// if more was consumed since.
    told: Position,
    /// Since when the peer has consumed nothing of what it owes: when the first message was waiting, or the
    /// last acknowledgement left some.
    behind_since: Option<(Position, Instant)>,
    /// Whether this side may sleep, as it says at the next login.
    may_sleep: bool,
    /// What its file says of that.
    parked: Parked,
    /// Since the file was opened.
    logins: u64,
    attached: Option<Attached>,
}

impl<S: Storage> Session<S> {
    /// Opens the link file in `storage`, which nobody else writes from here on. Nothing is written if
    /// anything in it does not check. `nonce` is 64 fresh random bits.
    pub fn open(storage: S, nonce: Nonce) -> Result<Self, RecoverError> {
        let (header, queue) = Queue::open(storage, nonce)?;
        let lending =
            Lending { brand: Brand::fresh(), delivered: queue.consumed(), held: 0, out: None, lent: false };
        let told = queue.consumed();
        let parked = queue.parked();
        let (may_sleep, behind_since, logins, attached) = (false, None, 0, None);
        Ok(Self { header, queue, lending, told, behind_since, may_sleep, parked, logins, attached })
    }

    // ---- sending ----

    /// Room for one message of `len` bytes. Nothing is sent before the slot is committed.
    #[inline]
    pub fn claim(&mut self, kind: Kind, len: usize) -> Result<Slot<'_, S>, SendError> {
        Slot::claim(&mut self.queue, &mut self.lending, kind, len)
    }

    /// Commits one message. From here on it is kept until the peer has consumed it.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError> {
        let mut slot = self.claim(kind, payload.len())?;
        slot.copy_from_slice(payload);
        Ok(slot.commit())
    }

    /// Starts a batch: messages that become visible whole or not at all.
    pub fn batch(&mut self) -> Batch<'_, S> {
        Batch::new(&mut self.queue, &mut self.lending)
    }

    // ---- receiving ----

    /// Consumes the oldest unconsumed message: the peer may forget it, and it will not come again.
    /// Any other message is handed back.
    #[inline]
    pub fn consume<'r>(&mut self, received: Received<'r>) -> Result<Delivered, Refused<'r>> {
        if let Err(reason) = self.lending.check(&received.ticket, self.queue.consumed()) {
            return Err(Refused { received, reason });
        }
        self.lending.give_back(&received.ticket);
        let upto = if zoo!(ConsumeByPlace) { self.lending.delivered } else { received.ticket.end };
        self.queue.consume_to(upto);
        Ok(received.position())
    }

    /// Consumes every message up to and including the one that ends at `upto`, dropped ones too, in one
    /// store. A position that is already consumed changes nothing. Refused while messages are held, so
    /// that none is passed over unasked, and while the last one is lent, since consumption frees its bytes:
    /// call [`Session::reclaim`] once it is gone.
    pub fn consume_through(&mut self, upto: Delivered) -> Result<(), RefusedReason> {
        let delivered = self.lending.delivered;
        let to = if zoo!(OtherDirection) { self.header.role } else { upto.to };
        if (upto.session, to) != (self.queue.session, self.header.role) {
            return Err(RefusedReason::Foreign);
        }
        if upto.end > delivered && !zoo!(UndeliveredConsumed) {
            return Err(RefusedReason::NotDelivered { delivered });
        }
        if upto.end > self.queue.consumed() && self.lending.held > 0 {
            return Err(RefusedReason::MessagesHeld { held: self.lending.held });
        }
        if let Some(end) = self.lending.lent_below(upto.end) {
            return Err(RefusedReason::MessageLent { end });
        }
        self.lending.out = self.lending.out.filter(|out| *out > upto.end);
        self.queue.consume_to(upto.end);
        Ok(())
    }

    /// Keeps a message for later. It stays unconsumed, and the peer keeps it too.
    pub fn hold<'r>(&mut self, received: Received<'r>) -> Result<Held, Refused<'r>> {
        if !self.lending.owns(&received.ticket) {
            return Err(Refused { received, reason: RefusedReason::Foreign });
        }
        self.lending.give_back(&received.ticket);
        self.lending.held += 1;
        Ok(received.into_held())
    }

    /// Turns a held message back into one that can be consumed, or held again.
    pub fn redeem(&mut self, held: Held) -> Result<Received<'static>, (Held, RefusedReason)> {
        if !self.lending.owns(&held.ticket) {
            return Err((held, RefusedReason::Foreign));
        }
        self.lending.held -= 1;
        Ok(held.into_received())
    }

    /// The host says that no message it was handed is alive any more: its handler has returned. Tells the
    /// one that was dropped, neither consumed nor held.
    #[inline]
    pub fn reclaim(&mut self) -> Option<Delivered> {
        self.lending.lent = false;
        self.lending.out.map(|end| self.delivered_at(end))
    }

    // ---- the end of a connection ----

    /// Ends the connection on purpose: what is being written is finished, then the peer is told. The
    /// session and its messages stay. Returns what the peer is not known to have consumed.
    pub fn close(&mut self, reason: CloseReason) -> Undelivered {
        if let Some(attached) = &mut self.attached {
            attached.close(reason);
        }
        self.undelivered()
    }

    /// The connection is gone. `nonce` is 64 fresh random bits.
    pub fn detach(&mut self, nonce: Nonce) {
        self.unpark();
        if self.attached.take().is_some() {
            self.queue.stop_writing();
            self.queue.store_nonce(nonce);
        }
    }

    /// The host says in which boot of the machine it runs. Returns whether the file was last used in another
    /// one: unless that machine went down in order, what it wrote last may be lost, and nothing that is left
    /// says so. From here on this boot counts.
    pub fn note_boot(&mut self, boot: BootId) -> bool {
        let before = self.queue.boot();
        if before != Some(boot) {
            self.queue.store_boot(boot);
        }
        before.is_some_and(|before| before != boot)
    }

    /// Goes on in another storage, zero and of the same size: copies the whole link file there, the magic
    /// last, calls `publish`, which gives the copy the place of the original, and moves if that succeeds.
    /// For an original that is lost to everybody but this process.
    pub fn move_to<E>(&mut self, storage: S, publish: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        self.queue.move_to(storage, publish)
    }

    // ---- getters ----

    /// What the link file says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.header.session
    }

    /// The other side's name.
    pub fn peer(&self) -> &Name {
        &self.header.peer
    }

    /// Whether a login was ever completed. Before that nothing can be committed.
    pub fn is_established(&self) -> bool {
        self.queue.current().is_some()
    }

    /// Whether [`Session::close`] was called on this connection, or the peer ended it.
    #[inline]
    pub fn is_closing(&self) -> bool {
        self.attached.as_ref().is_some_and(Attached::is_closing)
    }

    /// Whether a connection carries this session now.
    pub fn is_attached(&self) -> bool {
        self.attached.is_some()
    }

    /// How far this side has come.
    pub fn standing(&self) -> Standing {
        self.queue.standing()
    }

    /// The end of the last committed message.
    pub fn committed(&self) -> Committed {
        Committed { session: self.queue.session, end: self.queue.tail() }
    }

    /// The end of the last consumed message.
    pub fn consumed(&self) -> Delivered {
        self.delivered_at(self.queue.consumed())
    }

    /// The end of the last message that was handed to the application in this process, or was consumed.
    pub fn delivered(&self) -> Delivered {
        self.delivered_at(self.lending.delivered)
    }

    /// How many messages are held.
    pub fn held(&self) -> u64 {
        self.lending.held
    }

    /// Bytes that frames can still take: a message takes its payload and 16 bytes, rounded up to 8.
    pub fn space(&self) -> u64 {
        self.queue.space()
    }

    /// Whether something was refused as full, and room was not told since: whoever has more to commit is then not the
    /// first in line.
    pub fn is_waiting_for_room(&self) -> bool {
        self.queue.is_wanted()
    }

    /// Since when the peer has consumed nothing although messages wait for it, as far as this session was
    /// told the time; `None` if nothing waits. How far it is behind is [`Session::undelivered`].
    pub fn behind_since(&self) -> Option<Instant> {
        // Over shared memory it may be found out between two times that are told.
        let acked = self.queue.acked();
        self.behind_since
            .filter(|(then, _)| (*then == acked || zoo!(BehindSinceStale)) && acked != self.queue.tail())
            .map(|(_, since)| since)
    }

    /// What the peer is not known to have consumed. Counts frames: not for every message.
    pub fn undelivered(&self) -> Undelivered {
        self.queue.undelivered()
    }

    fn delivered_at(&self, end: Position) -> Delivered {
        Delivered { session: self.queue.session, to: self.header.role, end }
    }

    /// Keeps [`Session::behind_since`] up to date. Called whenever the time is told.
    fn watch_the_peer(&mut self, now: Instant) {
        let acked = self.queue.acked();
        if acked == self.queue.tail() {
            self.behind_since = None;
        } else if self.behind_since.is_none_or(|(then, _)| then != acked) {
            self.behind_since = Some((acked, now));
        }
    }
}
