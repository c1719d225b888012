//! The server's loop in the model. What `driver/src/server/groups` does with sockets and files is done here with their
//! doubles: links are fetched for logins, given back, ended, and opened again.

use std::collections::VecDeque;

use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use tcpshm_protocol::SessionId;

use crate::handover::{About, Away, Greeting, GroupId, Roster, Task};
use crate::link::{Disk, File, Live, Model, Parted, Post, peer};
use crate::mailbox::{Bell, Bounds, Delivery, Ended, Mailbox, Standing};
use crate::poll::{Poll, Waker, Wire};
use crate::sender::Sender;

/// What comes from outside.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The link's own client logs in anew, over this connection.
    Login(Arc<Wire>),
    /// Somebody else does.
    Stranger,
    Move(GroupId),
    /// Nothing more comes.
    Over,
}

/// What became of logins, in order: a number for each that was accepted.
pub(crate) type Verdicts = Vec<Option<u32>>;

#[derive(Debug, Default)]
pub(crate) struct Net(Mutex<VecDeque<Event>>, Arc<Poll>);

impl Net {
    pub(crate) fn push(&self, event: Event) {
        self.0.lock().expect("no panic").push_back(event);
        self.1.notify();
    }
}

pub(crate) struct Control {
    pub(crate) roster: Roster<Model, Event>,
    pub(crate) net: Arc<Net>,
    pub(crate) disk: Arc<Disk>,
    bell: Arc<Bell>,
    notes: Vec<usize>,
    due: bool,
    /// The session, while it is here.
    here: Option<File>,
    /// The mailbox, while it is here.
    mail: Option<Box<Post>>,
    pub(crate) groups: Vec<GroupId>,
    connections: u32,
    pub(crate) verdicts: Verdicts,
}

impl Control {
    pub(crate) fn new() -> Self {
        let net = Arc::new(Net::default());
        let disk = Arc::new(Disk::default());
        let waker = || Box::new(Waker(Arc::clone(&net.1)));
        Self {
            roster: Roster::new(waker()),
            bell: Arc::new(Bell::new(waker())),
            net,
            here: Some(File::open(&disk)),
            disk,
            notes: Vec::new(),
            due: false,
            mail: None,
            groups: Vec::new(),
            connections: 0,
            verdicts: Vec::new(),
        }
    }

    /// The mailbox of the link, made here.
    pub(crate) fn open_mail(&mut self) -> Sender {
        let bounds = Bounds { messages: 8, bytes: 64 };
        let mailbox = Arc::new(Mailbox::new(peer(), bounds, 8));
        let sender = Sender::new(&mailbox);
        self.take_mail(Some(Box::new(Post(Delivery::new(mailbox)))));
        sender
    }

    /// The same for a link that is in a group.
    pub(crate) fn open_mail_away(&mut self) -> Sender {
        let sender = self.open_mail();
        let mail = self.mail.take().expect("just made");
        if let Err(mail) = self.roster.forward_mail(mail) {
            self.take_mail(Some(mail));
        }
        sender
    }

    /// Turns until the events are over and nobody waits, and the file has so many messages.
    pub(crate) fn run(&mut self, messages: usize) {
        let mut over = false;
        loop {
            over |= self.turn();
            let waits = self.roster.away(&peer()).is_some_and(|away| !away.waiting.is_empty());
            if over && !waits && self.disk.messages().len() >= messages {
                return;
            }
            if self.roster.has_reports() || self.bell.is_rung() || self.due {
                thread::yield_now();
            } else if self.disk.messages().len() < messages && over && !waits {
                // Whoever commits the last of them does not tell.
                thread::yield_now();
            } else {
                self.net.1.sleep();
            }
        }
    }

    /// One turn, for a host that has something to do in between.
    pub(crate) fn turn_once(&mut self) {
        assert!(!self.turn());
        thread::yield_now();
    }

    fn turn(&mut self) -> bool {
        self.roster.answer();
        self.bell.answer();
        let events = std::mem::take(&mut *self.net.0.lock().expect("no panic"));
        let mut over = false;
        for event in events {
            match event {
                Event::Over => over = true,
                Event::Move(group) => drop(self.roster.move_to(&peer(), group)),
                login => self.log_in(login),
            }
        }
        while let Some(task) = self.roster.next() {
            self.act(task);
        }
        self.deliver();
        over
    }

    fn act(&mut self, task: Task<Model, Event>) {
        match task {
            Task::Decide(link, away) => self.decide(link, away),
            Task::Keep(link, ..) => panic!("nothing is sent here: {link:?}"),
            Task::End(link, _, waiting) => self.end_gone(*link, waiting),
            Task::Detached(Parted { file, mail }, waiting) => {
                assert!(self.here.replace(file).is_none());
                self.take_mail(mail);
                self.log_in_all(waiting);
            }
            Task::Mail(mail) => self.take_mail(Some(mail)),
            Task::Leaving(group) => self.groups.retain(|known| *known != group),
            Task::Lost(_, waiting) => self.log_in_all(waiting),
        }
    }

    /// The link is here for a moment: its own client ends its connection, and anybody else is refused.
    fn decide(&mut self, link: Box<Live>, mut away: Away<Event>) {
        let mut end = false;
        while let Some(login) = away.waiting.pop_front() {
            match login {
                Event::Login(_) => {
                    away.waiting.push_front(login);
                    end = true;
                    break;
                }
                _ => self.verdicts.push(None),
            }
        }
        if let Err((link, waiting)) = self.roster.give_back(link, away, end) {
            self.end_gone(*link, waiting);
        }
    }

    fn end_gone(&mut self, link: Live, waiting: VecDeque<Event>) {
        let Live { file, mail, .. } = link;
        drop(file);
        self.take_mail(mail);
        self.log_in_all(waiting);
    }

    fn log_in_all(&mut self, waiting: VecDeque<Event>) {
        for login in waiting {
            self.log_in(login);
        }
    }

    fn log_in(&mut self, login: Event) {
        if self.roster.away(&peer()).is_some() {
            return self.roster.wait(&peer(), login, |_| true);
        }
        let Event::Login(wire) = login else {
            return self.verdicts.push(None);
        };
        let file = self.here.take().unwrap_or_else(|| File::open(&self.disk));
        self.connections += 1;
        self.verdicts.push(Some(self.connections));
        let turn = usize::try_from(self.connections).expect("few");
        let group = self.groups.get(turn % self.groups.len().max(1)).copied();
        let mail = self.mail.take();
        let link = Box::new(Live { file, wire, connection: self.connections, mail });
        let Some(group) = group else {
            return self.end_gone(*link, VecDeque::new());
        };
        let about = About { session: SessionId::new(7).expect("not 0"), largest: 8 };
        if let Err((link, _)) = self.roster.send(group, link, Greeting::Connected(self.connections), about) {
            self.end_gone(*link, VecDeque::new());
        }
    }

    fn take_mail(&mut self, mail: Option<Box<Post>>) {
        if let Some(mail) = mail {
            mail.0.mailbox().point_to(&self.bell, 0);
            assert!(self.mail.replace(mail).is_none(), "two mailboxes of one link");
        }
        self.due = true;
    }

    /// What is sent on a link without a connection goes into its file.
    fn deliver(&mut self) {
        if self.bell.is_rung() {
            self.bell.take_notes(&mut self.notes);
            self.due |= !self.notes.is_empty();
            self.notes.clear();
        }
        let Some(mail) = self.mail.as_mut().filter(|_| std::mem::take(&mut self.due)) else {
            return;
        };
        if self.roster.away(&peer()).is_some() {
            // Its group is gone, and it is on its way here.
            return;
        }
        let file = self.here.get_or_insert_with(|| File::open(&self.disk));
        self.due = mail.0.deliver(file, 2) == Standing::More;
    }

    /// The server ends, and its groups are told.
    pub(crate) fn stop(mut self) -> Verdicts {
        for task in self.roster.stop(Ended::ShutDown) {
            drop(task);
        }
        self.verdicts
    }
}
