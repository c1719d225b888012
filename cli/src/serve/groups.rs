//! Links in groups, each with a loop and a thread of its own. The thread of the server accepts and logs in.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Instant;

use tcpshm_driver::{EventLoop, Group, GroupId, Name, Server};
use tcpshm_support::cores::Cores;

use super::app::App;
use super::report::{Row, rows};
use super::served::Served;
use super::{Options, serve};
use crate::failure::Failure;

/// The threads that carry links, until the server ends.
pub(super) struct Groups<'s> {
    ids: Vec<GroupId>,
    threads: Vec<ScopedJoinHandle<'s, Result<Vec<Served>, Failure>>>,
    /// From the thread with which number, and how its links stand.
    reports: Receiver<(usize, Vec<Row>)>,
    /// The last of each thread.
    reported: Vec<Vec<Row>>,
}

impl<'s> Groups<'s> {
    /// As many as were asked for.
    pub(super) fn start<'o: 's>(
        scope: &'s Scope<'s, '_>,
        options: &'o Options,
        server: &mut Server,
    ) -> Result<Self, Failure> {
        let (sender, reports) = mpsc::channel();
        let mut groups = Self { ids: Vec::new(), threads: Vec::new(), reports, reported: Vec::new() };
        // Peers are told at login whether a loop may sleep, so all are made before the first turn.
        for number in 0..options.groups {
            let group = server.group().map_err(Failure::call("making a group"))?;
            groups.ids.push(group.id());
            groups.reported.push(Vec::new());
            let events = EventLoop::new(group, Instant::now).map_err(Failure::call("epoll"))?;
            let (events, sender) = (events.with_idle(options.idle.strategy()), sender.clone());
            let thread = thread::Builder::new().name(format!("group {}", number + 1));
            let started = thread.spawn_scoped(scope, move || carry(number, events, options, &sender));
            groups.threads.push(started.map_err(Failure::call("starting a thread"))?);
        }
        Ok(groups)
    }

    /// Where links will go.
    pub(super) fn places(&self) -> Places {
        Places { groups: self.ids.iter().map(|id| (*id, 0)).collect(), of: HashMap::new() }
    }

    /// How the links stand, as each thread said last.
    pub(super) fn rows(&mut self) -> Vec<Row> {
        for (number, rows) in self.reports.try_iter() {
            self.reported[number] = rows;
        }
        self.reported.concat()
    }

    /// What the links carried. The server has ended, so its groups do.
    pub(super) fn join(self) -> Result<Vec<Served>, Failure> {
        let mut all = Vec::new();
        for thread in self.threads {
            all.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(all)
    }
}

/// The thread of a group.
fn carry(
    number: usize,
    mut events: EventLoop<Group>,
    options: &Options,
    reports: &Sender<(usize, Vec<Row>)>,
) -> Result<Vec<Served>, Failure> {
    if let Some(core) = options.core.get(number + 1) {
        Cores::pin(*core).map_err(Failure::call("staying on a core of --core"))?;
    }
    let mut app = App::new(options, events.now());
    let stopped = |events: &mut EventLoop<Group>| events.driver().is_stopped();
    serve(&mut events, &mut app, options, stopped, |events, app| {
        let rows = rows(events, app.peers(), Some(number + 1));
        // Without a server nobody asks.
        let _ = reports.send((number, rows));
        Ok(())
    })?;
    Ok(app.into_links())
}

/// Which group a link belongs to: the one that was given the fewest, and the same from then on.
#[derive(Default)]
pub(super) struct Places {
    groups: Vec<(GroupId, u64)>,
    of: HashMap<Name, GroupId>,
}

impl Places {
    /// Whose links have a group.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Name> {
        self.of.keys()
    }

    /// The server's own if there are no groups.
    pub(super) fn choose(&mut self, peer: &Name) -> GroupId {
        if let Some(group) = self.of.get(peer) {
            return *group;
        }
        let Some((group, links)) = self.groups.iter_mut().min_by_key(|(_, links)| *links) else {
            return GroupId::SERVER;
        };
        *links += 1;
        self.of.insert(peer.clone(), *group);
        *group
    }
}
