//! Links that are handed from loop to loop while they are moved, sent on, cut, logged in to and taken over, and while
//! groups go away, in many schedules: each link is in one place, nobody waits for ever, nothing that was sent is lost or
//! out of order, and each application hears of a link's coming and going by turns.
//!
//! The hand-over and the mailboxes are the driver's own, compiled here with the threads and locks of shuttle, which
//! chooses a schedule at random, or by priorities that change a few times. Sockets and files have doubles. shuttle and not
//! loom: five threads with a dozen messages have too many interleavings to try all.
//!
//! `TCPSHM_SCHEDULES=1000000 cargo test --release -p proof --test links_between_groups_under_many_schedules` tries more,
//! `TCPSHM_SEED` others. A failure prints its schedule, for `shuttle::replay`.

/// No defect is put back here: the model has its own.
macro_rules! zoo {
    ($($bug:ident)|+) => {
        false
    };
}

mod control;
#[path = "../../../driver/src/handover/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "the driver uses the rest")]
mod handover;
mod link;
#[path = "../../../driver/src/mailbox/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "the driver uses the rest")]
mod mailbox;
mod member;
mod poll;
#[path = "../../../driver/src/sender.rs"]
#[expect(unreachable_pub, reason = "the driver has it outside")]
mod sender;
mod sync;

use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};
use tcpshm_protocol::Kind;

use control::{Control, Event, Verdicts};
use mailbox::SendOutcome;
use member::{Member, Story, Told};
use poll::{Poll, Waker, Wire};
use sender::Sender;

const KIND: Kind = Kind::new(7).expect("not 0");
/// Time that is never over, since none passes.
const EVER: Duration = Duration::MAX;

/// What is wrong with a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// A group answers its inbox when it has looked, and sleeps.
    AnswersLate,
    /// A group says that it is gone before it has let go of its links.
    GoneBeforeItsLinks,
    /// A group drops the mailbox of a link that has just left.
    MailDropped,
}

/// A server with two groups and a link in the first of them, whose connection is the first.
struct Trial {
    control: Control,
    members: Vec<JoinHandle<()>>,
    stories: [Story; 2],
    wire: Arc<Wire>,
    sender: Option<Sender>,
    /// Whether its groups stay until the server ends.
    stays: bool,
}

/// What is left of one when everything is over.
struct Outcome {
    verdicts: Verdicts,
    stories: [Vec<Told>; 2],
    messages: Vec<u8>,
}

impl Trial {
    /// The first group goes after so many turns, if it does.
    fn new(fault: Fault, has_mail: bool, turns: Option<u32>) -> Self {
        let mut control = Control::new();
        let stories = [(); 2].map(|()| Arc::new(Mutex::new(Vec::new())));
        let mut members = Vec::new();
        for (index, story) in stories.iter().enumerate() {
            let poll = Arc::new(Poll::default());
            let desk = control.roster.open(Box::new(Waker(Arc::clone(&poll))));
            // The connection with number n goes to group n mod 2.
            control.groups.insert(0, desk.id());
            let member = Member::new(desk, poll, Arc::clone(story), fault);
            let turns = turns.filter(|_| index == 0);
            members.push(thread::spawn(move || member.run(turns)));
        }
        let sender = has_mail.then(|| control.open_mail());
        let wire = Arc::new(Wire::default());
        control.net.push(Event::Login(Arc::clone(&wire)));
        Self { control, members, stories, wire, sender, stays: turns.is_none() }
    }

    fn cut(&self) -> JoinHandle<()> {
        let wire = Arc::clone(&self.wire);
        thread::spawn(move || wire.cut())
    }

    /// Somebody who makes these events.
    fn events(&self, events: Vec<Event>) -> JoinHandle<()> {
        let net = Arc::clone(&self.control.net);
        thread::spawn(move || {
            for event in events {
                net.push(event);
                thread::yield_now();
            }
        })
    }

    /// Runs the server until the threads are through, and what they sent is committed.
    fn finish(mut self, threads: Vec<JoinHandle<()>>, messages: usize) -> Outcome {
        let net = Arc::clone(&self.control.net);
        let last = thread::spawn(move || {
            for thread in threads {
                thread.join().expect("no panic");
            }
            net.push(Event::Over);
        });
        self.control.run(messages);
        last.join().expect("no panic");
        let disk = Arc::clone(&self.control.disk);
        let verdicts = self.control.stop();
        for member in self.members {
            member.join().expect("no panic");
        }
        let stories = self.stories.map(|story| story.lock().expect("no panic").clone());
        for story in &stories {
            let by_turns = story.iter().enumerate().all(|(index, told)| told.begins() == (index % 2 == 0));
            assert!(by_turns, "{story:?}");
            assert!(!self.stays || story.len().is_multiple_of(2), "told of no end: {story:?}");
        }
        Outcome { verdicts, stories, messages: disk.messages() }
    }
}

/// A thread that sends so many messages; `waits` if for each outcome.
fn sends(sender: &Sender, count: u8, waits: bool) -> JoinHandle<()> {
    let sender = sender.clone();
    thread::spawn(move || {
        let mut tickets = Vec::new();
        for number in 0..count {
            if waits {
                sender.send(KIND, &[number], EVER).expect("it is committed");
            } else {
                tickets.push(sender.try_send(KIND, &[number]).expect("there is room"));
            }
        }
        for mut ticket in tickets {
            let outcome = ticket.wait(EVER);
            assert!(matches!(outcome, Some(SendOutcome::Committed(_))), "{outcome:?}");
        }
    })
}

fn number(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// Runs `body` in many schedules, half of them random, half by priorities.
#[expect(clippy::print_stdout, reason = "how much was explored, and from where")]
fn explore(what: &str, body: impl Fn() + Send + Sync + Copy + 'static) {
    let count = usize::try_from(number("TCPSHM_SCHEDULES", 3_000)).expect("64 bits");
    let seed = number("TCPSHM_SEED", 20_261_128);
    println!("{what}: {count} schedules from seed {seed}");
    let half = count / 2;
    Runner::new(RandomScheduler::new_from_seed(seed, half), Config::default()).run(body);
    Runner::new(PctScheduler::new_from_seed(seed, 4, count - half), Config::default()).run(body);
}

fn moves(trial: &Trial) -> Vec<Event> {
    let [second, first] = trial.control.groups[..] else { panic!("two groups") };
    vec![Event::Move(second), Event::Move(first), Event::Move(second)]
}

fn a_move_against_sends() {
    let trial = Trial::new(Fault::None, true, None);
    let sender = trial.sender.clone().expect("it has mail");
    let threads = vec![sends(&sender, 3, true), sends(&sender, 0, false), trial.events(moves(&trial))];
    let outcome = trial.finish(threads, 3);
    assert_eq!(outcome.messages, [0, 1, 2]);
    assert_eq!(outcome.verdicts, [Some(1)]);
}

#[test]
fn a_link_that_moves_while_a_thread_sends_takes_its_mail_along_in_order() {
    explore("moves and sends", a_move_against_sends);
}

fn a_disconnect_against_sends() {
    let trial = Trial::new(Fault::None, true, None);
    let sender = trial.sender.clone().expect("it has mail");
    let threads = vec![sends(&sender, 4, false), trial.cut(), trial.events(moves(&trial))];
    let outcome = trial.finish(threads, 4);
    assert_eq!(outcome.messages, [0, 1, 2, 3]);
}

#[test]
fn what_is_sent_while_the_connection_ends_is_committed_wherever_the_link_is() {
    explore("a disconnect and sends", a_disconnect_against_sends);
}

fn a_takeover_against_a_close() {
    let trial = Trial::new(Fault::None, false, None);
    let login = Event::Login(Arc::new(Wire::default()));
    let threads = vec![trial.cut(), trial.events(vec![Event::Stranger, login]), trial.events(moves(&trial))];
    let outcome = trial.finish(threads, 0);
    let accepted: Vec<_> = outcome.verdicts.iter().flatten().copied().collect();
    assert_eq!((outcome.verdicts.len(), accepted), (3, vec![1, 2]));
    let ends =
        |number| outcome.stories.iter().flatten().filter(|told| **told == Told::Disconnected(number)).count();
    assert!(ends(1) == 1 && ends(2) <= 1, "{:?}", outcome.stories);
}

#[test]
fn a_takeover_and_a_close_end_the_connection_once_and_the_login_is_accepted() {
    explore("a takeover and a close", a_takeover_against_a_close);
}

fn strangers_against_moves() {
    let trial = Trial::new(Fault::None, false, None);
    let threads = vec![trial.events(vec![Event::Stranger, Event::Stranger]), trial.events(moves(&trial))];
    let outcome = trial.finish(threads, 0);
    assert_eq!(outcome.verdicts.iter().filter(|verdict| verdict.is_none()).count(), 2);
    let ends = outcome.stories.iter().flatten().filter(|told| matches!(told, Told::Disconnected(_)));
    // Not before the server ended.
    assert!(ends.count() <= 1);
}

#[test]
fn logins_that_are_refused_disturb_no_link_wherever_it_moves() {
    explore("strangers and moves", strangers_against_moves);
}

/// A group goes at any moment. Whatever was under way to it or from it, the next login finds the link, and what was sent
/// is in its file.
fn a_group_that_goes(fault: Fault, turns: u32) {
    let trial = Trial::new(fault, true, Some(turns));
    let sender = trial.sender.clone().expect("it has mail");
    let login = Event::Login(Arc::new(Wire::default()));
    let threads = vec![sends(&sender, 2, false), trial.events(moves(&trial)), trial.events(vec![login])];
    let outcome = trial.finish(threads, 2);
    assert_eq!(outcome.messages, [0, 1]);
    assert_eq!(outcome.verdicts, [Some(1), Some(2)]);
}

#[test]
fn a_group_that_goes_at_any_moment_leaves_its_links_to_be_found() {
    explore("a group that goes at once", || a_group_that_goes(Fault::None, 1));
    explore("a group that goes later", || a_group_that_goes(Fault::None, 3));
}

/// A mailbox that is made while its link is somewhere.
fn mail_that_comes_later(fault: Fault) {
    let mut trial = Trial::new(fault, false, None);
    let threads = vec![trial.cut()];
    // Until the link is in its group, or was.
    while trial.control.verdicts.is_empty() {
        trial.control.turn_once();
    }
    let sender = trial.control.open_mail_away();
    let sends = sends(&sender, 2, false);
    let outcome = trial.finish(threads.into_iter().chain([sends]).collect(), 2);
    assert_eq!(outcome.messages, [0, 1]);
}

#[test]
fn a_mailbox_that_is_made_while_its_link_leaves_follows_it() {
    explore("mail that comes later", || mail_that_comes_later(Fault::None));
}

// ---- and what is wrong is noticed ----

#[test]
#[should_panic(expected = "deadlock")]
fn a_group_that_answers_when_it_has_looked_is_noticed() {
    explore("a late answer", || {
        let trial = Trial::new(Fault::AnswersLate, false, None);
        let threads = vec![trial.events(vec![Event::Stranger, Event::Stranger]), trial.events(moves(&trial))];
        drop(trial.finish(threads, 0));
    });
}

#[test]
#[should_panic(expected = "the file is open in two places")]
fn a_group_that_is_gone_before_its_links_is_noticed() {
    explore("gone too early", || a_group_that_goes(Fault::GoneBeforeItsLinks, 3));
}

#[test]
#[should_panic(expected = "Dropped")]
fn mail_that_is_dropped_when_its_link_has_left_is_noticed() {
    explore("mail dropped", || mail_that_comes_later(Fault::MailDropped));
}
