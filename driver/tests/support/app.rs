//! An application that does one simple thing with messages and writes down all that it is told.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tcpshm_driver::protocol::login::Outcome;
use tcpshm_driver::{
    Admission, Carrier, Connected, Delivered, Disconnected, Dispute, FileError, GroupId, Handler, Held, Link,
    LoginAttempt, LoginRefused, Name, Policy, Quarrel, Received, Refusal, RefusalCode, ResetReport,
    SessionId, Stalled, Undelivered, UserData, ViewError,
};

/// What an application does with a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Habit {
    #[default]
    Consume,
    /// Echoes what is of kind 1, consumes the rest.
    Echo,
    Hold,
    /// Neither consumes nor keeps it.
    Ignore,
}

/// Something an application was told.
#[derive(Debug)]
pub(crate) enum Note {
    Connected(Connected),
    /// The reason as `Debug` shows it: it is not `Clone`.
    Disconnected(String),
    Reset(Reset),
    Refused(LoginRefused),
    Disputed(Dispute),
    LeftBehind(Name, Undelivered),
    Failed(Name, String),
    Stalled(Stalled),
    Unconsumed(Delivered),
    Writable,
    Departing(GroupId),
    Arrived(GroupId),
    Closed(Name),
    GroupGone(GroupId),
}

/// What a reset report said.
#[derive(Clone, Debug)]
pub(crate) struct Reset {
    pub(crate) ended: Option<SessionId>,
    pub(crate) undelivered: Option<u64>,
    pub(crate) peer_undelivered: Option<u64>,
    /// The file kept aside, and the messages it holds.
    pub(crate) kept: Option<(PathBuf, u64)>,
}

/// The application.
pub(crate) struct App {
    pub(crate) habit: Habit,
    pub(crate) policy: Policy,
    pub(crate) admission: Admission,
    /// Whether it closes every link as soon as it is connected.
    pub(crate) closes: bool,
    /// The group it names for every link.
    pub(crate) group: GroupId,
    /// The message at which its handler panics.
    pub(crate) panics_at: Option<Vec<u8>>,
    /// What it panics at when it is told of it.
    pub(crate) panics_when: Option<&'static str>,
    pub(crate) notes: Vec<Note>,
    pub(crate) received: Vec<Vec<u8>>,
    pub(crate) held: Vec<Held>,
    /// Who asked to be let in, and with which user data.
    pub(crate) attempts: Vec<(Name, Vec<u8>)>,
    /// Peers whose memory is not shared, and why.
    pub(crate) not_shared: Vec<(Name, String)>,
    /// Addresses that led nowhere.
    pub(crate) unreachable: Vec<(SocketAddr, io::ErrorKind)>,
}

impl Default for App {
    fn default() -> Self {
        App {
            habit: Habit::Consume,
            policy: Policy::Reset,
            admission: Admission::Admit(UserData::default()),
            closes: false,
            group: GroupId::SERVER,
            panics_at: None,
            panics_when: None,
            notes: Vec::new(),
            received: Vec::new(),
            held: Vec::new(),
            attempts: Vec::new(),
            not_shared: Vec::new(),
            unreachable: Vec::new(),
        }
    }
}

impl App {
    pub(crate) fn with(habit: Habit) -> Self {
        App { habit, ..App::default() }
    }

    /// One that resets nothing unasked.
    pub(crate) fn strict() -> Self {
        App { policy: Policy::Refuse, ..App::default() }
    }

    /// How its connections began.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.connections().map(|connected| connected.outcome).collect()
    }

    pub(crate) fn connections(&self) -> impl Iterator<Item = &Connected> {
        self.notes.iter().filter_map(|note| match note {
            Note::Connected(connected) => Some(connected),
            _ => None,
        })
    }

    /// What carried them.
    pub(crate) fn carriers(&self) -> Vec<Carrier> {
        self.connections().map(|connected| connected.carrier).collect()
    }

    /// How its connections ended.
    pub(crate) fn endings(&self) -> Vec<&str> {
        let ending = |note: &Note| matches!(note, Note::Disconnected(_));
        let endings = self.notes.iter().filter(|note| ending(note));
        endings
            .filter_map(|note| if let Note::Disconnected(text) = note { Some(text.as_str()) } else { None })
            .collect()
    }

    pub(crate) fn refusals(&self) -> Vec<&LoginRefused> {
        self.notes
            .iter()
            .filter_map(|note| if let Note::Refused(refused) = note { Some(refused) } else { None })
            .collect()
    }

    /// The last refusal with this code.
    pub(crate) fn refusal(&self, code: RefusalCode) -> Option<&Refusal> {
        self.refusals().into_iter().rev().map(|refused| &refused.refusal).find(|refusal| refusal.code == code)
    }

    pub(crate) fn resets(&self) -> Vec<&Reset> {
        self.notes
            .iter()
            .filter_map(|note| if let Note::Reset(reset) = note { Some(reset) } else { None })
            .collect()
    }

    pub(crate) fn disputes(&self) -> Vec<&Dispute> {
        self.notes
            .iter()
            .filter_map(|note| if let Note::Disputed(dispute) = note { Some(dispute) } else { None })
            .collect()
    }

    pub(crate) fn failures(&self) -> Vec<&str> {
        self.notes
            .iter()
            .filter_map(|note| if let Note::Failed(_, text) = note { Some(text.as_str()) } else { None })
            .collect()
    }

    pub(crate) fn stalls(&self) -> Vec<Stalled> {
        self.notes
            .iter()
            .filter_map(|note| if let Note::Stalled(stalled) = note { Some(*stalled) } else { None })
            .collect()
    }

    /// Links with others that still hold messages, and how many.
    pub(crate) fn left_behind(&self) -> Vec<(&str, u64)> {
        let left = self.notes.iter().filter_map(|note| match note {
            Note::LeftBehind(peer, left) => Some((peer.as_str(), left.messages)),
            _ => None,
        });
        left.collect()
    }

    /// Beginnings, ends, moves and resets in the order in which they were told.
    pub(crate) fn story(&self) -> Vec<String> {
        let line = |note: &Note| match note {
            Note::Connected(connected) => Some(format!("{:?}", connected.outcome)),
            Note::Disconnected(reason) => Some(reason.clone()),
            Note::Reset(_) => Some("reset".to_owned()),
            Note::Departing(to) => Some(format!("to {to}")),
            Note::Arrived(from) => Some(format!("from {from}")),
            Note::GroupGone(group) => Some(format!("{group} gone")),
            Note::Closed(peer) => Some(format!("{peer} closed")),
            _ => None,
        };
        self.notes.iter().filter_map(line).collect()
    }

    /// Whether a dispute of this kind was put to it with these counts.
    pub(crate) fn was_asked(&self, quarrel: Quarrel, ours: Option<u64>, theirs: Option<u64>) -> bool {
        let count = |undelivered: Option<Undelivered>| undelivered.map(|undelivered| undelivered.messages);
        self.disputes().into_iter().any(|dispute| {
            dispute.quarrel == quarrel
                && count(dispute.undelivered) == ours
                && count(dispute.peer_undelivered) == theirs
        })
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.received.iter().map(|payload| std::str::from_utf8(payload).expect("tests send text")).collect()
    }
}

impl App {
    fn panic_when(&self, told: &'static str) {
        if self.panics_when == Some(told) {
            panic!("as it was told");
        }
    }
}

impl Handler for App {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if self.panics_at.as_deref() == Some(received.payload()) {
            panic!("as it was told");
        }
        self.received.push(received.payload().to_vec());
        match self.habit {
            Habit::Echo if received.kind().get() == 1 => {
                let len = received.payload().len();
                let mut slot = link.claim(received.kind(), len).expect("room for a reply");
                slot.copy_from_slice(received.payload());
                slot.commit_consuming(received).expect("messages come in order");
            }
            Habit::Consume | Habit::Echo => {
                link.consume(received).expect("messages come in order");
            }
            Habit::Hold => self.held.push(link.hold(received).expect("a message of this link")),
            Habit::Ignore => {}
        }
    }

    fn login(&mut self, attempt: &LoginAttempt<'_>) -> Admission {
        self.attempts.push((attempt.client.clone(), attempt.user_data.as_bytes().to_vec()));
        self.admission.clone()
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        self.panic_when("connected");
        if self.closes {
            link.close();
        }
        self.notes.push(Note::Connected(connected.clone()));
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.panic_when("disconnected");
        self.notes.push(Note::Disconnected(format!("{reason:?}")));
    }

    fn choose_group(&mut self, _: &LoginAttempt<'_>) -> GroupId {
        self.group
    }

    fn group_gone(&mut self, group: GroupId) {
        self.notes.push(Note::GroupGone(group));
    }

    fn departing(&mut self, _: &mut Link<'_>, to: GroupId) {
        self.panic_when("departing");
        self.notes.push(Note::Departing(to));
    }

    fn arrived(&mut self, _: &mut Link<'_>, from: GroupId) {
        self.panic_when("arrived");
        self.notes.push(Note::Arrived(from));
    }

    fn closed(&mut self, peer: &Name, _: SessionId) {
        self.notes.push(Note::Closed(peer.clone()));
    }

    fn writable(&mut self, _: &mut Link<'_>) {
        self.notes.push(Note::Writable);
    }

    fn stalled(&mut self, _: &mut Link<'_>, stalled: &Stalled) {
        self.notes.push(Note::Stalled(*stalled));
    }

    fn unconsumed(&mut self, _: &mut Link<'_>, position: Delivered) {
        self.notes.push(Note::Unconsumed(position));
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        self.notes.push(Note::Disputed(dispute.clone()));
        self.policy
    }

    fn reset(&mut self, _: &mut Link<'_>, report: &ResetReport) {
        let kept = report.kept.as_ref();
        self.notes.push(Note::Reset(Reset {
            ended: report.ended,
            undelivered: report.undelivered.map(|undelivered| undelivered.messages),
            peer_undelivered: report.peer_undelivered.map(|undelivered| undelivered.messages),
            kept: kept.map(|kept| {
                let undelivered = kept.undelivered.as_ref().expect("a kept file can be read");
                (kept.path.clone(), undelivered.messages)
            }),
        }));
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.panic_when("refused");
        self.notes.push(Note::Refused(refused.clone()));
    }

    fn unreachable(&mut self, address: SocketAddr, error: &io::Error) {
        self.unreachable.push((address, error.kind()));
    }

    fn left_behind(&mut self, peer: &Name, undelivered: &Undelivered) {
        self.notes.push(Note::LeftBehind(peer.clone(), *undelivered));
    }

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        self.not_shared.push((peer.clone(), error.to_string()));
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        self.notes.push(Note::Failed(peer.clone(), error.to_string()));
    }
}
