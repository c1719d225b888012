//! How long to wait before trying again.

use std::time::Duration;

/// Exponential back-off with full jitter: before the n-th round in a row that failed, a random time
/// between nothing and `first * 2^n`, but at most `most`.
///
/// The whole range is random, not only its end, so that clients that lost the same server do not come
/// back in step ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The longest wait before the first retry.
    pub first: Duration,
    /// The longest wait of all.
    pub most: Duration,
}

impl Default for BackOff {
    /// 10 ms, in which a process restarts; 1 s, which an operator does not notice and a server that is
    /// down for long does not feel.
    fn default() -> Self {
        Self { first: Duration::from_millis(10), most: Duration::from_secs(1) }
    }
}

impl BackOff {
    /// The wait after `failures` failed rounds, from 64 random bits.
    pub(crate) fn delay(self, failures: u32, random: u64) -> Duration {
        let limit = 2_u32.checked_pow(failures).and_then(|factor| self.first.checked_mul(factor));
        let limit = limit.unwrap_or(self.most).min(self.most);
        if zoo!(NoJitter) {
            return limit;
        }
        // The top 32 bits as a fraction of 2^32.
        let nanoseconds = (limit.as_nanos() * u128::from(random >> 32)) >> 32;
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK_OFF: BackOff = BackOff { first: Duration::from_millis(10), most: Duration::from_millis(100) };

    #[test]
    fn the_limit_doubles_up_to_the_most() {
        let longest = |failures| BACK_OFF.delay(failures, u64::MAX).as_micros().div_ceil(1000);
        assert_eq!([0, 1, 2, 3, 4, 31, 32, u32::MAX].map(longest), [10, 20, 40, 80, 100, 100, 100, 100]);
    }

    #[test]
    fn the_whole_range_is_used() {
        assert_eq!(BACK_OFF.delay(9, 0), Duration::ZERO);
        assert_eq!(BACK_OFF.delay(9, 1 << 63), Duration::from_millis(50));
    }

    #[test]
    fn a_huge_limit_does_not_overflow() {
        let huge = BackOff { first: Duration::MAX, most: Duration::MAX };
        assert!(huge.delay(40, u64::MAX) > Duration::from_secs(1 << 30));
    }
}
