//! A socket that carries a session.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tcpshm_protocol::{Event, InboundFault, ProtocolError};
use tcpshm_shm::{MappedSession, Outbox, Polled, Rings};

use crate::disconnected::Disconnected;
use crate::handler::Handler;
use crate::intake::{LongFrame, Scratch};
use crate::link::Link;
use crate::ready::Ready;
use crate::socket::{interrupted, would_block};

/// Bytes of a message without payload, in a ring.
const SMALLEST_FRAME: u64 = 16;

/// One connection after login. It has no timers and no session of its own: whoever owns both calls
/// [`Connection::visit`] when there may be something to do.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    /// Login bytes that go out before anything of the session.
    preamble: BytesMut,
    /// An incomplete frame.
    rest: Vec<u8>,
    /// One that is long; then there is nothing in `rest`.
    long: Option<LongFrame>,
    /// Whether it came with the login, and was not looked at.
    unseen: bool,
    /// Whether reading was not yet found to block. Readiness is edge-triggered, so it is remembered.
    readable: bool,
    /// Whether to read on after a short read, until reading blocks: the event that told of the end may be
    /// the one that told of the last bytes, and no other will come.
    read_on: bool,
    /// Whether nothing says that there is something to read: a host that spins tries all the same, and mostly
    /// finds nothing.
    trying: bool,
    writable: bool,
    /// Whether the host's poll tells of the socket. Where not, the host tries it in each of its turns.
    in_poll: bool,
    /// The peer has ended its side, and everything before that was read.
    cut: bool,
    /// A write failed while no one could be told.
    broken: Option<io::Error>,
    /// Set while the application has control. Found set afterwards, its handler has panicked: what was
    /// read behind its message is lost, and only a new connection can bring it again.
    delivering: bool,
}

/// How a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Somebody [tried](Connection::try_out), and nothing had come: everything is as it was.
    Nothing,
    /// There is nothing more to do.
    Idle,
    /// The budget was spent.
    More,
}

impl Connection {
    /// A connection whose login has just ended, with the bytes of the login that are still to go out,
    /// and those that came behind it.
    pub(crate) fn new(stream: TcpStream, address: SocketAddr, preamble: &[u8], rest: &[u8]) -> Self {
        Self {
            stream,
            address,
            preamble: preamble.into(),
            rest: rest.into(),
            long: None,
            unseen: !rest.is_empty(),
            readable: true,
            // Events of the login are gone.
            read_on: true,
            trying: false,
            writable: true,
            in_poll: true,
            cut: false,
            broken: None,
            delivering: false,
        }
    }

    pub(crate) fn set_ready(&mut self, ready: Ready) {
        self.readable |= ready.readable;
        self.read_on |= ready.ended && !zoo!(EndWithLastBytesMissed);
        self.writable |= ready.writable;
    }

    /// The next visit reads although nothing says that there is anything, and if there is not, does nothing else;
    /// unless it is `due` anyway, or something waits to be written, which is then tried again.
    pub(crate) fn try_out(&mut self, due: bool) {
        let blocked = !self.writable && !self.in_poll;
        self.writable |= blocked;
        self.trying = !self.readable && !blocked && !due;
        self.readable = true;
    }

    /// Puts the socket into the host's poll, or takes it out: whoever tries it all the time needs no events, and
    /// each costs the kernel some time wherever it comes from.
    pub(crate) fn set_in_poll(&mut self, in_poll: bool, registry: &Registry, token: Token) {
        if self.in_poll == in_poll {
            return;
        }
        let done = if in_poll {
            // What there is makes an event at once.
            registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
        } else {
            registry.deregister(&mut self.stream)
        };
        match done {
            Ok(()) => self.in_poll = in_poll,
            // The next visit tells of it.
            Err(error) => self.broken = Some(error),
        }
    }

    /// It is in another poll than before, and what events said there is of no use.
    pub(crate) fn set_moved(&mut self) {
        (self.readable, self.read_on, self.writable) = (true, true, true);
        self.in_poll = true;
    }

    /// A socket may be readable although no event said so.
    pub(crate) fn set_maybe_readable(&mut self) {
        self.readable = true;
    }

    /// Reads, delivers and writes what there is, up to `budget` bytes read.
    pub(crate) fn visit(
        &mut self,
        now: Instant,
        session: &mut MappedSession,
        scratch: &mut Scratch,
        budget: usize,
        app: &mut impl Handler,
    ) -> Result<Visit, Disconnected> {
        if self.delivering && !zoo!(PanicForgotten) {
            // Where it stands, or it would block the link without a word.
            if let Some(position) = session.reclaim() {
                app.unconsumed(&mut Link::new(session.outbox()), position);
            }
            return Err(Disconnected::HandlerPanicked);
        }
        if let Some(error) = self.broken.take() {
            return Err(error.into());
        }
        self.delivering = true;
        let trying = std::mem::take(&mut self.trying);
        let visited = self.do_visit(now, session, scratch, (budget, trying), app);
        self.delivering = false;
        visited
    }

    /// Why the connection is over, if `found` is that the peer has left its memory: it says why before it
    /// leaves, so the reason is in the socket by now.
    pub(crate) fn hear_out(
        &mut self,
        found: Disconnected,
        now: Instant,
        session: &mut MappedSession,
        scratch: &mut Scratch,
        budget: usize,
        app: &mut impl Handler,
    ) -> Disconnected {
        if !matches!(found, Disconnected::Cut) || zoo!(LastWordsUnheard) {
            return found;
        }
        self.readable = true;
        match self.visit(now, session, scratch, budget, app) {
            Err(said @ Disconnected::ByPeer(_)) => said,
            Ok(_) | Err(_) => found,
        }
    }

    /// Tells the session the time. Returns whether the peer was silent for too long, as far as was read.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        session: &mut MappedSession,
        app: &mut impl Handler,
    ) -> bool {
        match session.handle_timeout(now) {
            Ok(stalled) => {
                stalled.inspect(|stalled| app.stalled(&mut Link::new(session.outbox()), stalled));
                false
            }
            Err(_) => {
                // After a long pause of this process the peer's bytes may be waiting: they count.
                self.set_maybe_readable();
                true
            }
        }
    }

    fn do_visit(
        &mut self,
        now: Instant,
        session: &mut MappedSession,
        scratch: &mut Scratch,
        (budget, trying): (usize, bool),
        app: &mut impl Handler,
    ) -> Result<Visit, Disconnected> {
        let mut spent = 0;
        while self.readable && (spent < budget || zoo!(BudgetNotKept)) && !session.is_closing() {
            spent += self.read_once(now, session, scratch, app)?;
            if self.cut {
                return Err(Disconnected::Cut);
            }
            if trying && spent == 0 {
                return Ok(Visit::Nothing);
            }
            self.flush_all(now, session, app)?;
        }
        // Also tells of room that was made since the last visit.
        self.flush_all(now, session, app)?;
        Ok(if self.readable && !session.is_closing() && !zoo!(ReadinessForgotten) {
            Visit::More
        } else {
            Visit::Idle
        })
    }

    /// Reads once, and delivers what is whole. Returns how many bytes came.
    fn read_once(
        &mut self,
        now: Instant,
        session: &mut MappedSession,
        scratch: &mut Scratch,
        app: &mut impl Handler,
    ) -> Result<usize, Disconnected> {
        if LongFrame::is_worth(self.rest.len(), scratch.bytes.len()) {
            // Came with the login, to one who reads little at once.
            self.long = Some(LongFrame::begin(&std::mem::take(&mut self.rest), &mut scratch.spare));
        }
        if let Some(long) = self.long.take() {
            return self.read_long(now, session, long, scratch, app);
        }
        let old = self.rest.len();
        let count = self.fill(&mut scratch.bytes[old..])?;
        // NB: a host that spins comes here all the time, and must not pay for a peer that stopped inside a frame.
        if !std::mem::take(&mut self.unseen) && count == 0 {
            return Ok(0);
        }
        scratch.bytes[..old].copy_from_slice(&self.rest);
        let mut input = &scratch.bytes[..old + count];
        deliver(now, session, &mut input, app)?;
        self.rest.clear();
        if LongFrame::is_worth(input.len(), scratch.bytes.len()) {
            self.long = Some(LongFrame::begin(input, &mut scratch.spare));
        } else {
            self.rest.extend_from_slice(input);
        }
        Ok(count)
    }

    /// [`Connection::read_once`] for an incomplete frame in memory of its own.
    fn read_long(
        &mut self,
        now: Instant,
        session: &mut MappedSession,
        mut long: LongFrame,
        scratch: &mut Scratch,
        app: &mut impl Handler,
    ) -> Result<usize, Disconnected> {
        let count = match self.fill(long.room(scratch.bytes.len())) {
            Ok(0) if !self.unseen => {
                self.long = Some(long);
                return Ok(0);
            }
            filled => filled?,
        };
        self.unseen = false;
        long.add(count);
        let mut input = long.bytes();
        deliver(now, session, &mut input, app)?;
        if input.len() == long.bytes().len() {
            self.long = Some(long);
        } else {
            // It was whole. Nothing behind it was read, unless with the login.
            self.rest.extend_from_slice(input);
            long.end(&mut scratch.spare);
        }
        Ok(count)
    }

    /// One read. Notes whether the socket was drained: a read that is not full says so too, see epoll(7),
    /// but says nothing of the end of the stream.
    fn fill(&mut self, room: &mut [u8]) -> Result<usize, Disconnected> {
        loop {
            match self.stream.read(room) {
                Ok(0) => {
                    (self.cut, self.readable) = (true, false);
                    return Ok(0);
                }
                Ok(count) => {
                    self.readable = count == room.len() || self.read_on;
                    return Ok(count);
                }
                Err(error) if interrupted(&error) => {}
                Err(error) if would_block(&error) => {
                    (self.readable, self.read_on) = (false, false);
                    return Ok(0);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes what there is, and tells the application of room that this has made, until neither makes
    /// anything new.
    fn flush_all(
        &mut self,
        now: Instant,
        session: &mut MappedSession,
        app: &mut impl Handler,
    ) -> Result<(), Disconnected> {
        loop {
            self.flush(now, &mut session.outbox())?;
            if session.is_closing() {
                return Err(Disconnected::Closed);
            }
            if !deliver(now, session, &mut &[][..], app)? {
                return Ok(());
            }
        }
    }

    /// Writes until there is nothing left or the socket takes no more.
    pub(crate) fn flush(&mut self, now: Instant, session: &mut Outbox<'_>) -> io::Result<()> {
        while self.writable && !self.preamble.is_empty() {
            match self.write(None)? {
                Some(count) => self.preamble.advance(count),
                None => return Ok(()),
            }
        }
        while self.writable {
            let bytes = session.poll_transmit(now);
            if bytes.is_empty() {
                break;
            }
            match self.write(Some(bytes))? {
                Some(count) => session.handle_transmitted(now, count),
                None => break,
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: Option<&[u8]>) -> io::Result<Option<usize>> {
        loop {
            match self.stream.write(bytes.unwrap_or(&self.preamble)) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if interrupted(&error) => {}
                Err(error) if would_block(&error) => {
                    self.writable = false;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes for a host that cannot be told of an error now; the next visit tells it.
    pub(crate) fn flush_later_if_broken(&mut self, now: Instant, session: &mut Outbox<'_>) {
        if let Err(error) = self.flush(now, session) {
            self.broken = Some(error);
        }
    }

    /// Tells the peer why, as far as the socket takes it at once, and ends the writing direction.
    pub(crate) fn say_farewell(&mut self, now: Instant, session: &mut MappedSession, reason: &Disconnected) {
        if let Some(reason) = reason.farewell() {
            session.close(reason);
            // The connection is over either way.
            let _ = self.flush(now, &mut session.outbox());
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Hands everything in `input` to the application. Returns whether there was anything.
fn deliver(
    now: Instant,
    session: &mut MappedSession,
    input: &mut &[u8],
    app: &mut impl Handler,
) -> Result<bool, Disconnected> {
    let mut ended = None;
    let any = session.handle_input(now, input, |polled| ended = tell(polled, app).or(ended.take()))?;
    ended.map_or(Ok(any), Err)
}

/// Reads what a peer that is gone had committed to shared memory, as over TCP what it had sent is still read. A
/// peer that lives, and has only lost the connection, may go on committing: so up to a ring's worth.
pub(crate) fn drain(session: &mut MappedSession, reason: &Disconnected, mut each: impl FnMut(Polled<'_>)) {
    if !matches!(reason, Disconnected::Cut | Disconnected::Io(_)) || zoo!(RemainderUnread) {
        return;
    }
    let mut left = session.header().incoming.capacity();
    while left > 0 {
        let before = session.delivered().position().get();
        if !session.poll(Rings::BURST, &mut each) {
            return;
        }
        let taken = session.delivered().position().get() - before;
        left = left.saturating_sub(taken.max(SMALLEST_FRAME));
    }
}

/// Tells the application what came, on whichever carrier. Returns why the connection is over, if it is.
///
/// NB: always inlined. Left to itself the compiler stops doing so where there is much to tell, and then passes every
/// message through memory; see `benches/rtt.rs`.
#[inline(always)]
pub(crate) fn tell(polled: Polled<'_>, app: &mut impl Handler) -> Option<Disconnected> {
    let closing = match polled {
        Polled::Event(link, Event::Message(received)) => {
            let mut link = Link::new(link);
            app.message(&mut link, received);
            link.is_closing()
        }
        Polled::Event(link, Event::Writable) => {
            let mut link = Link::new(link);
            app.writable(&mut link);
            link.is_closing()
        }
        Polled::Unconsumed(link, position) => {
            let mut link = Link::new(link);
            app.unconsumed(&mut link, position);
            link.is_closing()
        }
        Polled::Event(_, Event::Closed(reason)) => return Some(Disconnected::ByPeer(reason)),
        // It detached, and this side has not heard of it: no fault of anybody's.
        Polled::Fault(ProtocolError::Inbound(InboundFault::Left)) => return Some(Disconnected::Cut),
        Polled::Fault(fault) => return Some(fault.into()),
    };
    closing.then_some(Disconnected::Closed)
}
