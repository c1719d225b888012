//! Two sides that sleep when they have nothing to do, and wake each other: nobody sleeps over a message, and
//! no writer over room. The connection is a permit for each direction, which is what an edge of an epoll is; a side
//! that sleeps for ever while the other has said all is a deadlock, which the checker reports.

use std::rc::Rc;

use loom::sync::Notify;
use loom::thread;
use tcpshm_protocol::{Event, SendError};

use super::words::Fault;
use super::{Link, ROLES, Side, explore};

/// A side with its ends of the connection.
struct Sleeper {
    side: Side,
    woken: Rc<Notify>,
    peer: Rc<Notify>,
    sleeps: u32,
}

impl Sleeper {
    /// The sender and the receiver of a link, each of which may sleep.
    fn pair(link: Link) -> [Self; 2] {
        let [sender, receiver] = link.attach_sleepy(true);
        let [to_sender, to_receiver] = [0, 1].map(|_| Rc::new(Notify::new()));
        let sleeper = |side, woken: &Rc<Notify>, peer: &Rc<Notify>| Sleeper {
            side,
            woken: Rc::clone(woken),
            peer: Rc::clone(peer),
            sleeps: 0,
        };
        [sleeper(sender, &to_sender, &to_receiver), sleeper(receiver, &to_receiver, &to_sender)]
    }

    /// What ends every burst.
    fn rouse(&mut self) {
        if self.side.session.rouse(&self.side.view) {
            self.peer.notify();
        }
    }

    /// What a host does that has nothing to do.
    fn wait(&mut self) {
        // Nothing sleeps over what it has not told.
        self.rouse();
        if self.side.session.park(&self.side.view) {
            self.sleeps += 1;
            self.woken.wait();
        }
    }

    /// Takes `count` messages and consumes each.
    fn take(&mut self, count: u64) {
        let until = self.side.received + count;
        while self.side.received < until {
            if self.side.consume_next().expect("a sound ring") {
                self.rouse();
            } else {
                self.wait();
            }
        }
    }

    /// Sends a message, and waits for room if there is none.
    fn send(&mut self, number: u64) {
        let message = self.side.mine(number);
        loop {
            match self.side.session.send(message.kind, &message.payload) {
                Ok(_) => return self.rouse(),
                Err(SendError::Full { .. }) => self.wait_for_room(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn wait_for_room(&mut self) {
        loop {
            match self.side.session.receive(&self.side.view).expect("a sound ring") {
                Some(Event::Writable) => return,
                Some(event) => panic!("nothing is sent here but {event:?}"),
                None => self.wait(),
            }
        }
    }
}

/// One side sends two messages, and the other sleeps until they come.
fn messages(link: Link) {
    let [mut sender, mut receiver] = Sleeper::pair(link);
    let sending = thread::spawn(move || {
        (0..2).for_each(|number| sender.send(number));
    });
    receiver.take(2);
    sending.join().expect("no panic");
}

/// One side has filled its ring, and sleeps until the other has made room for one more.
fn room(link: Link) {
    let [mut sender, mut receiver] = Sleeper::pair(link);
    (0..2).for_each(|number| sender.send(number));
    // The first look of all wakes whoever sleeps, and is not what this is about.
    receiver.rouse();
    let sending = thread::spawn(move || sender.send(2));
    // They are there: it has nothing to wait for.
    receiver.take(2);
    sending.join().expect("no panic");
}

#[test]
fn a_message_wakes_whoever_sleeps() {
    for sender in ROLES {
        let link = Link::of(3, sender);
        explore(&format!("messages of the {sender:?} to a sleeper"), move || messages(link));
    }
}

#[test]
fn room_wakes_a_writer_that_sleeps() {
    explore("room for a sleeper", || room(Link::of(2, ROLES[0])));
}

#[test]
fn a_request_and_its_reply_wake_each_other() {
    explore("echoes of sleepers", || {
        let [mut asking, mut answering] = Sleeper::pair(Link::of(2, ROLES[0]));
        let asked = thread::spawn(move || {
            asking.send(0);
            asking.take(1);
        });
        answering.take(1);
        answering.send(0);
        asked.join().expect("no panic");
    });
}

// ---- and what is wrong is noticed ----

fn without_fence(faults: [Fault; 2], frames: u64) -> Link {
    Link { faults, ..Link::of(frames, ROLES[1]) }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleeper_without_a_fence_is_noticed() {
    explore("no fence behind the mark", || messages(without_fence([Fault::None, Fault::NoFence], 3)));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_writer_without_a_fence_is_noticed() {
    explore("no fence behind a message", || messages(without_fence([Fault::NoFence, Fault::None], 3)));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_consumer_without_a_fence_is_noticed() {
    explore("no fence behind a consumption", || room(without_fence([Fault::None, Fault::NoFence], 2)));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleeping_writer_without_a_fence_is_noticed() {
    explore("no fence behind a full ring's mark", || room(without_fence([Fault::NoFence, Fault::None], 2)));
}
