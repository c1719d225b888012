//! The word by which a side says whether it sleeps, and what is known of the other side's.
//!
//! ```text
//!   63 ............................... 2         1              0
//!   how often it went to sleep, never 0    waits for room    asleep
//! ```
//!
//! A word of 0 says that its owner never sleeps on this attachment. Then it is not looked at again, and the
//! link is as fast as one that knows of no sleep.

use crate::position::Position;

const ASLEEP: u64 = 1;
const ROOM: u64 = 2;
const COUNT: u64 = !(ASLEEP | ROOM);
const ONE: u64 = 4;

/// What such a word says. Any value says something, so that nothing a peer stores is a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "explore", derive(Hash))]
pub(crate) struct Parked(u64);

impl Parked {
    pub(crate) fn new(word: u64) -> Self {
        Self(word)
    }

    pub(crate) fn get(self) -> u64 {
        self.0
    }

    /// What follows it at a login: another word than any that was woken before, so that nobody is taken for
    /// asleep whom the last attachment left so.
    pub(crate) fn at_login(self, may_sleep: bool) -> Self {
        if may_sleep { self.next() } else { Self(0) }
    }

    /// The next sleep.
    pub(crate) fn asleep(self, waits_for_room: bool) -> Self {
        Self(self.next().0 | ASLEEP | if waits_for_room { ROOM } else { 0 })
    }

    /// The end of this sleep.
    pub(crate) fn awake(self) -> Self {
        Self(self.0 & COUNT)
    }

    fn next(self) -> Self {
        match (self.0 & COUNT).wrapping_add(ONE) {
            0 => Self(ONE),
            count => Self(count),
        }
    }

    pub(crate) fn may_sleep(self) -> bool {
        self.0 != 0
    }

    pub(crate) fn is_asleep(self) -> bool {
        self.0 & ASLEEP != 0
    }

    pub(crate) fn waits_for_room(self) -> bool {
        self.0 & ROOM != 0
    }
}

/// The other side as one that may sleep.
///
/// Invariant: what was committed and consumed up to `looked` is seen by the peer before it sleeps, or it was
/// asked to be woken for it.
#[derive(Debug, Default)]
#[cfg_attr(feature = "explore", derive(Clone, Hash))]
pub(crate) struct Sleeper {
    /// It said that it never sleeps on this attachment.
    never: bool,
    /// The tail and the consumption at the last look.
    looked: Option<(Position, Position)>,
    /// The sleep from which it was woken last: once for each is enough.
    woken: u64,
}

impl Sleeper {
    /// Whether it has to be looked at, now that this side has come to `progress`.
    #[inline]
    pub(crate) fn is_due(&self, progress: (Position, Position)) -> bool {
        !self.never && self.looked != Some(progress)
    }

    /// It was looked at behind a fence. Returns whether it has to be woken.
    pub(crate) fn look(&mut self, progress: (Position, Position), word: Parked) -> bool {
        // What it says at first holds for the attachment: it is stored before the nonce by which the file
        // was found.
        self.never = self.looked.is_none() && !word.may_sleep();
        let (tail, consumed) = self.looked.replace(progress).unzip();
        let published = tail != Some(progress.0);
        let room = consumed != Some(progress.1) && word.waits_for_room() && !zoo!(RoomWakeForgotten);
        let wakes = word.is_asleep() && (published || room);
        let again = word.get() == self.woken && !zoo!(WokenAgainAndAgain);
        if wakes {
            self.woken = word.get();
        }
        wakes && !again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tail: u64, consumed: u64) -> (Position, Position) {
        (Position::new(tail).unwrap(), Position::new(consumed).unwrap())
    }

    /// One that sleeps as `word` says, and was looked at when nothing had happened yet.
    fn sleeper() -> Sleeper {
        let mut sleeper = Sleeper::default();
        assert!(!sleeper.look(at(0, 0), Parked::new(ONE)));
        sleeper
    }

    #[test]
    fn each_sleep_is_another_word_and_none_is_the_word_that_never_sleeps() {
        for start in [0, 1, 2, 3, ONE, u64::MAX, u64::MAX - 3, u64::MAX - 4] {
            let awake = Parked::new(start).at_login(true);
            let first = awake.asleep(false);
            let second = first.awake().asleep(true);
            let words = [awake, first, first.awake(), second, second.awake()];
            assert!(words.iter().all(|word| word.may_sleep()), "{words:x?}");
            assert_eq!(words.map(Parked::is_asleep), [false, true, false, true, false], "{words:x?}");
            assert!(!first.waits_for_room() && second.waits_for_room() && first != second, "{words:x?}");
            assert!(!Parked::new(start).at_login(false).may_sleep());
        }
    }

    #[test]
    fn one_that_never_sleeps_is_looked_at_once() {
        let mut sleeper = Sleeper::default();
        assert!(sleeper.is_due(at(0, 0)));
        assert!(!sleeper.look(at(0, 0), Parked::new(0)));
        assert!(!sleeper.is_due(at(8, 8)));
    }

    #[test]
    fn one_that_may_sleep_is_looked_at_when_something_was_done() {
        let mut sleeper = sleeper();
        assert!(!sleeper.is_due(at(0, 0)) && sleeper.is_due(at(16, 0)) && sleeper.is_due(at(0, 16)));
        // A word of 0 in the middle is nonsense, and no reason to forget it.
        assert!(!sleeper.look(at(16, 0), Parked::new(0)));
        assert!(sleeper.is_due(at(32, 0)));
    }

    #[test]
    fn a_message_wakes_whoever_sleeps_and_consumption_whoever_waits_for_room_once_for_each_sleep() {
        let (asleep, waiting) = (Parked::new(ONE).asleep(false), Parked::new(ONE).asleep(true));
        let mut sleeper = sleeper();
        assert!(!sleeper.look(at(0, 16), asleep), "it does not wait for room");
        assert!(sleeper.look(at(16, 16), asleep));
        assert!(!sleeper.look(at(32, 16), asleep), "it was woken from this sleep");
        assert!(!sleeper.look(at(48, 16), asleep.awake()));
        assert!(sleeper.look(at(48, 32), waiting));
        assert!(!sleeper.look(at(64, 48), waiting));
        assert!(sleeper.look(at(80, 48), waiting.asleep(false)));
    }

    #[test]
    fn what_was_done_before_the_first_look_counts() {
        let mut sleeper = Sleeper::default();
        assert!(sleeper.look(at(0, 0), Parked::new(ONE).asleep(false)));
    }
}
