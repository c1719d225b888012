//! Links and sessions that come from a group.

use std::time::Instant;

use tcpshm_protocol::Name;

use super::super::Server;
use super::Visit;
use crate::disconnected::Disconnected;
use crate::freight::{Migrant, News, Parted, greet};
use crate::hall::{FAREWELL, Keeper};
use crate::handler::Handler;
use crate::handover::{Greeting, Peer, Task};
use crate::handshake::Handshake;
use crate::link::Link;
use crate::mailbox::Ended;
use crate::places::{Live, Place};
use crate::post::Shelf;
use crate::random;
use crate::watch;

impl Server {
    /// Does what the groups have told.
    pub(in super::super) fn hear_groups(&mut self, now: Instant, app: &mut impl Handler) {
        // A handler may have panicked while a link was here to be decided about.
        self.finish_visit(now, app);
        while let Some(task) = self.groups.as_mut().and_then(|groups| groups.roster.next()) {
            match task {
                Task::Decide(link, away) => {
                    let index = self.install_lent(link);
                    if let Some(groups) = &mut self.groups {
                        groups.visit = Some(Visit { index, away, end: false });
                    }
                    self.finish_visit(now, app);
                }
                Task::Keep(link, greeting, waiting, next) => {
                    let peer = link.peer().clone();
                    self.keep(now, link, &greeting, app);
                    if let Some(next) = next.filter(|_| !zoo!(MoveOnForgotten)) {
                        // If it has ended as it came, or that group is gone, nothing is moved.
                        let _ = self.move_link(now, &peer, next, app);
                    }
                    self.decide_all(now, waiting, app);
                }
                Task::End(link, greeting, waiting) => {
                    self.end_gone(now, link, greeting.as_ref(), app);
                    self.decide_all(now, waiting, app);
                }
                Task::Detached(Parted { session, mail }, waiting) => {
                    let peer = session.peer().clone();
                    self.keep_detached(session);
                    self.take_mail(mail, &peer);
                    self.bound_detached(app);
                    self.decide_all(now, waiting, app);
                }
                Task::Mail(mail) => {
                    let peer = mail.peer().clone();
                    self.take_mail(Some(mail), &peer);
                }
                Task::Leaving(group) => app.group_gone(group),
                Task::Lost(peers, waiting) => {
                    if let Some(groups) = &mut self.groups {
                        groups.mailboxes.retain(|peer, _| !peers.contains(peer));
                    }
                    // One that is here was put off.
                    peers.iter().for_each(|peer| self.take_mail(None, peer));
                    self.decide_all(now, waiting, app);
                }
            }
        }
    }

    /// Puts a link in a place of its own.
    fn install(&mut self, link: Migrant) -> usize {
        let Migrant { session, live, mail } = link;
        let peer = session.peer().clone();
        let index = self.hall.install(session, live);
        self.take_mail(mail, &peer);
        index
    }

    /// Puts a link in a place where it can be looked at.
    fn install_lent(&mut self, link: Migrant) -> usize {
        let Migrant { session, live, mail } = link;
        let index = self.hall.places.reserve();
        let peer = session.peer().clone();
        self.hall.places.put(index, Place::Lent(live));
        if zoo!(LentAmongOwn) {
            self.hall.links.put(index, session);
        } else {
            self.hall.links.put_aside(index, session);
        }
        self.take_mail(mail, &peer);
        self.hall.live.insert(peer, index);
        index
    }

    /// A mailbox has come back, or never left.
    pub(super) fn take_mail(&mut self, mail: Option<Box<Shelf>>, peer: &Name) {
        let Some(post) = &mut self.hall.post else { return };
        if let Some(mail) = mail {
            post.adopt(mail);
            if let Some(groups) = &mut self.groups {
                groups.mailboxes.remove(peer);
            }
        }
        post.recall(peer);
    }

    /// The link is the server's own from here on.
    pub(super) fn keep(
        &mut self,
        now: Instant,
        link: Migrant,
        greeting: &Greeting<News>,
        app: &mut impl Handler,
    ) {
        let index = self.install(link);
        self.hall.tell_of(index, |session| greet(session, greeting, app));
        self.visit_live(now, index, app);
    }

    /// The group of a link is gone, with all that its application knew and held. So the session is closed, and what was
    /// not consumed comes again from its file. The client comes again, too, and is taken elsewhere.
    ///
    /// What the group was not told, of a reset for one, the server's application is.
    pub(super) fn end_gone(
        &mut self,
        now: Instant,
        link: Migrant,
        greeting: Option<&Greeting<News>>,
        app: &mut impl Handler,
    ) {
        let Migrant { mut session, live, mail } = link;
        let Live { mut connection, .. } = *live;
        connection.say_farewell(now, &mut session, &Disconnected::GroupGone);
        session.detach(random::nonce());
        let index = self.hall.places.reserve();
        // At worst it is closed when its time is over.
        let _ = self.hall.register_stream(&mut connection.stream, index);
        self.hall.put_farewell(index, Handshake::new(connection.stream, connection.address, now + FAREWELL));
        let (peer, id) = (session.peer().clone(), session.id());
        self.take_mail(mail, &peer);
        if let Some(greeting) = greeting {
            greet(&mut session, greeting, app);
        }
        app.disconnected(&mut Link::new(session.outbox()), &Disconnected::GroupGone);
        watch::leave(&self.directory, session);
        app.closed(&peer, id);
    }

    /// The server is shut down: so are its groups, each in its next turn. What they have sent by now, but for links that were
    /// lent, ends here.
    pub(in super::super) fn stop_groups(&mut self, now: Instant, app: &mut impl Handler) {
        self.finish_visit(now, app);
        for task in self.close_groups(Ended::ShutDown) {
            match task {
                Task::Keep(link, greeting, ..) => self.keep(now, link, &greeting, app),
                Task::End(link, greeting, _) => self.end_gone(now, link, greeting.as_ref(), app),
                Task::Detached(Parted { session, mail }, _) => {
                    let peer = session.peer().clone();
                    self.keep_detached(session);
                    self.take_mail(mail, &peer);
                }
                Task::Mail(mail) => {
                    let peer = mail.peer().clone();
                    self.take_mail(Some(mail), &peer);
                }
                Task::Decide(..) => unreachable!("what was lent has gone back"),
                Task::Leaving(_) | Task::Lost(..) => {}
            }
        }
    }
}
