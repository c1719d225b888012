//! After opening and login, sending, replying, receiving, consuming, acks, heartbeats and timers run
//! without one allocation, lap after lap, on both sides.

use std::time::{Duration, Instant};

use proof::{Clock, image};
use tcpshm_protocol::{Event, Geometry, Kind, Memory, Nonce, Position, Role, Session, Standing};

fn session(role: Role, now: Instant) -> Session<Memory> {
    let header = image::header(role, 0x5e55, Geometry::new(4096, 1024).expect("a geometry"));
    let file = image::fresh(&header);
    let mut session = Session::open(Memory::from_image(file), Nonce::new(1)).expect("a sound file");
    image::attach(&mut session, now, Standing::START, 7);
    session
}

/// Moves everything that one side has for the other, and returns how many messages came of it.
fn carry(
    now: Instant,
    from: &mut Session<Memory>,
    to: &mut Session<Memory>,
    wire: &mut Vec<u8>,
    mut app: impl FnMut(&mut Session<Memory>, tcpshm_protocol::Received<'_>),
) -> usize {
    loop {
        let chunk = from.poll_transmit(now);
        if chunk.is_empty() {
            break;
        }
        wire.extend_from_slice(chunk);
        let written = chunk.len();
        from.handle_transmitted(now, written);
    }
    let mut input = &wire[..];
    let mut messages = 0;
    while let Some(event) = to.handle_input(now, &mut input).expect("a sound stream") {
        if let Event::Message(received) = event {
            app(to, received);
            messages += 1;
        }
    }
    assert!(input.is_empty());
    wire.clear();
    messages
}

#[test]
fn in_a_steady_state() {
    let mut clock = Clock::new();
    let (mut client, mut server) = (session(Role::Client, clock.now()), session(Role::Server, clock.now()));
    let (mut up, mut down) = (Vec::with_capacity(8192), Vec::with_capacity(8192));
    let kind = Kind::new(3).expect("not 0");
    let payload = [7; 1024];
    let mut messages = 0;
    let info = allocation_counter::measure(|| {
        for round in 0..2_000 {
            let now = clock.now();
            let mut slot = client.claim(kind, round % 1024).expect("room");
            slot.copy_from_slice(&payload[..round % 1024]);
            slot.commit();
            let mut batch = client.batch();
            batch.send(kind, &payload[..8]).expect("room");
            batch.send(kind, &payload[..9]).expect("room");
            batch.commit();
            let mut answered = 0;
            messages += carry(now, &mut client, &mut server, &mut up, |server, received| {
                answered += 1;
                if answered % 2 == 0 {
                    let mut slot = server.claim(kind, 100).expect("room");
                    slot.copy_from_slice(&payload[..100]);
                    slot.commit_consuming(received).expect("the oldest");
                } else {
                    server.consume(received).expect("the oldest");
                }
            });
            let mut last = None;
            messages += carry(now, &mut server, &mut client, &mut down, |_, received| {
                last = Some(received.position());
            });
            if let Some(last) = last {
                client.consume_through(last).expect("delivered");
            }
            clock.advance(Duration::from_millis(if round % 100 == 0 { 1_500 } else { 6 }));
            for session in [&mut client, &mut server] {
                assert_eq!(session.handle_timeout(clock.now()), Ok(None));
                assert!(session.poll_timeout().is_some());
            }
        }
    });
    assert_eq!(messages, 2_000 * 4);
    assert!(client.standing().acked > Position::new(256 * 4096).expect("a multiple of 8"), "many laps");
    assert_eq!((info.count_total, info.bytes_total), (0, 0), "{info:?}");
}

#[test]
fn and_the_counter_counts() {
    let info = allocation_counter::measure(|| {
        std::hint::black_box(vec![1_u8; 100]);
    });
    assert_eq!(info.count_total, 1);
}
