//! A server decides a login by the file of a link that is not open, or by its open session: both say the same, and
//! what they say of frame ends is what was committed.

use proof::{Solo, over_both};
use tcpshm_protocol::{Geometry, Memory, Position, Role, survey};

#[test]
fn of_every_position_around_the_frames_of_a_ring() {
    over_both(|carrier| {
        let geometry = Geometry::new(256, 64).expect("a geometry");
        let mut solo = Solo::midway(carrier, Role::Server, geometry, 4096 - 24, 0);
        for len in [8, 17, 0, 33, 64] {
            solo.send(len).expect("room");
        }
        solo.transmit();
        // The first two are consumed: where they end is no place to go on from any more, but for the last of them.
        solo.peer_consumes(2);
        solo.look();
        let acked = solo.session.standing().acked.get();
        let tail = solo.committed();
        let image = Memory::from_image(solo.image());
        let survey = survey(&image).expect("a sound file");
        assert_eq!(survey.standing(), solo.session.standing());
        assert_eq!(survey.undelivered(), solo.session.undelivered());
        let mut landed = Vec::new();
        for at in (acked.saturating_sub(512)..tail + 512).step_by(8) {
            let shown = Position::new(at).expect("a multiple of 8");
            let record = survey.record(shown);
            assert_eq!(record, solo.session.record(shown), "at {at}");
            assert_eq!(record.lands_on_frame, survey.lands_on_frame(shown));
            landed.extend(record.lands_on_frame.then_some(at));
        }
        let ends = solo.ends().iter().copied().filter(|end| *end >= acked);
        assert_eq!(landed, ends.collect::<Vec<_>>(), "frames end there, from {acked} to {tail}");
        assert!(landed.len() >= 4 && acked > 4096 - 24, "{landed:?}");
    });
}
