//! Tests: the words of the hand-over, one at a time. Here and not beside the code, which a model in `proof/tests` compiles
//! with threads of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use tcpshm_protocol::{Name, SessionId};

use crate::handover::{About, Cargo, Desk, Greeting, GroupId, Inbox, Order, Peer, Roster, Task};
use crate::mailbox::{Ended, Wake};
use crate::sync::Arc;

#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Wake for Arc<Count> {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn its_owner_is_woken_once_until_it_has_answered() {
    let count = Arc::new(Count::default());
    let inbox = Inbox::new(Box::new(Arc::clone(&count)));
    assert!(!inbox.is_rung());
    for message in [1, 2] {
        inbox.push(message).unwrap();
    }
    assert!(inbox.is_rung() && count.0.load(Ordering::Relaxed) == 1);
    inbox.answer();
    inbox.push(3).unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    let mut came = VecDeque::from([0]);
    inbox.take(&mut came);
    assert_eq!(came, [0, 1, 2, 3]);
    assert!(!inbox.is_rung());
}

#[test]
fn what_is_left_at_the_end_is_handed_out_and_what_comes_later_is_given_back() {
    let inbox = Inbox::new(Box::new(Arc::new(Count::default())));
    inbox.push("before").unwrap();
    assert_eq!(inbox.close(), ["before"]);
    assert_eq!(inbox.push("after"), Err("after"));
    assert!(!inbox.is_rung() && inbox.close().is_empty());
}

/// A link, a session or a mailbox of "peer", with a number to know it by.
#[derive(Debug, PartialEq, Eq)]
struct Thing(Name, u32);

impl Thing {
    fn new(number: u32) -> Self {
        Self(peer(), number)
    }
}

impl Peer for Thing {
    fn peer(&self) -> &Name {
        &self.0
    }
}

#[derive(Debug)]
struct Goods;

impl Cargo for Goods {
    type Link = Thing;
    type Session = Thing;
    type Mail = Thing;
    type News = u32;
}

fn peer() -> Name {
    "peer".parse().unwrap()
}

fn wake() -> Box<dyn Wake> {
    Box::new(Arc::new(Count::default()))
}

/// A server with two groups, and a link in the first.
const ABOUT: About = About { session: SessionId::new(7).expect("not 0"), largest: 8 };

fn set_up() -> (Roster<Goods, u32>, Desk<Goods>, Desk<Goods>) {
    let mut roster: Roster<Goods, u32> = Roster::new(wake());
    let [mut first, second] = [(); 2].map(|()| roster.open(wake()));
    roster.send(first.id(), Thing::new(1), Greeting::Connected(1), ABOUT).unwrap();
    let taken = first.next();
    assert!(matches!(taken, Some(Order::Take(Thing(_, 1), Greeting::Connected(1)))), "{taken:?}");
    (roster, first, second)
}

#[test]
fn a_word_that_is_crossed_by_the_end_of_its_link_is_about_no_other() {
    let (mut roster, mut first, _second) = set_up();
    roster.wait(&peer(), 7, |_| true);
    first.end(Thing::new(1)).unwrap();
    let Some(Task::Detached(_, waiting)) = roster.next() else { panic!("the session") };
    assert_eq!(waiting, [7]);
    roster.send(first.id(), Thing::new(2), Greeting::Connected(2), ABOUT).unwrap();
    // In this order: the request finds nothing, since the next link comes behind it.
    assert!(matches!(first.next(), Some(Order::Lend(_))));
    assert!(matches!(first.next(), Some(Order::Take(Thing(_, 2), _))));
    assert!(first.next().is_none() && roster.next().is_none());
}

#[test]
fn a_link_is_asked_for_once_however_many_wait_and_moves_after_that() {
    let (mut roster, mut first, mut second) = set_up();
    for waiter in [1, 2, 3] {
        // The first one gives up meanwhile.
        roster.wait(&peer(), waiter, |waiter| *waiter != 1);
    }
    assert!(roster.move_to(&peer(), second.id()));
    assert!(matches!(first.next(), Some(Order::Lend(_))) && first.next().is_none());
    first.lend(Thing::new(1)).unwrap();
    let Some(Task::Decide(link, mut away)) = roster.next() else { panic!("a link to decide about") };
    assert_eq!(away.waiting, [2, 3]);
    assert!(roster.away(&peer()).is_none(), "it is here");
    away.waiting.clear();
    roster.give_back(link, away, false).unwrap();
    assert!(matches!(first.next(), Some(Order::Take(_, Greeting::Back))));
    let Some(Order::Depart(_, to)) = first.next() else { panic!("the move") };
    assert_eq!(to, second.id());
    first.depart(Thing::new(1)).unwrap();
    assert!(roster.next().is_none());
    let Some(Order::Take(_, Greeting::Arrived(from))) = second.next() else { panic!("the link") };
    assert_eq!(from, first.id());
    assert_eq!(roster.away(&peer()).map(|away| away.group), Some(second.id()));
}

#[test]
fn a_group_that_is_gone_gives_back_all_that_was_sent_to_it() {
    let (mut roster, mut first, mut second) = set_up();
    roster.wait(&peer(), 7, |_| true);
    first.lend(Thing::new(1)).unwrap();
    let Some(Task::Decide(link, away)) = roster.next() else { panic!("a link to decide about") };
    roster.give_back(link, away, true).unwrap();
    // It never sees that it is to end the connection.
    assert!(first.leave([]).is_empty());
    let id = first.id();
    assert!(matches!(roster.next(), Some(Task::Leaving(group)) if group == id));
    assert!(!roster.is_open(id));
    let Some(Task::End(link, None, waiting)) = roster.next() else { panic!("the link") };
    assert_eq!((link.1, waiting), (1, VecDeque::from([7])));
    let refused = roster.send(id, link, Greeting::Connected(2), ABOUT);
    assert!(refused.is_err() && roster.next().is_none() && roster.count() == 0);
    assert!(roster.is_open(second.id()) && second.next().is_none());
}

#[test]
fn links_that_a_group_has_lost_are_told_as_lost_with_those_who_wait_for_them() {
    let (mut roster, first, _second) = set_up();
    roster.wait(&peer(), 7, |_| true);
    drop(first);
    assert!(matches!(roster.next(), Some(Task::Leaving(_))));
    let Some(Task::Lost(peers, waiting)) = roster.next() else { panic!("a loss") };
    assert_eq!((peers, waiting), (vec![peer()], VecDeque::from([7])));
    assert_eq!(roster.count(), 0);
}

#[test]
fn what_is_given_back_to_a_group_that_is_about_to_go_is_not_lost() {
    let (mut roster, mut first, _second) = set_up();
    while first.next().is_some() {}
    first.lend(Thing::new(1)).unwrap();
    first.announce();
    assert!(matches!(roster.stop(Ended::ShutDown)[..], [Task::Leaving(_)]));
    assert_eq!(first.return_mail(Thing::new(2)), Err(Thing::new(2)));
    assert!(matches!(first.leave([])[..], [(Thing(_, 1), None)]));
}

#[test]
fn a_server_that_ends_gives_back_what_was_lent_and_takes_nothing_more() {
    let (mut roster, mut first, _second) = set_up();
    while first.next().is_some() {}
    first.lend(Thing::new(1)).unwrap();
    assert!(roster.stop(Ended::ShutDown).is_empty());
    assert!(matches!(first.next(), Some(Order::Take(Thing(_, 1), Greeting::Back))));
    assert!(matches!(first.next(), Some(Order::Stop(Ended::ShutDown))));
    assert_eq!(first.end(Thing::new(2)), Err(Thing::new(2)));
    assert_eq!(first.lend(Thing::new(3)), Err(Thing::new(3)));
    assert_eq!(first.depart(Thing::new(4)), Err(Thing::new(4)));
    assert!(!roster.is_open(first.id()) && !roster.is_open(GroupId::SERVER));
}
