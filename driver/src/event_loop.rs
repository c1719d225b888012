//! A ready-made loop for a process that has nothing else to wait for.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token};

use crate::driver::Driver;
use crate::handler::Handler;
use crate::idle::{Idle, IdleStrategy, Pause};

/// One poll and one driver. It uses nothing but the driver's public methods, so it also shows how to
/// embed one in a loop of your own.
///
/// The clock is the host's: give [`Instant::now`], or a double.
///
/// A server and a client, for once in one thread:
///
/// ```
/// use std::time::{Duration, Instant};
/// use tcpshm_driver::{Client, ClientConfig, EventLoop, Handler, Kind, Link, Received, Server, ServerConfig};
///
/// struct Collect(Vec<Vec<u8>>);
///
/// impl Handler for Collect {
///     fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
///         self.0.push(received.payload().to_vec());
///         link.consume(received).expect("messages come in order");
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = tempfile::tempdir()?;
/// # let directory = place.path();
/// let config = ServerConfig::new("collector".parse()?, directory, "127.0.0.1:0".parse()?);
/// let server = Server::bind(config)?;
/// let address = server.local_addresses()?[0];
/// let mut server = EventLoop::new(server, Instant::now)?;
/// let mut config = ClientConfig::new("reporter".parse()?, directory, address);
/// config.server = Some("collector".parse()?);
/// let mut client = EventLoop::new(Client::new(config)?, Instant::now)?;
///
/// let (mut collected, mut nothing) = (Collect(Vec::new()), Collect(Vec::new()));
/// let a_while = Some(Duration::from_millis(1));
/// while !client.driver().is_connected() {
///     client.turn(&mut nothing, a_while)?;
///     server.turn(&mut collected, a_while)?;
/// }
/// let now = client.now();
/// let mut link = client.driver().link(now).expect("it is connected");
/// // From here on it is kept until the collector has consumed it, whoever is killed meanwhile.
/// link.send(Kind::new(1).expect("not 0"), b"all is well")?;
/// drop(link);
/// while collected.0.is_empty() {
///     client.turn(&mut nothing, a_while)?;
///     server.turn(&mut collected, a_while)?;
/// }
/// assert_eq!(collected.0, [b"all is well"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EventLoop<D> {
    poll: Poll,
    events: Events,
    driver: D,
    clock: fn() -> Instant,
    foreign: Vec<Token>,
    /// Turns of [`EventLoop::spin_turn`] since the poll was last asked.
    spun: u32,
    /// Whether the last turn was one of these.
    spinning: bool,
    /// The time in these turns; `None` when it has to be looked at again.
    time: Option<Instant>,
    idle: Idle,
}

impl<D: Driver> EventLoop<D> {
    /// Tokens below this one are the host's, for its own sockets and wakers; the rest are the driver's.
    pub const FOREIGN: usize = 1024;
    /// Spinning turns between two visits to the poll, which finds new connections and costs as much as two turns: at
    /// half a microsecond a turn, one in a hundred microseconds.
    pub const SPINS: u32 = 256;
    /// Spinning turns that find nothing between two looks at the clock, which costs a tenth of such a turn.
    pub const GLANCE: u32 = 8;
    /// Polls of shared memory between two visits to the poll, which costs as much as some tens of them.
    pub const POLLS: u32 = 1024;
    /// Polls that find something between two looks at the clock, each worth up to
    /// [`Rings::BURST`](tcpshm_shm::Rings::BURST) messages of each link.
    pub const FINDS: u32 = 8;
    /// How long a turn may go on finding something, as the clock shows it then: heartbeats and other
    /// connections have their turn, however slow the handler is.
    pub const SHARE: Duration = Duration::from_millis(1);

    /// The longest wait, where nothing is due: an epoll counts milliseconds in 31 bits.
    const LONGEST: Duration = Duration::from_secs(3600);
    /// How long a link that cannot sleep lies still between two polls where the strategy says to sleep: the least a
    /// Linux timer takes.
    const NAP: Duration = Duration::from_micros(50);

    /// Registers `driver` with a poll of its own.
    pub fn new(mut driver: D, clock: fn() -> Instant) -> io::Result<Self> {
        let poll = Poll::new()?;
        driver.register(poll.registry(), Self::FOREIGN..usize::MAX)?;
        let idle = IdleStrategy::default();
        driver.set_may_sleep(idle.may_sleep());
        // As many as a busy loop finds in one turn; more wait for the next.
        let events = Events::with_capacity(1024);
        Ok(Self {
            poll,
            events,
            driver,
            clock,
            foreign: Vec::new(),
            spun: 0,
            spinning: false,
            time: None,
            idle: Idle::new(idle),
        })
    }

    /// What to do while links are on shared memory and nothing comes. [`IdleStrategy::SLEEP`] if nothing is
    /// set. Peers are told at login whether this side may sleep, so set it before the first turn.
    #[must_use]
    pub fn with_idle(mut self, strategy: IdleStrategy) -> Self {
        self.driver.set_may_sleep(strategy.may_sleep());
        Self { idle: Idle::new(strategy), ..self }
    }

    /// Waits for something to do, at most until `wait` is over, and does it.
    ///
    /// While a link is on shared memory, which can be polled and not waited for, a turn is a number of polls
    /// and what the idle strategy says, and may end with nothing done.
    pub fn turn(&mut self, app: &mut impl Handler, wait: Option<Duration>) -> io::Result<()> {
        self.set_spinning(false);
        if self.driver.is_polling() {
            let pause = self.poll_memory(app, wait.unwrap_or(Duration::MAX));
            return self.visit(app, Some(pause));
        }
        let timeout = self.driver.timeout((self.clock)());
        self.visit(app, timeout.into_iter().chain(wait).min())
    }

    fn set_spinning(&mut self, spinning: bool) {
        if self.spinning != spinning {
            self.spinning = spinning;
            // What it was before may be long ago.
            self.time = None;
            self.driver.set_spinning(spinning);
        }
    }

    /// Polls shared memory until it is time to look at the rest. Returns how long to wait there: not longer than
    /// `longest`, what is slept here included.
    fn poll_memory(&mut self, app: &mut impl Handler, longest: Duration) -> Duration {
        let (mut finds, mut since) = (0_u32, None);
        let mut refused = false;
        for _ in 0..Self::POLLS {
            let found = self.driver.poll(app);
            finds += u32::from(found);
            if self.driver.has_work() {
                // A peer that sleeps has to be woken, say, or another thread has sent something on a link over TCP.
                if found {
                    self.idle.after(true);
                }
                return Duration::ZERO;
            }
            refused &= !found;
            if found && finds.is_multiple_of(Self::FINDS) {
                let now = (self.clock)();
                if now.saturating_duration_since(*since.get_or_insert(now)) >= Self::SHARE {
                    break;
                }
            }
            match self.idle.after(found) {
                Pause::None => {}
                Pause::Yield => {
                    thread::yield_now();
                    return Duration::ZERO;
                }
                Pause::Sleep(_) | Pause::Park if self.driver.has_work() => return Duration::ZERO,
                Pause::Park if longest.is_zero() => return Duration::ZERO,
                Pause::Park if self.driver.park() => return self.until_due(longest),
                Pause::Park if !refused => refused = true,
                Pause::Park => {
                    // Nothing came, and no sleep: a link from a login at which the peer was not told of any.
                    thread::sleep(Self::NAP.min(longest));
                    return Duration::ZERO;
                }
                Pause::Sleep(pause) => {
                    let pause = self.until_due(pause.min(longest));
                    // An epoll waits for whole milliseconds only. A shorter pause has to be slept, which events
                    // do not end: it is as late as a message in shared memory may be noticed anyway.
                    if pause >= Duration::from_millis(1) {
                        return pause;
                    }
                    thread::sleep(pause);
                    return Duration::ZERO;
                }
            }
        }
        Duration::ZERO
    }

    /// How long nothing is due, `longest` at most.
    fn until_due(&self, longest: Duration) -> Duration {
        let deadline = self.driver.deadline();
        let due = deadline.map(|due| due.saturating_duration_since((self.clock)()));
        longest.min(due.unwrap_or(Self::LONGEST))
    }

    /// Asks the poll, and does what is to be done.
    fn visit(&mut self, app: &mut impl Handler, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            // A signal: the host may want to look at what it was.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(error),
        }
        let now = (self.clock)();
        self.foreign.clear();
        for event in &self.events {
            if self.driver.owns(event.token()) {
                self.driver.handle_event(now, event, app)?;
            } else {
                self.foreign.push(event.token());
            }
        }
        // What waited while we slept ends the sleeping. Work that was left over goes first.
        if self.driver.is_polling() && !self.driver.has_work() && self.driver.poll(app) {
            self.idle.after(true);
        }
        self.driver.handle_timeout(now, app);
        Ok(())
    }

    /// Does what there is to do without waiting, and mostly without asking the poll: for a core of its
    /// own.
    pub fn spin_turn(&mut self, app: &mut impl Handler) -> io::Result<()> {
        self.set_spinning(true);
        self.spun += 1;
        if self.spun >= Self::SPINS {
            (self.spun, self.time) = (0, None);
            return self.visit(app, Some(Duration::ZERO));
        }
        self.foreign.clear();
        if self.driver.is_polling() {
            for _ in 0..Self::POLLS / Self::SPINS {
                if self.driver.poll(app) {
                    // Nobody knows how long that took.
                    self.time = None;
                }
            }
        }
        let now = *self.time.get_or_insert_with(|| (self.clock)());
        if self.driver.spin(now, app) || self.spun.is_multiple_of(Self::GLANCE) {
            self.time = None;
        }
        Ok(())
    }

    /// The driver, to reach its links.
    pub fn driver(&mut self) -> &mut D {
        &mut self.driver
    }

    /// Where the host registers its own sockets and wakers, with tokens below [`EventLoop::FOREIGN`].
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// The host's tokens that had an event in the last turn.
    pub fn foreign(&self) -> &[Token] {
        &self.foreign
    }

    /// What the clock says.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Tells the peers that this process stops, and ends all connections.
    pub fn shut_down(&mut self, app: &mut impl Handler) {
        let now = self.now();
        self.driver.shut_down(now, app);
    }
}
