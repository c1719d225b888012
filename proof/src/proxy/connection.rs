//! One connection through the proxy, and what happens to it.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use socket2::SockRef;

use super::Shared;
use super::fate::{Fate, Kind, Way};
use super::flow::Flow;

/// A connection whose ends are left to themselves is forgotten after this.
const FORGOTTEN: Duration = Duration::from_secs(2);

/// Both ends, and both directions.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) near: Option<TcpStream>,
    pub(super) far: Option<TcpStream>,
    pub(super) fate: Fate,
    up: Flow,
    down: Flow,
    /// Since when what was to happen is happening.
    struck: Option<Instant>,
    /// It was counted.
    counted: bool,
    /// When to look again.
    pub(super) due: Option<Instant>,
}

/// Whether there is still something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Alive,
    Over,
}

impl Connection {
    pub(super) fn new(near: TcpStream, far: TcpStream, fate: Fate) -> Self {
        let mut up = Flow::default();
        up.record = (fate.kind == Kind::Replay).then(Vec::new);
        let (near, far) = (Some(near), Some(far));
        Self { near, far, fate, up, down: Flow::default(), struck: None, counted: false, due: None }
    }

    /// What the client said, to be said again.
    pub(super) fn take_record(&mut self) -> Option<Vec<u8>> {
        self.up.record.take().filter(|record| !record.is_empty())
    }

    /// Moves bytes, and lets happen what is to happen.
    pub(super) fn pump(&mut self, now: Instant, shared: &Shared) -> State {
        self.due = None;
        if let Some(struck) = self.struck {
            return self.after_the_strike(struck, now);
        }
        if self.move_bytes(now, shared).is_err() {
            return State::Over;
        }
        if self.is_struck() {
            return self.strike(now, shared);
        }
        if self.up.closed && self.down.closed { State::Over } else { State::Alive }
    }

    /// How many bytes may go this way before something happens.
    fn limit(&self, way: Way) -> u64 {
        let striking =
            matches!(self.fate.kind, Kind::Stall | Kind::Cut | Kind::Reset | Kind::Deaf | Kind::HalfOpen);
        if striking && self.fate.way == way && !self.counted { self.fate.after } else { u64::MAX }
    }

    fn is_struck(&self) -> bool {
        let flow = if self.fate.way == Way::Up { &self.up } else { &self.down };
        let reached = flow.passed >= self.limit(self.fate.way);
        // A reset throws away what is under way, so something has to be.
        reached && (self.fate.kind != Kind::Reset || flow.is_holding())
    }

    fn move_bytes(&mut self, now: Instant, shared: &Shared) -> io::Result<()> {
        let limits = [self.limit(Way::Up), self.limit(Way::Down)];
        let (Some(near), Some(far)) = (&self.near, &self.far) else {
            return Ok(());
        };
        let mut due = None;
        for (flow, from, to, limit) in
            [(&mut self.up, near, far, limits[0]), (&mut self.down, far, near, limits[1])]
        {
            // What a write made room for may have been waiting to be read, and no event comes for that.
            loop {
                let before = flow.passed;
                flow.fill(from, now)?;
                let next = flow.pass(to, &self.fate, limit, now)?;
                if flow.passed == before || next.is_some() {
                    due = due.into_iter().chain(next).min();
                    break;
                }
            }
            if flow.ended && !flow.is_holding() && !flow.closed {
                flow.closed = true;
                // The other end may be gone already.
                let _ = to.shutdown(Shutdown::Write);
            }
        }
        self.due = due;
        let fired = match self.fate.kind {
            Kind::Split => self.up.pieces + self.down.pieces > 4,
            Kind::Join => self.up.gathered + self.down.gathered > 0,
            Kind::Plain | Kind::Astray => self.up.passed > 0,
            _ => false,
        };
        if fired && !std::mem::replace(&mut self.counted, true) {
            shared.count(self.fate.kind);
        }
        Ok(())
    }

    fn strike(&mut self, now: Instant, shared: &Shared) -> State {
        self.counted = true;
        shared.count(self.fate.kind);
        match self.fate.kind {
            Kind::Cut => State::Over,
            Kind::Reset => {
                for stream in [&self.near, &self.far].into_iter().flatten() {
                    // Closing it then sends a reset at once and forgets what is under way.
                    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
                }
                State::Over
            }
            kind => {
                if kind == Kind::HalfOpen {
                    self.near = None;
                }
                self.struck = Some(now);
                self.after_the_strike(now, now)
            }
        }
    }

    fn after_the_strike(&mut self, struck: Instant, now: Instant) -> State {
        let lasting = if self.fate.kind == Kind::Stall { self.fate.lasting } else { FORGOTTEN };
        let until = struck + lasting;
        if now < until {
            self.due = Some(until);
            return State::Alive;
        }
        if self.fate.kind != Kind::Stall {
            return State::Over;
        }
        self.struck = None;
        self.due = Some(now);
        State::Alive
    }
}
