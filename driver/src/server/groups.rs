//! A server and its groups: who has which link, and how it gets there.

mod home;
mod waiting;

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use mio::{Registry, Token};
use tcpshm_protocol::{Name, SessionId};

use super::Server;
use crate::freight::{Freight, Migrant, News};
use crate::group::Group;
use crate::handler::{Handler, LoginAttempt};
use crate::handover::{About, Away, Greeting, GroupId, Peer, Roster, Task};
use crate::link::Link;
use crate::mailbox::{Ended, Mailbox};
use crate::places::Admitted;
use crate::post::Shelf;
use crate::sender::Sender;
use crate::sync::Arc;
use crate::wake::EventFd;

/// What a server has with its first group.
#[derive(Debug)]
pub(super) struct Groups {
    roster: Roster<Freight, Waiting>,
    wake: Arc<EventFd>,
    /// The link of a group that is here to be decided about.
    visit: Option<Visit>,
    /// The mailboxes that are in groups, or on their way.
    mailboxes: HashMap<Name, Arc<Mailbox>>,
}

/// A login that waits for a link: its place, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    place: usize,
    arrival: u64,
}

/// A link that a group has lent. It stands at a place of the server, and nothing is read or written there.
#[derive(Debug)]
struct Visit {
    index: usize,
    away: Away<Waiting>,
    /// Whether a login takes it over: then its group ends the connection first, so that its application is told there.
    end: bool,
}

/// Why a link cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// It has no connection. The next one goes to the group that [`Handler::choose_group`] names.
    #[error("the link has no connection")]
    NotConnected,
    /// There is no such group, or not any more.
    #[error("there is no {0}")]
    NoGroup(GroupId),
}

impl Server {
    /// Makes a [`Group`]: a driver of its own for some of the links, for another thread. A link comes there when
    /// [`Handler::choose_group`] names it, or by [`Server::move_link`].
    ///
    /// The first one costs a descriptor more than the others, since groups have to be able to wake this loop.
    pub fn group(&mut self) -> io::Result<Group> {
        let wake = Arc::new(EventFd::new()?);
        let stopped = self.is_stopped;
        let groups = self.open_groups()?;
        let desk = groups.roster.open(Box::new(Arc::clone(&wake)));
        if stopped {
            drop(groups.roster.stop(Ended::ShutDown));
        }
        Ok(Group::new(desk, wake, &self.config, Arc::clone(&self.directory)))
    }

    /// Where the link with `client` is: in the group that has it, or is about to; in the server's own if it is connected
    /// or open here. `None` if it is not open.
    pub fn group_of(&self, client: &Name) -> Option<GroupId> {
        let away = self.groups.as_ref().and_then(|groups| groups.roster.away(client));
        let here = || {
            self.hall.live.contains_key(client)
                || self.detached.iter().any(|session| session.peer() == client)
        };
        away.map(|away| away.group).or_else(|| here().then_some(GroupId::SERVER))
    }

    /// Moves a link with its connection and all that is in it. The group that it leaves tells its handler in its next
    /// turn ([`Handler::departing`]), and the one that it comes to in the one after ([`Handler::arrived`]); what is sent and
    /// received meanwhile waits, and keeps its order. If the link is gone by then, nothing is moved.
    pub fn move_link(
        &mut self,
        now: Instant,
        client: &Name,
        to: GroupId,
        app: &mut impl Handler,
    ) -> Result<(), MoveError> {
        // A handler may have panicked while a link was here to be decided about.
        self.finish_visit(now, app);
        let open = |groups: &Groups| groups.roster.is_open(to);
        if to != GroupId::SERVER && !self.groups.as_deref().is_some_and(open) {
            return Err(MoveError::NoGroup(to));
        }
        if self.groups.as_mut().is_some_and(|groups| groups.roster.move_to(client, to)) {
            return Ok(());
        }
        let index = self.hall.live.get(client).copied().ok_or(MoveError::NotConnected)?;
        if to == GroupId::SERVER {
            return Ok(());
        }
        self.hall.tell_of(index, |session| app.departing(&mut Link::new(session.outbox()), to));
        if let Some(link) = self.take_out(index) {
            self.send_to(now, to, link, Greeting::Arrived(GroupId::SERVER), app);
        }
        Ok(())
    }

    fn open_groups(&mut self) -> io::Result<&mut Groups> {
        if self.groups.is_none() {
            let wake = Arc::new(EventFd::new()?);
            if let Some((registry, token)) = self.hall.registry.as_ref().zip(self.hall.waker_token()) {
                wake.register(registry, token)?;
            }
            let roster = Roster::new(Box::new(Arc::clone(&wake)));
            let groups = Groups { roster, wake, visit: None, mailboxes: HashMap::new() };
            self.groups = Some(Box::new(groups));
        }
        Ok(self.groups.as_mut().expect("made above"))
    }

    /// How many links are in groups.
    pub(super) fn connections_away(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| groups.roster.count())
    }

    /// The session of a link that is in a group.
    pub(super) fn session_away(&self, client: &Name) -> Option<SessionId> {
        Some(self.groups.as_ref()?.roster.away(client)?.about.session)
    }

    pub(super) fn is_away(&self, client: &Name) -> bool {
        self.groups.as_ref().is_some_and(|groups| groups.roster.away(client).is_some())
    }

    /// The group that a login goes to, and whether its loop may sleep.
    pub(super) fn group_for(&self, admitted: &Admitted, app: &mut impl Handler) -> (GroupId, bool) {
        let Some(groups) = &self.groups else {
            return (GroupId::SERVER, self.may_sleep);
        };
        let hello = &admitted.hello;
        let attempt = LoginAttempt {
            client: &hello.client,
            address: admitted.address,
            wish: hello.wish,
            user_data: &hello.user_data,
        };
        match app.choose_group(&attempt) {
            group if groups.roster.is_open(group) => (group, groups.roster.may_sleep(group)),
            _ => (GroupId::SERVER, self.may_sleep),
        }
    }

    // ---- to a group ----

    /// Hands a link to a group, or ends it if that is gone.
    pub(super) fn send_to(
        &mut self,
        now: Instant,
        group: GroupId,
        mut link: Migrant,
        greeting: Greeting<News>,
        app: &mut impl Handler,
    ) {
        self.hall.deregister(&mut link.live.connection.stream);
        self.attach_mail(&mut link);
        let about = About { session: link.session.id(), largest: link.session.header().outgoing.largest() };
        let Some(groups) = &mut self.groups else {
            return self.end_gone(now, link, Some(&greeting), app);
        };
        if let Err((link, greeting)) = groups.roster.send(group, link, greeting, about) {
            self.end_gone(now, link, Some(&greeting), app);
        }
    }

    /// A link goes with its mailbox.
    fn attach_mail(&mut self, link: &mut Migrant) {
        let Some(groups) = &mut self.groups else { return };
        if let Some(mail) = self.hall.post.as_mut().and_then(|post| post.lend(link.peer())) {
            groups.mailboxes.insert(link.peer().clone(), Arc::clone(mail.mailbox()));
            link.mail = Some(mail);
        }
    }

    /// A link out of its place, with nothing left of it here.
    fn take_out(&mut self, index: usize) -> Option<Migrant> {
        let (session, live) = self.hall.take_out(index)?;
        Some(Migrant { session, live, mail: None })
    }

    // ---- senders ----

    /// A sender for a link that is in a group.
    pub(super) fn sender_away(&mut self, client: &Name) -> Option<Sender> {
        let bounds = self.config.link.mailbox();
        let groups = self.groups.as_mut()?;
        if let Some(mailbox) = groups.mailboxes.get(client) {
            return Some(Sender::new(mailbox));
        }
        let largest = groups.roster.away(client)?.about.largest;
        let mail = Shelf::new(client, bounds, largest);
        let sender = mail.sender();
        groups.mailboxes.insert(client.clone(), Arc::clone(mail.mailbox()));
        if let Err(mail) = groups.roster.forward_mail(mail) {
            // Its group is gone, and the link is on its way here.
            self.take_mail(Some(mail), client);
        }
        Some(sender)
    }

    /// Sends a mailbox to where its link is. If that does not take it, it is due again in the next turn.
    pub(super) fn send_mail_after(&mut self, peer: &Name) {
        let (Some(post), Some(groups)) = (&mut self.hall.post, &mut self.groups) else { return };
        let Some(mail) = post.lend(peer) else { return };
        groups.mailboxes.insert(peer.clone(), Arc::clone(mail.mailbox()));
        if let Err(mail) = groups.roster.forward_mail(mail) {
            self.take_mail(Some(mail), peer);
        }
    }

    // ---- turns ----

    /// Whether a group has said anything that was not done. A load if there are groups.
    #[inline]
    pub(super) fn has_reports(&self) -> bool {
        self.groups.as_ref().is_some_and(|groups| groups.roster.has_reports() || groups.visit.is_some())
    }

    pub(super) fn answer_groups(&self) {
        if let Some(groups) = &self.groups {
            groups.roster.answer();
        }
    }

    /// Its groups wake it from here on, and have not been forgotten before.
    pub(super) fn register_groups(&self, registry: &Registry, token: Token) -> io::Result<()> {
        self.groups.as_ref().map_or(Ok(()), |groups| groups.wake.register(registry, token))
    }

    /// The end of its groups.
    pub(super) fn close_groups(&mut self, end: Ended) -> Vec<Task<Freight, Waiting>> {
        let Some(mut groups) = self.groups.take() else {
            return Vec::new();
        };
        if let Some(registry) = &self.hall.registry {
            groups.wake.deregister(registry);
        }
        groups.roster.stop(end)
    }
}
