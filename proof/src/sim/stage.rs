//! The world of one schedule: one server process, and the links that it serves.

use std::cell::RefCell;
use std::rc::Rc;

use fastrand::Rng;
use tcpshm_protocol::Role;

use crate::sim::counters::Counters;
use crate::sim::event::{Event, Kind};
use crate::sim::link::Link;
use crate::sim::setting;
use crate::sim::witness::Tally;
use crate::world::disk::Doing;

/// The links, and what was counted.
#[derive(Debug)]
pub(super) struct Stage {
    links: Vec<Link>,
    tally: Rc<RefCell<Tally>>,
}

impl Stage {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let tally = Rc::<RefCell<Tally>>::default();
        let count = setting::links(&mut random);
        let link = |number| Link::new(setting::setup(&mut random), number, Rc::clone(&tally));
        Self { links: (0..count).map(link).collect(), tally }
    }

    pub(super) fn links(&self) -> usize {
        self.links.len()
    }

    /// One thing happens, and what must hold is looked at.
    pub(super) fn apply(&mut self, event: Event) {
        let index = self.index(event);
        match (event.kind, event.side) {
            (Kind::Kill, Role::Server) => self.kill_server(),
            (Kind::Kill, Role::Client) => self.links[index].pair.kill_client(),
            (Kind::Swap, _) => self.swap(index, event.side),
            _ => self.links[index].act(event),
        }
        self.bury();
        for link in &mut self.links {
            link.judge();
        }
        self.links[index].note(event);
        self.play_samples();
    }

    /// Which link an event is about.
    pub(super) fn index(&self, event: Event) -> usize {
        usize::from(event.link) % self.links.len()
    }

    /// The faults stop. Everything that was committed arrives, or is reported, or a policy refuses.
    pub(super) fn finish(&mut self) {
        for link in &mut self.links {
            link.stop_faults();
        }
        self.bury();
        for link in &mut self.links {
            link.finish();
        }
    }

    /// What happened on each link, as a number.
    pub(super) fn hashes(&self) -> Vec<u64> {
        self.links.iter().map(Link::hash).collect()
    }

    pub(super) fn into_counters(self) -> Counters {
        let Self { links, tally } = self;
        drop(links);
        let tally = Rc::into_inner(tally).expect("the links are gone, and all that they had");
        tally.into_inner().into_counters()
    }

    // ---- processes ----

    /// The one process that serves all links.
    fn kill_server(&mut self) {
        self.links.iter_mut().for_each(|link| link.pair.kill_server());
    }

    /// Whoever died is noticed, takes the rest of its process along, and starts again.
    fn bury(&mut self) {
        self.links.iter_mut().for_each(|link| link.pair.bury());
        if self.links.iter().any(|link| !link.pair.server.is_alive()) {
            self.count_death(Role::Server);
            self.kill_server();
            self.links.iter_mut().for_each(|link| link.pair.bury());
        }
        if self.links.iter().any(|link| !link.pair.client.is_alive()) {
            self.count_death(Role::Client);
        }
        for link in &mut self.links {
            let pair = &mut link.pair;
            if !pair.client.is_alive() {
                pair.client.start();
            }
            if !pair.server.is_alive() {
                pair.server.start();
            }
        }
    }

    fn count_death(&self, role: Role) {
        let counters = &mut self.tally.borrow_mut().counters;
        for link in &self.links {
            let endpoint = link.endpoint(role);
            if endpoint.is_alive() {
                continue;
            }
            counters.count("process: died");
            if let Some((doing, true)) = endpoint.disk.death() {
                counters.count(match doing {
                    Doing::Commit => "crash: inside a commit",
                    Doing::Batch => "crash: between the stores of a batch",
                    Doing::Reply => "crash: inside a reply that consumes",
                    Doing::Input => "crash: inside an ack",
                    Doing::Login => "crash: inside a login",
                    Doing::Recovery => "crash: inside a recovery",
                    Doing::Consume | Doing::Leave | Doing::Other => "crash: inside something else",
                });
            }
        }
    }

    /// The files of two links change places, on one side.
    fn swap(&mut self, index: usize, side: Role) {
        let other = (index + 1) % self.links.len();
        // Under two names the files of one side would be mixed up with those of the other name.
        let renamed = [index, other].iter().any(|link| self.links[*link].drawer.is_some());
        if other == index || renamed {
            return;
        }
        if side == Role::Server {
            self.kill_server();
            self.bury();
        }
        let copies = [index, other].map(|link| self.links[link].pair.snapshot(side));
        let [first, second] = copies;
        for (link, files) in [(other, first), (index, second)] {
            self.links[link].put_back(files);
            // They come with the limits of the other link.
            self.links[link].limits_changed = true;
        }
        self.tally.borrow_mut().counters.count("files: of two links swapped");
    }

    /// What a kill of both sides would have left is played to its end.
    fn play_samples(&mut self) {
        let samples = std::mem::take(&mut self.tally.borrow_mut().samples);
        for sample in samples {
            let mut counters = Counters::default();
            sample.play(&mut counters);
            counters.count("images: played to the end");
            self.tally.borrow_mut().counters.merge(&counters);
        }
    }
}
