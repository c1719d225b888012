//! All links of one process.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use tcpshm_driver::{
    Carrier, Connected, Disconnected, Dispute, FileError, Handler, Link, LoginRefused, Name, Policy,
    Received, ResetReport, ViewError,
};

use super::command::{Options, client_name, named};
use super::desk::{Desk, Tools, fold};
use crate::kill::log::{Log, last_intents};
use crate::kill::record::{Act, Record, carrier, clock, ending};
use crate::kill::side::Side;

/// The application.
#[derive(Debug)]
pub(super) struct Worker {
    tools: Tools,
    desks: Vec<Desk>,
    /// Which client has which desk, in the order of their links.
    clients: Vec<Name>,
    links: HashMap<Name, u16>,
    /// In a process with many clients, whose peers all have the same name: whose turn it is.
    turn: Option<u16>,
    /// Work is done on a link once in so many turns.
    pace: u32,
}

impl Worker {
    /// Goes on from what is in the log.
    pub(super) fn new(options: &Options, log: &Path, mut random: Rng) -> Result<Self, String> {
        let (mut log, records) = Log::open(log).map_err(|error| error.to_string())?;
        let start = Record { extra: clock(), ..Record::new(Act::Start, 0, 0) };
        log.write(&[start]).map_err(|error| error.to_string())?;
        let remembered = last_intents(&records);
        let desk = |link| Desk::new(link, remembered.get(&link).copied());
        let clients = (0..options.links).map(|link| named(&client_name(link)));
        let clients = clients.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            desks: (0..options.links).map(desk).collect(),
            links: clients.iter().cloned().zip(0..).collect(),
            clients,
            turn: None,
            pace: [1, 1, 4][random.usize(..3)],
            tools: Tools {
                log,
                random,
                side: u8::from(options.side == Side::Client),
                life: options.life,
                capacity: options.capacity,
                drain: options.drain,
            },
        })
    }

    /// How long a turn may wait. Most lives have something to do all the time, so that they are killed at work.
    pub(super) fn wait(&self) -> Duration {
        if self.pace == 1 { Duration::ZERO } else { Duration::from_millis(1) }
    }

    /// The clients, in the order of their links.
    pub(super) fn clients(&self) -> &[Name] {
        &self.clients
    }

    /// From here on it is the turn of this client.
    pub(super) fn turn_of(&mut self, link: u16) {
        self.turn = Some(link);
    }

    /// Works on one link without a message.
    pub(super) fn step(&mut self, link: &mut Link<'_>) {
        if self.tools.drain || self.tools.once_in(self.pace) {
            let at = self.index(link.peer());
            self.desks[usize::from(at)].step(link, &mut self.tools);
        }
    }

    fn index(&self, peer: &Name) -> u16 {
        let by_name = || *self.links.get(peer).expect("one of our clients");
        self.turn.unwrap_or_else(by_name)
    }

    fn note(&mut self, act: Act, peer: &Name, note: impl FnOnce(Record) -> Record) {
        let record = note(Record::new(act, self.index(peer), 0));
        self.tools.write(&[record]);
    }
}

impl Handler for Worker {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let at = usize::from(self.index(link.peer()));
        if self.desks[at].meet(link, &mut self.tools) {
            self.desks[at].message(link, received, &mut self.tools);
        }
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        let at = usize::from(self.index(link.peer()));
        self.desks[at].meet(link, &mut self.tools);
        let session = fold(link.session());
        let flag = if connected.carrier == Carrier::Tcp { carrier::TCP } else { carrier::SHM };
        self.note(Act::Connected, link.peer(), |record| Record { flag, extra: clock(), session, ..record });
    }

    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        let flag = match reason {
            Disconnected::Cut | Disconnected::Io(_) => ending::CUT,
            Disconnected::Silent(_) => ending::SILENT,
            Disconnected::Replaced => ending::REPLACED,
            Disconnected::Fault(_) => ending::FAULT,
            Disconnected::FileGone { .. } | Disconnected::PeerFileGone { .. } => ending::FILE_GONE,
            _ => ending::CLOSED,
        };
        self.explain(format_args!("{reason}"));
        self.note(Act::Ended, link.peer(), |record| Record { flag, ..record });
    }

    fn dispute(&mut self, dispute: &Dispute) -> Policy {
        self.explain(format_args!("{dispute:?}"));
        self.note(Act::Dispute, &dispute.peer, |record| record);
        Policy::Reset
    }

    fn reset(&mut self, link: &mut Link<'_>, report: &ResetReport) {
        let session = report.ended.map_or(0, fold);
        let number = report.undelivered.map_or(0, |undelivered| undelivered.messages);
        self.note(Act::Reset, link.peer(), |record| Record { number, session, ..record });
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.explain(format_args!("refused: {}", refused.refusal));
        let flag = u8::from(refused.by_us);
        let link = refused.peer.as_ref().map_or(0, |peer| self.index(peer));
        self.tools.write(&[Record { flag, ..Record::new(Act::Refused, link, 0) }]);
    }

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        self.explain(format_args!("not shared: {error}"));
        self.note(Act::NotShared, peer, |record| record);
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        self.explain(format_args!("failed: {error}"));
        self.note(Act::Failed, peer, |record| record);
    }
}

impl Worker {
    /// For people, if the run fails.
    #[expect(clippy::print_stderr, reason = "the supervisor keeps it in a file")]
    fn explain(&self, text: std::fmt::Arguments<'_>) {
        eprintln!("life {}, link {:?}: {text}", self.tools.life, self.turn);
    }
}
