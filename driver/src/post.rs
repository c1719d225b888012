//! The mailboxes of one driver.

mod moving;

use std::collections::{HashMap, VecDeque};
use std::io;

use mio::{Registry, Token};
use tcpshm_protocol::{Committed, Kind, Name, SendError};
use tcpshm_shm::{FileError, Outbox};

use crate::handler::Handler;
use crate::link::Link;
use crate::mailbox::{Bell, Bounds, Delivery, Ended, Mailbox, NotAccepted, Sink, Standing};
use crate::sender::Sender;
use crate::sync::Arc;
use crate::wake::EventFd;

/// Messages from one mailbox before the others, and whatever else the loop has to do, have their turn: as many as a
/// poll takes from a peer, see [`Rings::BURST`](tcpshm_shm::Rings::BURST).
const BUDGET: usize = 64;
/// How many mailboxes there are before it is looked which of them nobody uses any more.
const SWEEP: usize = 64;

/// Why there is no [`Sender`] for a link.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// There is no such link yet: no client of this name has ever logged in; or a client does not know its server, since
    /// it has met none and its configuration names none.
    #[error("there is no such link yet: wait until it is connected")]
    NoLink,
    /// The link's file cannot be looked at.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no descriptor for the first sender of a driver, which has to be able to wake its loop.
    #[error("no descriptor to wake the loop by: {0}")]
    Wake(#[source] io::Error),
    /// The driver was shut down.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Made with the first sender: a driver without one has no part in this.
#[derive(Debug)]
pub(crate) struct Post {
    bell: Arc<Bell>,
    wake: Arc<EventFd>,
    boxes: Vec<Option<Box<Shelf>>>,
    numbers: HashMap<Name, usize>,
    /// Mailboxes that are to be emptied, in turn.
    due: VecDeque<usize>,
    /// What the bell told; empty but for a moment.
    notes: Vec<usize>,
    /// With so many mailboxes it is time to look for unused ones.
    sweep_at: usize,
}

/// One mailbox.
#[derive(Debug)]
pub(crate) struct Shelf {
    delivery: Delivery,
    standing: Standing,
    /// Whether it is among those due.
    is_due: bool,
    /// Whether it goes before the application when next there is room for both.
    goes_first: bool,
}

impl Post {
    pub(crate) fn new() -> io::Result<Self> {
        let wake = Arc::new(EventFd::new()?);
        Ok(Self {
            bell: Arc::new(Bell::new(Box::new(Arc::clone(&wake)))),
            wake,
            boxes: Vec::new(),
            numbers: HashMap::new(),
            due: VecDeque::new(),
            notes: Vec::new(),
            sweep_at: SWEEP,
        })
    }

    pub(crate) fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        self.wake.register(registry, token)
    }

    /// Nobody is woken any more: a sender may hold on to the descriptor for a moment longer than the driver lives.
    pub(crate) fn deregister(&self, registry: &Registry) {
        self.wake.deregister(registry);
    }

    // ---- senders ----

    /// A sender for a link that has had one.
    pub(crate) fn sender(&self, peer: &Name) -> Option<Sender> {
        let number = *self.numbers.get(peer)?;
        Some(Sender::new(self.boxes.get(number)?.as_ref()?.delivery.mailbox()))
    }

    /// The first sender for a link. `largest` is what it takes, as far as is known.
    pub(crate) fn open(&mut self, peer: &Name, bounds: Bounds, largest: u32) -> Sender {
        self.sweep();
        let mailbox = Arc::new(Mailbox::new(peer.clone(), bounds, largest));
        let sender = Sender::new(&mailbox);
        let number = self.boxes.iter().position(Option::is_none).unwrap_or(self.boxes.len());
        mailbox.point_to(&self.bell, number);
        let delivery = Delivery::new(mailbox);
        let shelf = Shelf { delivery, standing: Standing::Empty, is_due: false, goes_first: false };
        if number == self.boxes.len() {
            self.boxes.push(None);
        }
        self.boxes[number] = Some(Box::new(shelf));
        self.numbers.insert(peer.clone(), number);
        sender
    }

    /// Forgets mailboxes that nobody can put anything into, and nobody asks about.
    fn sweep(&mut self) {
        if self.numbers.len() < self.sweep_at {
            return;
        }
        let Self { boxes, numbers, .. } = self;
        numbers.retain(|_, number| {
            let shelf = boxes[*number].as_ref();
            let is_used = shelf.is_some_and(|shelf| {
                let mailbox = shelf.delivery.mailbox();
                // What a sender left before it went may still be in the bell only.
                shelf.standing != Standing::Empty
                    || Arc::strong_count(mailbox) > 1
                    || mailbox.holds_anything()
            });
            if !is_used {
                boxes[*number] = None;
            }
            is_used
        });
        self.sweep_at = SWEEP.max(2 * numbers.len());
    }

    // ---- the loop ----

    /// The loop is awake: see [`Bell::answer`].
    pub(crate) fn answer(&self) {
        self.bell.answer();
    }

    /// Whether there is anything to do at once. One load while there is not.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        self.bell.is_rung() || !self.due.is_empty()
    }

    /// Takes note of what has come. Returns how many mailboxes are due.
    pub(crate) fn collect(&mut self) -> usize {
        if self.bell.is_rung() {
            self.bell.take_notes(&mut self.notes);
            while let Some(number) = self.notes.pop() {
                // The number may be another mailbox's by now, and one that waits has its reason.
                if self.shelf(number).is_some_and(|shelf| shelf.standing == Standing::Empty) {
                    self.set(number, Standing::More);
                }
            }
        }
        self.due.len()
    }

    /// The next mailbox that is due, with its link. It is not due any more.
    pub(crate) fn next_due(&mut self) -> Option<(usize, &Name)> {
        loop {
            let number = self.due.pop_front()?;
            let Some(shelf) = self.shelf(number) else { continue };
            shelf.is_due = false;
            if shelf.standing == Standing::More {
                return Some((number, self.boxes[number].as_ref()?.delivery.mailbox().peer()));
            }
        }
    }

    /// Commits what waits in a mailbox to its session, within a budget.
    pub(crate) fn deliver(&mut self, number: usize, outbox: &mut Outbox<'_>) {
        if let Some(shelf) = self.shelf(number) {
            let standing = shelf.delivery.deliver(outbox, BUDGET);
            self.set(number, standing);
        }
    }

    /// There is no session that a mailbox could be emptied into, until [`Post::recall`].
    pub(crate) fn put_off(&mut self, number: usize) {
        self.set(number, Standing::Waiting);
    }

    /// Not now; it is due again in the next turn.
    pub(crate) fn put_back(&mut self, number: usize) {
        self.set(number, Standing::More);
    }

    /// Nothing that waits in a mailbox can be committed.
    pub(crate) fn refuse(&mut self, number: usize, reason: NotAccepted) {
        if let Some(shelf) = self.shelf(number) {
            let standing = shelf.delivery.refuse_all(reason);
            self.set(number, standing);
        }
    }

    /// A link has another session, or a connection: what waits for it is tried again.
    pub(crate) fn recall(&mut self, peer: &Name) {
        if let Some(number) = self.numbers.get(peer).copied() {
            self.set(number, Standing::More);
        }
    }

    /// Commits as much as there is room for, for the last time.
    pub(crate) fn empty(&mut self, peer: &Name, outbox: &mut Outbox<'_>) {
        let number = self.numbers.get(peer).copied();
        if let Some(shelf) = number.and_then(|number| self.shelf(number)) {
            shelf.delivery.deliver_last(outbox);
        }
    }

    /// What the senders are told when this is dropped.
    pub(crate) fn set_end(&mut self, end: Ended) {
        self.boxes.iter_mut().flatten().for_each(|shelf| shelf.delivery.end = end);
    }

    fn shelf(&mut self, number: usize) -> Option<&mut Shelf> {
        self.boxes.get_mut(number)?.as_deref_mut()
    }

    fn set(&mut self, number: usize, standing: Standing) {
        let Some(shelf) = self.boxes.get_mut(number).and_then(Option::as_mut) else {
            return;
        };
        shelf.standing = standing;
        if standing == Standing::More && !std::mem::replace(&mut shelf.is_due, true) {
            self.due.push_back(number);
        }
    }

    /// There is room on a link. Who goes first takes turns, so that neither the application nor a mailbox, however much
    /// they have, keeps the other from all of it. On its turn a mailbox is waited for until there is room for at least one
    /// of its messages: with smaller ones the application would take any room before it is enough.
    ///
    /// NB: outlined, so that the loop over messages that calls it stays small; see `benches/rtt.rs`.
    #[cold]
    pub(crate) fn share_room(&mut self, link: &mut Link<'_>, app: &mut impl Handler) {
        let waits = |shelf: &&mut Shelf| shelf.standing != Standing::Empty;
        let number = self.numbers.get(link.peer()).copied();
        let shelf = number.and_then(|number| self.shelf(number)).filter(waits);
        let (Some(number), Some(shelf)) = (number, shelf.filter(|_| !zoo!(RoomNotShared))) else {
            return app.writable(link);
        };
        shelf.goes_first = !shelf.goes_first;
        if shelf.goes_first {
            let before = link.committed();
            self.deliver(number, link.outbox());
            let Some(shelf) = self.shelf(number) else { return };
            if shelf.standing == Standing::Waiting && link.committed() == before && !zoo!(LargeMailStarves) {
                // Room for it is told again, and then to both.
                shelf.goes_first = false;
                return;
            }
        }
        app.writable(link);
        let went_first = self.shelf(number).is_some_and(|shelf| shelf.goes_first);
        if !went_first {
            self.deliver(number, link.outbox());
        }
    }
}

impl Sink for Outbox<'_> {
    fn is_waiting_for_room(&self) -> bool {
        self.session().is_waiting_for_room()
    }

    fn largest(&self) -> Option<u32> {
        let session = self.session();
        session.is_established().then(|| session.header().outgoing.largest())
    }

    fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError> {
        Outbox::send(self, kind, payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { messages: 4, bytes: 64 };

    fn name(number: usize) -> Name {
        format!("peer-{number}").parse().unwrap()
    }

    #[test]
    fn mailboxes_that_nobody_uses_any_more_are_forgotten_and_others_are_not() {
        let mut post = Post::new().unwrap();
        let kept: Vec<_> = (0..10).map(|number| post.open(&name(number), BOUNDS, 8)).collect();
        let ticket = post.open(&name(10), BOUNDS, 8).try_send(Kind::new(1).unwrap(), b"waits").unwrap();
        for number in 11..2_000 {
            drop(post.open(&name(number), BOUNDS, 8));
        }
        assert!(post.boxes.len() <= 2 * SWEEP, "{} mailboxes", post.boxes.len());
        assert!(kept.iter().all(|sender| post.sender(sender.peer()).is_some()));
        assert!(post.sender(&name(10)).is_some() && ticket.try_outcome().is_none());
    }

    #[test]
    fn a_note_of_a_number_that_is_another_mailboxs_by_now_does_no_harm() {
        let mut post = Post::new().unwrap();
        let sender = post.open(&name(1), BOUNDS, 8);
        post.bell.ring(0);
        post.bell.ring(7);
        assert!(post.has_work());
        assert_eq!(post.collect(), 1);
        assert_eq!(post.next_due().map(|(number, peer)| (number, peer.clone())), Some((0, name(1))));
        assert!(post.next_due().is_none() && !post.has_work());
        drop(sender);
    }

    #[test]
    fn what_a_sender_left_before_it_went_is_not_swept_away() {
        let mut post = Post::new().unwrap();
        let kept: Vec<_> = (0..SWEEP - 1).map(|number| post.open(&name(number), BOUNDS, 8)).collect();
        let sender = post.open(&name(SWEEP), BOUNDS, 8);
        drop(sender.try_send(Kind::new(1).unwrap(), b"waits").unwrap());
        drop(sender);
        let _one_more = post.open(&name(SWEEP + 1), BOUNDS, 8);
        assert_eq!(post.collect(), 1);
        assert_eq!(post.next_due().map(|(_, peer)| peer.clone()), Some(name(SWEEP)));
        drop(kept);
    }
}
