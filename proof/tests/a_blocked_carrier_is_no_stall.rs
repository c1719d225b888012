//! A side whose carrier takes nothing for a while is not called stalled as long as it consumes.
//!
//! Over TCP only: nothing blocks the way through shared memory but a full ring.

use std::time::Duration;

use proof::{Solo, wire};
use tcpshm_protocol::{Geometry, Role};

const STEP: Duration = Duration::from_millis(400);

#[test]
fn while_messages_are_consumed() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    solo.transmit();
    for _ in 0..8 {
        solo.peer_sends(8, 0);
    }
    while solo.send(64).is_ok() {}
    // The last that is heard of the carrier.
    assert!(!solo.session.poll_transmit(solo.clock.now()).is_empty());
    let tick = |solo: &mut Solo| {
        solo.clock.advance(STEP);
        solo.input(wire::control(wire::HEARTBEAT, 0)).expect("a sound frame");
        solo.session.handle_timeout(solo.clock.now()).expect("the peer is alive")
    };
    for _ in 0..7 {
        solo.consume();
        assert_eq!(tick(&mut solo), None);
    }
    let told: Vec<_> = (0..5).filter_map(|_| tick(&mut solo)).collect();
    assert_eq!(told.len(), 1, "now nothing moves: {told:?}");
    assert!(told[0].lasted >= Duration::from_secs(1));
    assert_eq!(told[0].unconsumed, 24);
}
