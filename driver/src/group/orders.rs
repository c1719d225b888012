//! What a group does when its server says so.

use std::time::Instant;

use tcpshm_protocol::Name;

use super::Group;
use crate::disconnected::Disconnected;
use crate::freight::{Migrant, News, greet};
use crate::hall::Keeper;
use crate::handler::Handler;
use crate::handover::{Greeting, GroupId, Order, Peer};
use crate::link::Link;
use crate::mailbox::Ended;
use crate::post::{Post, Shelf};

impl Group {
    /// Takes and gives links, as the server has said.
    pub(super) fn hear_orders(&mut self, now: Instant, app: &mut impl Handler) {
        if self.hall.telling.is_some() {
            // Before the link goes anywhere with what that has left.
            self.hall.end_after_panic(app);
        }
        if self.desk.is_leaving() && !self.is_stopped() {
            // A handler panicked while it was told of the end.
            self.end_all(now, app);
        }
        // Without a registry they wait for the first turn of the loop.
        while self.hall.registry.is_some()
            && let Some(order) = self.desk.next()
        {
            match order {
                Order::Take(link, greeting) => self.take(now, link, &greeting, app),
                Order::End(link) => {
                    let index = self.install(link);
                    self.end_live(now, index, &Disconnected::Replaced, app);
                }
                Order::Lend(peer) => self.lend(&peer),
                Order::Depart(peer, to) => self.depart(now, &peer, to, app),
                Order::Mail(mail) if self.hall.live.contains_key(mail.peer()) => self.adopt(mail),
                Order::Mail(mail) => {
                    if let Err(mail) = self.desk.return_mail(mail) {
                        self.adopt(mail);
                    }
                }
                Order::Stop(end) => self.stop(now, end, app),
            }
        }
    }

    /// A link has come: the application is told how before it is told anything else of it.
    fn take(&mut self, now: Instant, link: Migrant, greeting: &Greeting<News>, app: &mut impl Handler) {
        let index = self.install(link);
        self.hall.tell_of(index, |session| greet(session, greeting, app));
        self.visit_live(now, index, app);
    }

    /// Puts a link in a place of its own.
    fn install(&mut self, link: Migrant) -> usize {
        let Migrant { session, live, mail } = link;
        let index = self.hall.install(session, live);
        if let Some(mail) = mail {
            self.adopt(mail);
        }
        index
    }

    fn adopt(&mut self, mail: Box<Shelf>) {
        let wake = &self.wake;
        self.hall.post.get_or_insert_with(|| Box::new(Post::woken_by(wake))).adopt(mail);
    }

    /// Takes a link out of its place, as it is.
    pub(super) fn remove(&mut self, index: usize) -> Option<Migrant> {
        let (session, mut live) = self.hall.take_out(index)?;
        self.hall.deregister(&mut live.connection.stream);
        let post = self.hall.post.as_mut().filter(|_| !zoo!(MailStaysBehind));
        let mail = post.and_then(|post| post.lend(session.peer()));
        Some(Migrant { session, live, mail })
    }

    /// Gives up a link for a moment. One that is not here is on its way to the server.
    fn lend(&mut self, peer: &Name) {
        let Some(index) = self.hall.live.get(peer).copied() else {
            return;
        };
        if let Some(Err(link)) = self.remove(index).map(|link| self.desk.lend(link)) {
            // The server has ended, which is the next that is heard of it.
            self.install(link);
        }
    }

    /// Takes leave of a link.
    fn depart(&mut self, now: Instant, peer: &Name, to: GroupId, app: &mut impl Handler) {
        let Some(index) = self.hall.live.get(peer).copied() else {
            return;
        };
        self.hall.tell_of(index, |session| app.departing(&mut Link::new(session.outbox()), to));
        if let Some(Err(link)) = self.remove(index).map(|link| self.desk.depart(link)) {
            // The server has ended meanwhile: it is back, and about to end.
            let greeting = if zoo!(BackUntold) { Greeting::Back } else { Greeting::Arrived(self.id()) };
            self.take(now, link, &greeting, app);
        }
    }

    /// The server has ended.
    fn stop(&mut self, now: Instant, end: Ended, app: &mut impl Handler) {
        self.close_post(end);
        self.end_all(now, app);
    }

    /// Nothing goes on here.
    pub(super) fn end_all(&mut self, now: Instant, app: &mut impl Handler) {
        self.desk.announce();
        for index in 0..self.hall.places.len() {
            self.end_live(now, index, &Disconnected::ShutDown, app);
            self.drop_place(index);
        }
        self.hall.queue.clear();
        // What the server was about to give, and does not take back since it has ended as well.
        for (link, greeting) in self.desk.leave([]) {
            let index = self.install(link);
            if let Some(session) = self.hall.links.get_mut(index) {
                greet(session, &greeting.unwrap_or(Greeting::Back), app);
            }
            self.end_live(now, index, &Disconnected::ShutDown, app);
            self.drop_place(index);
        }
        self.directory = None;
        self.let_sleep();
    }
}
