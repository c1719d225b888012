//! The busy-poll driver alone: links attached by hand and polled, without a socket or a driver around them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/attached.rs"]
mod attached;

use std::thread;
use std::time::Instant;

use attached::Sides;
use tcpshm_protocol::{Event, InboundFault, Kind, LoginFault, Nonce, ProtocolError, SendError};
use tcpshm_shm::{MappedSession, Polled, Rings};
use tempfile::TempDir;

fn kind() -> Kind {
    Kind::new(1).unwrap()
}

/// Links of as many pairs, each pair in a directory of its own: all clients in one set, all servers in the other.
fn pairs(count: u128) -> (Rings, Rings, Vec<TempDir>) {
    let (mut clients, mut servers, mut places) = (Rings::default(), Rings::default(), Vec::new());
    for number in 0..count {
        let place = tempfile::tempdir().unwrap();
        // The directories are closed here: a link needs them no more.
        let mut sides = Sides::new(place.path(), number + 1);
        sides.attach(Instant::now());
        let Sides { ours, theirs, .. } = sides;
        let at = usize::try_from(number).unwrap();
        assert!(clients.put(at, Box::new(ours)).is_none() && servers.put(at, Box::new(theirs)).is_none());
        places.push(place);
    }
    (clients, servers, places)
}

fn send(link: &mut MappedSession, payload: &[u8]) {
    link.outbox().send(kind(), payload).unwrap();
}

/// Goes round once; consumes what comes and notes it.
fn take(rings: &mut Rings) -> Vec<(usize, Vec<u8>)> {
    let mut taken = Vec::new();
    let found = rings.poll(|at, polled| match polled {
        Polled::Event(mut outbox, Event::Message(received)) => {
            taken.push((at, received.payload().to_vec()));
            outbox.consume(received).unwrap();
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(found, !taken.is_empty());
    taken
}

#[test]
fn messages_arrive_in_order_at_the_place_of_their_link() {
    let (mut clients, mut servers, _places) = pairs(3);
    for number in 0..10_u8 {
        for at in 0..3_u8 {
            send(clients.get_mut(at.into()).unwrap(), &[at, number]);
        }
    }
    let mut expected = Vec::new();
    for at in 0..3_u8 {
        expected.extend((0..10).map(|number| (usize::from(at), vec![at, number])));
    }
    assert_eq!(take(&mut servers), expected);
    assert!(take(&mut servers).is_empty());
    assert!(take(&mut clients).is_empty(), "nobody answered");
    let client = clients.get_mut(1).unwrap();
    client.observe();
    assert_eq!(client.undelivered().messages, 0, "the file says what was consumed");
}

#[test]
fn an_answer_in_the_handler_is_there_at_the_next_poll_of_the_other_side() {
    let (mut clients, mut servers, _places) = pairs(1);
    send(clients.get_mut(0).unwrap(), b"question");
    servers.poll(|_, polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        let mut slot = outbox.claim(kind(), 6).unwrap();
        slot.copy_from_slice(b"answer");
        slot.commit_consuming(received).unwrap();
    });
    assert_eq!(take(&mut clients), [(0, b"answer".to_vec())]);
}

#[test]
fn a_peer_that_sleeps_is_woken_for_the_first_answer_and_not_behind_a_whole_burst() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    sides.ours.set_may_sleep(true);
    sides.ours.show(attached::CLIENTS_NONCE);
    sides.attach(Instant::now());
    let Sides { mut ours, mut theirs, .. } = sides;
    // The first look of all is behind us.
    send(&mut theirs, b"hello");
    theirs.poll(Rings::BURST, |_| {});
    ours.poll(Rings::BURST, |polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        outbox.consume(received).unwrap();
    });
    (0..40).for_each(|_| send(&mut ours, b"question"));
    assert!(ours.park());
    let mut answered = 0;
    theirs.poll(Rings::BURST, |polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        let mut slot = outbox.claim(kind(), 6).unwrap();
        slot.copy_from_slice(b"answer");
        slot.commit_consuming(received).unwrap();
        answered += 1;
    });
    assert_eq!(answered, 1, "the rest can wait until the frame that wakes it is written");
    assert!(theirs.take_rousing());
    // It need not be woken from this sleep again.
    theirs.poll(Rings::BURST, |polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        outbox.consume(received).unwrap();
        answered += 1;
    });
    assert_eq!(answered, 40);
}

#[test]
fn a_link_with_a_backlog_gives_the_others_their_turn() {
    let (mut clients, mut servers, _places) = pairs(2);
    while clients.get_mut(0).unwrap().outbox().send(kind(), b"").is_ok() {}
    send(clients.get_mut(1).unwrap(), b"small");
    let taken = take(&mut servers);
    let burst = usize::try_from(Rings::BURST).unwrap();
    assert_eq!(taken.iter().filter(|(at, _)| *at == 0).count(), burst);
    assert_eq!(taken.last().unwrap(), &(1, b"small".to_vec()));
    assert_eq!(take(&mut servers).len(), burst, "what is left over is not forgotten");
}

#[test]
fn an_endless_link_starves_nobody() {
    let (mut clients, mut servers, _places) = pairs(2);
    let rounds = 1000;
    let mut small = 0;
    for _ in 0..rounds {
        while clients.get_mut(0).unwrap().outbox().send(kind(), &[7; 100]).is_ok() {}
        send(clients.get_mut(1).unwrap(), b"small");
        small += take(&mut servers).iter().filter(|(at, _)| *at == 1).count();
    }
    assert_eq!(small, rounds);
}

#[test]
fn a_message_that_is_merely_dropped_is_told_and_can_be_stepped_over() {
    let (mut clients, mut servers, _places) = pairs(1);
    for text in [b"one", b"two"] {
        send(clients.get_mut(0).unwrap(), text);
    }
    let mut told = Vec::new();
    servers.poll(|_, polled| match polled {
        Polled::Event(_, Event::Message(_)) => {}
        Polled::Unconsumed(mut outbox, position) => {
            told.push(position);
            if told.len() == 2 {
                outbox.consume_through(position).unwrap();
            }
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(told.len(), 2);
    assert_eq!(servers.get(0).unwrap().consumed(), told[1]);
}

#[test]
fn a_message_that_is_merely_dropped_is_told_once_whatever_comes_behind_it() {
    let (mut clients, mut servers, _places) = pairs(1);
    send(clients.get_mut(0).unwrap(), b"dropped");
    let server = servers.get_mut(0).unwrap();
    while server.outbox().send(kind(), &[1; 100]).is_ok() {}
    let (mut told, mut writable) = (0, 0);
    for round in 0..200 {
        servers.poll(|_, polled| match polled {
            Polled::Event(_, Event::Message(_)) => {}
            Polled::Event(_, Event::Writable) => writable += 1,
            Polled::Unconsumed(..) => told += 1,
            other => panic!("{other:?}"),
        });
        if round == 0 {
            while !take(&mut clients).is_empty() {}
        }
    }
    assert_eq!((told, writable), (1, 1));
}

#[test]
fn room_after_a_refused_claim_is_told_once() {
    let (mut clients, mut servers, _places) = pairs(1);
    let client = clients.get_mut(0).unwrap();
    while client.outbox().send(kind(), &[1; 100]).is_ok() {}
    assert!(matches!(client.outbox().send(kind(), &[1; 100]), Err(SendError::Full { .. })));
    assert!(!clients.poll(|_, polled| panic!("{polled:?}")));
    while !take(&mut servers).is_empty() {}
    let mut told = 0;
    for _ in 0..200 {
        clients.poll(|_, polled| {
            assert!(matches!(polled, Polled::Event(_, Event::Writable)), "{polled:?}");
            told += 1;
        });
    }
    assert_eq!(told, 1);
    send(clients.get_mut(0).unwrap(), &[2; 100]);
}

#[test]
fn a_peer_that_leaves_is_told_once_and_its_memory_is_read_no_more() {
    let (mut clients, mut servers, _places) = pairs(1);
    let client = clients.get_mut(0).unwrap();
    send(client, b"before");
    client.detach(Nonce::new(99));
    send(client, b"behind");
    let mut faults = Vec::new();
    for _ in 0..3 {
        servers.poll(|_, polled| match polled {
            Polled::Fault(fault) => faults.push(fault),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(faults, [ProtocolError::Inbound(InboundFault::Left)]);
    assert_eq!(servers.get(0).unwrap().consumed().position().get(), 0);
    assert!(clients.get(0).unwrap().peer_file().is_none());
    assert!(!clients.poll(|_, polled| panic!("{polled:?}")), "a link without memory is passed over");
}

#[test]
fn a_link_that_is_taken_out_is_polled_no_more_and_goes_on_elsewhere() {
    let (mut clients, mut servers, _places) = pairs(2);
    assert!(!servers.is_idle());
    let taken_out = servers.take(0).unwrap();
    assert!(servers.take(0).is_none() && servers.get(0).is_none());
    for at in 0..2 {
        send(clients.get_mut(at).unwrap(), b"here");
    }
    assert_eq!(take(&mut servers), [(1, b"here".to_vec())]);
    // In a place far away, in the place of another.
    let before = servers.put(1, taken_out).unwrap();
    assert_eq!(take(&mut servers), [(1, b"here".to_vec())]);
    servers.put(40, before);
    assert!(take(&mut servers).is_empty());
    servers.take(1);
    servers.take(40);
    assert!(servers.is_idle());
}

#[test]
fn two_threads_that_poll_a_side_each_pass_every_message_once_and_in_order() {
    const COUNT: u64 = 200_000;
    let (mut clients, mut servers, _places) = pairs(1);
    let echo = thread::spawn(move || {
        let mut echoed = 0;
        while echoed < COUNT {
            let found = servers.poll(|_, polled| {
                let Polled::Event(mut outbox, Event::Message(received)) = polled else {
                    panic!("{polled:?}")
                };
                let mut slot = outbox.claim(received.kind(), received.payload().len()).unwrap();
                slot.copy_from_slice(received.payload());
                slot.commit_consuming(received).unwrap();
                echoed += 1;
            });
            if !found {
                thread::yield_now();
            }
        }
        servers
    });
    let (mut sent, mut answered) = (0_u64, 0_u64);
    let start = Instant::now();
    while answered < COUNT {
        assert!(start.elapsed().as_secs() < 300, "stuck at {answered}");
        let mut outbox = clients.get_mut(0).unwrap().outbox();
        // No more than the other ring has room for.
        while sent < COUNT && sent - answered < 60 {
            let len = 8 + usize::try_from(sent % 40).unwrap();
            let mut slot = outbox.claim(kind(), len).unwrap();
            slot.fill(sent.to_le_bytes()[0]);
            slot[..8].copy_from_slice(&sent.to_le_bytes());
            slot.commit();
            sent += 1;
        }
        let found = clients.poll(|_, polled| {
            let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
            let payload = received.payload();
            assert_eq!(payload[..8], answered.to_le_bytes());
            assert_eq!(payload.len(), 8 + usize::try_from(answered % 40).unwrap());
            assert!(payload[8..].iter().all(|byte| *byte == answered.to_le_bytes()[0]));
            outbox.consume(received).unwrap();
            answered += 1;
        });
        if !found {
            thread::yield_now();
        }
    }
    let servers = echo.join().unwrap();
    for rings in [&clients, &servers] {
        assert_eq!(rings.get(0).unwrap().held(), 0);
    }
}

#[test]
fn a_set_tells_once_of_each_link_whose_peer_has_to_be_woken() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    sides.ours.set_may_sleep(true);
    sides.ours.show(attached::CLIENTS_NONCE);
    sides.attach(Instant::now());
    let Sides { mut ours, theirs, .. } = sides;
    let mut rings = Rings::default();
    rings.put(3, Box::new(theirs));
    send(rings.get_mut(3).unwrap(), b"hello");
    ours.poll(Rings::BURST, |polled| {
        let Polled::Event(mut outbox, Event::Message(received)) = polled else { panic!("{polled:?}") };
        outbox.consume(received).unwrap();
    });
    assert!(ours.park());
    let told = |rings: &mut Rings| {
        let mut told = Vec::new();
        rings.take_rousing(|at| told.push(at));
        told
    };
    assert!(!rings.is_rousing() && told(&mut rings).is_empty());
    send(rings.get_mut(3).unwrap(), b"wake up");
    rings.poll(|_, polled| panic!("{polled:?}"));
    assert!(rings.is_rousing());
    assert_eq!(told(&mut rings), [3]);
    assert!(!rings.is_rousing() && told(&mut rings).is_empty());
}

#[test]
fn shared_memory_that_was_granted_is_not_established_without_a_view_of_it() {
    let place = tempfile::tempdir().unwrap();
    let mut sides = Sides::new(place.path(), 1);
    let confirm = attached::confirm(&sides.ours);
    let now = Instant::now();
    let view = sides.server.view(sides.theirs.header(), confirm.nonce).unwrap();
    let ready = sides.theirs.accept(now, &confirm, attached::grant(), Some(view)).unwrap();
    let refused = sides.ours.establish(now, &ready, &attached::timing(), None);
    assert!(matches!(refused, Err(LoginFault::NoView)), "{refused:?}");
    assert!(!sides.ours.is_attached());
}
