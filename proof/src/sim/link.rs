//! One link of a world, and what must hold of it after every event.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tcpshm_protocol::login::{Outcome, RefusalCode};
use tcpshm_protocol::{InboundFault, ProtocolError, Role, Undelivered};

use crate::sim::counters::Counters;
use crate::sim::event::Event;
use crate::sim::witness::{Onlooker, Tally};
use crate::sim::{model, names};
use crate::violation::{Invariant, ensure, violate};
use crate::world::disk::Directory;
use crate::world::endpoint::{Endpoint, Note, Policy};
use crate::world::pair::{Pair, Setup, Snapshot};
use crate::world::ruling::{Row, Ruling};
use crate::world::truth::Truth;

/// Two processes that have a link, the copies of their files that lie about, and what was seen of them.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) pair: Pair,
    /// Whether a side's limits were changed.
    pub(super) limits_changed: bool,
    /// Whether an older or another copy of a file was put in the place of the original, so that the two sides
    /// may not be the ends of one history.
    pub(super) tainted: Rc<Cell<bool>>,
    pub(super) copies: Vec<Snapshot>,
    /// The clone of the client's host.
    pub(super) twin: Option<Snapshot>,
    /// The files that both sides have under the server's other name.
    pub(super) drawer: Option<[Directory; 2]>,
    pub(super) drawer_tainted: bool,
    pub(super) tally: Rc<RefCell<Tally>>,
    /// The sessions that such a copy may be of.
    old: Vec<u128>,
    /// How many notes of each side were looked at.
    noted: [usize; 2],
    /// Whether shared memory carried the session when it was last resumed.
    was_shared: bool,
    hash: u64,
}

impl Link {
    pub(super) fn new(setup: Setup, number: usize, tally: Rc<RefCell<Tally>>) -> Self {
        let seed = setup.seed;
        let mut pair = Pair::new(setup);
        let tainted = Rc::<Cell<bool>>::default();
        for endpoint in [&mut *pair.client, &mut *pair.server] {
            endpoint.salt = (number as u64) << 32;
        }
        let sides = [&*pair.client, &*pair.server];
        for [mine, theirs] in [sides, [sides[1], sides[0]]] {
            let histories = [mine.history.clone(), theirs.history.clone()];
            let (peer, seed) = (theirs.disk.distant(), seed ^ mine.role as u64);
            let onlooker = Onlooker::new(histories, peer, Rc::clone(&tainted), seed, Rc::clone(&tally));
            mine.disk.watch(Box::new(onlooker));
        }
        Self {
            pair,
            limits_changed: false,
            tainted,
            copies: Vec::new(),
            twin: None,
            drawer: None,
            drawer_tainted: false,
            tally,
            old: Vec::new(),
            noted: [0; 2],
            was_shared: false,
            hash: 0,
        }
    }

    pub(super) fn endpoint(&self, role: Role) -> &Endpoint {
        if role == Role::Client { &self.pair.client } else { &self.pair.server }
    }

    pub(super) fn endpoint_mut(&mut self, role: Role) -> &mut Endpoint {
        if role == Role::Client { &mut self.pair.client } else { &mut self.pair.server }
    }

    pub(super) fn count(&self, what: &'static str) {
        self.tally.borrow_mut().counters.count(what);
    }

    /// A file is about to be something else than what its owner left.
    pub(super) fn taint(&mut self) {
        self.tainted.set(true);
        let sides = [&self.pair.client.history, &self.pair.server.history];
        self.old = sides.iter().flat_map(|history| history.copy().into_keys()).collect();
    }

    /// What must hold now. What must hold of images and messages is looked at when there is one.
    pub(super) fn judge(&mut self) {
        self.judge_what_was_said();
        self.notice_new_history();
    }

    pub(super) fn judge_what_was_said(&mut self) {
        self.judge_decisions();
        self.judge_reports();
        self.pair.check_ends();
        self.pair.check_fenced();
        let sights = std::mem::take(&mut self.pair.sights);
        sights.into_iter().for_each(|sight| self.count(sight));
    }

    /// What was said meanwhile is nobody's business.
    pub(super) fn forget_what_was_said(&mut self) {
        self.pair.rulings.clear();
        self.pair.sights.clear();
        self.pair.server.bad_logins.clear();
        for (side, role) in [Role::Client, Role::Server].into_iter().enumerate() {
            self.endpoint_mut(role).refusals.clear();
            self.noted[side] = self.endpoint(role).notes.len();
        }
    }

    /// I8: each login ended as the model says.
    fn judge_decisions(&mut self) {
        for ruling in std::mem::take(&mut self.pair.rulings) {
            if ruling.shown.is_some() {
                let expected = model::expected(&ruling, self.tainted.get());
                ensure(expected.contains(&ruling.row), Invariant::Decided, || {
                    format!("expected {expected:?}, and it was {ruling:?}")
                });
            }
            self.count_ruling(&ruling);
        }
    }

    /// I8 and I12: nobody is told of trouble that there was no reason for.
    fn judge_reports(&mut self) {
        for (side, role) in [Role::Client, Role::Server].into_iter().enumerate() {
            let endpoint = self.endpoint(role);
            let notes = endpoint.notes.get(self.noted[side]..).unwrap_or_default().to_vec();
            self.noted[side] = endpoint.notes.len();
            let mut counters = Counters::default();
            for note in &notes {
                names::count_note(note, &mut counters);
                let left = ProtocolError::Inbound(InboundFault::Left);
                let trouble = match note {
                    Note::Misfit(_) => true,
                    // A Confirm may arrive when its client has left the memory that it told of.
                    Note::NotShared(_) => role == Role::Client,
                    Note::Fault(fault) => *fault != left,
                    _ => false,
                };
                ensure(!trouble || self.tainted.get(), Invariant::Decided, || format!("{role:?}: {note:?}"));
                if let Note::Reset { theirs: Some(theirs), .. } = note {
                    self.judge_told(role.other(), theirs, &mut counters);
                }
            }
            for reason in std::mem::take(&mut self.endpoint_mut(role).refusals) {
                counters.count(names::of_refused_reason(&reason));
            }
            self.tally.borrow_mut().counters.merge(&counters);
        }
        for code in std::mem::take(&mut self.pair.server.bad_logins) {
            self.count(names::of_refusal(code));
        }
    }

    /// I8 and I2: what a reset reports of the peer is what the peer said of itself. Something of it may have been
    /// consumed, since that is not known, but whatever was not is in it. That it was the whole truth when the
    /// peer said it was looked at then.
    fn judge_told(&self, peer: Role, report: &Undelivered, counters: &mut Counters) {
        let (peer, mine) = (self.endpoint(peer), &self.endpoint(peer.other()).history);
        // A side whose past was exchanged since then may know nothing of it.
        let tainted = self.tainted.get();
        let sound = |truth: &Truth, consumed: usize| {
            let [from, upto] = [report.from, report.upto].map(|at| truth.committed_below(at.get()));
            let ends = [truth.end(from), truth.end(upto)] == [report.from.get(), report.upto.get()];
            ends && report.messages == (upto - from) as u64 && from <= consumed
        };
        let said = peer.told.iter().filter(|(_, told)| told == report).any(|(session, _)| {
            let consumed = mine.read(*session, |truth| truth.consumed.len()).unwrap_or(0);
            tainted || peer.history.read(*session, |truth| sound(truth, consumed)) == Some(true)
        });
        ensure(said, Invariant::Decided, || format!("a reset tells of {report}, of {:?}", peer.told));
        counters.count(if tainted {
            "reset: tells of a peer with a copy about"
        } else {
            "reset: tells of the peer"
        });
    }

    /// Once both sides are in a session that began after the copies were made, no copy is about any more.
    fn notice_new_history(&mut self) {
        if self.tainted.get()
            && self.pair.is_connected()
            && self.pair.client.session_number() == self.pair.server.session_number()
            && !self.old.contains(&self.pair.client.session_number())
        {
            self.tainted.set(false);
        }
    }

    fn count_ruling(&mut self, ruling: &Ruling) {
        let shared = self.pair.server.is_shared();
        let strict = [&*self.pair.client, &*self.pair.server]
            .iter()
            .any(|endpoint| endpoint.configuration.policy == Policy::Strict);
        let counters = &mut self.tally.borrow_mut().counters;
        let proposed = ruling.shown.as_ref().and_then(|shown| shown.proposed);
        match ruling.row {
            Row::Accepted(Outcome::Resumed) => {
                counters.count("row: Resumed");
                counters.count_if(ruling.live, "row: Resumed by takeover");
                counters.count_if(ruling.live && shared, "takeover: over shared memory");
                let found = ruling.found.as_ref().map(|found| found.session);
                counters.count_if(proposed.is_some() && proposed == found, "row: Resumed after a lost Ready");
                let held = self.pair.client.held() + self.pair.server.held() > 0;
                counters.count_if(held, "held: over a reconnect");
                let owes = !self.pair.client.is_idle() || !self.pair.server.is_idle();
                counters
                    .count_if(shared != self.was_shared && owes, "carrier: changed with messages unacked");
                self.was_shared = shared;
                counters.count_if(!shared && self.pair.sends_old_acks(), "ack: old one resent");
            }
            Row::Accepted(Outcome::Fresh) => {
                counters.count("row: Fresh");
                let before = ruling.shown.as_ref().is_some_and(|shown| shown.proposed_before);
                counters.count_if(before, "row: Fresh with a proposal from before");
            }
            Row::Accepted(Outcome::Reset) => counters.count("row: Reset"),
            Row::Refused(code) => {
                counters.count(names::of_refusal(code));
                if let Some(row) = names::of_row(code, strict) {
                    counters.count(row);
                }
            }
        }
        counters.count_if(
            ruling.positions && ruling.fits == Some(false),
            "copy: restored, and its positions fit",
        );
    }

    // ---- what it was ----

    /// Adds what there is to what makes two runs the same.
    pub(super) fn note(&mut self, event: Event) {
        let mut add = |number: u64| {
            self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        };
        add(u64::from(u32::from_le_bytes(event.encode())));
        for endpoint in [&*self.pair.client, &*self.pair.server] {
            for half in endpoint.session_number().to_le_bytes().chunks_exact(8) {
                add(u64::from_le_bytes(half.try_into().expect("eight bytes")));
            }
            add(endpoint.disk.steps());
            add(endpoint.notes.len() as u64);
            add(endpoint.delivered.len() as u64);
            let standing = endpoint.session.as_ref().map(|session| (session.standing(), session.committed()));
            if let Some((standing, committed)) = standing {
                let end = committed.position();
                for position in [standing.acked, standing.sent, standing.consumed, end] {
                    add(position.get());
                }
            }
        }
        add(u64::from(self.pair.is_connected()));
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }
}

/// I13: no login succeeds, and no policy says why.
pub(super) fn refused_for_ever(link: &Link, code: Option<RefusalCode>) -> ! {
    let [client, server] = [&link.pair.client.notes, &link.pair.server.notes];
    violate(Invariant::Live, format!("refused for ever, {code:?}: client {client:?}, server {server:?}"))
}
