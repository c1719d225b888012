//! Whether both sides still take what they promised when a session began.

use tcpshm_protocol::login::{Refusal, RefusalCode};
use tcpshm_protocol::{Geometry, Header};

/// A session that goes on keeps its sizes. `ours` is the most this side takes now, `theirs` the most the
/// peer takes; stored messages beyond that could never be delivered.
pub(crate) fn check_promises(header: &Header, ours: Geometry, theirs: Geometry) -> Result<(), Refusal> {
    check(header.incoming, ours, "the server takes less than it promised this session")?;
    check(header.outgoing, theirs, "the client takes less than it promised this session")
}

fn check(promised: Geometry, taken: Geometry, text: &str) -> Result<(), Refusal> {
    if promised.fits(taken) {
        return Ok(());
    }
    let mut refusal = Refusal::new(RefusalCode::LimitsShrunk, text);
    refusal.numbers = if promised.capacity() > taken.capacity() {
        [promised.capacity(), taken.capacity()]
    } else {
        [u64::from(promised.largest()), u64::from(taken.largest())]
    };
    Err(refusal)
}
