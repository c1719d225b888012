//! After a reconnect the peer may acknowledge, honestly, what this connection has not sent again yet, or
//! is in the middle of sending: it had it before. What is still to be written stays as it is, whatever is
//! committed meanwhile, and the stream goes on without a gap. Over shared memory nothing is written twice.

use proof::wire::{Item, Stream};
use proof::{Solo, wire};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{Event, Geometry, Role};

/// Writes `written` bytes of everything again, lets the peer acknowledge `acked` messages, fills the ring,
/// and returns all that the connection carried.
fn resend(role: Role, start: u64, written: usize, acked: usize) -> Option<(Solo, Vec<u8>)> {
    let mut solo = Solo::midway(Carrier::Tcp, role, Geometry::new(128, 40).expect("a geometry"), start, 0);
    for len in [5, 24, 0, 8] {
        solo.send(len).expect("room");
    }
    solo.transmit();
    solo.detach();
    solo.attach(0);
    let now = solo.clock.now();
    let mut stream = Vec::new();
    while stream.len() < written {
        let chunk = solo.session.poll_transmit(now);
        if chunk.is_empty() {
            return None;
        }
        let chunk = chunk[..chunk.len().min(written - stream.len())].to_vec();
        stream.extend_from_slice(&chunk);
        solo.session.handle_transmitted(now, chunk.len());
    }
    if acked > 0 {
        solo.peer_consumes(acked);
    }
    solo.check();
    while solo.send(3).is_ok() {
        solo.check();
    }
    stream.extend(solo.transmit());
    Some((solo, stream))
}

fn messages(solo: &Solo, role: Role, start: u64, stream: &[u8]) -> Vec<proof::Message> {
    let session = solo.session.id();
    let items = Stream { session, sender: role }.read_all(start, stream);
    let message = |item| match item {
        Item::Message { message, .. } => Some(message),
        Item::Control { .. } => None,
    };
    items.into_iter().filter_map(message).collect()
}

#[test]
fn at_every_byte_and_every_place_of_the_ring() {
    for role in [Role::Client, Role::Server] {
        for place in 0..16 {
            let start = 1024 + place * 8;
            for acked in 0..=4 {
                let mut written = 0;
                while let Some((solo, stream)) = resend(role, start, written, acked) {
                    let sent = messages(&solo, role, start, &stream);
                    assert_eq!(
                        sent, solo.model.outgoing.committed,
                        "{written} written, {acked} acknowledged"
                    );
                    written += 1;
                }
                assert!(written >= 104);
            }
        }
    }
}

#[test]
fn and_free_their_place_when_they_are_out() {
    let (mut solo, _) = resend(Role::Server, 0, 30, 4).expect("not all is written");
    let event = solo.input(Vec::new()).expect("nothing came");
    assert!(matches!(event, Some(Event::Writable)), "what was written made room");
    let all = solo.model.outgoing.committed.len();
    solo.peer_consumes(all);
    assert_eq!(solo.session.space(), 120);
    solo.send(40).expect("room");
    assert_eq!(solo.transmit().len() as u64, wire::frame_size(40));
}

#[test]
fn the_end_of_the_connection_frees_them() {
    let mut solo = Solo::new(Role::Server, Geometry::new(128, 40).expect("a geometry"));
    solo.send(40).expect("room");
    solo.send(40).expect("room");
    solo.transmit();
    solo.detach();
    solo.attach(0);
    let now = solo.clock.now();
    assert_eq!(solo.session.poll_transmit(now).len(), 112);
    solo.session.handle_transmitted(now, 3);
    solo.peer_consumes(2);
    assert_eq!(solo.session.space(), 8, "the first frame is being written");
    assert!(solo.send(40).is_err());
    solo.detach();
    assert_eq!(solo.session.space(), 120);
    solo.send(40).expect("room");
}
