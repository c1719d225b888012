//! What the application and the network do to a link.

use std::time::Duration;

use fastrand::Rng;
use tcpshm_protocol::login::CarrierWish;
use tcpshm_protocol::{CloseReason, Role};

use crate::sim::event::{Event, Kind};
use crate::sim::link::Link;
use crate::sim::names;
use crate::world::endpoint::App;
use crate::world::pair::Cut;
use crate::world::pipe::Chunks;

impl Link {
    /// One event, other than those that concern more than one link.
    pub(super) fn act(&mut self, event: Event) {
        let Event { kind, side, a, b, .. } = event;
        match kind {
            Kind::Send => self.send(side, a),
            Kind::Batch => self.batch(side, a, b),
            Kind::Fill => self.fill(side, a),
            Kind::FillBoth => self.fill_both(a),
            Kind::Behave => self.behave(side, a),
            Kind::Release => self.endpoint_mut(side).release(),
            Kind::Through => self.through(side, a),
            Kind::Misuse => self.misuse(side, a, b),
            Kind::Close => self.close(side),
            Kind::Step => self.pair.step(side, a & 1 == 0, usize::from(b >> 6)),
            Kind::Turn => drop(self.pair.turn()),
            Kind::Settle => self.pair.settle(),
            Kind::Chunks => self.chunks(a, b),
            Kind::Freeze => self.pair.freeze(),
            Kind::Thaw => self.pair.thaw(),
            Kind::Dial | Kind::Redial => self.dial(kind, a),
            Kind::CutDial => self.cut_dial(a, b),
            Kind::CutLogin => self.cut_login(a, b),
            Kind::Cut if a & 1 == 0 => self.pair.cut(),
            Kind::Cut => self.pair.cut_newest(),
            Kind::Abandon => self.pair.abandon(),
            Kind::Replay => self.replay(a),
            Kind::Stray => self.stray(),
            Kind::Elapse => self.pair.elapse(Duration::from_millis(u64::from(a) * 12)),
            Kind::Jump => self.jump(a, b),
            Kind::Back => self.go_back(a),
            Kind::Kill | Kind::Swap => {}
            _ => self.fail(event),
        }
    }

    // ---- the application ----

    pub(super) fn send(&mut self, side: Role, a: u8) {
        let endpoint = self.endpoint_mut(side);
        let len = size(endpoint.configuration.limits.send.largest(), a);
        if let Err(error) = endpoint.send(len) {
            self.count(names::of_send_error(&error));
        }
    }

    fn batch(&mut self, side: Role, a: u8, b: u8) {
        let endpoint = self.endpoint_mut(side);
        let largest = endpoint.configuration.limits.send.largest() / 2;
        let lens: Vec<_> = (0..a % 5).map(|n| size(largest, b.rotate_left(u32::from(n) * 3))).collect();
        match endpoint.send_batch(&lens) {
            Ok(()) => self.count("batch: committed"),
            Err(error) => self.count(names::of_send_error(&error)),
        }
    }

    fn fill(&mut self, side: Role, a: u8) {
        let endpoint = self.endpoint_mut(side);
        let len = size(endpoint.configuration.limits.send.largest(), a);
        endpoint.fill(len);
        endpoint.fill(0);
    }

    fn fill_both(&mut self, a: u8) {
        self.fill(Role::Client, a);
        self.fill(Role::Server, a);
        let full = [&*self.pair.client, &*self.pair.server].iter().all(|endpoint| {
            endpoint.session.as_ref().is_some_and(|session| session.is_established() && !session.has_room(0))
        });
        self.tally.borrow_mut().counters.count_if(full, "ring: both full");
    }

    fn behave(&mut self, side: Role, a: u8) {
        let other = self.endpoint(side.other()).app;
        // Two that answer would do so for ever.
        let answer = if other == App::Echo { App::Hold } else { App::Echo };
        let apps = [App::Consume, App::Hold, answer, App::Consume, answer, App::Hold, App::Drop, App::Die];
        let endpoint = self.endpoint_mut(side);
        endpoint.app = apps[usize::from(a) % apps.len()];
        if a & 8 == 0 {
            endpoint.release();
        }
    }

    fn through(&mut self, side: Role, a: u8) {
        if let Err(reason) = self.endpoint_mut(side).consume_through(usize::from(a % 4)) {
            self.count(names::of_refused_reason(&reason));
        }
    }

    fn close(&mut self, side: Role) {
        if let Some(session) = &mut self.endpoint_mut(side).session {
            session.close(CloseReason::Application);
        }
    }

    // ---- connections ----

    fn chunks(&mut self, a: u8, b: u8) {
        self.pair.chunks = match a % 4 {
            0 => Chunks::Whole,
            1 => Chunks::Fixed(1),
            _ => Chunks::Random(Rng::with_seed(u64::from(b)), 1 + usize::from(a / 4)),
        };
    }

    fn wish(&mut self, a: u8) {
        self.pair.wish = Some([CarrierWish::Tcp, CarrierWish::Shm, CarrierWish::Auto][usize::from(a % 3)]);
    }

    fn dial(&mut self, kind: Kind, a: u8) {
        if kind == Kind::Dial && self.pair.is_connected() {
            return;
        }
        if a & 0x80 != 0 {
            self.wish(a);
        }
        let unconfirmed = self.pair.client.proposal().is_some();
        self.tally.borrow_mut().counters.count_if(unconfirmed, "login: unconfirmed file found");
        self.pair.connect();
        if kind == Kind::Dial {
            self.pair.settle();
        }
    }

    fn cut_dial(&mut self, a: u8, b: u8) {
        let bytes = u64::from(a) * 3 + u64::from(b >> 4);
        self.pair.next_cut = Some(if b & 1 == 0 { Cut::Up(bytes) } else { Cut::Down(bytes) });
        self.wish(b >> 1);
        self.pair.connect();
        if b & 8 == 0 {
            self.pair.settle();
        }
    }

    /// Welcome, Confirm or Ready is lost, and both sides notice, or only one.
    fn cut_login(&mut self, a: u8, b: u8) {
        self.wish(b);
        self.pair.connect();
        let steps = [
            (Role::Client, false),
            (Role::Server, true),
            (Role::Server, false),
            (Role::Client, true),
            (Role::Client, false),
            (Role::Server, true),
            (Role::Server, false),
        ];
        for (role, reads) in steps.into_iter().take(1 + usize::from(a) % steps.len()) {
            self.pair.step_newest(role, reads);
        }
        if b & 0x10 == 0 {
            self.pair.cut_newest()
        } else {
            self.pair.abandon()
        }
        self.count("cut: one message of a login");
    }

    /// What a client once said is said again.
    fn replay(&mut self, a: u8) {
        let connections = self.pair.connections();
        let Some(connection) = connections.get(usize::from(a) % connections.len().max(1)) else { return };
        let bytes = connection.up.record().to_vec();
        let shown = connection.shown();
        self.taint();
        self.pair.replay(&bytes, shown);
        self.count("login: replayed bytes");
    }

    /// The client means another server, once.
    fn stray(&mut self) {
        let expects = self.pair.client.expects.replace("elsewhere".parse().expect("a name"));
        self.pair.connect();
        self.pair.settle();
        self.pair.client.expects = expects;
    }

    // ---- time ----

    fn jump(&mut self, a: u8, b: u8) {
        let long = b & 1 == 0;
        let time = if long { Duration::from_secs(u64::from(a)) } else { Duration::from_millis(u64::from(a)) };
        self.pair.clock.advance(time);
        self.pair.tick();
        self.tally
            .borrow_mut()
            .counters
            .count_if(time > Duration::from_secs(10), "time: jump beyond the timeout");
    }

    fn go_back(&mut self, a: u8) {
        self.pair.clock.set_back(Duration::from_millis(u64::from(a) * 100));
        self.pair.tick();
        self.count("time: went back");
    }
}

/// `a` 255ths of the largest message, and a little more than that at the upper end.
pub(super) fn size(largest: u32, a: u8) -> usize {
    let largest = usize::try_from(largest).expect("64 bits");
    if a >= 250 { largest + usize::from(a - 250) } else { largest * usize::from(a) / 249 }
}
