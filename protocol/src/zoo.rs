//! Known defects, put back on demand to see that the tests notice. Compiled with the feature `zoo` only.
//!
//! A switch stands where the rule stands that it breaks, as a condition that is the constant `false` in
//! every other build: `if zoo!(AckInTwoStores) { .. }`. One build holds them all; which of them is
//! released is decided for each thread by [`release`], or for a whole process by the environment:
//! `TCPSHM_ZOO=ack-in-two-stores`. None is, unless somebody says so.

mod bugs;

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

pub use bugs::Bug;

/// Names the defect that a process is to have.
pub const VARIABLE: &str = "TCPSHM_ZOO";

thread_local! {
    static RELEASED: Cell<Option<Bug>> = Cell::new(named_by_the_environment());
}

/// What this thread has from here on.
pub fn release(bug: Option<Bug>) {
    RELEASED.set(bug);
}

/// Whether this thread has the defect.
#[inline]
pub fn is_released(bug: Bug) -> bool {
    RELEASED.get() == Some(bug)
}

/// A name that is none is a run that proves nothing, so it ends here.
fn named_by_the_environment() -> Option<Bug> {
    static NAMED: OnceLock<Option<Bug>> = OnceLock::new();
    *NAMED.get_or_init(|| {
        let name = std::env::var(VARIABLE).ok()?;
        Some(name.parse().unwrap_or_else(|error| panic!("{VARIABLE}={name}: {error}")))
    })
}

impl fmt::Display for Bug {
    /// `AckInTwoStores` as `ack-in-two-stores`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        f.pad(&name)
    }
}

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, UnknownBug> {
        Bug::ALL.iter().copied().find(|bug| bug.to_string() == name).ok_or(UnknownBug)
    }
}

/// No defect has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no defect of that name")]
pub struct UnknownBug;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_found_by_its_name() {
        for bug in Bug::ALL {
            assert_eq!(bug.to_string().parse(), Ok(*bug));
        }
        assert_eq!(Bug::AckInTwoStores.to_string(), "ack-in-two-stores");
        assert_eq!("no-such-bug".parse::<Bug>(), Err(UnknownBug));
    }

    #[test]
    fn a_bug_is_released_for_one_thread_until_it_is_caged() {
        release(Some(Bug::MagicFirst));
        assert!(is_released(Bug::MagicFirst) && !is_released(Bug::LapTag));
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(!is_released(Bug::MagicFirst)));
        });
        release(None);
        assert!(!is_released(Bug::MagicFirst));
    }
}
