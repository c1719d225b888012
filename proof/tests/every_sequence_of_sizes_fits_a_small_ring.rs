//! Every sequence of three sizes over three laps of small rings: what was committed is what the file
//! shows and what goes out, frame for frame, with frames over the end of the ring, an exactly full ring
//! and whatever earlier laps left. Over shared memory every message is followed by an idle moment, in which
//! places ahead of it are zeroed.

use proof::{Solo, over_both, wire};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{Geometry, Role, SendError};

/// Commits one message after another; when the ring is full the peer consumes the `freeing` oldest.
fn run(carrier: Carrier, capacity: u64, lens: &[usize], freeing: usize, restart: bool) -> bool {
    let largest = u32::try_from(*lens.iter().max().expect("not empty")).expect("short");
    let mut solo = Solo::over(carrier, Role::Server, Geometry::new(capacity, largest).expect("a geometry"));
    let mut was_full = false;
    for len in lens {
        while let Err(error) = solo.send(*len) {
            let SendError::Full { needed, free, unconsumed } = error else { panic!("{error}") };
            assert_eq!((needed, free + unconsumed), (wire::frame_size(*len), capacity - 8));
            was_full |= free == 0;
            solo.transmit();
            let known = solo.model.outgoing.freed;
            solo.peer_consumes(solo.model.outgoing.committed.len().min(known + freeing));
        }
        solo.check();
        if carrier == Carrier::Shm {
            solo.look();
            solo.check();
        }
        if restart {
            solo.restart().expect("a sound file");
            solo.attach(solo.model.outgoing.freed);
        }
    }
    was_full
}

fn every_sequence(carrier: Carrier, capacity: u64, sizes: [usize; 3], length: u32) -> usize {
    let mut full = 0;
    for number in 0..3_usize.pow(length) {
        let digits = (0..length).map(|digit| number / 3_usize.pow(digit) % 3);
        let lens: Vec<_> = digits.map(|digit| sizes[digit]).collect();
        full += usize::from(run(carrier, capacity, &lens, 1 + number % 3, number % 2 == 0));
    }
    full
}

#[test]
fn of_64_bytes() {
    over_both(|carrier| {
        // Frames of 16, 24 and 40: eight of the mean size are three laps and more.
        assert!(every_sequence(carrier, 64, [0, 8, 20], 8) > 100);
        // Frames of 16, 32 and 56: the largest fills the ring.
        assert!(every_sequence(carrier, 64, [0, 13, 40], 7) > 100);
    });
}

#[test]
fn of_128_bytes() {
    over_both(|carrier| {
        assert!(every_sequence(carrier, 128, [24, 40, 65], 7) > 50);
        assert!(every_sequence(carrier, 128, [0, 56, 104], 7) > 50);
    });
}

#[test]
fn of_256_bytes() {
    over_both(|carrier| {
        assert!(every_sequence(carrier, 256, [40, 120, 232], 7) > 50);
    });
}

#[test]
fn every_size_fits_an_empty_ring_at_every_position() {
    over_both(|carrier| {
        for capacity in [64, 128, 256] {
            for len in 0..=capacity - 24 {
                let geometry = Geometry::new(capacity, u32::try_from(len).expect("small")).expect("it fits");
                for place in 0..capacity / 8 {
                    let start = 3 * capacity + place * 8;
                    let mut solo = Solo::midway(carrier, Role::Client, geometry, start, 0);
                    let len = usize::try_from(len).expect("small");
                    assert_eq!(solo.send(len), Ok(()), "{len} bytes at {start} of {capacity}");
                    solo.check();
                    assert_eq!(solo.send(len + 1), Err(too_large(len)), "full and too large are different");
                }
            }
        }
    });
}

fn too_large(most: usize) -> SendError {
    SendError::TooLarge { len: most + 1, most: u32::try_from(most).expect("small") }
}
