//! Numbers with their units, as they are typed and as they are shown.

use std::time::Duration;

use tcpshm_support::screen::grouped;

/// `10ms`, `2s`, `500us`, `1.5s`; a bare 0 needs no unit.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text);
    let nanos: f64 = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "min" => 60e9,
        "h" => 3600e9,
        "" if number == "0" => 0.0,
        _ => return Err(UnitError::Duration),
    };
    let number: f64 = number.parse().map_err(|_| UnitError::Duration)?;
    let seconds = number * nanos / 1e9;
    // A year is for ever here, and fits every clock.
    if seconds > 31_536_000.0 {
        return Err(UnitError::Long);
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A duration that is not 0.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, UnitError> {
    duration(text).and_then(|found| if found.is_zero() { Err(UnitError::Zero) } else { Ok(found) })
}

/// `64`, `64B`, `4KiB`, `1MiB`; K and M stand for KiB and MiB.
pub(crate) fn size(text: &str) -> Result<usize, UnitError> {
    let (number, unit) = split(text);
    let factor = match unit {
        "" | "B" => 1,
        "k" | "K" | "KiB" => 1024,
        "M" | "MiB" => 1024 * 1024,
        _ => return Err(UnitError::Size),
    };
    let number: usize = number.parse().map_err(|_| UnitError::Size)?;
    number.checked_mul(factor).filter(|size| *size <= 1 << 30).ok_or(UnitError::Size)
}

/// `50000`, `50k`, `1M`: so many a second.
pub(crate) fn rate(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text);
    let factor = match unit {
        "" | "/s" => 1,
        "k" | "k/s" => 1_000,
        "M" | "M/s" => 1_000_000,
        _ => return Err(UnitError::Rate),
    };
    let number: u64 = number.parse().map_err(|_| UnitError::Rate)?;
    number.checked_mul(factor).filter(|rate| (1..=1_000_000_000).contains(rate)).ok_or(UnitError::Rate)
}

/// How many groups: each costs a thread.
pub(crate) fn groups(text: &str) -> Result<usize, UnitError> {
    text.parse().ok().filter(|groups| *groups <= 64).ok_or(UnitError::Groups)
}

/// The number and what stands behind it.
fn split(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(at)
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in units {
        if count >= unit {
            return if count.is_multiple_of(unit) {
                format!("{} {name}", count / unit)
            } else {
                format!("{:.1} {name}", count as f64 / unit as f64)
            };
        }
    }
    format!("{count} B")
}

/// `1 message`, `2 messages`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// What is no number with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// No duration.
    #[error("a duration is a number with a unit: 500us, 10ms, 2s, 5min")]
    Duration,
    /// A duration that no clock here holds.
    #[error("it must be a year at most")]
    Long,
    /// A duration of nothing.
    #[error("it must be more than 0")]
    Zero,
    /// No size.
    #[error("a size is a number of bytes up to 1 GiB: 64, 4KiB, 1MiB")]
    Size,
    /// No number of groups.
    #[error("there may be 0 to 64")]
    Groups,
    /// No rate.
    #[error("a rate is a number of messages a second up to a billion: 500, 50k, 1M")]
    Rate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        let nanos = |text| duration(text).map(|found| found.as_nanos());
        assert_eq!(nanos("10ms"), Ok(10_000_000));
        assert_eq!(nanos("1.5s"), Ok(1_500_000_000));
        assert_eq!(nanos("500us"), nanos("500µs"));
        assert_eq!(nanos("0"), Ok(0));
        for wrong in ["", "10", "s", "-1s", "1.2.3s", "10 ms", "1d"] {
            assert_eq!(duration(wrong), Err(UnitError::Duration), "{wrong}");
        }
        for long in ["8761h", "99999999999h", &format!("{}s", "9".repeat(400))] {
            assert_eq!(duration(long), Err(UnitError::Long), "{long}");
        }
        assert_eq!(positive_duration("0s"), Err(UnitError::Zero));
    }

    #[test]
    fn a_size_is_in_bytes_and_a_rate_in_messages() {
        assert_eq!(size("64"), Ok(64));
        assert_eq!(size("4KiB"), size("4k"));
        assert_eq!(size("2MiB"), Ok(2 << 20));
        for wrong in ["", "1.5k", "-1", "2GiB", "1kB", "99999999999999999999"] {
            assert_eq!(size(wrong), Err(UnitError::Size), "{wrong}");
        }
        assert_eq!(rate("50k"), Ok(50_000));
        for wrong in ["0", "", "1.5M", "2000M", "1q"] {
            assert_eq!(rate(wrong), Err(UnitError::Rate), "{wrong}");
        }
    }

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        let shown = [0, 1023, 1024, 1536, 262_144, 1 << 30].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "256 KiB", "1 GiB"]);
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(1234, "message"), "1,234 messages");
    }
}
