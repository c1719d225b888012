//! What to do when a poll finds nothing.

use std::time::Duration;

/// Some ten microseconds.
const SPINS: u32 = 1024;
/// As many visits to the scheduler and the poll.
const YIELDS: u32 = 64;

/// How a loop that polls spends its time when nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleStrategy {
    /// Poll again at once, for ever: for a core that has nothing else to do. The fastest, and the worst where
    /// there are more polling threads than cores.
    Spin,
    /// Poll for a while, then let other threads run between two polls. Never sleeps.
    SpinThenYield {
        /// Polls in a row that find nothing before the first yield.
        spins: u32,
    },
    /// Poll for a while, yield for a while, then sleep, longer and longer: a link in use is as fast as with
    /// [`IdleStrategy::Spin`], and one that is not costs next to nothing.
    BackOff {
        /// Polls in a row that find nothing before the first yield.
        spins: u32,
        /// Yields before the first sleep.
        yields: u32,
        /// The first sleep.
        least: Duration,
        /// The longest sleep, which is how late a message after a pause may be noticed.
        most: Duration,
    },
    /// Poll for a while, yield for a while, then sleep until the peer says that something came: a link in use
    /// is as fast as with [`IdleStrategy::Spin`] but for a fence for each burst, and one that is not costs nothing.
    ///
    /// A message after a pause costs its sender a write to a socket, and comes when the kernel has woken this
    /// thread. The peer is told at login: see [`Driver::set_may_sleep`](crate::Driver::set_may_sleep).
    Sleep {
        /// Polls in a row that find nothing before the first yield.
        spins: u32,
        /// Yields before the sleep.
        yields: u32,
    },
}

impl IdleStrategy {
    /// Sleeps. Sane on two cores: it spins for some ten microseconds, in which a peer that runs has long
    /// answered; then yields, since the peer may be waiting for this very core; and then sleeps.
    pub const SLEEP: Self = IdleStrategy::Sleep { spins: SPINS, yields: YIELDS };

    /// Backs off: waits like [`IdleStrategy::SLEEP`], then sleeps from 50 microseconds, the least a Linux timer takes
    /// anyway (PR_SET_TIMERSLACK(2const)), to a millisecond. For a peer that must never be kept by a system
    /// call when it sends.
    pub const BACK_OFF: Self = IdleStrategy::BackOff {
        spins: SPINS,
        yields: YIELDS,
        least: Duration::from_micros(50),
        most: Duration::from_millis(1),
    };

    /// Whether a loop with this strategy ever parks its links, so that their peers have to know.
    pub fn may_sleep(self) -> bool {
        matches!(self, IdleStrategy::Sleep { .. })
    }
}

impl Default for IdleStrategy {
    /// [`IdleStrategy::SLEEP`]: it waits like [`IdleStrategy::BACK_OFF`] as long as something comes within some ten
    /// microseconds, and costs nothing when nothing does.
    fn default() -> Self {
        Self::SLEEP
    }
}

/// Where a loop stands in its strategy. It does not wait itself: it says how.
#[derive(Clone, Debug)]
pub struct Idle {
    strategy: IdleStrategy,
    /// Polls in a row that found nothing.
    dry: u32,
}

/// What to do before the next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Nothing, or a spin-loop hint.
    None,
    /// Let other threads run.
    Yield,
    /// Sleep that long, or wait for events that long.
    Sleep(Duration),
    /// [Park](crate::Driver::park), and if that succeeds wait for events until something is due. If not, poll on.
    Park,
}

impl Idle {
    /// A loop that begins.
    pub fn new(strategy: IdleStrategy) -> Self {
        Self { strategy, dry: 0 }
    }

    /// A poll found something, or not. Returns what to do before the next one.
    pub fn after(&mut self, found: bool) -> Pause {
        if found {
            self.dry = 0;
            return Pause::None;
        }
        self.dry = self.dry.saturating_add(1);
        match self.strategy {
            IdleStrategy::Spin => Pause::None,
            IdleStrategy::SpinThenYield { spins } if self.dry > spins => Pause::Yield,
            IdleStrategy::BackOff { spins, yields, least, most } if self.dry > spins => {
                match (self.dry - spins).checked_sub(yields.saturating_add(1)) {
                    None => Pause::Yield,
                    Some(slept) => Pause::Sleep(least.saturating_mul(1 << slept.min(31)).min(most)),
                }
            }
            IdleStrategy::Sleep { spins, yields } if self.dry > spins => {
                if self.dry - spins <= yields {
                    Pause::Yield
                } else {
                    Pause::Park
                }
            }
            IdleStrategy::SpinThenYield { .. }
            | IdleStrategy::BackOff { .. }
            | IdleStrategy::Sleep { .. } => Pause::None,
        }
    }
}

impl Default for Idle {
    fn default() -> Self {
        Self::new(IdleStrategy::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(strategy: IdleStrategy, count: usize) -> Vec<Pause> {
        let mut idle = Idle::new(strategy);
        (0..count).map(|_| idle.after(false)).collect()
    }

    #[test]
    fn spinning_never_pauses() {
        assert!(pauses(IdleStrategy::Spin, 10_000).iter().all(|pause| *pause == Pause::None));
    }

    #[test]
    fn yielding_comes_after_spinning_and_goes_on() {
        let pauses = pauses(IdleStrategy::SpinThenYield { spins: 2 }, 4);
        assert_eq!(pauses, [Pause::None, Pause::None, Pause::Yield, Pause::Yield]);
    }

    #[test]
    fn backing_off_spins_then_yields_then_sleeps_longer_and_longer() {
        let micros = Duration::from_micros;
        let strategy = IdleStrategy::BackOff { spins: 1, yields: 2, least: micros(50), most: micros(150) };
        let [spin, yield_once, yield_again, rest @ ..] = &pauses(strategy, 40)[..] else {
            panic!("40 pauses");
        };
        assert_eq!((spin, yield_once, yield_again), (&Pause::None, &Pause::Yield, &Pause::Yield));
        assert_eq!(rest[..3], [50, 100, 150].map(|time| Pause::Sleep(micros(time))));
        assert!(rest[3..].iter().all(|pause| *pause == Pause::Sleep(micros(150))));
    }

    #[test]
    fn sleeping_comes_after_spinning_and_yielding_and_is_tried_until_something_comes() {
        let strategy = IdleStrategy::Sleep { spins: 1, yields: 2 };
        let pauses = pauses(strategy, 6);
        assert_eq!(pauses[..3], [Pause::None, Pause::Yield, Pause::Yield]);
        assert!(pauses[3..].iter().all(|pause| *pause == Pause::Park));
        assert!(strategy.may_sleep() && !IdleStrategy::BACK_OFF.may_sleep());
    }

    #[test]
    fn whatever_comes_starts_it_anew() {
        let mut idle = Idle::new(IdleStrategy::SpinThenYield { spins: 1 });
        assert_eq!([false, false].map(|found| idle.after(found)), [Pause::None, Pause::Yield]);
        assert_eq!([true, false].map(|found| idle.after(found)), [Pause::None, Pause::None]);
    }
}
