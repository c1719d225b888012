//! The timers of a connection. Each is a small state that is told the time.
//!
//! The host's clock may jump or stand still; only differences between two times are used, an earlier
//! time than the last counts as no time passed, and the most a jump can end is a connection.

use std::time::{Duration, Instant};

use crate::login::Silence;
use crate::position::Position;

/// How a connection is timed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long this side waits to hear anything before it ends the connection.
    pub silence: Silence,
    /// How long the peer waits, as it said at login: something goes out every third of it.
    pub peer_silence: Silence,
    /// How long a consumption may wait for a message to carry its acknowledgement.
    pub ack_delay: Duration,
    /// How long both sides may wait for each other before the link is called stalled.
    pub stall: Duration,
}

impl Timing {
    /// Long enough for an application to batch its replies, short against any round trip that a person
    /// would notice: 5 ms.
    pub const DEFAULT_ACK_DELAY: Duration = Duration::from_millis(5);
    /// A second, in which any working application has consumed something.
    pub const DEFAULT_STALL: Duration = Duration::from_secs(1);

    /// The timing with default delays.
    pub fn new(silence: Silence, peer_silence: Silence) -> Self {
        Self { silence, peer_silence, ack_delay: Self::DEFAULT_ACK_DELAY, stall: Self::DEFAULT_STALL }
    }
}

/// Silence in both directions.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub(crate) struct Liveness {
    silence: Duration,
    heartbeat: Duration,
    heard: Instant,
    spoke: Instant,
}

impl Liveness {
    pub(crate) fn new(now: Instant, timing: &Timing) -> Self {
        Self {
            silence: timing.silence.duration(),
            heartbeat: timing.peer_silence.duration() / 3,
            heard: now,
            spoke: now,
        }
    }

    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When it was, last.
    pub(crate) fn last_heard(&self) -> Instant {
        self.heard
    }

    pub(crate) fn spoke(&mut self, now: Instant) {
        self.spoke = now;
    }

    /// A clock that went back must not lengthen the silence by as much.
    pub(crate) fn not_after(&mut self, now: Instant) {
        if zoo!(EarlierTimeLengthensSilence) {
            return;
        }
        self.heard = self.heard.min(now);
        self.spoke = self.spoke.min(now);
    }

    pub(crate) fn must_speak(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.spoke) >= self.heartbeat
    }

    /// How long nothing was heard, if that is too long.
    pub(crate) fn timed_out(&self, now: Instant) -> Option<TimedOut> {
        let silent = now.saturating_duration_since(self.heard);
        (silent >= self.silence).then_some(TimedOut { silent, allowed: self.silence })
    }

    pub(crate) fn silence_deadline(&self) -> Instant {
        self.heard + self.silence
    }

    pub(crate) fn heartbeat_deadline(&self) -> Instant {
        self.spoke + self.heartbeat
    }
}

/// Nothing was heard from the peer for too long. The connection is over, the session is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing was heard from the peer for {silent:?}, {allowed:?} are allowed")]
pub struct TimedOut {
    /// How long.
    pub silent: Duration,
    /// How long it may.
    pub allowed: Duration,
}

/// When an acknowledgement needs a frame of its own.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub(crate) struct AckPacing {
    delay: Duration,
    /// A quarter of the peer's ring: it never waits for an ack with more than that free.
    quarter: u64,
    /// The consumption that the peer was told on this connection.
    told: Position,
    waiting_since: Option<Instant>,
}

impl AckPacing {
    pub(crate) fn new(timing: &Timing, window: u64, told: Position) -> Self {
        Self { delay: timing.ack_delay, quarter: window / 4, told, waiting_since: None }
    }

    /// A frame with this acknowledgement goes out.
    pub(crate) fn told(&mut self, ack: Position) {
        if ack > self.told {
            self.told = ack;
            self.waiting_since = None;
        }
    }

    /// Whether consumption up to `consumed` must be told now. Starts the delay where it need not.
    pub(crate) fn is_due(&mut self, now: Instant, consumed: Position) -> bool {
        if consumed <= self.told {
            self.waiting_since = None;
            return false;
        }
        let since = *self.waiting_since.get_or_insert(now);
        consumed.since(self.told) >= self.quarter || now.saturating_duration_since(since) >= self.delay
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting_since.and_then(|since| since.checked_add(self.delay))
    }
}

/// An exhaustive search stops the clock.
#[cfg(feature = "explore")]
impl std::hash::Hash for AckPacing {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.told.hash(state);
    }
}

/// Watches for two applications that starve each other: ours cannot send because the peer consumes
/// nothing, and keeps the peer's messages while it waits.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub(crate) struct StallWatch {
    patience: Duration,
    /// What stood still since when, and whether that was reported.
    watching: Option<Watch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watch {
    progress: (Position, Position),
    since: Instant,
    reported: bool,
}

impl StallWatch {
    pub(crate) fn new(timing: &Timing) -> Self {
        Self { patience: timing.stall, watching: None }
    }

    /// Tells the watch whether both wait, and how far acks and consumption have come.
    pub(crate) fn observe(&mut self, now: Instant, starving: bool, progress: (Position, Position)) {
        if !starving {
            self.watching = None;
        } else if self.watching.is_none_or(|watch| watch.progress != progress) {
            self.watching = Some(Watch { progress, since: now, reported: false });
        }
    }

    /// How long it has lasted, if that is long enough to say so; once.
    pub(crate) fn report(&mut self, now: Instant) -> Option<Duration> {
        let watch = self.watching.as_mut().filter(|watch| !watch.reported)?;
        let lasted = now.saturating_duration_since(watch.since);
        watch.reported = lasted >= self.patience;
        watch.reported.then_some(lasted)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let watch = self.watching.filter(|watch| !watch.reported)?;
        watch.since.checked_add(self.patience)
    }
}
