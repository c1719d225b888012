//! A file that is damaged: refused with a typed error and left as it is, or opened and run on.

use std::time::Duration;

use tcpshm_protocol::Role;

use crate::sim::link::Link;
use crate::sim::names;
use crate::sim::witness::open_damaged;
use crate::violation::{Invariant, forgive};
use crate::world::image::{self, at};

impl Link {
    pub(super) fn damage(&mut self, side: Role, a: u8, b: u8) {
        let directory = self.endpoint(side).disk.content();
        let Some(file) = directory.main() else { return };
        let mut image = file.to_vec();
        let place = match a % 5 {
            0 => usize::from(b),
            1 => at::ACKED + usize::from(b % 24),
            2 => at::CONSUMED + usize::from(b % 8),
            // Where the frames that count begin.
            _ => {
                let start = image::load(&image, at::ACKED) & (image::load(&image, 16) - 1);
                at::FRAMES + usize::try_from(start).expect("a small ring") + usize::from(b % 24)
            }
        };
        let place = place.min(image.len() - 8);
        if a & 0x10 == 0 {
            image[place] ^= 1 << (a >> 5);
        } else {
            image[place / 8 * 8..][..8].fill(b);
        }
        self.count("files: damaged");
        match open_damaged(image.clone()) {
            Some(error) => self.count(names::of_recover_error(&error)),
            None => self.run_on(side, &image, a, b),
        }
    }

    /// Nobody noticed. Both sides run on with it for a while, and whatever becomes of their messages, nothing
    /// panics and everything comes to rest. Then a person puts the sound files back.
    fn run_on(&mut self, side: Role, image: &[u8], a: u8, b: u8) {
        let before = ROLES.map(|role| self.pair.snapshot(role));
        let salts = ROLES.map(|role| self.endpoint(role).salt);
        let witnesses = ROLES.map(|role| self.endpoint(role).disk.unwatch());
        let tainted = self.tainted.replace(true);
        for role in ROLES {
            self.endpoint_mut(role).believes_anything = true;
        }
        let ended = forgive(&PROMISES, || {
            self.pair.suffer(side, image);
            for round in 0..LOGINS {
                self.converse(side, a, b.rotate_left(round));
            }
        });
        self.count(if ended.is_some() { "damage: broke a promise" } else { "damage: went unnoticed" });
        self.forget_what_was_said();
        self.pair.kill_client();
        self.pair.kill_server();
        for (role, salt) in ROLES.into_iter().zip(salts) {
            let endpoint = self.endpoint_mut(role);
            (endpoint.salt, endpoint.believes_anything) = (salt, false);
        }
        before.into_iter().for_each(|files| self.pair.exchange(files));
        // Not before both are as they were: an image of both is looked at, too.
        for (role, witness) in ROLES.into_iter().zip(witnesses) {
            witness.into_iter().for_each(|witness| self.endpoint(role).disk.watch(witness));
        }
        self.tainted.set(tainted);
    }

    /// A login, messages both ways, and everything that follows.
    fn converse(&mut self, side: Role, a: u8, b: u8) {
        if !self.pair.client.is_alive() || !self.pair.server.is_alive() {
            return;
        }
        self.pair.connect();
        self.pair.settle();
        for (role, len) in [(side, a), (side.other(), b), (side, b)] {
            self.send(role, len);
            self.pair.settle();
        }
        self.endpoint_mut(side).release();
        self.endpoint_mut(side.other()).release();
        self.pair.settle();
        self.pair.elapse(Duration::from_millis(50));
    }
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A login that tells the row, one that resets, and one that goes on.
const LOGINS: u32 = 3;

/// What a damaged file that opens may break. Not that a call ends, and without a panic; that one connection is live; or
/// that refused logins change nothing.
const PROMISES: [Invariant; 7] = [
    Invariant::ExactlyOnce,
    Invariant::NothingLost,
    Invariant::CrashAtomic,
    Invariant::Idempotent,
    Invariant::Monotonic,
    Invariant::Ordered,
    Invariant::Decided,
];
