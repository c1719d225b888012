//! What can be asked of a session, a slot and a message, and what a session without a connection does: nothing.

use proof::{Message, Solo, over_both};
use tcpshm_protocol::{CloseReason, Event, Geometry, Memory, Received, Role};

fn geometry() -> Geometry {
    Geometry::new(256, 64).expect("a geometry")
}

fn receive(solo: &mut Solo) -> Received<'static> {
    let message = Message::numbered(Role::Client, 0, 8);
    let event = solo.input(solo.peer().message(0, 0, &message)).expect("a sound frame");
    let Some(Event::Message(received)) = event else { panic!("no message") };
    received
}

#[test]
fn a_slot_shows_what_was_written_into_it_and_commits_just_that() {
    let mut solo = Solo::new(Role::Client, geometry());
    let kind = Message::numbered(Role::Client, 0, 5).kind;
    let mut slot = solo.session.claim(kind, 5).expect("room");
    slot.copy_from_slice(b"first");
    assert_eq!(&*slot, b"first");
    slot[0] = b'F';
    assert_eq!((&*slot, slot.len()), (&b"First"[..], 5));
    let committed = slot.commit();
    assert_eq!((committed.session(), committed.position().get()), (solo.session.id(), 24));
    assert!(solo.image().windows(5).any(|bytes| bytes == b"First"));
}

#[test]
fn a_message_has_the_same_kind_and_place_whether_it_is_received_or_held() {
    let mut solo = Solo::new(Role::Server, geometry());
    let received = receive(&mut solo);
    let (kind, position) = (received.kind(), received.position());
    assert_eq!((position.session(), position.position().get()), (solo.session.id(), 24));
    let shown = format!("{received:?}");
    assert!(shown.contains("bytes: 8"), "a payload is told by its length: {shown}");
    let held = solo.session.hold(received).expect("a message of this session");
    assert_eq!((held.kind(), held.position()), (kind, position));
    let received = solo.session.redeem(held).expect("the same session");
    assert_eq!((received.kind(), received.position()), (kind, position));
    assert_eq!(solo.session.consume(received).expect("the oldest"), position);
}

#[test]
fn without_a_connection_nothing_is_written_read_or_stored() {
    over_both(|carrier| {
        let mut solo = Solo::over(carrier, Role::Client, geometry());
        solo.send(8).expect("room");
        assert!(!solo.session.is_closed() && !solo.session.is_closing());
        solo.detach();
        let (before, standing) = (solo.image(), solo.session.standing());
        let now = solo.clock.now();
        assert!(solo.session.poll_transmit(now).is_empty());
        solo.session.handle_transmitted(now, 24);
        // A file that cannot be read without a panic: nobody looks.
        let nothing = Memory::zeroed(0);
        solo.session.observe(&nothing);
        assert!(matches!(solo.session.receive(&nothing), Ok(None)));
        assert!(!solo.session.is_closed() && !solo.session.is_attached());
        assert_eq!((solo.image(), solo.session.standing()), (before, standing));
    });
}

#[test]
fn a_session_that_was_closed_is_closing_and_closed_once_that_is_told_until_its_connection_ends() {
    over_both(|carrier| {
        let mut solo = Solo::over(carrier, Role::Client, geometry());
        solo.session.close(CloseReason::Application);
        assert!(solo.session.is_closing() && !solo.session.is_closed());
        let now = solo.clock.now();
        let told = solo.session.poll_transmit(now).len();
        solo.session.handle_transmitted(now, told);
        assert!(solo.session.is_closing() && solo.session.is_closed());
        solo.detach();
        assert!(!solo.session.is_closing() && !solo.session.is_closed());
    });
}
