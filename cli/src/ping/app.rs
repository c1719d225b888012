//! The application of `tcpshm ping`: one question at a time.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tcpshm_driver::{
    Carrier, Connected, Disconnected, FileError, Handler, Kind, Link, LoginRefused, Name, Received, ViewError,
};
use tcpshm_support::events;

use super::Options;
use crate::meter::Meter;

/// Any number but 0 would do.
const PING: Kind = Kind::new(1).expect("not 0");
/// Bytes that a message has at least: which run it is of, and its number.
pub(super) const LEAST: usize = 16;

/// Asks, and measures the answers.
pub(super) struct Pinger<'o> {
    options: &'o Options,
    /// Tells the answers of this run from those that an earlier one left behind.
    run: u64,
    payload: Vec<u8>,
    /// The number of the last question.
    sent: u64,
    /// Since when its answer is awaited.
    asked: Option<Instant>,
    next: Instant,
    carrier: Option<Carrier>,
    last_carrier: Option<Carrier>,
    /// The last answer, or the start.
    heard: Instant,
    trouble: Option<String>,
    /// What failed on this side.
    failed: Option<String>,
    pub(super) all: Meter,
    /// Since the last report.
    pub(super) recent: Meter,
}

impl Handler for Pinger<'_> {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let now = Instant::now();
        let expected = [self.run, self.sent].map(u64::to_le_bytes).concat();
        if received.payload().starts_with(&expected)
            && let Some(asked) = self.asked.take()
        {
            let took = now.saturating_duration_since(asked);
            self.all.record(took);
            self.recent.record(took);
            self.heard = now;
        }
        // In order, and nothing is ever held: it cannot be refused.
        let _ = link.consume(received);
    }

    fn connected(&mut self, _: &mut Link<'_>, connected: &Connected) {
        self.carrier = Some(connected.carrier);
        self.last_carrier = self.carrier;
        (self.trouble, self.failed) = (None, None);
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.carrier = None;
        // Until now it was there.
        self.heard = Instant::now();
        self.trouble = Some(reason.to_string());
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
        self.failed = Some(events::failed(peer, error));
    }

    fn reset(&mut self, _: &mut Link<'_>, _: &tcpshm_driver::ResetReport) {
        // The question went with the session.
        self.asked = None;
    }
}

impl<'o> Pinger<'o> {
    pub(super) fn new(options: &'o Options, now: Instant) -> Self {
        Self {
            options,
            run: RandomState::new().build_hasher().finish(),
            payload: vec![0; options.size],
            sent: 0,
            asked: None,
            next: now,
            carrier: None,
            last_carrier: None,
            heard: now,
            trouble: None,
            failed: None,
            all: Meter::new(),
            recent: Meter::new(),
        }
    }

    /// Whether the next question may go.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.carrier.is_some() && self.asked.is_none() && self.next <= now && !self.is_done()
    }

    pub(super) fn ask(&mut self, link: &mut Link<'_>) {
        let number = self.sent + 1;
        self.payload[..8].copy_from_slice(&self.run.to_le_bytes());
        self.payload[8..16].copy_from_slice(&number.to_le_bytes());
        let now = Instant::now();
        match link.send(PING, &self.payload) {
            Ok(_) => {
                (self.sent, self.asked) = (number, Some(now));
                self.next = now + self.options.interval;
            }
            Err(error) => {
                // Full of what an earlier run left, say: it takes its time.
                self.trouble = Some(error.to_string());
                self.next = now + Duration::from_millis(1);
            }
        }
    }

    /// How long there is nothing to do.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let idle = self.asked.is_some() || self.carrier.is_none();
        if idle { Duration::from_millis(100) } else { self.next.saturating_duration_since(now) }
    }

    /// For how long no answer came, if that is too long.
    pub(super) fn overdue(&self, now: Instant) -> Option<Duration> {
        let since = self.asked.map_or(self.heard, |asked| asked.max(self.heard));
        let waits = self.asked.is_some() || self.carrier.is_none();
        let waited = now.saturating_duration_since(since);
        Some(waited).filter(|waited| waits && *waited >= self.options.timeout)
    }

    pub(super) fn is_done(&self) -> bool {
        self.asked.is_none() && self.options.count.is_some_and(|count| self.sent >= count)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn answered(&self) -> u64 {
        self.all.count()
    }

    /// What was last heard of why.
    pub(super) fn why(&self) -> String {
        // What failed here is why the other side refused.
        self.failed.as_ref().or(self.trouble.as_ref()).map_or("is it an echo?", String::as_str).to_owned()
    }

    /// What carries the link now.
    pub(super) fn carrier(&self) -> Option<&'static str> {
        self.carrier.map(carrier_name)
    }

    /// What carried it last.
    pub(super) fn last_carrier(&self) -> Option<&'static str> {
        self.last_carrier.map(carrier_name)
    }
}

fn carrier_name(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Tcp => "tcp",
        Carrier::Shm => "shm",
    }
}
