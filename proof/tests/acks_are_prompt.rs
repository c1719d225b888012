//! What was consumed is told in time: with the next message, at once after a quarter of the window, or
//! after a short delay; and never in the middle of a message.

use std::time::Duration;

use proof::endpoint::Configuration;
use proof::{Pair, Setup, Solo, over_both, wire};
use tcpshm_protocol::{Geometry, Role};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_consumption_is_told_at_once_when_a_quarter_of_the_window_has_passed() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    solo.transmit();
    let mut told = Vec::new();
    for _ in 0..10 {
        solo.peer_sends(8, 0);
        solo.consume();
        told.push(solo.transmit().len() / 16);
    }
    // 24 bytes each, a quarter of 256 is 64: every third message.
    assert_eq!(told, [0, 0, 1, 0, 0, 1, 0, 0, 1, 0]);
}

#[test]
fn a_consumption_is_told_after_a_short_delay_and_wakes_the_host_for_it() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    solo.transmit();
    solo.peer_sends(8, 0);
    solo.consume();
    assert!(solo.transmit().is_empty());
    let start = solo.clock.now();
    assert_eq!(solo.session.poll_timeout(), Some(start + 5 * MILLISECOND));
    solo.clock.advance(4 * MILLISECOND);
    assert!(solo.transmit().is_empty());
    solo.clock.advance(MILLISECOND);
    assert_eq!(solo.session.handle_timeout(solo.clock.now()), Ok(None));
    assert_eq!(solo.transmit(), wire::control(wire::ACK, 24));
    assert!(solo.session.poll_timeout() > Some(solo.clock.now() + 100 * MILLISECOND));
}

#[test]
fn a_message_that_carries_the_consumption_makes_an_ack_unnecessary() {
    let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
    solo.transmit();
    for _ in 0..2 {
        solo.peer_sends(40, 0);
        solo.reply(8).expect("room");
    }
    assert_eq!(solo.transmit().len(), 48, "two messages and nothing else");
    solo.clock.advance(20 * MILLISECOND);
    assert!(solo.transmit().is_empty());
}

#[test]
fn an_ack_goes_out_after_the_frame_that_is_half_written_and_before_the_next() {
    for done in 1..40 {
        let mut solo = Solo::new(Role::Server, Geometry::new(256, 64).expect("a geometry"));
        solo.transmit();
        solo.send(24).expect("room");
        solo.send(24).expect("room");
        let now = solo.clock.now();
        assert_eq!(solo.session.poll_transmit(now).len(), 80);
        solo.session.handle_transmitted(now, done);
        for _ in 0..3 {
            solo.peer_sends(8, 0);
            solo.consume();
        }
        assert_eq!(solo.session.poll_transmit(now).len(), 40 - done, "the rest of the frame alone");
        solo.session.handle_transmitted(now, 40 - done);
        assert_eq!(solo.session.poll_transmit(now), wire::control(wire::ACK, 72));
        // The control frame is half written itself when the next thing comes up.
        solo.session.handle_transmitted(now, 5);
        assert_eq!(solo.session.poll_transmit(now).len(), 11);
        solo.session.handle_transmitted(now, 11);
        assert_eq!(solo.session.poll_transmit(now).len(), 40);
    }
}

#[test]
fn a_one_way_stream_runs_without_any_time_passing() {
    over_both(|carrier| {
        for (capacity, largest, len) in [(64, 40, 8), (256, 64, 1), (256, 232, 232), (1 << 16, 1 << 14, 1000)]
        {
            let configurations = [0, 1].map(|_| Configuration::new(capacity, largest));
            let mut pair = Pair::connected(Setup { configurations, ..Setup::over(carrier) });
            let mut sent = 0;
            while sent < 2_000 {
                let more = pair.client.fill(len);
                assert!(more > 0, "it stands still after {sent} messages of {len} in {capacity}");
                sent += more;
                pair.settle();
            }
            pair.elapse(SECOND);
            pair.check_complete();
        }
    });
}
