//! Mailboxes that go with their links from one loop to another.

use std::collections::HashMap;

use tcpshm_protocol::Name;
use tcpshm_shm::Outbox;

use super::{Post, SWEEP, Shelf};
use crate::handover::Peer;
use crate::mailbox::{Bell, Bounds, Delivery, Ended, Mailbox, Standing};
use crate::sender::Sender;
use crate::sync::Arc;
use crate::wake::EventFd;

impl Post {
    /// One for a loop that has what it is woken by.
    pub(crate) fn woken_by(wake: &Arc<EventFd>) -> Self {
        Self {
            bell: Arc::new(Bell::new(Box::new(Arc::clone(wake)))),
            wake: Arc::clone(wake),
            boxes: Vec::new(),
            numbers: HashMap::new(),
            due: std::collections::VecDeque::new(),
            notes: Vec::new(),
            sweep_at: SWEEP,
        }
    }

    /// Takes the mailbox of a link out, for another loop. What is sent meanwhile waits in it.
    pub(crate) fn lend(&mut self, peer: &Name) -> Option<Box<Shelf>> {
        let number = self.numbers.remove(peer)?;
        let shelf = self.boxes.get_mut(number)?.take();
        // Notes of its number, here or in the bell, find nothing, or another mailbox to look into once more than needed.
        shelf
    }

    /// Takes a mailbox in; from here on its senders wake this loop. It is due at once, since whatever it waited for may
    /// be different now.
    pub(crate) fn adopt(&mut self, mut shelf: Box<Shelf>) {
        (shelf.standing, shelf.is_due) = (Standing::Empty, false);
        let number = self.boxes.iter().position(Option::is_none).unwrap_or(self.boxes.len());
        let mailbox = Arc::clone(shelf.delivery.mailbox());
        if number == self.boxes.len() {
            self.boxes.push(None);
        }
        self.boxes[number] = Some(shelf);
        self.numbers.insert(mailbox.peer().clone(), number);
        mailbox.point_to(&self.bell, number);
        self.set(number, Standing::More);
    }
}

impl Shelf {
    /// A mailbox for a link that is in another loop, on its way there.
    pub(crate) fn new(peer: &Name, bounds: Bounds, largest: u32) -> Box<Self> {
        let delivery = Delivery::new(Arc::new(Mailbox::new(peer.clone(), bounds, largest)));
        Box::new(Self { delivery, standing: Standing::Empty, is_due: false, goes_first: false })
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        self.delivery.mailbox()
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender::new(self.mailbox())
    }

    /// The end of a mailbox that is in no loop: what there is room for is committed.
    pub(crate) fn end(mut self, end: Ended, outbox: &mut Outbox<'_>) {
        self.delivery.deliver_last(outbox);
        self.delivery.end = end;
    }
}

impl Peer for Box<Shelf> {
    fn peer(&self) -> &Name {
        self.mailbox().peer()
    }
}

#[cfg(test)]
mod tests {
    use tcpshm_protocol::Kind;

    use super::*;

    const BOUNDS: Bounds = Bounds { messages: 4, bytes: 64 };

    #[test]
    fn a_mailbox_that_is_lent_is_due_where_it_arrives_and_rings_there() {
        let [mut here, mut there] = [(); 2].map(|()| Post::new().unwrap());
        let peer: Name = "peer".parse().unwrap();
        let sender = here.open(&peer, BOUNDS, 8);
        let kind = Kind::new(1).unwrap();
        let _before = sender.try_send(kind, b"before").unwrap();
        let shelf = here.lend(&peer).unwrap();
        let _meanwhile = sender.try_send(kind, b"while").unwrap();
        assert!(here.sender(&peer).is_none() && here.lend(&peer).is_none());
        assert!(here.collect() == 0 && here.next_due().is_none());
        there.adopt(shelf);
        assert_eq!(there.collect(), 1);
        assert_eq!(there.next_due().map(|(number, peer)| (number, peer.clone())), Some((0, peer.clone())));
        assert!(there.sender(&peer).is_some());
    }
}
