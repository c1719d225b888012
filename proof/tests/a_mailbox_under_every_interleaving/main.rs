//! Senders, the owner of their link, and its loop that goes to sleep, in every interleaving: no wake-up is lost, nothing
//! that was accepted is without an outcome, and what one thread sent keeps its order.
//!
//! The mailbox is the driver's own, with its own senders and tickets, compiled here with the threads and locks of loom.
//! What is modelled is the poll: a flag that a wake-up sets, and a sleep that it ends. A session in memory stands in for
//! the link file. loom and not shuttle: that finds the same races, and whether the orderings suffice as well.

/// No defect is put back here: the model has its own.
macro_rules! zoo {
    ($($bug:ident)|+) => {
        false
    };
}

#[path = "../../../driver/src/handover/inbox.rs"]
mod inbox;
#[expect(dead_code, unreachable_pub, reason = "the driver uses the rest")]
#[path = "../../../driver/src/mailbox/mod.rs"]
mod mailbox;
#[path = "../../../driver/src/sender.rs"]
#[expect(dead_code, unreachable_pub, reason = "the driver uses the rest")]
mod sender;
mod sync;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use proof::image;
use tcpshm_protocol::{Committed, Geometry, Kind, Memory, Nonce, Role, SendError, Session};

use inbox::Inbox;
use mailbox::{
    Bell, Bounds, Delivery, Ended, Mailbox, NotAccepted, SendOutcome, Sink, Standing, TrySendError, Wake,
};
use sender::{SendFailure, Sender};

const KIND: Kind = Kind::new(7).expect("not 0");
/// Time that is never over, since none passes.
const EVER: Duration = Duration::MAX;

/// A loop's poll: whether there is an event, and who sleeps until there is.
///
/// When all senders have come to their end it ends the sleep as well, or a model that is wrong would hang. To be asleep
/// then with work to do is to have lost a wake-up.
#[derive(Debug, Default)]
struct Poll {
    events: Mutex<Events>,
    sleeper: Condvar,
    /// Wake-ups so far.
    wakes: AtomicUsize,
    fault: Fault,
}

#[derive(Debug, Default)]
struct Events {
    wake: bool,
    over: bool,
}

/// What is wrong with a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// Every second wake-up is lost.
    EverySecondWake,
    /// The owner answers the bell when it has looked, and sleeps.
    AnswersLate,
    /// The owner goes to sleep on what its budget has left.
    BudgetForgotten,
}

#[derive(Debug)]
struct Waker(Arc<Poll>);

impl Wake for Waker {
    fn wake(&self) {
        let wakes = self.0.wakes.fetch_add(1, Ordering::Relaxed);
        if self.0.fault == Fault::EverySecondWake && wakes % 2 == 1 {
            return;
        }
        self.0.events.lock().expect("no panic").wake = true;
        self.0.sleeper.notify_one();
    }
}

/// A link file that takes so many messages.
struct File {
    session: Session<Memory>,
    room: usize,
    numbers: Vec<u8>,
}

impl File {
    fn new(room: usize) -> Self {
        let header = image::header(Role::Client, 0x100_3a11, Geometry::new(128, 8).expect("a geometry"));
        let storage = Memory::from_image(image::midway(&header, 0, 0, 0xa));
        let session = Session::open(storage, Nonce::new(1)).expect("a sound file");
        Self { session, room, numbers: Vec::new() }
    }
}

impl Sink for File {
    fn is_waiting_for_room(&self) -> bool {
        self.room == 0
    }

    fn largest(&self) -> Option<u32> {
        Some(8)
    }

    fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError> {
        self.room -= 1;
        self.numbers.push(payload[0]);
        self.session.send(kind, payload)
    }
}

/// The owner of a link, and its loop.
struct Owner {
    poll: Arc<Poll>,
    bell: Arc<Bell>,
    delivery: Delivery,
    file: File,
    notes: Vec<usize>,
    budget: usize,
    /// Whether it slept while there was something to do.
    overslept: bool,
}

impl Owner {
    fn new(fault: Fault, room: usize) -> (Self, Sender) {
        let poll = Arc::new(Poll { fault, ..Poll::default() });
        let bell = Arc::new(Bell::new(Box::new(Waker(Arc::clone(&poll)))));
        let bounds = Bounds { messages: 4, bytes: 64 };
        let mailbox = Arc::new(Mailbox::new("peer".parse().expect("a name"), bounds, 8));
        mailbox.point_to(&bell, 0);
        let sender = Sender::new(&mailbox);
        let owner = Owner {
            poll,
            bell,
            delivery: Delivery::new(mailbox),
            file: File::new(room),
            notes: Vec::new(),
            budget: 2,
            overslept: false,
        };
        (owner, sender)
    }

    /// As a driver does in its turns, until so many messages are in the file.
    fn run(&mut self, messages: usize) {
        let mut due = false;
        while self.file.numbers.len() < messages {
            if self.poll.fault != Fault::AnswersLate {
                self.bell.answer();
            }
            if self.bell.is_rung() {
                self.bell.take_notes(&mut self.notes);
                due |= !self.notes.is_empty();
                self.notes.clear();
            }
            if std::mem::take(&mut due) {
                due = self.delivery.deliver(&mut self.file, self.budget) == Standing::More;
                due &= self.poll.fault != Fault::BudgetForgotten;
            }
            if due || self.bell.is_rung() {
                thread::yield_now();
            } else if self.file.numbers.len() < messages {
                if self.poll.fault == Fault::AnswersLate {
                    self.bell.answer();
                }
                due = self.oversleeps();
                self.overslept |= due;
            }
        }
    }

    /// Sleeps until there is an event. Returns whether it would have slept for ever.
    fn oversleeps(&self) -> bool {
        let mut events = self.poll.events.lock().expect("no panic");
        while !events.wake && !events.over {
            events = self.poll.sleeper.wait(events).expect("no panic");
        }
        !std::mem::take(&mut events.wake)
    }

    /// The last turns: its senders have come to their end, and want to know what became of their messages.
    fn finish(&mut self) {
        while self.delivery.deliver(&mut self.file, self.budget) == Standing::More {
            thread::yield_now();
        }
    }
}

/// Ends the sleep of an owner when the last of its senders drops it.
struct Shift(Arc<Poll>);

impl Drop for Shift {
    fn drop(&mut self) {
        self.0.events.lock().expect("no panic").over = true;
        self.0.sleeper.notify_one();
    }
}

/// Runs `body` in every way there is, and says how many that were.
#[expect(clippy::print_stdout, reason = "how much was explored")]
fn explore(what: &str, body: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    // Each lock is a place to be preempted at, and there are many: complete within three preemptions.
    model.preemption_bound = Some(3);
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let executions = std::sync::Arc::clone(&count);
    model.check(move || {
        executions.fetch_add(1, Ordering::Relaxed);
        body();
    });
    println!("{what}: {} executions", count.load(Ordering::Relaxed));
}

/// Two threads send two messages each, to an owner that sleeps when it has nothing to do. Returns whether all went well,
/// when everything is over and gone.
fn two_senders(fault: Fault) -> bool {
    let (mut owner, sender) = Owner::new(fault, usize::MAX);
    let shift = Arc::new(Shift(Arc::clone(&owner.poll)));
    let sends = |first: u8| {
        let (sender, shift) = (sender.clone(), Arc::clone(&shift));
        thread::spawn(move || {
            let tickets =
                [first, first + 1].map(|number| sender.try_send(KIND, &[number]).expect("there is room"));
            drop(shift);
            tickets
        })
    };
    let threads = [10, 20].map(sends);
    drop(shift);
    owner.run(4);
    owner.finish();
    let in_order = [1, 2].iter().all(|thread| {
        let own = owner.file.numbers.iter().filter(|number| **number / 10 == *thread);
        own.copied().eq([10 * thread, 10 * thread + 1])
    });
    let mut committed = true;
    for thread in threads {
        let tickets = thread.join().expect("no panic");
        let outcomes = tickets.each_ref().map(|ticket| ticket.try_outcome());
        committed &= outcomes.iter().all(|outcome| matches!(outcome, Some(SendOutcome::Committed(_))));
    }
    in_order && committed && !owner.overslept
}

#[test]
fn no_wake_up_is_lost_and_each_thread_keeps_its_order() {
    explore("two senders", || assert!(two_senders(Fault::None)));
}

/// One thread sends and waits, again and again, so that the owner sleeps in between.
fn one_sender_that_waits() {
    let (mut owner, sender) = Owner::new(Fault::None, usize::MAX);
    let thread = thread::spawn(move || {
        for number in 0..3 {
            let committed = sender.send(KIND, &[number], EVER).expect("it is committed");
            assert_eq!(committed.position().get(), 24 * (u64::from(number) + 1));
        }
    });
    owner.run(3);
    owner.finish();
    thread.join().expect("no panic");
    assert_eq!(owner.file.numbers, [0, 1, 2]);
}

#[test]
fn a_thread_that_waits_for_each_outcome_is_told_of_each() {
    explore("a sender that waits", one_sender_that_waits);
}

/// The owner goes away at any moment: accepted or refused, nobody is left without an answer.
fn the_owner_leaves() {
    let (mut owner, sender) = Owner::new(Fault::None, 1);
    let thread = thread::spawn(move || {
        let mut outcomes = Vec::new();
        for number in 0..2 {
            match sender.send(KIND, &[number], EVER) {
                Ok(_) => outcomes.push(true),
                Err(SendFailure::NotAccepted(NotAccepted::Ended(Ended::Dropped))) => outcomes.push(false),
                Err(SendFailure::NotTaken(TrySendError::Ended(Ended::Dropped))) => outcomes.push(false),
                Err(other) => panic!("{other}"),
            }
        }
        outcomes
    });
    // It may find something, or not, or be in the middle of it.
    owner.bell.answer();
    owner.delivery.deliver(&mut owner.file, 2);
    let Owner { file, delivery, .. } = owner;
    drop(delivery);
    let outcomes = thread.join().expect("no panic");
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.is_sorted_by(|before, after| before >= after), "in order: {outcomes:?}");
    assert_eq!(outcomes.iter().filter(|committed| **committed).count(), file.numbers.len());
}

#[test]
fn an_owner_that_leaves_at_any_moment_leaves_an_outcome_to_everybody() {
    explore("an owner that leaves", the_owner_leaves);
}

/// A link moves to another loop while somebody sends: one of the two is woken, and that is the one that looks.
fn the_link_moves() {
    let (mut owner, sender) = Owner::new(Fault::None, usize::MAX);
    let thread = thread::spawn(move || sender.send(KIND, &[1], EVER).map(|_| ()));
    let poll = Arc::new(Poll::default());
    let bell = Arc::new(Bell::new(Box::new(Waker(Arc::clone(&poll)))));
    owner.delivery.mailbox().point_to(&bell, 0);
    (owner.poll, owner.bell) = (poll, bell);
    owner.run(1);
    owner.finish();
    thread.join().expect("no panic").expect("committed");
}

#[test]
fn a_link_that_moves_to_another_loop_takes_its_mail_along() {
    explore("a link that moves", the_link_moves);
}

/// Two loops leave a message each for a third one, which sleeps when there is none. Returns whether it was woken whenever
/// it had to be.
fn an_inbox(fault: Fault) -> bool {
    let poll = Arc::new(Poll { fault, ..Poll::default() });
    let inbox = Arc::new(Inbox::new(Box::new(Waker(Arc::clone(&poll)))));
    let shift = Arc::new(Shift(Arc::clone(&poll)));
    let threads = [1, 2].map(|message| {
        let (inbox, shift) = (Arc::clone(&inbox), Arc::clone(&shift));
        thread::spawn(move || {
            inbox.push(message).expect("it is open");
            drop(shift);
        })
    });
    drop(shift);
    let (mut came, mut overslept) = (std::collections::VecDeque::new(), false);
    while came.len() < 2 {
        if fault != Fault::AnswersLate {
            inbox.answer();
        }
        if inbox.is_rung() {
            inbox.take(&mut came);
            thread::yield_now();
        } else if came.len() < 2 {
            if fault == Fault::AnswersLate {
                inbox.answer();
            }
            let mut events = poll.events.lock().expect("no panic");
            while !events.wake && !events.over {
                events = poll.sleeper.wait(events).expect("no panic");
            }
            overslept |= !std::mem::take(&mut events.wake) && came.len() < 2;
        }
    }
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert!(inbox.close().is_empty() && inbox.push(3).is_err());
    !overslept
}

#[test]
fn an_inbox_loses_no_message_and_no_wake_up() {
    explore("an inbox", || assert!(an_inbox(Fault::None)));
}

// ---- and what is wrong is noticed ----

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn an_inbox_that_is_answered_late_is_noticed() {
    explore("an inbox answered late", || assert!(an_inbox(Fault::AnswersLate), "a wake-up was lost"));
}

/// It is said when an execution is over: whoever panics in the middle of one leaves locks that nobody can take.
fn wrong(what: &str, fault: Fault) {
    explore(what, move || assert!(two_senders(fault), "a wake-up was lost"));
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn wake_ups_that_are_lost_are_noticed() {
    wrong("every second wake-up", Fault::EverySecondWake);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn an_owner_that_answers_when_it_has_looked_is_noticed() {
    wrong("a late answer", Fault::AnswersLate);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn an_owner_that_sleeps_on_what_its_budget_left_is_noticed() {
    wrong("a budget forgotten", Fault::BudgetForgotten);
}
