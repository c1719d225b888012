//! What should not happen: a peer that says anything, and an application that gets everything wrong.

use fastrand::Rng;
use tcpshm_protocol::{Role, Session};

use crate::sim::act::size;
use crate::sim::link::Link;
use crate::sim::names;
use crate::violation::{Invariant, ensure};

impl Link {
    /// The peer of `side` turns out to be a program that says anything. Whatever comes of it is a typed error
    /// or nothing; then both sides go on as they were before.
    pub(super) fn hostile(&mut self, side: Role, a: u8, b: u8) {
        if a & 3 == 0 {
            return self.hostile_login(a, b);
        }
        let before = [Role::Client, Role::Server].map(|role| self.pair.snapshot(role));
        let tainted = self.tainted.replace(true);
        self.endpoint_mut(side).believes_anything = true;
        let bytes = self.hostile_bytes(side, a, b);
        self.pair.inject(side, &bytes);
        for _ in 0..8 {
            self.pair.turn();
        }
        // Whatever history begins now is undone with the rest.
        self.judge_what_was_said();
        self.endpoint_mut(side).believes_anything = false;
        self.pair.kill_client();
        self.pair.kill_server();
        before.into_iter().for_each(|files| self.pair.exchange(files));
        self.tainted.set(tainted);
        self.count("peer: hostile");
    }

    /// Bytes near those that belong there: what was said before, from somewhere on, with one byte changed.
    fn hostile_bytes(&self, side: Role, a: u8, b: u8) -> Vec<u8> {
        let mut random = Rng::with_seed(u64::from(a) << 8 | u64::from(b));
        let connections = self.pair.connections();
        let said = connections.last().map_or(&[][..], |connection| match side {
            Role::Client => connection.down.record(),
            Role::Server => connection.up.record(),
        });
        let mut bytes = said[said.len() - said.len().min(usize::from(b))..].to_vec();
        match a >> 2 & 3 {
            // An acknowledgement of anything.
            0 => bytes = crate::world::wire::control(u16::from(b % 4), random.u64(..) >> (b % 64)),
            1 => bytes = (0..b).map(|_| random.u8(..)).collect(),
            _ => {}
        }
        if !bytes.is_empty() {
            let place = random.usize(..bytes.len());
            bytes[place] ^= 1 << random.u8(..8);
        }
        bytes
    }

    /// Somebody logs in with bytes that are nearly a login.
    fn hostile_login(&mut self, a: u8, b: u8) {
        let connections = self.pair.connections();
        let Some(said) = connections.last().map(|connection| connection.up.record()) else { return };
        let mut bytes = said[..said.len().min(40)].to_vec();
        let place = usize::from(b) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << (a >> 5);
        }
        self.pair.replay(&bytes, None);
        self.count("peer: hostile login");
    }

    /// An application gets its positions, messages and mappings wrong. Nothing comes of it.
    pub(super) fn misuse(&mut self, side: Role, a: u8, b: u8) {
        let foreign = self.endpoint(side.other()).session.as_ref().map(Session::delivered);
        let now = self.pair.clock.now();
        let endpoint = self.endpoint_mut(side);
        let Some(before) = endpoint.session.as_ref().map(|session| (session.standing(), session.committed()))
        else {
            return;
        };
        let stored = endpoint.disk.steps();
        let consumes = a % 6 == 3;
        let reason = match a % 6 {
            0 => endpoint.consume_again(),
            1 => foreign.and_then(|foreign| endpoint.consume_foreign(foreign)),
            2 => endpoint.consume_of_earlier_life(),
            3 => endpoint.consume_twice(),
            4 => {
                let largest = endpoint.configuration.limits.send.largest();
                endpoint.abandon_claim(size(largest, b));
                None
            }
            _ => {
                endpoint.call_out_of_turn(now, usize::from(b));
                None
            }
        };
        let after = endpoint.session.as_ref().map(|session| (session.standing(), session.committed()));
        let same = after == Some(before) && endpoint.disk.steps() == stored;
        ensure(same || consumes || endpoint.disk.is_dead(), Invariant::Fenced, || {
            format!("misuse {} changed {before:?} to {after:?}", a % 6)
        });
        self.pair.look_at_old_mappings();
        if let Some(reason) = reason {
            self.count(names::of_refused_reason(&reason));
        }
        self.count("application: misuse");
    }
}
