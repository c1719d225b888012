//! What a host does with a server or a client.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Registry, Token};

use crate::handler::Handler;

/// A server or a client as a part of an event loop that somebody else owns.
///
/// ```text
///   poll(timeout())  ──>  for each event: if owns(token) { handle_event(..) }  ──>  handle_timeout(..)
/// ```
///
/// ```no_run
/// use std::time::Instant;
/// use tcpshm_driver::mio::{Events, Poll, Token};
/// use tcpshm_driver::{Driver, Handler, Server};
///
/// const DOOR: Token = Token(0);
///
/// /// A loop that has a socket of its own beside a server.
/// fn run(mut server: Server, app: &mut impl Handler, mut open_door: impl FnMut()) -> std::io::Result<()> {
///     let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
///     server.register(poll.registry(), 1..100_000)?;
///     server.set_may_sleep(true);
///     loop {
///         server.park();
///         poll.poll(&mut events, server.timeout(Instant::now()))?;
///         let now = Instant::now();
///         for event in &events {
///             match event.token() {
///                 DOOR => open_door(),
///                 _ => server.handle_event(now, event, app)?,
///             }
///         }
///         server.handle_timeout(now, app);
///     }
/// }
/// ```
///
/// The methods may be called at any time and in any order; a call that has nothing to do does nothing.
/// Whatever can be written is written before a call returns. Nothing here reads a clock: `now` is what
/// the host read last.
pub trait Driver {
    /// Registers with the host's poll, once. From here on the tokens in `tokens` belong to this driver:
    /// a server needs one per listener, one per link, one per login in progress and one to be woken by its
    /// [`Sender`](crate::Sender)s, a client needs one for its connection and one to be woken.
    ///
    /// Everything is deregistered when the driver is dropped.
    fn register(&mut self, registry: &Registry, tokens: Range<usize>) -> io::Result<()>;

    /// Whether an event with this token is for this driver.
    fn owns(&self, token: Token) -> bool;

    /// Something happened to one of the driver's sockets, or another thread has sent something. Events of others are
    /// ignored.
    fn handle_event(&mut self, now: Instant, event: &Event, app: &mut impl Handler) -> io::Result<()>;

    /// Does what is due: timers, and work that a budget had put off. Call it after the events of every
    /// turn; it costs nothing when nothing is due.
    fn handle_timeout(&mut self, now: Instant, app: &mut impl Handler);

    /// How long the host may sleep at most before it calls [`Driver::handle_timeout`]. Zero while there
    /// is work left over, and while a link is on shared memory, which no poll can wait for unless it is
    /// [parked](Driver::park); `None` if nothing is ever due.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        if self.has_work() || (self.is_polling() && !self.is_parked()) {
            return Some(Duration::ZERO);
        }
        self.deadline().map(|deadline| deadline.saturating_duration_since(now))
    }

    /// When a timer is due, whatever else there is to do. `None` if nothing is ever due.
    fn deadline(&self) -> Option<Instant>;

    /// Looks at the links that shared memory carries, and at nothing else, for up to 64 messages of each and up to 64
    /// that other threads send on it: no system call, no clock, no allocation. Returns whether anything came.
    ///
    /// Heartbeats and ends go over the connection, so the rest needs a visit now and then too: several times
    /// in the `silence` that is configured, and better every millisecond.
    /// [`Driver::handle_timeout`] does it too. A host that polls at full speed calls this many times between
    /// two visits to its own poll, and decides what to do when nothing comes; see [`Idle`](crate::Idle).
    fn poll(&mut self, app: &mut impl Handler) -> bool;

    /// Whether a link is on shared memory: then there is something to poll.
    fn is_polling(&self) -> bool;

    /// Whether the host may ever [park](Driver::park): peers are told at login, so set it before the first one;
    /// it holds for links from their next login on. A peer of one that may sleep pays some ten nanoseconds
    /// for each burst of messages, one of a host that never does pays nothing. Off unless it is set;
    /// [`EventLoop`](crate::EventLoop) sets it as its strategy needs.
    fn set_may_sleep(&mut self, may_sleep: bool);

    /// The host has nothing to do and wants to sleep in its poll. Returns whether it may: then nothing is
    /// there, and whatever comes on shared memory makes an event for this driver, which the peer sees to.
    ///
    /// Call it directly before [`Driver::timeout`], which then says how long, and handle what the poll returns, be it
    /// nothing, with [`Driver::handle_event`] and [`Driver::handle_timeout`]; they end the sleep. On `false`
    /// something has just come, or is to be written, or a link can only be polled: then poll on.
    fn park(&mut self) -> bool;

    /// Whether every link on shared memory is parked, and nothing was done since that needs a poll.
    fn is_parked(&self) -> bool;

    /// Whether work was left over, of a budget that was spent or of something that was found by polling, such as
    /// a message for a peer that sleeps, or another thread has sent something: then the host should come back to
    /// [`Driver::handle_timeout`] without a pause, and without further polls.
    fn has_work(&self) -> bool;

    /// Whether the host [spins](Driver::spin) in each of its turns from here on. Then connections that carry messages
    /// leave its poll, since every event would cost the kernel time on the way of a message; only they, so that
    /// new connections, and control connections of links on shared memory, still make events. They come back, with
    /// what has happened meanwhile, when it is no longer so. Off unless it is set;
    /// [`EventLoop`](crate::EventLoop) sets it by which of its turns are asked for.
    fn set_spinning(&mut self, spinning: bool);

    /// Reads every live connection without asking the poll first, polls shared memory, and does what is
    /// due: for a host that spins. Returns whether a connection had anything. New connections are still found through
    /// the poll, so visit that too, every so many turns; and so are sockets that take bytes again after they were
    /// blocked, unless the host says that it is [spinning](Driver::set_spinning): then they are tried each time.
    ///
    /// `now` may be some microseconds old: a host need not read its clock in each turn in which neither this nor
    /// [`Driver::poll`] finds anything.
    fn spin(&mut self, now: Instant, app: &mut impl Handler) -> bool;

    /// Tells every connected peer that this process stops, and ends all connections. The driver does
    /// nothing from here on.
    fn shut_down(&mut self, now: Instant, app: &mut impl Handler);
}
