//! All there can be of (acked, acknowledgement, tail) in small rings, whatever frames lie between them: the end of
//! a frame that was sent is taken, what is not beyond the last one is old, and everything else is a typed error
//! that stores nothing. Of what was committed, any part may have been sent.

use proof::{Solo, over_both, wire};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{AckFault, Geometry, ProtocolError, Role};

/// Where the streams stand at first: frames lie over the end of the ring, too.
const START: u64 = 3 * 64 + 40;
const LENS: [usize; 3] = [0, 8, 20];

/// Every sequence of messages that fits the ring.
fn sequences(capacity: u64) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut next = 0;
    while next < all.len() {
        let size = |lens: &[usize]| lens.iter().map(|len| wire::frame_size(*len)).sum::<u64>();
        for len in LENS {
            let longer = [&all[next][..], &[len]].concat();
            if size(&longer) + 8 <= capacity {
                all.push(longer);
            }
        }
        next += 1;
    }
    all
}

/// A session that has committed these messages, sent the first of them, and knows of `acked` that they are
/// consumed.
fn solo(carrier: Carrier, capacity: u64, lens: &[usize], sent: usize, acked: usize) -> Solo {
    let geometry = Geometry::new(capacity, 20).expect("a geometry");
    let mut solo = Solo::midway(carrier, Role::Client, geometry, START, 0);
    for (number, len) in lens.iter().enumerate() {
        if number == sent {
            solo.transmit();
        }
        solo.send(*len).expect("room");
    }
    if sent == lens.len() {
        solo.transmit();
    }
    solo.peer_consumes(acked);
    solo
}

/// Judges every acknowledgement from before the first frame to beyond the ring. Gives how many there were.
fn every_ack(carrier: Carrier, capacity: u64, lens: &[usize], sent: usize, acked: usize) -> usize {
    let acks = START - 16..START + capacity + 16;
    let count = acks.clone().count();
    let mut solo = self::solo(carrier, capacity, lens, sent, acked);
    for ack in acks {
        let (from, upto) = (solo.ends()[acked], solo.ends()[sent]);
        let is_end = solo.ends().contains(&ack);
        let expected = match ack {
            _ if !ack.is_multiple_of(8) => Err(AckFault::InsideFrame { ack }),
            _ if ack <= from => Ok(from),
            _ if ack > upto => {
                Err(AckFault::BeyondSent { ack, sent: tcpshm_protocol::Position::new(upto).expect("an end") })
            }
            _ if is_end => Ok(ack),
            _ => Err(AckFault::InsideFrame { ack }),
        };
        let before = solo.image();
        // Over shared memory a position that is none is told apart from one that is wrong.
        let fault = |fault| match fault {
            AckFault::InsideFrame { ack } if carrier == Carrier::Shm && !ack.is_multiple_of(8) => {
                ProtocolError::Consumed { found: ack }
            }
            fault => fault.into(),
        };
        let context = format!("{lens:?}, {sent} sent, {acked} acked, {ack}");
        assert_eq!(solo.peer_acks(ack), expected.map(drop).map_err(fault), "{context}");
        let found = solo.session.standing().acked.get();
        assert_eq!(found, expected.unwrap_or(from), "{context}");
        if expected != Ok(from) || carrier == Carrier::Shm {
            assert!(expected.is_ok() || solo.image() == before, "{context}: something was stored");
            solo = self::solo(carrier, capacity, lens, sent, acked);
        }
    }
    count
}

#[test]
fn by_where_frames_end_and_what_was_sent() {
    over_both(|carrier| {
        let mut count = 0;
        for lens in sequences(64) {
            // Over shared memory all that is committed is sent.
            let least = if carrier == Carrier::Shm { lens.len() } else { 0 };
            for sent in least..=lens.len() {
                for acked in 0..=sent {
                    count += every_ack(carrier, 64, &lens, sent, acked);
                }
            }
        }
        assert!(count > 3_000, "{count} acknowledgements");
    });
}

#[test]
fn in_a_ring_that_holds_more() {
    let mut count = 0;
    for lens in sequences(128).iter().filter(|lens| lens.len() == 4) {
        count += every_ack(Carrier::Tcp, 128, lens, 4, 2);
    }
    assert!(count > 10_000, "{count} acknowledgements");
}
