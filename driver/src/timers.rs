//! When to look at which place again.

use std::collections::BTreeSet;
use std::time::Instant;

/// One deadline for each of many places, each looked at only when its time has come.
///
/// A deadline that moves away is not moved here: when its old time comes the place is looked at and set
/// anew. So a busy link, whose silence ends later with every byte, costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Instant, usize)>,
    set: Vec<Option<Instant>>,
}

impl Timers {
    /// Look at `place` at `deadline` or before.
    pub(crate) fn schedule(&mut self, place: usize, deadline: Instant) {
        if place >= self.set.len() {
            self.set.resize(place + 1, None);
        }
        match self.set[place] {
            Some(set) if set <= deadline => return,
            Some(set) => self.due.remove(&(set, place)),
            None => false,
        };
        self.set[place] = Some(deadline);
        self.due.insert((deadline, place));
    }

    /// Nothing is due at `place` any more.
    pub(crate) fn cancel(&mut self, place: usize) {
        if let Some(set) = self.set.get_mut(place).and_then(Option::take) {
            self.due.remove(&(set, place));
        }
    }

    /// A place whose time has come. It has no deadline from here on.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<usize> {
        let (deadline, place) = *self.due.first()?;
        if deadline > now {
            return None;
        }
        self.cancel(place);
        Some(place)
    }

    /// How many places have a deadline.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_an_earlier_deadline_replaces_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.schedule(3, at(5));
        timers.schedule(3, at(9));
        timers.schedule(1, at(7));
        assert_eq!(timers.next(), Some(at(5)));
        timers.schedule(3, at(2));
        assert_eq!(timers.take_due(at(1)), None);
        assert_eq!(timers.take_due(at(2)), Some(3));
        assert_eq!(timers.take_due(at(6)), None);
        timers.cancel(1);
        assert_eq!((timers.next(), timers.take_due(at(99))), (None, None));
    }
}
