//! How long a side tolerates hearing nothing.

use std::fmt;
use std::time::Duration;

/// How long a side waits without hearing anything before it ends the connection: 10 ms to one hour, in
/// whole milliseconds.
///
/// Each side tells the other its own, and the other sends something at least every third of it, so that
/// two heartbeats in a row may be late before anything ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Silence(u32);

impl Silence {
    /// Below this an ordinary scheduling delay would end connections.
    pub const MIN: Silence = Silence(10);
    /// Beyond this a dead peer would in effect never be noticed.
    pub const MAX: Silence = Silence(3_600_000);

    /// A tolerance of `duration`, whose fraction of a millisecond is dropped.
    pub fn new(duration: Duration) -> Result<Self, SilenceError> {
        let error = SilenceError { milliseconds: duration.as_millis() };
        let milliseconds = u32::try_from(error.milliseconds).map_err(|_| error)?;
        Self::from_milliseconds(milliseconds)
    }

    pub(super) fn from_milliseconds(milliseconds: u32) -> Result<Self, SilenceError> {
        let silence = Self(milliseconds);
        if silence < Self::MIN || silence > Self::MAX {
            return Err(SilenceError { milliseconds: milliseconds.into() });
        }
        Ok(silence)
    }

    pub(super) fn milliseconds(self) -> u32 {
        self.0
    }

    /// How long the side that told it waits.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }

    /// How long the side that was told it may stay silent: a third.
    pub fn heartbeat(self) -> Duration {
        self.duration() / 3
    }
}

impl Default for Silence {
    /// Three seconds. A heartbeat sent after one second may be lost three times: on a fast network Linux
    /// resends after 0.2, 0.6 and 1.4 s (`TCP_RTO_MIN` is 200 ms and doubles). And a dead host is
    /// noticed before a person would.
    fn default() -> Self {
        Self(3_000)
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The duration is not one a side can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tolerance of {milliseconds} ms, where {} to {} are possible", Silence::MIN, Silence::MAX)]
pub struct SilenceError {
    /// The milliseconds asked for.
    pub milliseconds: u128,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_between_ten_milliseconds_and_an_hour() {
        let new = |micros| Silence::new(Duration::from_micros(micros));
        assert_eq!(new(9_999), Err(SilenceError { milliseconds: 9 }));
        assert_eq!(new(10_000), Ok(Silence::MIN));
        assert_eq!(new(3_600_000_000), Ok(Silence::MAX));
        assert_eq!(new(3_600_001_000), Err(SilenceError { milliseconds: 3_600_001 }));
        assert!(Silence::new(Duration::MAX).is_err());
    }

    #[test]
    fn three_heartbeats_fit_the_tolerance() {
        for silence in [Silence::MIN, Silence::default(), Silence::MAX] {
            assert!(silence.heartbeat() * 3 <= silence.duration());
            assert_eq!(Silence::new(silence.duration()), Ok(silence));
        }
        assert_eq!(Silence::default().heartbeat(), Duration::from_secs(1));
        assert_eq!(Silence::default().to_string(), "3000 ms");
    }
}
