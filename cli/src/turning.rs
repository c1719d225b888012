//! One turn of an event loop, as the idle strategy says.

use std::io;
use std::time::Duration;

use tcpshm_driver::{Driver, EventLoop, Handler};
use tcpshm_support::choices::IdleChoice;

/// Waits for something to do as `idle` says, `wait` at most, and does it.
///
/// The strategy of an [`EventLoop`] is about shared memory; a loop that shall spin reads its sockets without
/// asking the poll as long as there is no ring to look at.
pub(crate) fn turn<D: Driver>(
    events: &mut EventLoop<D>,
    app: &mut impl Handler,
    idle: IdleChoice,
    wait: Option<Duration>,
) -> io::Result<()> {
    if idle == IdleChoice::Spin && !events.driver().is_polling() {
        events.spin_turn(app)
    } else {
        events.turn(app, wait)
    }
}
