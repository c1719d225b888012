//! The application of `tcpshm serve`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tcpshm_driver::{
    Connected, Disconnected, FileError, GroupId, Handler, Kind, Link, LoginAttempt, LoginRefused, Name,
    Received, ResetReport, SendError, SessionId, Stalled, Undelivered, ViewError,
};
use tcpshm_support::events;

use super::groups::Places;
use super::host::Host;
use super::served::{AllServed, Served};
use super::voice::Voice;
use super::{BEAT, Mode, Options};
use crate::units::{bytes, counted};

/// The kind of what a source makes.
const MADE: Kind = Kind::new(1).expect("not 0");
/// Messages that a source makes for one link before the others have their turn.
const BURST: u64 = 256;

/// Echo, sink or source.
pub(super) struct App<'o> {
    options: &'o Options,
    voice: Voice,
    links: AllServed,
    /// Of a server.
    places: Places,
    since: Instant,
    payload: Vec<u8>,
}

impl Handler for App<'_> {
    fn choose_group(&mut self, attempt: &LoginAttempt<'_>) -> GroupId {
        self.places.choose(attempt.client)
    }

    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let served = self.links.of(link.peer(), link.session());
        served.tally.messages_in += 1;
        served.tally.bytes_in += received.payload().len() as u64;
        if self.options.mode != Mode::Echo {
            if let Err(refused) = link.consume(received) {
                self.voice.note(format!("cannot consume a message: {}", refused.reason));
            }
            return;
        }
        // Answers leave in the order of the questions.
        let unanswered = if served.waiting.is_empty() { echo(link, served, received) } else { Err(received) };
        if let Err(received) = unanswered {
            match link.hold(received) {
                Ok(held) => served.waiting.push_back(held),
                Err(refused) => self.voice.note(format!("cannot hold a message: {}", refused.reason)),
            }
        }
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        let served = self.links.of(link.peer(), link.session());
        served.ready = true;
        answer_waiting(link, served);
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        let due = self.due(Instant::now());
        let served = self.links.of(link.peer(), link.session());
        served.tally.connections += 1;
        served.connected = true;
        served.ready = true;
        // What could not be made while the client was away is not made up for.
        let due = self.options.rate.map_or(served.made, |_| due);
        served.made = served.made.max(due);
        answer_waiting(link, served);
        let outcome = format!("{:?}", connected.outcome).to_lowercase();
        let carrier = format!("{:?}", connected.carrier).to_lowercase();
        let document = json!({
            "event": "connected", "peer": link.peer().as_str(), "address": connected.address,
            "carrier": carrier, "outcome": outcome,
        });
        self.say(&document, || events::connected(link, connected));
    }

    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        self.links.of(link.peer(), link.session()).connected = false;
        let peer = link.peer().as_str();
        let document = json!({"event": "disconnected", "peer": peer, "reason": reason.to_string()});
        self.say(&document, || events::disconnected(link, reason));
    }

    fn closed(&mut self, peer: &Name, session: SessionId) {
        self.links.of(peer, session).waiting.clear();
    }

    fn refused(&mut self, refused: &LoginRefused) {
        let text = events::refused(refused);
        self.say(&json!({"event": "refused", "text": text}), || text.clone());
    }

    fn reset(&mut self, link: &mut Link<'_>, report: &ResetReport) {
        self.links.of(link.peer(), link.session());
        self.note(events::reset(report));
    }

    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        self.note(events::stalled(link, stalled));
    }

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        self.note(events::not_shared(peer, error));
    }

    fn left_behind(&mut self, peer: &Name, undelivered: &Undelivered) {
        self.note(events::left_behind(peer, undelivered));
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        self.note(events::failed(peer, error));
    }
}

impl<'o> App<'o> {
    pub(super) fn new(options: &'o Options, now: Instant, voice: Voice) -> Self {
        Self {
            options,
            voice,
            links: AllServed::default(),
            places: Places::default(),
            since: now,
            payload: vec![0; options.size()],
        }
    }

    /// Links go there.
    pub(super) fn with_places(self, places: Places) -> Self {
        Self { places, ..self }
    }

    /// Whose links this application has, or had, or sent elsewhere.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Name> {
        self.links.iter().map(|served| &served.peer).chain(self.places.peers())
    }

    pub(super) fn into_links(self) -> Vec<Served> {
        self.links.into_links()
    }

    /// What others have carried, for the summary.
    pub(super) fn add_links(&mut self, links: Vec<Served>) {
        links.into_iter().for_each(|served| self.links.add(served));
    }

    // ---- a source ----

    /// How long the loop may wait before there is something to make.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        if self.options.mode != Mode::Source {
            return None;
        }
        let due = |served: &Served| served.connected && served.ready && served.made < self.due(now);
        if self.links.iter().any(due) {
            return Some(Duration::ZERO);
        }
        self.options.rate.map(|_| BEAT)
    }

    /// How many messages each link should have been made by now.
    fn due(&self, now: Instant) -> u64 {
        let Some(rate) = self.options.rate else { return u64::MAX };
        let nanos = now.saturating_duration_since(self.since).as_nanos();
        u64::try_from(nanos * u128::from(rate) / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// Makes what is due, on every link in its turn.
    pub(super) fn pump(&mut self, now: Instant, host: &mut impl Host) {
        if self.options.mode != Mode::Source {
            return;
        }
        let due = self.due(now);
        let wished = |served: &&mut Served| served.connected && served.ready && served.made < due;
        for served in self.links.iter_mut().filter(wished) {
            let Some(mut link) = host.link(now, &served.peer) else { continue };
            // Nor what a client did not take in time.
            if self.options.rate.is_some() {
                served.made = served.made.max(due.saturating_sub(BURST));
            }
            for _ in 0..BURST.min(due - served.made) {
                number(&mut self.payload, served.tally.messages_out + 1);
                if link.send(MADE, &self.payload).is_err() {
                    // `writable` or `connected` says when there is room.
                    served.ready = false;
                    break;
                }
                served.made += 1;
                served.tally.messages_out += 1;
                served.tally.bytes_out += self.payload.len() as u64;
            }
        }
    }

    // ---- what a person or a program is told ----

    fn note(&mut self, text: String) {
        self.say(&json!({"event": "note", "text": text}), || text.clone());
    }

    fn say(&mut self, document: &Value, text: impl FnOnce() -> String) {
        if self.options.quiet {
            return;
        }
        if self.options.json {
            self.voice.document(document);
        } else {
            self.voice.note(text());
        }
    }

    pub(super) fn summarise(&self) {
        if self.options.json {
            let links: Vec<Value> = self.links.iter().map(summary).collect();
            return self.voice.document(&json!({"event": "summary", "links": links}));
        }
        let width = self.links.iter().map(|link| link.peer.as_str().len()).max().unwrap_or(0);
        let line = |Served { peer, tally, .. }: &Served| {
            format!(
                "{peer:<width$}  {} in ({}), {} out ({}), {}\n",
                counted(tally.messages_in, "message"),
                bytes(tally.bytes_in),
                counted(tally.messages_out, "message"),
                bytes(tally.bytes_out),
                counted(tally.connections, "connection"),
            )
        };
        self.voice.lines(self.links.iter().map(line).collect());
    }
}

fn summary(served: &Served) -> Value {
    let mut document = json!(served.tally);
    document["peer"] = json!(served.peer.as_str());
    document
}

/// Sends a message back and consumes it, both in one store. Hands it back if there is no room.
fn echo<'r>(link: &mut Link<'_>, served: &mut Served, received: Received<'r>) -> Result<(), Received<'r>> {
    let len = received.payload().len();
    match link.claim(received.kind(), len) {
        Ok(mut slot) => {
            slot.copy_from_slice(received.payload());
            slot.commit_consuming(received).map_err(|refused| refused.received)?;
            served.tally.messages_out += 1;
            served.tally.bytes_out += len as u64;
            Ok(())
        }
        Err(SendError::Full { .. }) => Err(received),
        // It can never be answered; what comes after it can.
        Err(_) => link.consume(received).map(|_| ()).map_err(|refused| refused.received),
    }
}

/// There may be room: goes on with the oldest message that has no answer.
fn answer_waiting(link: &mut Link<'_>, served: &mut Served) {
    while let Some(held) = served.waiting.pop_front() {
        // One that is refused is void: it came before the link was opened anew, and comes again.
        let Ok(received) = link.redeem(held) else { continue };
        let Err(received) = echo(link, served, received) else { continue };
        if let Ok(held) = link.hold(received) {
            served.waiting.push_front(held);
        }
        return;
    }
}

/// Fills a payload with a number in decimal digits, zeros in front.
fn number(payload: &mut [u8], mut number: u64) {
    for digit in payload.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("one digit");
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_fills_its_payload() {
        let mut payload = *b"xxxxxx";
        number(&mut payload, 1234);
        assert_eq!(&payload, b"001234");
        number(&mut payload[..2], 1234);
        assert_eq!(&payload, b"341234");
    }
}
