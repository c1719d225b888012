//! What happens to the processes and the files of a link.

use tcpshm_protocol::login::RefusalCode;
use tcpshm_protocol::{Geometry, Limits, Role};

use crate::sim::event::{Event, Kind};
use crate::sim::link::Link;
use crate::world::disk::Doing;
use crate::world::endpoint::{App, Policy};
use crate::world::pair::Snapshot;

impl Link {
    pub(super) fn fail(&mut self, event: Event) {
        let Event { kind, side, a, b, .. } = event;
        match kind {
            Kind::Fuse => self.endpoint(side).disk.burn_after(u64::from(a % 24)),
            Kind::Falter => self.falter(side, a, b),
            Kind::Lose => self.pair.lose(side),
            Kind::Copy => self.copy(side),
            Kind::Restore => self.restore(side, a),
            Kind::Relapse => self.relapse(side, a, b),
            Kind::Twin => self.twin(),
            Kind::Limits => self.limits(side, a, b),
            Kind::Policy => self.policy(side, a),
            Kind::Rename => self.rename(a),
            Kind::Damage => self.damage(side, a, b),
            Kind::Hostile => self.hostile(side, a, b),
            Kind::Refuse => self.refuse(side, a),
            _ => {}
        }
    }

    // ---- processes ----

    /// Killed, and killed again while it starts.
    fn falter(&mut self, side: Role, a: u8, b: u8) {
        match side {
            Role::Client => self.pair.kill_client(),
            Role::Server => self.pair.kill_server(),
        }
        let mut crashed = false;
        for time in 0..=b % 3 {
            let steps = u64::from(a >> (2 * time) & 3);
            match side {
                Role::Client => self.pair.client.start_until(steps),
                Role::Server => self.pair.server.start_until(steps),
            }
            let death = self.endpoint(side).disk.death();
            let counters = &mut self.tally.borrow_mut().counters;
            if let Some((Doing::Recovery, inside)) = death {
                counters.count_if(crashed, "crash: inside a recovery after a crashed recovery");
                counters.count_if(inside, "crash: inside a recovery");
                crashed |= inside;
            }
        }
    }

    // ---- files ----

    fn copy(&mut self, side: Role) {
        self.copies.push(self.pair.snapshot(side));
        if self.copies.len() > 4 {
            self.copies.remove(0);
        }
    }

    fn restore(&mut self, side: Role, a: u8) {
        let ours: Vec<_> = self.copies.iter().filter(|copy| copy.role() == side).collect();
        if let Some(copy) = ours.get(usize::from(a) % ours.len().max(1)) {
            let copy = (*copy).clone();
            self.put_back(copy);
            self.count("files: an older copy put back");
        }
    }

    /// The copy says the same number of other messages of the same sizes. It is of the last login, or of the one
    /// before.
    fn relapse(&mut self, side: Role, a: u8, b: u8) {
        let copy = self.pair.snapshot(side);
        if b & 0x10 == 0 {
            self.pair.connect();
            self.pair.settle();
        }
        let other = self.endpoint_mut(side.other());
        other.app = if a & 1 == 0 { App::Hold } else { App::Consume };
        let send = |link: &mut Self| {
            for _ in 0..=b % 3 {
                link.send(side, a);
            }
        };
        send(self);
        self.pair.settle();
        self.put_back(copy);
        send(self);
        self.count("files: an older copy that says as much");
    }

    /// A side is killed, and comes up with other files.
    pub(super) fn put_back(&mut self, copy: Snapshot) {
        self.taint();
        self.pair.restore(copy);
    }

    /// The client's host is gone, unheard, and its clone is there, with what it had when it was made or when
    /// it ran last.
    fn twin(&mut self) {
        let mine = self.pair.snapshot(Role::Client);
        let other = self.twin.replace(mine.clone()).unwrap_or(mine);
        self.taint();
        self.pair.vanish_client();
        self.pair.put_in_place(other);
        self.count("files: a clone in place of the original");
    }

    // ---- configuration ----

    fn limits(&mut self, side: Role, a: u8, b: u8) {
        let capacity = 64 << (a % 4);
        let largest = u32::from(b) % (u32::try_from(capacity).expect("small") - 23);
        let geometry = Geometry::new(capacity, largest).expect("the largest frame fits");
        self.limits_changed = true;
        self.endpoint_mut(side).configuration.limits = Limits { send: geometry, accept: geometry };
        match side {
            Role::Client => self.pair.restart_client(),
            Role::Server => self.pair.kill_server(),
        }
    }

    fn policy(&mut self, side: Role, a: u8) {
        let policy = if a & 1 == 0 { Policy::Fresh } else { Policy::Strict };
        self.endpoint_mut(side).configuration.policy = policy;
    }

    /// The server comes back under another name: that is another link, with files of its own on both sides.
    /// A client that insists on the old name is refused until the name is back.
    fn rename(&mut self, a: u8) {
        let names = ["server", "server-2"].map(|name| name.parse().expect("a name"));
        let next = usize::from(self.pair.server.name == names[0]);
        self.pair.kill_server();
        self.pair.kill_client();
        let mine = [&*self.pair.client, &*self.pair.server].map(|endpoint| endpoint.disk.content());
        let tainted = self.tainted.get();
        let [client, server] = self.drawer.replace(mine).unwrap_or_default();
        self.pair.server.name = names[next].clone();
        self.pair.client.expects = (a & 1 == 0).then(|| names[next].clone());
        if std::mem::replace(&mut self.drawer_tainted, tainted) {
            self.taint();
        }
        self.pair.turn_to(Role::Client, client);
        self.pair.turn_to(Role::Server, server);
        self.copies.clear();
        self.twin = None;
        self.count("server: came back under another name");
    }

    /// The application says no, or the directory is full.
    fn refuse(&mut self, side: Role, a: u8) {
        let codes =
            [RefusalCode::Denied, RefusalCode::Overloaded, RefusalCode::ShuttingDown, RefusalCode::Internal];
        match a % 6 {
            code @ 0..4 => self.pair.server.refuses = Some(codes[usize::from(code)]),
            files => self.endpoint(side).disk.fill_up(u32::from(files - 3)),
        }
    }
}
