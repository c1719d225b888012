//! A session over its mapped file, on either carrier.

use std::hint;
use std::ops::Deref;
use std::time::Instant;

use tcpshm_protocol::login::{Carrier, Confirm, Holding, Ready};
use tcpshm_protocol::{
    Batch, BootId, CloseReason, Committed, Delivered, Event, Grant, Held, Kind, LoginFault, Nonce,
    ProtocolError, Received, Refused, RefusedReason, SendError, Session, Slot, Stalled, TimedOut, Timing,
    Undelivered,
};

use crate::access::OpenLink;
use crate::folder::FileIdentity;
use crate::mapping::Mapped;
use crate::peer::PeerFile;

/// A session over its own link file and, while shared memory carries it, its peer's.
///
/// Reading its state goes through [`Deref`]; what changes it are methods here. The session itself is not
/// handed out to be changed: a message that is lent lies in the peer's memory, and whoever could replace the
/// session, or consume past the message, could pull it away from under its reader.
#[derive(Debug)]
pub struct MappedSession {
    session: Session<Mapped>,
    identity: FileIdentity,
    peer: Option<PeerFile>,
    /// A fault was reported: nothing more is read on this attachment.
    faulty: bool,
    /// Messages since the last poll that found none.
    streak: u32,
    /// Whether the connection has a frame to wake the peer that nobody has been told of.
    rousing: bool,
}

/// What a poll found.
#[derive(Debug)]
pub enum Polled<'a> {
    /// Something came. What is done with the link goes through the outbox.
    Event(Outbox<'a>, Event<'a>),
    /// The last message was dropped: neither consumed nor held. See
    /// [`Outbox::consume_through`].
    Unconsumed(Outbox<'a>, Delivered),
    /// What is in the peer's file cannot be: end the connection. It is not said twice.
    Fault(ProtocolError),
}

/// A reader that catches up with its writer fights it for the line they both touch. After so many messages in
/// a row it lets the writer get ahead for a moment; after one or two, as in a conversation, it does not.
const STREAM: u32 = 4;
/// That moment, in spin-loop hints: a few round trips of a cache line. Of 2, 8, 24 and 64 none was better in
/// `benches/stream.rs`; the runs of one value differ more than those of two.
const BREATH: u32 = 24;

impl MappedSession {
    /// A link that was just opened, without a connection.
    pub fn new(link: OpenLink) -> Self {
        let OpenLink { session, identity } = link;
        Self { session, identity, peer: None, faulty: false, streak: 0, rousing: false }
    }

    /// Which file it lies in, for [`LinkDirectory::is_in_place`](crate::LinkDirectory::is_in_place).
    pub fn identity(&self) -> &FileIdentity {
        &self.identity
    }

    /// The peer's file, while shared memory carries the session.
    pub fn peer_file(&self) -> Option<&PeerFile> {
        self.peer.as_ref()
    }

    /// Whether the peer has stored `nonce` in the file that is read from; `true` without shared memory, where
    /// there is nothing to tell.
    pub fn is_shown(&self, nonce: Nonce) -> bool {
        self.peer.as_ref().is_none_or(|peer| peer.shows(self.session.header(), nonce))
    }

    /// What the application may do. No message that was handed out before can be alive any more.
    pub fn outbox(&mut self) -> Outbox<'_> {
        self.session.reclaim();
        Outbox { session: &mut self.session, peer: self.peer.as_ref() }
    }

    /// See [`Session::note_boot`].
    pub fn note_boot(&mut self, boot: BootId) -> bool {
        self.session.note_boot(boot)
    }

    /// See [`Session::move_to`].
    pub(crate) fn move_to<E>(
        &mut self,
        memory: Mapped,
        identity: FileIdentity,
        publish: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.session.move_to(memory, publish)?;
        self.identity = identity;
        Ok(())
    }

    /// See [`Session::set_may_sleep`].
    pub fn set_may_sleep(&mut self, may_sleep: bool) {
        self.session.set_may_sleep(may_sleep);
    }

    // ---- login ----

    /// See [`Session::show`].
    pub fn show(&mut self, nonce: Nonce) -> Option<Holding> {
        self.session.show(nonce)
    }

    /// See [`Session::accept`]. With a view of the peer's file the carrier is shared memory, without TCP,
    /// whatever `grant` says.
    pub fn accept(
        &mut self,
        now: Instant,
        confirm: &Confirm,
        mut grant: Grant,
        peer: Option<PeerFile>,
    ) -> Result<Ready, LoginFault> {
        self.check_peer(peer.as_ref(), confirm.nonce)?;
        grant.carrier = if peer.is_some() { Carrier::Shm } else { Carrier::Tcp };
        let ready = self.session.accept(now, confirm, grant)?;
        self.attach(peer);
        Ok(ready)
    }

    /// See [`Session::establish`]. Where the carrier is shared memory, with a view of the peer's file.
    pub fn establish(
        &mut self,
        now: Instant,
        ready: &Ready,
        timing: &Timing,
        peer: Option<PeerFile>,
    ) -> Result<(), LoginFault> {
        self.check_peer(peer.as_ref(), ready.nonce)?;
        if ready.carrier == Carrier::Shm && peer.is_none() {
            return Err(LoginFault::NoView);
        }
        self.session.establish(now, ready, timing)?;
        self.attach(peer.filter(|_| ready.carrier == Carrier::Shm));
        Ok(())
    }

    /// A view is good for the login that it was proved for, and for no other.
    fn check_peer(&self, peer: Option<&PeerFile>, nonce: Nonce) -> Result<(), LoginFault> {
        match peer {
            Some(peer) if !peer.is_of(self.session.header()) => Err(LoginFault::OtherSession),
            Some(peer) if !peer.is_for(nonce) => Err(LoginFault::NoView),
            _ => Ok(()),
        }
    }

    fn attach(&mut self, peer: Option<PeerFile>) {
        self.peer = peer;
        (self.faulty, self.streak, self.rousing) = (false, 0, false);
    }

    // ---- a connection ----

    /// Hands everything in `input` to `each`, up to the end of the connection; see [`Session::handle_input`].
    /// Returns whether there was anything. Over shared memory only control frames come this way.
    pub fn handle_input(
        &mut self,
        now: Instant,
        input: &mut &[u8],
        mut each: impl FnMut(Polled<'_>),
    ) -> Result<bool, ProtocolError> {
        let Self { session, peer, .. } = self;
        let peer = peer.as_ref();
        let mut any = false;
        while let Some(event) = session.handle_input(now, input)? {
            any = true;
            let message = matches!(event, Event::Message(_));
            each(Polled::Event(Outbox { session, peer }, event));
            if message && let Some(dropped) = session.reclaim() {
                each(Polled::Unconsumed(Outbox { session, peer }, dropped));
            }
            if session.is_closing() {
                break;
            }
        }
        Ok(any)
    }

    /// See [`Session::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<Option<Stalled>, TimedOut> {
        self.observe();
        self.session.handle_timeout(now)
    }

    /// See [`Session::close`].
    pub fn close(&mut self, reason: CloseReason) -> Undelivered {
        self.observe();
        self.session.close(reason)
    }

    /// See [`Session::detach`]. The peer's file is not read from here on.
    pub fn detach(&mut self, nonce: Nonce) {
        self.observe();
        self.session.detach(nonce);
        self.peer = None;
    }

    /// Reads nothing more from the peer's file on this attachment.
    pub fn stop(&mut self) {
        self.faulty = true;
    }

    /// See [`Session::reclaim`].
    pub fn reclaim(&mut self) -> Option<Delivered> {
        self.session.reclaim()
    }

    /// Reads up to `budget` events from the peer's file and hands each to `each`. Returns whether there were
    /// any. Without shared memory there are none.
    ///
    /// No system call, no clock, no allocation. What the handler queues is visible to the peer as it is
    /// committed; a connection that is closed needs more, see [`Session::is_closing`], and so does a peer that
    /// sleeps, see [`MappedSession::take_rousing`].
    #[inline]
    pub fn poll(&mut self, budget: u32, mut each: impl FnMut(Polled<'_>)) -> bool {
        let Self { session, peer: Some(peer), faulty, streak, rousing, .. } = self else {
            return false;
        };
        let mut taken = 0;
        // Whether the last thing said was a message, which may have been dropped.
        let mut check = false;
        // Whether a peer that sleeps has to be woken first.
        let mut wakes = false;
        *streak = loop {
            // NB: one call of `each`, so that the handler can be compiled into this loop. A message that is
            // passed through memory instead costs some tens of nanoseconds, see `benches/rtt.rs`.
            let dropped = if check { session.reclaim() } else { None };
            let polled = if let Some(dropped) = dropped {
                check = false;
                Polled::Unconsumed(Outbox { session, peer: Some(peer) }, dropped)
            } else if taken == budget || wakes || *faulty || session.is_closing() {
                break streak.saturating_add(taken);
            } else {
                match session.receive(&peer.memory) {
                    Ok(Some(event)) => {
                        taken += 1;
                        check = matches!(event, Event::Message(_));
                        Polled::Event(Outbox { session, peer: Some(peer) }, event)
                    }
                    Ok(None) => {
                        breathe(streak.saturating_add(taken));
                        break 0;
                    }
                    Err(fault) => {
                        *faulty = true;
                        check = false;
                        Polled::Fault(fault)
                    }
                }
            };
            let message = check;
            each(polled);
            // Not only behind the burst, or a slow handler lets a peer sleep over the first answer until the last one.
            if message && taken.is_power_of_two() {
                wakes |= session.rouse(&peer.memory);
            }
        };
        *rousing |= wakes | session.rouse(&peer.memory);
        taken > 0
    }

    /// Whether there was something for a peer that sleeps, so that the connection has to be written to: see
    /// [`Outbox::poll_transmit`]. Says so once.
    pub fn take_rousing(&mut self) -> bool {
        std::mem::take(&mut self.rousing)
    }

    /// Whether [`MappedSession::take_rousing`] would say so.
    #[inline]
    pub(crate) fn is_rousing(&self) -> bool {
        self.rousing
    }

    /// See [`Session::park`]. Without shared memory there is nothing that its poll would not find.
    pub fn park(&mut self) -> bool {
        let Some(peer) = &self.peer else {
            return true;
        };
        self.rousing |= self.session.rouse(&peer.memory);
        !self.rousing && !self.faulty && self.session.park(&peer.memory)
    }

    /// Finds out how much the peer has consumed, if its file tells.
    pub fn observe(&mut self) {
        if let Some(peer) = &self.peer {
            self.session.observe(&peer.memory);
        }
    }
}

/// After a run of messages.
#[inline]
fn breathe(streak: u32) {
    if streak >= STREAM {
        (0..BREATH).for_each(|_| hint::spin_loop());
    }
}

impl Deref for MappedSession {
    type Target = Session<Mapped>;

    fn deref(&self) -> &Session<Mapped> {
        &self.session
    }
}

/// What an application may do with a session, on either carrier, while it may have a message of it in hand.
#[derive(Debug)]
pub struct Outbox<'a> {
    session: &'a mut Session<Mapped>,
    peer: Option<&'a PeerFile>,
}

impl Outbox<'_> {
    /// See [`Session::claim`].
    #[inline]
    pub fn claim(&mut self, kind: Kind, len: usize) -> Result<Slot<'_, Mapped>, SendError> {
        self.make_room(len);
        self.session.claim(kind, len)
    }

    /// See [`Session::send`].
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError> {
        self.make_room(payload.len());
        self.session.send(kind, payload)
    }

    /// See [`Session::batch`].
    pub fn batch(&mut self) -> Batch<'_, Mapped> {
        self.observe();
        self.session.batch()
    }

    /// See [`Session::consume`].
    #[inline]
    pub fn consume<'r>(&mut self, received: Received<'r>) -> Result<Delivered, Refused<'r>> {
        self.session.consume(received)
    }

    /// See [`Session::consume_through`].
    pub fn consume_through(&mut self, upto: Delivered) -> Result<(), RefusedReason> {
        self.session.consume_through(upto)
    }

    /// See [`Session::hold`].
    pub fn hold<'r>(&mut self, received: Received<'r>) -> Result<Held, Refused<'r>> {
        self.session.hold(received)
    }

    /// See [`Session::redeem`].
    pub fn redeem(&mut self, held: Held) -> Result<Received<'static>, (Held, RefusedReason)> {
        self.session.redeem(held)
    }

    /// See [`Session::close`].
    pub fn close(&mut self, reason: CloseReason) -> Undelivered {
        self.observe();
        self.session.close(reason)
    }

    /// See [`Session::poll_transmit`]. Whatever was committed or consumed before, a peer that sleeps is woken
    /// for it: whoever is done with a link ends with this.
    pub fn poll_transmit(&mut self, now: Instant) -> &[u8] {
        if let Some(peer) = self.peer {
            self.session.rouse(&peer.memory);
        }
        self.session.poll_transmit(now)
    }

    /// See [`Session::handle_transmitted`].
    pub fn handle_transmitted(&mut self, now: Instant, bytes: usize) {
        self.session.handle_transmitted(now, bytes);
    }

    /// Its state. Over shared memory what the peer has consumed is looked up only where it matters: when the
    /// ring looks full, before a batch, when the host asks for the link, and when a timer is due.
    pub fn session(&self) -> &Session<Mapped> {
        self.session
    }

    /// The peer's progress costs a cache line that the peer is writing; what is known of it is often enough.
    #[inline]
    fn make_room(&mut self, len: usize) {
        if self.peer.is_some() && !self.session.has_room(len) {
            self.observe();
        }
    }

    fn observe(&mut self) {
        if let Some(peer) = self.peer {
            self.session.observe(&peer.memory);
        }
    }
}
