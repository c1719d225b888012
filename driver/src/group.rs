//! A group: links of a server that have a loop, and mostly a thread, of their own.

mod orders;
mod turns;

use std::time::Instant;

use tcpshm_protocol::Name;
use tcpshm_shm::LinkDirectory;

use crate::config::ServerConfig;
use crate::freight::{Freight, Migrant, Parted};
use crate::hall::Hall;
use crate::handover::{Desk, GroupId};
use crate::link::Link;
use crate::mailbox::Ended;
use crate::random;
use crate::sync::Arc;
use crate::wake::EventFd;
use crate::watch;

/// Links of a [`Server`](crate::Server) in somebody's event loop: a [`Driver`](crate::Driver) that neither listens nor lets
/// anybody log in. It can be sent to another thread, sleep there in a poll of its own, or spin.
///
/// The server makes it, with [`Server::group`](crate::Server::group), and decides about logins, files and names; its handler
/// [names the group](crate::Handler::choose_group) of each link. Everything else about the links is told to the handler that the group
/// is used with. A connection that ends leaves its session to the server; the next login brings it back.
///
/// * **Its loop** is best made before the server turns, since peers are told at login whether it may sleep. A link that was
///   told no, here or in a group that it has moved from, is polled with short naps until its next login; see
///   [`Driver::set_may_sleep`](crate::Driver::set_may_sleep).
/// * **A link that is here** is reached with [`Group::link`] and not through the server, which has no access to it.
/// * **The server** asks for a link now and then, when a login comes under its name, and has it back if that is
///   refused, which nobody notices. So a group whose loop does not turn delays logins of its own clients, and no others.
/// * **Dropping it**, as a thread does that panics, gives its links to the server, which ends their connections:
///   [`Disconnected::GroupGone`](crate::Disconnected::GroupGone). Clients that come back are taken into whatever group is named then.
/// * **When the server ends**, shut down or dropped, the group ends its connections in its next turn, and does nothing
///   from there on: see [`Group::is_stopped`]. The server's name is free again when its groups have done so.
#[derive(Debug)]
pub struct Group {
    desk: Desk<Freight>,
    /// Until the server has ended.
    directory: Option<Arc<LinkDirectory>>,
    /// Its links, and connections that are over.
    hall: Hall,
    /// What wakes the loop.
    wake: Arc<EventFd>,
}

impl Group {
    pub(crate) fn new(
        desk: Desk<Freight>,
        wake: Arc<EventFd>,
        config: &ServerConfig,
        directory: Arc<LinkDirectory>,
    ) -> Self {
        Self { desk, directory: Some(directory), hall: Hall::new(config), wake }
    }

    /// What [`Handler::choose_group`](crate::Handler::choose_group) and [`Server::move_link`](crate::Server::move_link) name it by.
    pub fn id(&self) -> GroupId {
        self.desk.id()
    }

    /// How many links it has.
    pub fn connections(&self) -> usize {
        self.hall.live.len()
    }

    /// The link with `client`, if it is here, so connected.
    pub fn link(&mut self, now: Instant, client: &Name) -> Option<Link<'_>> {
        self.hall.link(now, client)
    }

    /// Whether it was shut down, or its server has ended: its loop may end, too.
    pub fn is_stopped(&self) -> bool {
        self.directory.is_none()
    }

    /// Nobody wakes the loop any more.
    fn let_sleep(&self) {
        if let Some(registry) = &self.hall.registry {
            self.wake.deregister(registry);
        }
    }

    /// The end of all senders. What there is room for is committed.
    fn close_post(&mut self, end: Ended) {
        self.hall.empty_mailboxes();
        if let Some(mut post) = self.hall.post.take() {
            post.set_end(end);
        }
    }
}

/// A session on its way to the server while the application is told that its connection is over: it gets there, also
/// when that panics.
struct Parting<'g> {
    group: &'g Group,
    parted: Option<Parted>,
}

impl Drop for Parting<'_> {
    fn drop(&mut self) {
        let Some(Err(Parted { mut session, mail })) = self.parted.take().map(|it| self.group.desk.end(it))
        else {
            return;
        };
        // The server has ended: all that stays of the link is its file.
        if let Some(mail) = mail {
            mail.end(Ended::ShutDown, &mut session.outbox());
        }
        if let Some(directory) = &self.group.directory {
            watch::leave(directory, session);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let here: Vec<usize> = self.hall.live.values().copied().collect();
        let links: Vec<_> = here.into_iter().filter_map(|index| self.remove(index)).collect();
        let left = self.desk.leave(links);
        self.let_sleep();
        // The server has ended, so all that stays of these is their files.
        if let Some(directory) = self.directory.as_ref().filter(|_| !zoo!(LeftWithoutFile)) {
            for (Migrant { mut session, .. }, _) in left {
                session.detach(random::nonce());
                watch::leave(directory, session);
            }
        }
    }
}
