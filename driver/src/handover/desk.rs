//! A group's end of the hand-over.

use std::collections::VecDeque;

use super::{Cargo, Greeting, GroupId, Inbox, Line, Order, Report};
use crate::sync::{Arc, Ordering};

/// A link that nobody takes any more, and what its application was not told of it yet.
pub(crate) type Left<C> = (<C as Cargo>::Link, Option<Greeting<<C as Cargo>::News>>);

/// What a group's loop is told, and what it tells. Dropping it tells the server that the group is gone.
#[derive(Debug)]
pub(crate) struct Desk<C: Cargo> {
    id: GroupId,
    line: Arc<Line<C>>,
    hub: Arc<Inbox<Report<C>>>,
    /// Orders that were fetched, the oldest in front.
    came: VecDeque<Order<C>>,
    is_leaving: bool,
    has_left: bool,
}

impl<C: Cargo> Desk<C> {
    pub(super) fn new(id: GroupId, line: Arc<Line<C>>, hub: Arc<Inbox<Report<C>>>) -> Self {
        Self { id, line, hub, came: VecDeque::new(), is_leaving: false, has_left: false }
    }

    pub(crate) fn id(&self) -> GroupId {
        self.id
    }

    /// See [`Driver::set_may_sleep`](crate::Driver::set_may_sleep).
    pub(crate) fn set_may_sleep(&self, may_sleep: bool) {
        self.line.may_sleep.store(may_sleep, Ordering::Relaxed);
    }

    /// Whether there are orders. One load, and a look at the loop's own memory.
    #[inline]
    pub(crate) fn has_orders(&self) -> bool {
        self.line.orders.is_rung() || !self.came.is_empty()
    }

    /// The loop is awake: see [`Inbox::answer`].
    pub(crate) fn answer(&self) {
        self.line.orders.answer();
    }

    /// The next order.
    pub(crate) fn next(&mut self) -> Option<Order<C>> {
        if self.came.is_empty() && self.line.orders.is_rung() {
            self.line.orders.take(&mut self.came);
        }
        self.came.pop_front()
    }

    // ---- what the server is told; it gives back what it does not take any more, since it has ended ----

    /// Here is the link that was asked for.
    pub(crate) fn lend(&self, link: C::Link) -> Result<(), C::Link> {
        self.report(Report::Lent(link), |report| match report {
            Report::Lent(link) => Some(link),
            _ => None,
        })
    }

    /// Here is the link that moves.
    pub(crate) fn depart(&self, link: C::Link) -> Result<(), C::Link> {
        self.report(Report::Departed(link), |report| match report {
            Report::Departed(link) => Some(link),
            _ => None,
        })
    }

    /// A link has lost its connection.
    pub(crate) fn end(&self, session: C::Session) -> Result<(), C::Session> {
        self.report(Report::Ended(session), |report| match report {
            Report::Ended(session) => Some(session),
            _ => None,
        })
    }

    /// A mailbox has missed its link, which is on its way to the server or there; or, where the server has ended, on its way
    /// back.
    pub(crate) fn return_mail(&self, mail: C::Mail) -> Result<(), C::Mail> {
        self.report(Report::Mail(mail), |report| match report {
            Report::Mail(mail) => Some(mail),
            _ => None,
        })
    }

    fn report<T>(&self, report: Report<C>, unwrap: impl FnOnce(Report<C>) -> Option<T>) -> Result<(), T> {
        match self.hub.push(report) {
            Ok(()) => Ok(()),
            Err(report) => unwrap(report).map_or(Ok(()), Err),
        }
    }

    /// Whether it has said so.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// The group takes no more links. What comes all the same goes back.
    pub(crate) fn announce(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            drop(self.hub.push(Report::Leaving(self.id)));
        }
    }

    /// The group is gone, and these are the links that it had. In this order, so that when the server hears the last of
    /// it nothing of it is under way. Returns what a server that has ended does not take.
    pub(crate) fn leave(&mut self, links: impl IntoIterator<Item = C::Link>) -> Vec<Left<C>> {
        if std::mem::replace(&mut self.has_left, true) {
            return Vec::new();
        }
        self.announce();
        let mut reports: Vec<_> = links.into_iter().map(|link| Report::Left(link, None)).collect();
        let mut orders = std::mem::take(&mut self.came);
        orders.append(&mut self.line.orders.close());
        reports.extend(orders.into_iter().filter_map(|order| match order {
            Order::Take(link, Greeting::Back) | Order::End(link) => Some(Report::Left(link, None)),
            Order::Take(link, greeting) => Some(Report::Left(link, Some(greeting))),
            Order::Mail(mail) => Some(Report::Mail(mail)),
            Order::Lend(_) | Order::Depart(..) | Order::Stop(_) => None,
        }));
        reports.push(Report::Gone(self.id));
        let refused = reports.into_iter().filter_map(|report| self.hub.push(report).err());
        refused
            .filter_map(|report| match report {
                Report::Left(link, greeting) => Some((link, greeting)),
                _ => None,
            })
            .collect()
    }
}

impl<C: Cargo> Drop for Desk<C> {
    fn drop(&mut self) {
        drop(self.leave([]));
    }
}
