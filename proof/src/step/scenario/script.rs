//! Writes down what leads up to an operation.

use tcpshm_protocol::Role;

use super::Scenario;
use crate::step::act::{Act, Who};
use crate::step::case::Setting;
use crate::world::wire::frame_size;

/// Bytes of a ring: more than what is zeroed ahead, and few enough to read after every instruction.
pub const CAPACITY: u64 = 512;
/// Bytes of the largest payload.
pub const LARGEST: u32 = 64;
/// Places in a ring where a frame can start.
pub const PLACES: u64 = CAPACITY / 8;

/// A scenario being written.
pub struct Script {
    setting: Setting,
    random: fastrand::Rng,
    /// Where in the ring the subject's stream stands after [`Script::churn`].
    place: u64,
    scenario: Scenario,
}

impl Script {
    /// Nothing yet. Seeds that follow each other stand far apart in the ring, and come everywhere.
    pub(super) fn new(setting: Setting, seed: u64) -> Self {
        let scenario = Scenario { prelude: Vec::new(), operation: Vec::new() };
        Self { setting, random: fastrand::Rng::with_seed(seed), place: place(seed), scenario }
    }

    pub(super) fn into_scenario(self) -> Scenario {
        self.scenario
    }

    /// The subject does this while it is watched.
    pub(super) fn now(&mut self, act: impl FnOnce(&mut fastrand::Rng) -> Act) {
        let act = act(&mut self.random);
        self.scenario.operation.push(act);
    }

    /// The subject does these, one after another, while it is watched.
    pub(super) fn then(&mut self, acts: impl IntoIterator<Item = Act>) {
        self.scenario.operation.extend(acts);
    }

    /// Somebody does these before.
    pub(super) fn before(&mut self, who: Who, acts: impl IntoIterator<Item = Act>) {
        self.scenario.prelude.extend(acts.into_iter().map(|act| (who, act)));
    }

    fn side(&mut self, role: Role, acts: impl IntoIterator<Item = Act>) {
        let who = if role == self.setting.role { Who::Subject } else { Who::Peer };
        self.before(who, acts);
    }

    // ---- logins ----

    /// The client has made its first file and shows it.
    pub(super) fn first_confirm(&mut self) {
        self.side(Role::Client, [Act::Create, Act::Show]);
    }

    /// Whatever comes before the first file of this side.
    pub(super) fn ready_to_create(&mut self) {
        if self.setting.role == Role::Server {
            self.first_confirm();
        }
    }

    fn login(&mut self) {
        self.first_confirm();
        self.side(Role::Server, [Act::Create, Act::Accept, Act::Switch]);
        self.side(Role::Client, [Act::Establish, Act::Switch, Act::Transmit]);
        // The client's first frame, or its file, ends the doubt about the attachment.
        self.side(Role::Server, [Act::Take]);
    }

    /// The connection ends after the peer has consumed messages, and before the subject hears of it.
    pub(super) fn news_for_a_login(&mut self) {
        self.before(Who::Peer, [Act::Take, Act::Consume, Act::Detach]);
        self.before(Who::Subject, [Act::Detach]);
    }

    pub(super) fn peer_loses_all(&mut self) {
        self.before(Who::Subject, [Act::Detach]);
        self.before(Who::Peer, [Act::Lose]);
    }

    // ---- messages ----

    /// A lap or two of messages both ways, so that both rings are full of what looks like frames; then the
    /// subject's next frame starts at the place that the seed named, and nothing is on its way.
    pub(super) fn churn(&mut self) {
        self.login();
        self.run(Who::Subject, 2 * CAPACITY + self.place);
        let bytes = CAPACITY + 16 * self.random.u64(2..PLACES / 2);
        self.run(Who::Peer, bytes);
    }

    /// Messages that take `bytes` of frames in all, each consumed and acknowledged.
    fn run(&mut self, who: Who, mut bytes: u64) {
        let other = if who == Who::Subject { Who::Peer } else { Who::Subject };
        while bytes > 0 {
            let len = self.next_len(bytes);
            bytes -= frame_size(len);
            self.before(who, [Act::Send(len), Act::Transmit]);
            self.before(other, [Act::Take, Act::Consume, Act::Transmit]);
            self.before(who, [Act::Learn]);
        }
    }

    /// A length that leaves nothing, or enough for another message.
    fn next_len(&mut self, bytes: u64) -> usize {
        loop {
            let len = self.random.usize(..=LARGEST as usize);
            if let Some(0 | 16..) = bytes.checked_sub(frame_size(len)) {
                return len;
            }
        }
    }

    /// The subject has two messages out, which the peer has not taken, and three of the peer's in hand.
    pub(super) fn conversation(&mut self) {
        self.churn();
        self.before(Who::Subject, [Act::Send(3), Act::Send(8), Act::Transmit]);
        self.before(Who::Peer, [1, 0, 8].map(Act::Send));
        self.before(Who::Peer, [Act::Transmit]);
        self.before(Who::Subject, [Act::Take]);
    }

    pub(super) fn peer_sends(&mut self) {
        let len = self.random.usize(..=LARGEST as usize);
        self.before(Who::Peer, [Act::Send(len), Act::Transmit]);
    }

    pub(super) fn reply_before(&mut self) {
        let len = self.random.usize(..=LARGEST as usize);
        self.before(Who::Subject, [Act::Reply(len), Act::Transmit]);
    }

    /// The peer has consumed everything, and the subject has not heard of it.
    pub(super) fn peer_consumes_all(&mut self) {
        self.before(Who::Peer, [Act::Take, Act::ConsumeThrough(3), Act::Transmit]);
    }

    /// The same of the oldest message.
    pub(super) fn peer_consumes_one(&mut self) {
        self.before(Who::Subject, [Act::Transmit]);
        self.before(Who::Peer, [Act::Take, Act::Consume, Act::Transmit]);
    }

    /// The subject's ring has room for one more message exactly: of so many bytes.
    pub(super) fn full_but_for_one(&mut self) -> usize {
        self.churn();
        let mut left = CAPACITY - 8;
        while left > frame_size(LARGEST as usize) {
            // The oldest is as large as they get, so that one as large takes its place.
            let len = if left == CAPACITY - 8 { LARGEST as usize } else { self.next_len(left) };
            left -= frame_size(len);
            self.before(Who::Subject, [Act::Send(len)]);
        }
        usize::try_from(left - 16).expect("small")
    }
}

/// Sides and carriers go by the seed modulo 4, so after each lap of places it goes on one place further.
fn place(seed: u64) -> u64 {
    /// An odd number, with which every place has its turn.
    const STRIDE: u64 = 37;
    seed.wrapping_mul(STRIDE).wrapping_add(seed / PLACES) % PLACES * 8
}
