//! A group in the model, with its loop.

use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use crate::Fault;
use crate::handover::{Desk, Greeting, Order};
use crate::link::{Live, Model, Parted, Post};
use crate::mailbox::{Bell, Standing};
use crate::poll::{Poll, Waker};

/// What a group's application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Connected(u32),
    Arrived,
    Departing,
    Disconnected(u32),
}

impl Told {
    pub(crate) fn begins(self) -> bool {
        matches!(self, Self::Connected(_) | Self::Arrived)
    }
}

pub(crate) type Story = Arc<Mutex<Vec<Told>>>;

pub(crate) struct Member {
    pub(crate) desk: Desk<Model>,
    pub(crate) poll: Arc<Poll>,
    bell: Arc<Bell>,
    notes: Vec<usize>,
    link: Option<Box<Live>>,
    /// Whether its mailbox may have more.
    due: bool,
    story: Story,
    fault: Fault,
}

impl Member {
    pub(crate) fn new(desk: Desk<Model>, poll: Arc<Poll>, story: Story, fault: Fault) -> Self {
        let bell = Arc::new(Bell::new(Box::new(Waker(Arc::clone(&poll)))));
        Self { desk, poll, bell, notes: Vec::new(), link: None, due: false, story, fault }
    }

    fn tell(&self, told: Told) {
        self.story.lock().expect("no panic").push(told);
    }

    /// Turns until it is stopped, or for so many turns, and is gone.
    pub(crate) fn run(mut self, turns: Option<u32>) {
        let mut left = turns;
        while left != Some(0) {
            left = left.map(|left| left - 1);
            if self.turn() {
                return;
            }
            if self.desk.has_orders() || self.bell.is_rung() || self.due {
                thread::yield_now();
            } else {
                if self.fault == Fault::AnswersLate {
                    self.desk.answer();
                }
                self.poll.sleep();
            }
        }
        if self.fault == Fault::GoneBeforeItsLinks {
            // What a group does that forgets them until it has said farewell.
            let link = self.remove();
            drop(self.desk.leave([]));
            thread::yield_now();
            return drop(link);
        }
        let link = self.remove();
        drop(self.desk.leave(link));
    }

    /// Returns whether it was stopped.
    fn turn(&mut self) -> bool {
        if self.fault != Fault::AnswersLate {
            self.desk.answer();
        }
        self.bell.answer();
        while let Some(order) = self.desk.next() {
            match order {
                Order::Take(link, greeting) => self.take(link, &greeting),
                Order::End(link) => {
                    self.install(link);
                    self.end();
                }
                Order::Lend(_) => {
                    if let Some(Err(link)) = self.remove().map(|link| self.desk.lend(link)) {
                        self.install(link);
                    }
                }
                Order::Depart(..) if self.link.is_some() => {
                    self.tell(Told::Departing);
                    if let Some(Err(link)) = self.remove().map(|link| self.desk.depart(link)) {
                        // The server has ended meanwhile.
                        self.take(link, &Greeting::Arrived(self.desk.id()));
                    }
                }
                Order::Depart(..) => {}
                Order::Mail(mail) if self.link.is_some() => self.adopt(mail),
                Order::Mail(mail) if self.fault == Fault::MailDropped => drop(mail),
                // A server that has ended takes none.
                Order::Mail(mail) => drop(self.desk.return_mail(mail)),
                Order::Stop(_) => {
                    self.end();
                    return true;
                }
            }
        }
        self.deliver();
        if self.link.as_ref().is_some_and(|link| link.wire.is_cut()) {
            self.end();
        }
        false
    }

    fn take(&mut self, link: Box<Live>, greeting: &Greeting<u32>) {
        match greeting {
            Greeting::Connected(number) => self.tell(Told::Connected(*number)),
            Greeting::Arrived(_) => self.tell(Told::Arrived),
            Greeting::Back => {}
        }
        self.install(link);
    }

    fn install(&mut self, mut link: Box<Live>) {
        link.wire.register(&self.poll);
        let mail = link.mail.take();
        assert!(self.link.replace(link).is_none(), "two links of one name");
        if let Some(mail) = mail {
            self.adopt(mail);
        }
    }

    fn adopt(&mut self, mail: Box<Post>) {
        mail.0.mailbox().point_to(&self.bell, 0);
        if let Some(link) = &mut self.link {
            link.mail = Some(mail);
        }
        self.due = true;
    }

    fn remove(&mut self) -> Option<Box<Live>> {
        let link = self.link.take()?;
        link.wire.deregister();
        Some(link)
    }

    /// Its connection is over.
    fn end(&mut self) {
        let Some(link) = self.remove() else {
            return;
        };
        let Live { file, connection, mail, .. } = *link;
        self.tell(Told::Disconnected(connection));
        // A server that has ended takes nothing more.
        drop(self.desk.end(Parted { file, mail }));
    }

    fn deliver(&mut self) {
        if self.bell.is_rung() {
            self.bell.take_notes(&mut self.notes);
            self.due |= !self.notes.is_empty();
            self.notes.clear();
        }
        if let Some(Live { file, mail: Some(mail), .. }) = self.link.as_deref_mut()
            && std::mem::take(&mut self.due)
        {
            self.due = mail.0.deliver(file, 2) == Standing::More;
        }
    }
}
