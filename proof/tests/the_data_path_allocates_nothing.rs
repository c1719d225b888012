//! After opening and login, sending, replying, receiving, consuming, acks, heartbeats and timers run
//! without one allocation, lap after lap, on both sides, over either carrier.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use proof::{Clock, image};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{
    Event, Geometry, Kind, Memory, Nonce, Position, Published, Received, Role, SendError, Session, Standing,
    Storage,
};

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

/// A storage whose every store takes what was written to where the peer reads. Its own copying allocates
/// nothing.
struct Mirrored {
    own: Memory,
    shared: Rc<RefCell<Memory>>,
}

impl Published for Mirrored {
    fn size(&self) -> usize {
        self.own.size()
    }

    fn load(&self, at: usize) -> u64 {
        self.own.load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.own.bytes(at, len)
    }
}

impl Storage for Mirrored {
    fn store(&mut self, at: usize, value: u64) {
        self.own.store(at, value);
        copy(&self.own, &mut self.shared.borrow_mut());
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        self.own.bytes_mut(at, len)
    }
}

fn copy(from: &Memory, to: &mut Memory) {
    let size = from.size();
    to.bytes_mut(0, size).copy_from_slice(from.image());
}

/// One side on shared memory: what it writes to, and what it sees of the other's.
struct Side {
    session: Session<Mirrored>,
    view: Memory,
    theirs: Rc<RefCell<Memory>>,
}

impl Side {
    /// Takes everything that is there; how many messages that were.
    fn poll(&mut self, mut app: impl FnMut(&mut Session<Mirrored>, Received<'_>)) -> usize {
        let mut messages = 0;
        copy(&self.theirs.borrow(), &mut self.view);
        while let Some(event) = self.session.receive(&self.view).expect("a sound ring") {
            if let Event::Message(received) = event {
                app(&mut self.session, received);
                messages += 1;
            }
        }
        messages
    }

    /// The control connection carries what there is.
    fn speak_to(&mut self, other: &mut Side, now: Instant) {
        let mut control = self.session.poll_transmit(now);
        let written = control.len();
        assert!(other.session.handle_input(now, &mut control).expect("a sound stream").is_none());
        self.session.handle_transmitted(now, written);
    }

    /// Sends until the ring is full, and learns what the peer has consumed.
    fn fill(&mut self, kind: Kind, payload: &[u8]) -> usize {
        let mut sent = 0;
        loop {
            match self.session.send(kind, payload) {
                Ok(_) => sent += 1,
                Err(SendError::Full { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        copy(&self.theirs.borrow(), &mut self.view);
        self.session.observe(&self.view);
        sent
    }
}

fn sides(now: Instant) -> [Side; 2] {
    let files = [Role::Client, Role::Server].map(|role| {
        let header = image::header(role, 0x5e55, Geometry::new(4096, 1024).expect("a geometry"));
        image::fresh(&header)
    });
    let shared = files.clone().map(|file| Rc::new(RefCell::new(Memory::from_image(file))));
    [0, 1].map(|side| {
        let own = Memory::from_image(files[side].clone());
        let storage = Mirrored { own, shared: Rc::clone(&shared[side]) };
        let mut session = Session::open(storage, Nonce::new(1)).expect("a sound file");
        image::attach_over(Carrier::Shm, &mut session, now, Standing::START, 7);
        let view = Memory::from_image(files[1 - side].clone());
        Side { session, view, theirs: Rc::clone(&shared[1 - side]) }
    })
}

#[test]
fn in_a_steady_state_over_shared_memory() {
    let mut clock = Clock::new();
    let [mut client, mut server] = sides(clock.now());
    let kind = Kind::new(3).expect("not 0");
    let payload = [7; 1024];
    let (mut sent, mut messages) = (0, 0);
    let info = allocation_counter::measure(|| {
        for round in 0..1_000 {
            sent += client.fill(kind, &payload[..round]);
            let mut answered = 0;
            messages += server.poll(|server, received| {
                answered += 1;
                if answered == 1 {
                    let mut slot = server.claim(kind, 100).expect("room");
                    slot.copy_from_slice(&payload[..100]);
                    slot.commit_consuming(received).expect("the oldest");
                } else {
                    server.consume(received).expect("the oldest");
                }
            });
            let mut last = None;
            let replies = client.poll(|_, received| last = Some(received.position()));
            client.session.reclaim();
            if let Some(last) = last {
                client.session.consume_through(last).expect("delivered");
            }
            assert_eq!(replies, 1, "round {round}");
            clock.advance(Duration::from_millis(6));
            for side in [&mut client, &mut server] {
                copy(&side.theirs.borrow(), &mut side.view);
                side.session.observe(&side.view);
                assert_eq!(side.session.handle_timeout(clock.now()), Ok(None));
            }
            client.speak_to(&mut server, clock.now());
            server.speak_to(&mut client, clock.now());
        }
    });
    assert!(sent > 3_000 && messages == sent, "{messages} of {sent}");
    assert!(
        client.session.standing().acked > Position::new(256 * 4096).expect("a multiple of 8"),
        "many laps"
    );
    assert_eq!((info.count_total, info.bytes_total), (0, 0), "{info:?}");
}

#[test]
fn and_the_counter_counts() {
    let info = allocation_counter::measure(|| {
        std::hint::black_box(vec![1_u8; 100]);
    });
    assert_eq!(info.count_total, 1);
}
