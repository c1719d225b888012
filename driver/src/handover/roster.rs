//! The server's end of the hand-over: which links are in which group, and what waits for them.

use std::collections::{HashMap, VecDeque};

use tcpshm_protocol::{Name, SessionId};

use super::{Cargo, Desk, Greeting, GroupId, Inbox, Line, Order, Peer, Report};
use crate::mailbox::{Ended, Wake};
use crate::sync::{Arc, AtomicBool, Ordering};

/// What the server knows of its groups. It decides nothing about logins: it brings the links that they are about.
///
/// Invariants, while a group lives:
/// * a link in `away` is in its group, or in a message to or from it;
/// * `asked` is set exactly while a message will bring the link or its session without anybody asking again.
#[derive(Debug)]
pub(crate) struct Roster<C: Cargo, W> {
    hub: Arc<Inbox<Report<C>>>,
    /// By the number of the group; `None` once it takes no more. Numbers are not used again.
    lines: Vec<Option<Arc<Line<C>>>>,
    away: HashMap<Name, Away<W>>,
    /// Reports that were fetched, the oldest in front.
    came: VecDeque<Report<C>>,
}

/// What the server has to know of a link without having it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) session: SessionId,
    /// Bytes of the largest message that it sends.
    pub(crate) largest: u32,
}

/// A link that is in a group.
#[derive(Debug)]
pub(crate) struct Away<W> {
    pub(crate) group: GroupId,
    pub(crate) about: About,
    /// Logins under its name, in the order in which they came.
    pub(crate) waiting: VecDeque<W>,
    /// Where it is to move when nothing else is asked.
    target: Option<GroupId>,
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// To be lent, or to end: either brings it.
    Back,
    /// To move there.
    Depart(GroupId),
}

/// What the server has to do next.
#[derive(Debug)]
pub(crate) enum Task<C: Cargo, W> {
    /// The link is here for a moment: let those that wait decide, then [give it back](Roster::give_back).
    Decide(C::Link, Away<W>),
    /// It is the server's from here on, or until it is moved to the group that was asked for meanwhile.
    Keep(C::Link, Greeting<C::News>, VecDeque<W>, Option<GroupId>),
    /// Its group is gone, and whoever knew of the connection with it; `Some` if that was nobody yet.
    End(C::Link, Option<Greeting<C::News>>, VecDeque<W>),
    /// It has lost its connection.
    Detached(C::Session, VecDeque<W>),
    /// A mailbox whose link is here, or is about to be.
    Mail(C::Mail),
    /// This group takes no more links.
    Leaving(GroupId),
    /// These were lost in a group that is gone: their files are all there is.
    Lost(Vec<Name>, VecDeque<W>),
}

/// A link whose group is gone.
struct Unsent<C: Cargo, W> {
    link: C::Link,
    greeting: Greeting<C::News>,
    away: Away<W>,
}

impl<C: Cargo, W> Roster<C, W> {
    pub(crate) fn new(wake: Box<dyn Wake>) -> Self {
        Self {
            hub: Arc::new(Inbox::new(wake)),
            lines: Vec::new(),
            away: HashMap::new(),
            came: VecDeque::new(),
        }
    }

    /// A new group, whose loop is woken by `wake`.
    pub(crate) fn open(&mut self, wake: Box<dyn Wake>) -> Desk<C> {
        let line = Arc::new(Line { orders: Inbox::new(wake), may_sleep: AtomicBool::new(false) });
        self.lines.push(Some(Arc::clone(&line)));
        let id = GroupId(u32::try_from(self.lines.len()).expect("each group has descriptors"));
        Desk::new(id, line, Arc::clone(&self.hub))
    }

    fn line(&self, group: GroupId) -> Option<&Line<C>> {
        self.lines.get(group.line()?)?.as_deref()
    }

    /// Whether a group of this number takes links, as far as is known.
    pub(crate) fn is_open(&self, group: GroupId) -> bool {
        self.line(group).is_some()
    }

    /// Whether the group's loop may sleep.
    pub(crate) fn may_sleep(&self, group: GroupId) -> bool {
        self.line(group).is_some_and(|line| line.may_sleep.load(Ordering::Relaxed))
    }

    /// The link, if it is in a group.
    pub(crate) fn away(&self, peer: &Name) -> Option<&Away<W>> {
        self.away.get(peer)
    }

    /// How many links are in groups.
    pub(crate) fn count(&self) -> usize {
        self.away.len()
    }

    /// Whether there are reports. One load, and a look at the loop's own memory.
    #[inline]
    pub(crate) fn has_reports(&self) -> bool {
        self.hub.is_rung() || !self.came.is_empty()
    }

    /// The loop is awake: see [`Inbox::answer`].
    pub(crate) fn answer(&self) {
        self.hub.answer();
    }

    // ---- links ----

    /// Hands a link to a group. One that is gone does not take it.
    pub(crate) fn send(
        &mut self,
        group: GroupId,
        link: C::Link,
        greeting: Greeting<C::News>,
        about: About,
    ) -> Result<(), (C::Link, Greeting<C::News>)> {
        let away = Away { group, about, waiting: VecDeque::new(), target: None, asked: None };
        self.send_away(link, greeting, away).map_err(|unsent| (unsent.link, unsent.greeting))
    }

    fn send_away(
        &mut self,
        link: C::Link,
        greeting: Greeting<C::News>,
        away: Away<W>,
    ) -> Result<(), Unsent<C, W>> {
        let peer = link.peer().clone();
        let order = Order::Take(link, greeting);
        match self.push(away.group, order) {
            Ok(()) => {
                self.away.insert(peer.clone(), away);
                self.ask(&peer);
                Ok(())
            }
            Err(Order::Take(link, greeting)) => Err(Unsent { link, greeting, away }),
            Err(_) => unreachable!("what is given back is what was given"),
        }
    }

    /// Gives a link back to the group that had lent it; `end` if a newer login takes its place. A group that is gone
    /// does not take it.
    pub(crate) fn give_back(
        &mut self,
        link: C::Link,
        mut away: Away<W>,
        end: bool,
    ) -> Result<(), (C::Link, VecDeque<W>)> {
        away.asked = None;
        if !end {
            let sent = self.send_away(link, Greeting::Back, away);
            return sent.map_err(|unsent| (unsent.link, unsent.away.waiting));
        }
        let peer = link.peer().clone();
        match self.push(away.group, Order::End(link)) {
            Ok(()) => {
                away.asked = Some(Asked::Back);
                self.away.insert(peer, away);
                Ok(())
            }
            Err(Order::End(link)) => Err((link, away.waiting)),
            Err(_) => unreachable!("what is given back is what was given"),
        }
    }

    /// Has a link brought for a login.
    pub(crate) fn wait(&mut self, peer: &Name, waiter: W, still_waits: impl FnMut(&W) -> bool) {
        if let Some(away) = self.away.get_mut(peer) {
            // Those whose time is over are not kept, however long the group takes.
            away.waiting.retain(still_waits);
            away.waiting.push_back(waiter);
            self.ask(peer);
        }
    }

    /// Has a link moved, after whatever is asked already. Returns whether it is in a group.
    pub(crate) fn move_to(&mut self, peer: &Name, group: GroupId) -> bool {
        let Some(away) = self.away.get_mut(peer) else {
            return false;
        };
        away.target = Some(group);
        self.ask(peer);
        true
    }

    /// Asks for a link, if there is a reason and it was not asked for before.
    fn ask(&mut self, peer: &Name) {
        let Some(away) = self.away.get_mut(peer).filter(|away| away.asked.is_none()) else {
            return;
        };
        let group = away.group;
        let order = if away.waiting.is_empty() {
            match away.target.take().filter(|target| *target != group) {
                Some(target) => {
                    away.asked = Some(Asked::Depart(target));
                    Order::Depart(peer.clone(), target)
                }
                None => return,
            }
        } else {
            away.asked = Some(Asked::Back);
            Order::Lend(peer.clone())
        };
        // A group that does not take it is gone, and brings the link of its own accord.
        drop(self.push(group, order));
    }

    /// Hands a mailbox to the group that its link is in.
    pub(crate) fn forward_mail(&mut self, mail: C::Mail) -> Result<(), C::Mail> {
        let Some(group) = self.away.get(mail.peer()).map(|away| away.group) else {
            return Err(mail);
        };
        match self.push(group, Order::Mail(mail)) {
            Err(Order::Mail(mail)) => Err(mail),
            _ => Ok(()),
        }
    }

    fn push(&self, group: GroupId, order: Order<C>) -> Result<(), Order<C>> {
        match self.line(group) {
            Some(line) => line.orders.push(order),
            None => Err(order),
        }
    }

    // ---- reports ----

    /// What has come, as the next thing to do.
    pub(crate) fn next(&mut self) -> Option<Task<C, W>> {
        loop {
            if self.came.is_empty() && self.hub.is_rung() {
                self.hub.take(&mut self.came);
            }
            let report = self.came.pop_front()?;
            if let Some(task) = self.hear(report) {
                return Some(task);
            }
        }
    }

    fn hear(&mut self, report: Report<C>) -> Option<Task<C, W>> {
        match report {
            Report::Lent(link) => match self.away.remove(link.peer()) {
                Some(away) => Some(Task::Decide(link, away)),
                None => Some(Task::Keep(link, Greeting::Back, VecDeque::new(), None)),
            },
            Report::Departed(link) => self.go_on(link),
            Report::Ended(session) => {
                let waiting = self.take_waiting(session.peer());
                Some(Task::Detached(session, waiting))
            }
            Report::Left(link, greeting) => {
                let waiting = self.take_waiting(link.peer());
                Some(Task::End(link, greeting, waiting))
            }
            Report::Mail(mail) => self.forward_mail(mail).err().map(Task::Mail),
            Report::Leaving(group) => {
                *self.lines.get_mut(group.line()?)? = None;
                Some(Task::Leaving(group))
            }
            Report::Gone(group) => self.forget(group),
        }
    }

    /// A link has left its group, and goes on to the next one before anything else is done with it.
    fn go_on(&mut self, link: C::Link) -> Option<Task<C, W>> {
        let Some(mut away) = self.away.remove(link.peer()) else {
            return Some(Task::Keep(link, Greeting::Back, VecDeque::new(), None));
        };
        let from = away.group;
        if let Some(Asked::Depart(target)) = away.asked.take() {
            away.group = target;
        }
        let greeting = Greeting::Arrived(from);
        if away.group == GroupId::SERVER {
            let next = away.target.filter(|target| *target != GroupId::SERVER);
            return Some(Task::Keep(link, greeting, away.waiting, next));
        }
        let unsent = self.send_away(link, greeting, away).err()?;
        Some(Task::End(unsent.link, Some(unsent.greeting), unsent.away.waiting))
    }

    fn take_waiting(&mut self, peer: &Name) -> VecDeque<W> {
        self.away.remove(peer).map_or_else(VecDeque::new, |away| away.waiting)
    }

    /// Nothing more comes from a group: what it has not brought by now was dropped while it panicked.
    fn forget(&mut self, group: GroupId) -> Option<Task<C, W>> {
        let lost: Vec<Name> =
            self.away.iter().filter(|(_, away)| away.group == group).map(|(peer, _)| peer.clone()).collect();
        let waiting = lost.iter().flat_map(|peer| self.take_waiting(peer)).collect();
        (!lost.is_empty()).then_some(Task::Lost(lost, waiting))
    }

    // ---- the end ----

    /// Tells all groups that the server has ended, and returns what they had told it meanwhile. What they have from here
    /// on they put away themselves. Links that were under way between groups are in one again, or among what is returned;
    /// there is nothing to be decided any more.
    pub(crate) fn stop(&mut self, end: Ended) -> Vec<Task<C, W>> {
        let mut reports = std::mem::take(&mut self.came);
        reports.append(&mut self.hub.close());
        let mut tasks = Vec::new();
        for report in reports {
            tasks.extend(match self.hear(report) {
                // Its application is told of the end where it was told of the beginning.
                Some(Task::Decide(link, away)) => {
                    let given = self.give_back(link, away, false);
                    given.err().map(|(link, waiting)| Task::End(link, None, waiting))
                }
                task => task,
            });
        }
        for line in self.lines.drain(..).flatten() {
            drop(line.orders.push(Order::Stop(end)));
        }
        self.away.clear();
        tasks
    }
}
