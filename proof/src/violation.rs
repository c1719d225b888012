//! What must hold, and how it is told that it does not.
//!
//! A check that fails raises a [`Violation`], which unwinds to [`catch`]. Whatever else unwinds is told
//! apart by where it comes from: a panic in the code under test is itself a violation, of
//! [`Invariant::Typed`]; one in this package is a fault of the harness, and proves nothing.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::Once;

/// What must hold after every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: what one side consumed is a gapless prefix of what the other committed, byte for byte.
    ExactlyOnce,
    /// I2: each committed message is consumed, recoverable, or reported by a reset.
    NothingLost,
    /// I3: any image recovers to the state before or after the operation.
    CrashAtomic,
    /// I4: recovery twice equals recovery once, and changes no frame.
    Idempotent,
    /// I5: words never go back, and no position ever holds two different frames.
    Monotonic,
    /// I6: `acked` <= the peer's `consumed` <= tail, and `consumed` covers what was freed.
    Ordered,
    /// I7: a refused or unfinished login changes nothing that counts.
    Untouched,
    /// I8: each login ends in the expected outcome, each reset in the expected report.
    Decided,
    /// I9: at most one live connection per link, and a fenced one delivers and stores nothing.
    Fenced,
    /// I10: memory, steps and wire bytes are bounded.
    Bounded,
    /// I11: what happens on one link leaves the others alone.
    Apart,
    /// I12: damage ends in a typed error, without panic, hang or changed byte.
    Typed,
    /// I13: when faults stop, everything committed is consumed or reported within bounded steps.
    Live,
}

/// Something that must hold does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was found instead.
    pub text: String,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The code under test broke a promise.
    Violation(Violation),
    /// The harness itself went wrong, here.
    Harness(String),
}

/// Ends the run: `invariant` does not hold. In a run that nobody watches it is a panic like any other.
#[track_caller]
pub fn violate(invariant: Invariant, text: impl fmt::Display) -> ! {
    let violation = Violation { invariant, text: text.to_string() };
    if CAUGHT.with_borrow(Option::is_some) {
        panic_any(violation);
    }
    panic!("{}", Failure::Violation(violation));
}

/// Ends the run unless `holds`.
#[track_caller]
pub fn ensure(holds: bool, invariant: Invariant, text: impl FnOnce() -> String) {
    if !holds {
        violate(invariant, text());
    }
}

/// Runs to the end, or to the first check that fails.
pub fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    record_panics();
    CAUGHT.with_borrow_mut(|caught| *caught = Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(run));
    let place = CAUGHT.with_borrow_mut(Option::take).unwrap_or_default();
    result.map_err(|panic| match panic.downcast::<Violation>() {
        Ok(violation) => Failure::Violation(*violation),
        Err(_) if is_ours(&place) => Failure::Harness(place),
        Err(_) => Failure::Violation(Violation { invariant: Invariant::Typed, text: place }),
    })
}

/// Runs to the end, or until one of these invariants does not hold, and says which it was. Whatever else goes
/// wrong goes on doing so.
pub fn forgive(invariants: &[Invariant], run: impl FnOnce()) -> Option<Violation> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    match panic.downcast::<Violation>() {
        Ok(violation) if invariants.contains(&violation.invariant) => Some(*violation),
        Ok(violation) => resume_unwind(violation),
        Err(panic) => resume_unwind(panic),
    }
}

thread_local! {
    /// While a run is being watched: the message and the place of its panic.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics of watched runs are remembered instead of printed.
fn record_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let watched = CAUGHT.with_borrow_mut(|caught| {
                if let Some(place) = caught {
                    *place = info.to_string();
                }
                caught.is_some()
            });
            if !watched {
                usual(info);
            }
        }));
    });
}

/// Whether a panic comes from this package.
fn is_ours(place: &str) -> bool {
    let at = place.split_whitespace().find(|word| word.contains(".rs:"));
    at.is_some_and(|at| at.starts_with("proof/"))
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I{} {self:?}", *self as u8 + 1)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Violation(Violation { invariant, text }) => write!(f, "{invariant}: {text}"),
            Failure::Harness(text) => write!(f, "the harness failed: {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_a_bug_of_the_harness_and_a_panic_of_the_code_under_test_are_told_apart() {
        let violated = catch(|| violate(Invariant::Fenced, "two at once"));
        let expected = Violation { invariant: Invariant::Fenced, text: "two at once".into() };
        assert_eq!(violated.map(|_: ()| ()), Err(Failure::Violation(expected)));
        let ours = catch(|| assert!(std::hint::black_box(false), "a slip"));
        assert!(matches!(ours, Err(Failure::Harness(text)) if text.contains("a slip")));
        let theirs = catch(|| {
            let memory = tcpshm_protocol::Memory::zeroed(8);
            tcpshm_protocol::Published::load(&memory, 3)
        });
        let Err(Failure::Violation(violation)) = theirs else { panic!("{theirs:?}") };
        assert_eq!(violation.invariant, Invariant::Typed);
        assert_eq!(catch(|| 7), Ok(7));
    }

    #[test]
    fn what_is_forgiven_is_told_and_what_is_not_goes_on() {
        let run = |invariant| catch(|| forgive(&[Invariant::Ordered], || violate(invariant, "it")));
        let violation = |invariant| Violation { invariant, text: "it".into() };
        assert_eq!(run(Invariant::Ordered), Ok(Some(violation(Invariant::Ordered))));
        let fenced = violation(Invariant::Fenced);
        assert_eq!(run(Invariant::Fenced), Err(Failure::Violation(fenced)));
        let ours =
            catch(|| forgive(&[Invariant::Ordered], || assert!(std::hint::black_box(false), "a slip")));
        assert!(matches!(ours, Err(Failure::Harness(text)) if text.contains("a slip")));
    }
}
