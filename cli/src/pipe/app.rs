//! The application at one end: what it is told of its link.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tcpshm_driver::{
    Admission, Connected, Delivered, Disconnected, FileError, Handler, Link, LoginAttempt, LoginRefused,
    Name, Received, ResetReport, Stalled, Undelivered, UserData, ViewError,
};
use tcpshm_support::events;
use tcpshm_support::screen::Screen;

/// How long the other side may be away before that is worth a line.
const PATIENCE: Duration = Duration::from_secs(2);

/// What takes messages.
pub(crate) trait Taker {
    /// A message came. Returns whether it is consumed at once; otherwise it stays.
    fn take(&mut self, link: &Link<'_>, received: &Received<'_>) -> bool;
}

/// One end.
pub(crate) struct EndApp<T> {
    pub(crate) taker: T,
    pub(crate) screen: Screen,
    /// The other side: from the first login on, if not before.
    pub(crate) peer: Option<Name>,
    pub(crate) connected: bool,
    /// How often it was.
    pub(crate) logins: u64,
    /// There is room again, as far as is known.
    pub(crate) roomy: bool,
    /// A fresh session took the place of the one that was used.
    pub(crate) reset: Option<ResetReport>,
    heard: Instant,
    said: Option<String>,
}

impl<T: Taker> Handler for EndApp<T> {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if !self.is_ours(link) {
            // It stays where it is.
            return;
        }
        if self.taker.take(link, &received) {
            // In order, and nothing is ever held: it cannot be refused.
            let _ = link.consume(received);
        }
    }

    /// It is consumed later, together with others.
    fn unconsumed(&mut self, _: &mut Link<'_>, _: Delivered) {}

    fn login(&mut self, attempt: &LoginAttempt<'_>) -> Admission {
        match &self.peer {
            Some(peer) if peer != attempt.client => {
                Admission::Deny(format!("this end of the link is for {peer}"))
            }
            _ => Admission::Admit(UserData::default()),
        }
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.roomy |= self.is_ours(link);
    }

    fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
        if self.peer.is_some() && !self.is_ours(link) {
            // It was let in before another one was there, and this end has one link.
            link.close();
            return;
        }
        self.peer = Some(link.peer().clone());
        self.connected = true;
        self.logins += 1;
        self.roomy = true;
        self.heard = Instant::now();
        self.said = None;
    }

    fn disconnected(&mut self, link: &mut Link<'_>, _: &Disconnected) {
        if !self.is_ours(link) {
            return;
        }
        // It comes back by itself; if it does not, `look` says so.
        self.connected = false;
        self.heard = Instant::now();
    }

    fn reset(&mut self, link: &mut Link<'_>, report: &ResetReport) {
        if self.peer.is_some() && !self.is_ours(link) {
            return;
        }
        self.screen.line(format_args!("tcpshm: {}", events::reset(report)));
        self.reset = Some(ResetReport {
            peer: report.peer.clone(),
            ended: report.ended,
            undelivered: report.undelivered,
            peer_undelivered: report.peer_undelivered,
            kept: None,
        });
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.say_once(matter(refused), events::refused(refused));
    }

    fn unreachable(&mut self, address: SocketAddr, error: &io::Error) {
        if self.heard.elapsed() > PATIENCE {
            self.say(format!("{address}: {error}"));
        }
    }

    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        self.say(events::stalled(link, stalled));
    }

    fn left_behind(&mut self, peer: &Name, undelivered: &Undelivered) {
        self.screen.line(format_args!("tcpshm: {}", events::left_behind(peer, undelivered)));
    }

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        self.say(events::not_shared(peer, error));
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        self.say(events::failed(peer, error));
    }
}

impl<T> EndApp<T> {
    pub(crate) fn new(taker: T, peer: Option<Name>) -> Self {
        Self {
            taker,
            screen: Screen::new(),
            peer,
            connected: false,
            logins: 0,
            roomy: false,
            reset: None,
            heard: Instant::now(),
            said: None,
        }
    }

    /// Whether this is the one link of this end.
    fn is_ours(&self, link: &Link<'_>) -> bool {
        self.peer.as_ref() == Some(link.peer())
    }

    /// Says something about the other side, unless that was the last thing said about it.
    fn say(&mut self, text: String) {
        self.say_once(text.clone(), text);
    }

    /// The same for a matter that is put in other words each time.
    fn say_once(&mut self, matter: String, text: String) {
        if self.said.as_ref() != Some(&matter) {
            self.screen.line(format_args!("tcpshm: {text}; trying on"));
            self.said = Some(matter);
        }
    }
}

/// Who was refused and why: each try of a client comes from another port.
fn matter(refused: &LoginRefused) -> String {
    let LoginRefused { peer, by_us, refusal, .. } = refused;
    format!("{peer:?} {by_us} {refusal}")
}

#[cfg(test)]
mod tests {
    use tcpshm_driver::protocol::login::{Refusal, RefusalCode, RefusalText};

    use super::*;

    #[test]
    fn tries_from_two_ports_are_one_matter_and_two_reasons_are_two() {
        let refused = |port: u16, code| LoginRefused {
            peer: "you".parse().ok(),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            by_us: true,
            refusal: Refusal {
                code,
                token: None,
                undelivered: None,
                numbers: [0; 2],
                text: RefusalText::default(),
            },
        };
        assert_eq!(matter(&refused(1, RefusalCode::Denied)), matter(&refused(2, RefusalCode::Denied)));
        assert_ne!(matter(&refused(1, RefusalCode::Denied)), matter(&refused(1, RefusalCode::Busy)));
    }
}
