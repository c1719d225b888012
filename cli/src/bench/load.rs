//! The application of a bench: sends, judges what comes back, and measures.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tcpshm_driver::{
    Carrier, Connected, Disconnected, FileError, Handler, Kind, Link, LoginRefused, Name, Received,
    ResetReport, SendError, ViewError,
};
use tcpshm_support::events;

use super::ledger::{Ledger, Messages, Read};
use crate::meter::Meter;

/// Any number but 0 would do.
const BENCH: Kind = Kind::new(1).expect("not 0");

/// When messages go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// So many in flight: the next one goes when an answer comes.
    Window(u64),
    /// So many a second, whatever comes back: the time of each counts from when it should have gone.
    Rate(u64),
}

/// A run in progress.
pub(super) struct Load {
    pace: Pace,
    messages: Messages,
    pub(super) ledger: Ledger,
    /// Since when each message that is in flight counts, from the oldest on.
    since: VecDeque<Instant>,
    began: Instant,
    /// Messages that count from before are not measured.
    warm: Instant,
    end: Instant,
    /// A claim found no room, and there is none yet.
    full: bool,
    pub(super) carrier: Option<Carrier>,
    pub(super) times: Meter,
    /// Of the last answer, or the start.
    pub(super) heard: Instant,
    pub(super) trouble: Option<String>,
    /// Messages came that are no answers.
    pub(super) strange: bool,
    /// The send that a link will never take.
    pub(super) refused: Option<SendError>,
    // ---- kills ----
    pub(super) kills: u64,
    /// Kills without an answer since.
    open: Vec<Instant>,
    /// There was a login since the last of them.
    back: bool,
    pub(super) recovery: Meter,
}

impl Handler for Load {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let now = Instant::now();
        self.judge(now, received.payload());
        // In order, and nothing is ever held: neither can be refused.
        if let Pace::Window(window) = self.pace
            && self.ledger.in_flight() < window
            && now < self.end
            && let Ok(mut slot) = link.claim(BENCH, self.messages.size())
        {
            self.messages.write(self.ledger.next(), &mut slot);
            if slot.commit_consuming(received).is_ok() {
                self.sent(now);
            }
            return;
        }
        let _ = link.consume(received);
    }

    fn writable(&mut self, _: &mut Link<'_>) {
        self.full = false;
    }

    fn connected(&mut self, _: &mut Link<'_>, connected: &Connected) {
        self.carrier = Some(connected.carrier);
        self.full = false;
        self.back = true;
        self.trouble = None;
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.back = false;
        self.trouble = Some(reason.to_string());
    }

    fn reset(&mut self, _: &mut Link<'_>, report: &ResetReport) {
        self.trouble = Some(events::reset(report));
        self.ledger.give_up();
        self.since.clear();
    }

    fn unreachable(&mut self, _: SocketAddr, error: &io::Error) {
        self.trouble = Some(error.to_string());
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.trouble = Some(events::refused(refused));
    }

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        self.trouble = Some(events::not_shared(peer, error));
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        self.trouble = Some(events::failed(peer, error));
    }
}

impl Load {
    pub(super) fn new(pace: Pace, size: usize, now: Instant) -> Self {
        Self {
            pace,
            messages: Messages::new(RandomState::new().build_hasher().finish(), size),
            ledger: Ledger::default(),
            since: VecDeque::new(),
            began: now,
            warm: now,
            end: now,
            full: false,
            carrier: None,
            times: Meter::new(),
            heard: now,
            trouble: None,
            strange: false,
            refused: None,
            kills: 0,
            open: Vec::new(),
            back: false,
            recovery: Meter::new(),
        }
    }

    /// The run begins: it is measured behind `warm_up`, and sends for `duration` from there.
    pub(super) fn begin(&mut self, now: Instant, warm_up: Duration, duration: Duration) {
        (self.began, self.warm) = (now, now + warm_up);
        self.end = self.warm + duration;
        self.heard = now;
    }

    /// Sends no more.
    pub(super) fn end(&mut self, now: Instant) {
        self.end = self.end.min(now);
        // What should have gone by now still goes.
        if let Pace::Window(_) = self.pace {
            self.full = false;
        }
    }

    /// Whether nothing is sent any more but what is late.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }

    /// Whether everything went that should, and what went came back.
    pub(super) fn is_done(&self, now: Instant) -> bool {
        now >= self.end && self.due(now) == 0 && self.ledger.in_flight() == 0
    }

    /// The server was killed.
    pub(super) fn killed(&mut self, at: Instant) {
        self.kills += 1;
        self.open.push(at);
        self.back = false;
    }

    // ---- sending ----

    /// How many messages should go now.
    pub(super) fn due(&self, now: Instant) -> u64 {
        match self.pace {
            Pace::Window(_) if now >= self.end => 0,
            Pace::Window(window) => window.saturating_sub(self.ledger.in_flight()),
            Pace::Rate(rate) => {
                let nanos = now.min(self.end).saturating_duration_since(self.began).as_nanos();
                let should = u64::try_from(nanos * u128::from(rate) / 1_000_000_000).unwrap_or(u64::MAX);
                (should + u64::from(now < self.end)).saturating_sub(self.ledger.next() - 1)
            }
        }
    }

    /// Whether there is something to send, and room as far as is known.
    pub(super) fn can_send(&self, now: Instant) -> bool {
        self.carrier.is_some() && !self.full && self.due(now) > 0
    }

    /// How long nothing is to be sent.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let idle = Duration::from_millis(50);
        match self.pace {
            Pace::Rate(_) if !self.full && now < self.end => {
                self.intended(self.ledger.next()).saturating_duration_since(now).min(idle)
            }
            _ => idle,
        }
    }

    /// When a message of an open loop should go.
    fn intended(&self, number: u64) -> Instant {
        match self.pace {
            Pace::Window(_) => self.began,
            Pace::Rate(rate) => {
                let nanos = u128::from(number - 1) * 1_000_000_000 / u128::from(rate);
                self.began + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        }
    }

    /// Sends what is due, as far as there is room.
    pub(super) fn send(&mut self, now: Instant, link: &mut Link<'_>) {
        for _ in 0..self.due(now) {
            match link.claim(BENCH, self.messages.size()) {
                Ok(mut slot) => {
                    self.messages.write(self.ledger.next(), &mut slot);
                    slot.commit();
                    let since = match self.pace {
                        Pace::Window(_) => Instant::now(),
                        Pace::Rate(_) => self.intended(self.ledger.next()),
                    };
                    self.sent(since);
                }
                // `writable` or `connected` says when there is room.
                Err(SendError::Full { .. } | SendError::NotEstablished) => {
                    self.full = true;
                    return;
                }
                Err(error) => {
                    self.refused = Some(error);
                    return;
                }
            }
        }
    }

    #[inline]
    fn sent(&mut self, since: Instant) {
        self.ledger.sent();
        self.since.push_back(since);
    }

    // ---- what came back ----

    #[inline]
    fn judge(&mut self, now: Instant, payload: &[u8]) {
        let done = match self.messages.read(payload) {
            Read::Number(number) => {
                self.heard = now;
                self.ledger.answer(number)
            }
            // Of an earlier run, or nothing that was asked for.
            Read::Other => {
                self.strange = true;
                return;
            }
            Read::Damaged => return self.ledger.damaged(),
        };
        for left in (0..done).rev() {
            let since = self.since.pop_front();
            // Those that were passed over have no time.
            if let Some(since) = since.filter(|since| left == 0 && *since >= self.warm) {
                self.times.record(now.saturating_duration_since(since));
            }
        }
        if self.back && !self.open.is_empty() {
            for killed in self.open.drain(..) {
                self.recovery.record(now.saturating_duration_since(killed));
            }
        }
    }
}
