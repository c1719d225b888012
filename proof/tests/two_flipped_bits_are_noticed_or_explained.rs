//! Every pair of flipped bits in what a header or a frame says of itself. The header's checksum finds them all. In
//! the word of a frame whatever touches the mark is found, and the rest ends in a typed error or in a frame whose
//! length and kind its sender could have chosen.

use proof::image::{self, at};
use proof::{Message, Solo, over_both, wire};
use tcpshm_protocol::{Geometry, Header, Published, Role, survey};

/// A file in which bits are flipped and put right again.
struct File(Vec<u8>);

impl File {
    fn flipped<R>(&mut self, bits: [usize; 2], look: impl FnOnce(&Self) -> R) -> R {
        let flip = |bytes: &mut [u8]| bits.iter().for_each(|bit| bytes[bit / 8] ^= 1 << (bit % 8));
        flip(&mut self.0);
        let found = look(self);
        flip(&mut self.0);
        found
    }
}

impl Published for File {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn load(&self, at: usize) -> u64 {
        image::load(&self.0, at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        &self.0[at..at + len]
    }
}

fn pairs(bits: std::ops::Range<usize>) -> impl Iterator<Item = [usize; 2]> {
    bits.clone().flat_map(move |first| (first + 1..bits.end).map(move |second| [first, second]))
}

const MOST: u32 = 40;

fn geometry() -> Geometry {
    Geometry::new(128, MOST).expect("a geometry")
}

/// Whether a sender could have written `word` where `good` belongs.
fn is_possible(good: u64, word: u64) -> bool {
    let (len, kind) = (word & 0xffff_ffff, word >> 32 & 0xffff);
    good >> 48 == word >> 48 && kind != 0 && (16..=u64::from(16 + MOST)).contains(&len)
}

#[test]
fn in_the_header() {
    let mut file = File(image::fresh(&image::header(Role::Server, 0x5e55_1017 << 64 | 9, geometry())));
    assert!(Header::parse(&file).is_ok());
    let mut count = 0;
    for bits in pairs(0..(at::HEADER_END - 4) * 8) {
        assert!(file.flipped(bits, |file| Header::parse(file).is_err()), "bits {bits:?}");
        count += 1;
    }
    assert_eq!(count, 1_760 * 1_759 / 2);
    assert!(Header::parse(&file).is_ok());
}

#[test]
fn in_the_word_of_a_frame_that_is_kept() {
    let mut solo = Solo::new(Role::Client, geometry());
    [13, 5].into_iter().for_each(|len| solo.send(len).expect("room"));
    let mut file = File(solo.image());
    let mut noticed = 0;
    for place in [at::FRAMES, at::FRAMES + 32] {
        let good = file.load(place);
        for bits in pairs(place * 8..place * 8 + 64) {
            let (word, found) = file.flipped(bits, |file| (file.load(place), survey(file)));
            assert!(found.is_err() || is_possible(good, word), "bits {bits:?}: {word:#x}");
            noticed += u32::from(found.is_err());
        }
    }
    // 2,016 pairs in each word, of which 120 lie in the kind.
    assert!((3_500..=2 * (2_016 - 120)).contains(&noticed), "{noticed} of 4,032 pairs were noticed");
}

#[test]
fn in_the_word_of_a_frame_that_arrives() {
    over_both(|carrier| {
        let mut noticed = 0;
        let message = Message::numbered(Role::Server, 0, 13);
        for bits in pairs(0..64) {
            let mut solo = Solo::over(carrier, Role::Client, geometry());
            let mut frame = solo.peer().message(0, 0, &message);
            let good = solo.peer().word(0, message.kind, 13);
            bits.iter().for_each(|bit| frame[bit / 8] ^= 1 << (bit % 8));
            let word = image::load(&frame, 0);
            // Behind it all the bytes of a longest frame, so that none is waited for.
            frame.resize(wire::frame_size(MOST as usize).try_into().expect("small"), 0xff);
            let before = solo.image();
            let mut input: &'static [u8] = Vec::leak(frame.clone());
            let found = match carrier {
                tcpshm_protocol::login::Carrier::Tcp => {
                    solo.session.handle_input(solo.clock.now(), &mut input).map(|event| event.is_some())
                }
                tcpshm_protocol::login::Carrier::Shm => solo.peer_says(0, frame).map(|event| event.is_some()),
            };
            // A frame of kind 0 is one of the protocol's own on a connection, with a code in place of the mark.
            let possible = is_possible(good, word);
            assert!(found.is_err() || possible, "bits {bits:?}: {word:#x}: {found:?}");
            assert_eq!(solo.image(), before, "bits {bits:?}: nothing is stored before it is consumed");
            noticed += u32::from(found.is_err());
        }
        assert!((1_700..=2_016 - 120).contains(&noticed), "{noticed} of 2,016 pairs were noticed");
    });
}
