//! Links in groups, each with a loop and a thread of its own. The thread of the server accepts and logs in.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tcpshm_driver::{EventLoop, Group, GroupId, Name, Server};
use tcpshm_support::cores::Cores;

use super::app::App;
use super::report::{Row, rows};
use super::served::Served;
use super::voice::Voice;
use super::{Options, serve};
use crate::failure::Failure;

/// The threads that carry links, until the server ends.
pub(super) struct Groups<'s> {
    members: Vec<Member<'s>>,
}

/// One of them.
struct Member<'s> {
    id: GroupId,
    thread: ScopedJoinHandle<'s, Result<Vec<Served>, Failure>>,
    /// How its links stand, as it said last.
    rows: Arc<Mutex<Vec<Row>>>,
}

impl<'s> Groups<'s> {
    /// As many as were asked for, each on its core.
    pub(super) fn start<'o: 's>(
        scope: &'s Scope<'s, '_>,
        options: &'o Options,
        server: &mut Server,
        voice: &Voice,
    ) -> Result<Self, Failure> {
        let mut members = Vec::new();
        // Peers are told at login whether a loop may sleep, so all are made before the first turn.
        for number in 1..=options.groups {
            let group = server.group().map_err(Failure::call("making a group"))?;
            let id = group.id();
            let events = EventLoop::new(group, Instant::now).map_err(Failure::call("epoll"))?;
            let events = events.with_idle(options.idle.strategy());
            let rows = Arc::<Mutex<Vec<Row>>>::default();
            let (told, pinned) = mpsc::sync_channel(1);
            let (core, reported) = (options.core.get(number).copied(), Arc::clone(&rows));
            let voice = voice.clone();
            let carry = move || {
                let pinned = core.map_or(Ok(()), Cores::pin);
                let goes_on = pinned.is_ok();
                // Who waits for it waits below.
                let _ = told.send(pinned);
                if goes_on { carry(number, events, options, &reported, voice) } else { Ok(Vec::new()) }
            };
            let thread = thread::Builder::new().name(format!("group {number}"));
            let thread = thread.spawn_scoped(scope, carry).map_err(Failure::call("starting a thread"))?;
            if let Ok(pinned) = pinned.recv() {
                pinned.map_err(Failure::call("staying on a core of --core"))?;
            }
            members.push(Member { id, thread, rows });
        }
        Ok(Self { members })
    }

    /// Where links will go.
    pub(super) fn places(&self) -> Places {
        Places { groups: self.members.iter().map(|member| (member.id, 0)).collect(), of: HashMap::new() }
    }

    /// How the links stand, as each thread said last.
    pub(super) fn rows(&self) -> Vec<Row> {
        let rows = |member: &Member<'_>| locked(&member.rows).clone();
        self.members.iter().flat_map(rows).collect()
    }

    /// Whether a thread has ended by itself, which only a failure makes it do.
    pub(super) fn has_failed(&self) -> bool {
        self.members.iter().any(|member| member.thread.is_finished())
    }

    /// What the links carried, and why a thread ended before. The server has ended, so its groups do.
    pub(super) fn join(self) -> (Vec<Served>, Result<(), Failure>) {
        let (mut all, mut ended) = (Vec::new(), Ok(()));
        for member in self.members {
            match member.thread.join() {
                Ok(Ok(links)) => all.extend(links),
                Ok(Err(failure)) => ended = ended.and(Err(failure)),
                Err(panic) => resume_unwind(panic),
            }
        }
        (all, ended)
    }
}

/// A look at all links that is so old is new.
const NOW: Duration = Duration::from_millis(10);

/// The thread of a group.
fn carry(
    number: usize,
    mut events: EventLoop<Group>,
    options: &Options,
    reported: &Mutex<Vec<Row>>,
    voice: Voice,
) -> Result<Vec<Served>, Failure> {
    let mut app = App::new(options, events.now(), voice);
    // Often enough for what the server says of it to be about now.
    let every = options.report.map(|every| (every / 8).max(NOW));
    let stopped = |events: &mut EventLoop<Group>| events.driver().is_stopped();
    serve(&mut events, &mut app, (options.idle, every), stopped, |events, app| {
        *locked(reported) = rows(events, app.peers(), Some(number));
    })?;
    Ok(app.into_links())
}

/// Nothing that is written there can be half done.
fn locked(rows: &Mutex<Vec<Row>>) -> MutexGuard<'_, Vec<Row>> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
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
