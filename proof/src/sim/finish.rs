//! The faults stop: what is owed arrives, or a policy refuses.

use std::time::Duration;

use tcpshm_protocol::login::RefusalCode;
use tcpshm_protocol::{Geometry, Role};

use crate::sim::counters::Counters;
use crate::sim::link::{Link, refused_for_ever};
use crate::sim::witness::Sample;
use crate::violation::{Invariant, ensure};
use crate::world::disk::Disk;
use crate::world::endpoint::{App, Note, Policy};
use crate::world::pair::{Pair, Setup};
use crate::world::pipe::Chunks;

/// How many connections it takes at most: one that tells that a proposal is dead or what a client disputes, one
/// that tells the row and asks for a policy, the reset.
const CONNECTIONS: usize = 3;
/// With a reset token that may be void by now, one more tells so; with limits that were changed since a
/// proposal was made, the reset fails once, and the row is told again.
const LEFT_OVER: usize = 2;

impl Link {
    /// No more faults.
    pub(super) fn stop_faults(&mut self) {
        for role in [Role::Client, Role::Server] {
            self.endpoint_mut(role).disk.release_kept();
        }
        let named = self.pair.client.expects.clone();
        if named.is_some_and(|named| named != self.pair.server.name) {
            self.pair.client.expects = None;
        }
        stop_faults(&mut self.pair);
    }

    /// I13: within a few connections everything is consumed, or a policy has refused.
    pub(super) fn finish(&mut self) {
        // Whoever dropped a message is given it again when it starts anew.
        for role in [Role::Client, Role::Server] {
            self.endpoint_mut(role).release();
            if self.endpoint(role).is_blocked() {
                match role {
                    Role::Client => self.pair.restart_client(),
                    Role::Server => self.pair.restart_server(),
                }
            }
        }
        let strict = is_strict(&self.pair);
        let left_over = self.pair.client.has_token() || self.limits_changed;
        let most = CONNECTIONS + if left_over { LEFT_OVER } else { 0 };
        match login(&mut self.pair, most) {
            Ok(tries) => {
                self.judge();
                self.tally.borrow_mut().counters.add("finish: connections", tries as u64);
                drain(&mut self.pair);
                self.judge();
                self.count("finish: everything arrived");
            }
            Err(code) if strict && code.is_some_and(asks_for_policy) => {
                self.judge();
                self.count("finish: refused by a policy");
            }
            Err(code) => refused_for_ever(self, code),
        }
    }
}

impl Sample {
    /// Both sides start with what a kill of both left, and no fault comes any more.
    pub(super) fn play(self, counters: &mut Counters) {
        let mut pair = Pair::new(Setup::default());
        for (endpoint, (directory, truths)) in [
            (&mut *pair.client, (&self.directories[0], &self.truths[0])),
            (&mut *pair.server, (&self.directories[1], &self.truths[1])),
        ] {
            endpoint.disk.replace(directory.clone());
            endpoint.history.replace(truths.clone());
            endpoint.disk.release_kept();
        }
        pair.client.start();
        pair.server.start();
        // These have limits of their own.
        match login(&mut pair, CONNECTIONS + LEFT_OVER) {
            Ok(_) => drain(&mut pair),
            Err(code) => ensure(self.tainted, Invariant::Live, || format!("an image ends refused: {code:?}")),
        }
        counters.count_if(self.tainted, "images: played with a copy about");
    }
}

fn stop_faults(pair: &mut Pair) {
    for endpoint in [&mut *pair.client, &mut *pair.server] {
        endpoint.disk.defuse();
        Disk::fill_up(&endpoint.disk, 0);
        endpoint.app = App::Consume;
    }
    pair.server.refuses = None;
    (pair.chunks, pair.room, pair.next_cut, pair.wish) = (Chunks::Whole, None, None, None);
    pair.thaw();
    pair.cut();
}

/// Dials until a login succeeds, or as often as is allowed. Returns how often, or what the last one was
/// refused with.
fn login(pair: &mut Pair, most: usize) -> Result<usize, Option<RefusalCode>> {
    let mut code = None;
    let mut tries = 0;
    while tries < most {
        pair.connect();
        pair.settle();
        tries += 1;
        if pair.is_connected() {
            return Ok(tries);
        }
        code = pair.client.notes.iter().rev().find_map(|note| match note {
            Note::Refused(code) => Some(*code),
            _ => None,
        });
        if code == Some(RefusalCode::LimitsShrunk) && !accepts_all(pair) {
            // Somebody reads the refusal, and restores the limits.
            for endpoint in [&mut *pair.client, &mut *pair.server] {
                endpoint.configuration.limits.accept = all();
            }
            tries = 0;
        }
    }
    Err(code)
}

/// What takes any stream of these worlds.
fn all() -> Geometry {
    Geometry::new(512, 488).expect("the largest frame fits")
}

fn accepts_all(pair: &Pair) -> bool {
    [&*pair.client, &*pair.server].iter().all(|endpoint| endpoint.configuration.limits.accept == all())
}

fn asks_for_policy(code: RefusalCode) -> bool {
    matches!(code, RefusalCode::PeerLostClient | RefusalCode::PeerLostServer | RefusalCode::Diverged)
}

fn is_strict(pair: &Pair) -> bool {
    [&*pair.client, &*pair.server].iter().any(|endpoint| endpoint.configuration.policy == Policy::Strict)
}

/// Everything that is committed is consumed, in a number of turns that follows from how much it is.
fn drain(pair: &mut Pair) {
    pair.client.release();
    pair.server.release();
    pair.settle();
    pair.elapse(Duration::from_secs(1));
    pair.check_arrived();
    pair.check_wire();
}
