//! A link as the application sees it.

use std::collections::VecDeque;
use std::time::Instant;

use tcpshm_protocol::{
    Batch, CloseReason, Committed, Counters, Delivered, Held, Kind, Name, Received, Refused, RefusedReason,
    SendError, SessionId, Slot, Undelivered,
};
use tcpshm_shm::{Mapped, MappedSession, Outbox};

use crate::connection::Connection;

/// One link: what its application may do with it, whichever carrier it has, and whether it has one at
/// the moment or not. What is committed without a connection goes out on the next one.
///
/// Over TCP bytes are written to the connection when the handler that was given the link returns, or when
/// a link that the host asked for is dropped: replies to one event leave together. Over shared memory the
/// peer sees what is committed at once; a peer that sleeps is woken for it when a handler returns, not
/// necessarily this one but within as many messages again as came before in the burst, or when the link is dropped. What it has consumed is looked up when the ring looks full and when the host asks for the link:
/// in a handler [`Link::space`] and [`Link::undelivered`] may lag.
pub struct Link<'l> {
    outbox: Outbox<'l>,
    /// A handler's link has none: the driver looks after it when the handler returns.
    outlet: Option<Outlet<'l>>,
    /// Whether anything was done that may leave bytes to write or a deadline to keep.
    used: bool,
}

/// What happens when a host is done with a link it asked for.
pub(crate) struct Outlet<'l> {
    pub(crate) connection: &'l mut Connection,
    pub(crate) now: Instant,
    pub(crate) again: Again<'l>,
}

/// How to have the connection looked at in the driver's next turn.
pub(crate) enum Again<'l> {
    Flag(&'l mut bool),
    Queue { queue: &'l mut VecDeque<usize>, queued: &'l mut bool, index: usize },
}

impl<'l> Link<'l> {
    #[inline]
    pub(crate) fn new(outbox: Outbox<'l>) -> Self {
        Self { outbox, outlet: None, used: false }
    }

    pub(crate) fn for_host(session: &'l mut MappedSession, outlet: Option<Outlet<'l>>) -> Self {
        session.observe();
        Self { outbox: session.outbox(), outlet, used: false }
    }

    #[inline]
    fn using(&mut self) -> &mut Outbox<'l> {
        self.used = true;
        &mut self.outbox
    }

    /// Room for one message of `len` bytes in the link file; see [`Slot`].
    #[inline]
    pub fn claim(&mut self, kind: Kind, len: usize) -> Result<Slot<'_, Mapped>, SendError> {
        self.using().claim(kind, len)
    }

    /// Commits one message. From here on it is kept until the peer has consumed it.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError> {
        self.using().send(kind, payload)
    }

    /// Starts a batch: messages that become visible whole or not at all.
    pub fn batch(&mut self) -> Batch<'_, Mapped> {
        self.using().batch()
    }

    /// Consumes the oldest unconsumed message. Any other is handed back.
    #[inline]
    pub fn consume<'r>(&mut self, received: Received<'r>) -> Result<Delivered, Refused<'r>> {
        self.using().consume(received)
    }

    /// Consumes every message up to and including the one that ends at `upto`, in one store; not while
    /// messages are held, and not past the message that the handler was just given.
    pub fn consume_through(&mut self, upto: Delivered) -> Result<(), RefusedReason> {
        self.using().consume_through(upto)
    }

    /// Keeps a message for later; it stays unconsumed.
    pub fn hold<'r>(&mut self, received: Received<'r>) -> Result<Held, Refused<'r>> {
        self.using().hold(received)
    }

    /// Turns a held message back into one that can be consumed.
    pub fn redeem(&mut self, held: Held) -> Result<Received<'static>, (Held, RefusedReason)> {
        self.using().redeem(held)
    }

    /// Ends the connection, not the session. Returns what the peer is not known to have consumed; it
    /// is kept, and goes out on the next connection.
    ///
    /// It waits for nothing. Over TCP what is in the socket still arrives; over shared memory what the peer has
    /// not polled by now comes with the next connection.
    pub fn close(&mut self) -> Undelivered {
        self.using().close(CloseReason::Application)
    }

    /// The other side's name.
    pub fn peer(&self) -> &Name {
        self.outbox.session().peer()
    }

    /// The session, which a reset replaces by another.
    pub fn session(&self) -> SessionId {
        self.outbox.session().id()
    }

    /// Whether a connection carries the link now.
    pub fn is_connected(&self) -> bool {
        self.outbox.session().is_attached()
    }

    /// The session, for a mailbox that is emptied into it.
    pub(crate) fn outbox(&mut self) -> &mut Outbox<'l> {
        self.using()
    }

    /// Whether [`Link::close`] was called on this connection.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.outbox.session().is_closing()
    }

    /// How the link stands, in numbers: what an application shows or exports of it. Nothing is counted for it on the way of
    /// a message, and it costs next to nothing to ask. Over shared memory [`Counters::acked`] may lag in a handler.
    pub fn counters(&self) -> Counters {
        self.outbox.session().counters()
    }

    /// The end of the last committed message.
    pub fn committed(&self) -> Committed {
        self.outbox.session().committed()
    }

    /// The end of the last consumed message.
    pub fn consumed(&self) -> Delivered {
        self.outbox.session().consumed()
    }

    /// How many messages are held.
    pub fn held(&self) -> u64 {
        self.outbox.session().held()
    }

    /// Bytes that messages can still take; each takes its payload and 16 bytes, rounded up to 8.
    pub fn space(&self) -> u64 {
        self.outbox.session().space()
    }

    /// Since when the peer has consumed nothing although messages wait for it; `None` if nothing waits.
    pub fn behind_since(&self) -> Option<Instant> {
        self.outbox.session().behind_since()
    }

    /// What the peer is not known to have consumed. Counts messages: not for every one of them.
    pub fn undelivered(&self) -> Undelivered {
        self.outbox.session().undelivered()
    }
}

impl Drop for Link<'_> {
    /// NB: inlined, as a handler's link is dropped for each message and has no outlet.
    #[inline]
    fn drop(&mut self) {
        if let Some(outlet) = self.outlet.take().filter(|_| self.used) {
            self.let_out(outlet);
        }
    }
}

impl<'l> Link<'l> {
    /// The host is done with it.
    fn let_out(&mut self, outlet: Outlet<'l>) {
        let Outlet { connection, now, again } = outlet;
        connection.flush_later_if_broken(now, &mut self.outbox);
        match again {
            Again::Flag(again) => *again = true,
            Again::Queue { queue, queued, index } => {
                if !std::mem::replace(queued, true) {
                    queue.push_back(index);
                }
            }
        }
    }
}
