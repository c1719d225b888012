//! Every single bit of a live link file, flipped: opening it ends in a typed error, or in a state that
//! can be said in one sentence. It never panics and never runs on, and a refused file is left alone.
//!
//! Without a checksum of their own these flips are not noticed at opening: bits of a payload; of a kind,
//! where it does not become 0; of a length, where the change stays within the padding or the last message
//! seems longer and a 0 happens to stand where it would end; of an ack in a
//! frame, where acks still do not decrease; of `acked` where it lands on another frame of the ring or is
//! covered by `floor`; of `consumed`, `sent_floor`, the nonce and the attachments (that of
//! `sent_floor` included), which the other side judges at the next login.

use proof::image::{self, at};
use proof::wire::Stream;
use proof::{Directory, Disk, Message, Solo};
use tcpshm_protocol::login::Carrier;
use tcpshm_protocol::{
    FrameFault, Geometry, HeaderError, Memory, Nonce, Position, RecoverError, Role, Session, Survey, survey,
};

const CAPACITY: u64 = 256;

/// A file in the middle of its life: on its fifth lap, with three messages waiting, one of them over the
/// end of the ring, and five of the peer's consumed.
fn live_file() -> Vec<u8> {
    let geometry = Geometry::new(CAPACITY, 64).expect("a geometry");
    let mut solo = Solo::midway(Carrier::Tcp, Role::Server, geometry, 4 * CAPACITY - 72, 512);
    for len in [8, 13, 0] {
        solo.peer_sends(len, 0);
        solo.consume();
    }
    solo.send(16).expect("room");
    solo.transmit();
    solo.peer_consumes(1);
    solo.peer_sends(3, 1);
    solo.peer_sends(9, 1);
    for len in [5, 64] {
        solo.reply(len).expect("room");
    }
    solo.send(13).expect("room");
    solo.transmit();
    solo.detach();
    solo.restart().expect("a sound file");
    let image = solo.image();
    let [floor_of, current] = [at::SENT_FLOOR_OF, at::CURRENT].map(|word| image::load(&image, word));
    assert_eq!(floor_of, current, "so the floor of what was sent counts");
    image
}

fn flipped(file: &[u8], bit: usize) -> Vec<u8> {
    let mut image = file.to_vec();
    image[bit / 8] ^= 1 << (bit % 8);
    image
}

/// Surveys an image, and shows that surveying and opening agree and that a refused file stays as it is.
fn found(image: &[u8]) -> Result<Survey, RecoverError> {
    let memory = Memory::from_image(image);
    let surveyed = survey(&memory);
    let disk = Disk::new(Directory::with_main(image.to_vec()), 1);
    disk.record();
    let journal = disk.open_main().expect("it was just put there");
    let opened = Session::open(journal, Nonce::new(3));
    match (&surveyed, &opened) {
        (Ok(survey), Ok(session)) => assert_eq!(survey.standing(), session.standing()),
        (Err(survey), Err(open)) => {
            assert_eq!(survey, open);
            assert_eq!(disk.crashes().len(), 1, "nothing was stored");
        }
        (survey, open) => panic!("surveyed {survey:?}, opened {open:?}"),
    }
    surveyed
}

/// The bits of the word at `at`.
fn word_bits(at: usize) -> std::ops::Range<usize> {
    at * 8..(at + 8) * 8
}

fn starts(file: &[u8]) -> Vec<(usize, u64, usize)> {
    let contents = image::read(file).expect("a sound file");
    let mut start = contents.acked;
    let mut starts = Vec::new();
    for (end, message) in contents.pending {
        let place = at::FRAMES + usize::try_from(start % CAPACITY).expect("small");
        starts.push((place, start, message.payload.len()));
        start = end;
    }
    starts
}

#[test]
fn in_the_header() {
    let file = live_file();
    for bit in 0..(at::HEADER_END - 4) * 8 {
        assert!(matches!(found(&flipped(&file, bit)), Err(RecoverError::Header(_))), "bit {bit}");
    }
}

#[test]
fn where_nothing_stands_it_changes_nothing() {
    let file = live_file();
    let sound = found(&file).expect("a sound file");
    let attachments = [at::NONCE, at::CURRENT, at::PREVIOUS, at::PREVIOUS_SENT, at::SENT_FLOOR_OF];
    let positions = [at::ACKED, at::FLOOR, at::SENT_FLOOR, at::CONSUMED];
    let used = [&attachments[..], &positions[..]].concat();
    for byte in at::HEADER_END..at::FRAMES {
        if used.iter().any(|word| (*word..word + 8).contains(&byte)) {
            continue;
        }
        let survey = found(&flipped(&file, byte * 8)).expect("unused");
        assert_eq!((survey.standing(), survey.undelivered()), (sound.standing(), sound.undelivered()));
    }
}

#[test]
fn in_a_word_of_positions() {
    let file = live_file();
    let sound = found(&file).expect("a sound file");
    let (standing, owed) = (sound.standing(), sound.undelivered());
    let mut noticed = [0; 4];
    for (number, word) in [at::ACKED, at::FLOOR, at::SENT_FLOOR, at::CONSUMED].into_iter().enumerate() {
        for bit in word_bits(word) {
            let result = found(&flipped(&file, bit));
            noticed[number] += usize::from(result.is_err());
            let Ok(survey) = result else { continue };
            let now = survey.standing();
            let context = format!("bit {bit}: {survey:?}");
            match word {
                at::ACKED => assert!(
                    now.acked > standing.acked && owed.messages > survey.undelivered().messages,
                    "{context}"
                ),
                at::FLOOR => assert_eq!(
                    (now, survey.undelivered()),
                    (standing, owed),
                    "a lower floor asks less: {context}"
                ),
                at::SENT_FLOOR => assert!(now.acked <= now.sent && now.sent <= owed.upto, "{context}"),
                _ => assert_eq!(
                    (now.acked, now.sent, survey.undelivered()),
                    (standing.acked, standing.sent, owed),
                    "{context}"
                ),
            }
        }
    }
    // Low bits always; for `acked` all but what looks like progress, for `floor` all that raise it.
    assert!(noticed[0] >= 50 && noticed[1] >= 50 && noticed[2] >= 40 && noticed[3] >= 3, "{noticed:?}");
}

#[test]
fn in_an_identity_it_is_for_the_other_side_to_judge() {
    let file = live_file();
    let sound = found(&file).expect("a sound file");
    for word in [at::NONCE, at::CURRENT, at::PREVIOUS, at::SENT_FLOOR_OF] {
        for bit in word_bits(word) {
            let survey = found(&flipped(&file, bit)).expect("not judged here");
            assert_eq!((survey.standing(), survey.undelivered()), (sound.standing(), sound.undelivered()));
            let same = (survey.current(), survey.previous()) == (sound.current(), sound.previous());
            assert_eq!(same, word == at::NONCE || word == at::SENT_FLOOR_OF);
        }
    }
}

#[test]
fn in_the_word_of_a_frame() {
    let file = live_file();
    let sound = found(&file).expect("a sound file");
    let last = starts(&file).last().expect("three messages").1;
    for (place, start, payload) in starts(&file) {
        for bit in word_bits(place) {
            let result = found(&flipped(&file, bit));
            match bit - place * 8 {
                // The mark: always.
                48.. => assert!(matches!(
                    result,
                    Err(RecoverError::Frame { at, fault: FrameFault::Mark { .. } }) if at.get() == start
                )),
                // The kind: any other but 0 could have been meant.
                32..48 => {
                    let kind = image::load(&flipped(&file, bit), place) >> 32 & 0xffff;
                    assert_eq!(result.is_err(), kind == 0, "bit {bit}");
                }
                // The length: unless it stays within the padding, or the last frame seems longer and a 0
                // happens to stand where it would end.
                low => {
                    let sound_len = 16 + payload;
                    let len = sound_len ^ 1 << low;
                    let within = len > sound_len && len <= sound_len.next_multiple_of(8);
                    let longer = start == last && len > sound_len && !within;
                    let context = format!("a length of {len} where {sound_len} was: {result:?}");
                    match result {
                        Ok(survey) if within => assert_eq!(survey.undelivered(), sound.undelivered()),
                        Ok(survey) => assert!(
                            longer && survey.undelivered().upto > sound.undelivered().upto,
                            "{context}"
                        ),
                        Err(_) => assert!(!within, "{context}"),
                    }
                }
            }
        }
    }
}

#[test]
fn in_an_ack_a_payload_or_the_padding() {
    let file = live_file();
    let sound = found(&file).expect("a sound file");
    for (place, start, payload) in starts(&file) {
        for bit in word_bits(place + 8) {
            match found(&flipped(&file, bit)) {
                Ok(survey) => assert!(survey.standing().consumed >= sound.standing().consumed),
                Err(error) => assert!(matches!(error, RecoverError::FrameAck { .. })),
            }
        }
        let end = place + 16 + payload;
        for bit in (place + 16) * 8..end * 8 {
            let survey = found(&flipped(&file, bit)).expect("a payload may be anything");
            assert_eq!((survey.standing(), survey.undelivered()), (sound.standing(), sound.undelivered()));
        }
        for bit in end * 8..end.next_multiple_of(8) * 8 {
            let error = found(&flipped(&file, bit)).expect_err("padding");
            let at = Position::new(start).expect("a multiple of 8");
            assert_eq!(error, RecoverError::Frame { at, fault: FrameFault::Padding });
        }
    }
}

#[test]
fn in_the_zero_behind_the_last_frame() {
    let file = live_file();
    let tail = found(&file).expect("a sound file").undelivered().upto.get();
    let place = at::FRAMES + usize::try_from(tail % CAPACITY).expect("small");
    assert_eq!(image::load(&file, place), 0);
    for bit in word_bits(place) {
        assert!(matches!(found(&flipped(&file, bit)), Err(RecoverError::Frame { .. })), "bit {bit}");
    }
}

#[test]
fn a_whole_word_of_junk_anywhere_ends_somehow() {
    let file = live_file();
    let mut errors = 0;
    for word in (0..file.len()).step_by(8) {
        for junk in [0, u64::MAX, 16, 1 << 63, 0x0101_0101_0101_0101] {
            let mut image = file.clone();
            image::set(&mut image, word, junk);
            errors += usize::from(found(&image).is_err());
        }
    }
    assert!(errors > 100, "{errors}");
}

// ---- each error of recovery by name ----

fn with_word(at: usize, value: u64) -> Result<Survey, RecoverError> {
    let mut image = live_file();
    image::set(&mut image, at, value);
    found(&image)
}

fn frames(frames: &[(u64, u64, usize)]) -> Result<Survey, RecoverError> {
    let header = image::header(Role::Client, 9, Geometry::new(64, 40).expect("a geometry"));
    let mut image = image::midway(&header, 0, 0, 1);
    let stream = Stream { session: header.session, sender: Role::Client };
    for (start, ack, len) in frames {
        let bytes = stream.message(*start, *ack, &Message::numbered(Role::Client, 1, *len));
        let place = at::FRAMES + usize::try_from(start % 64).expect("small");
        image[place..place + bytes.len()].copy_from_slice(&bytes);
    }
    found(&image)
}

#[test]
fn a_word_that_is_no_position_is_named() {
    for (at, word) in [
        (at::ACKED, "acked"),
        (at::CONSUMED, "consumed"),
        (at::FLOOR, "floor"),
        (at::SENT_FLOOR, "sent_floor"),
    ] {
        let error = with_word(at, 4).expect_err("no position");
        assert_eq!(error, RecoverError::Word { word, value: 4 });
        assert!(error.to_string().contains(word));
    }
}

#[test]
fn frames_that_are_missing_below_the_floor_are_missed() {
    let mut image = live_file();
    let sound = found(&image).expect("a sound file");
    let (acked, tail) = (sound.standing().acked, sound.undelivered().upto);
    image::set(&mut image, at::FLOOR, tail.get());
    found(&image).expect("they are all there");
    let first = at::FRAMES + usize::try_from(acked.get() % CAPACITY).expect("small");
    image::set(&mut image, first, 0);
    assert_eq!(found(&image).expect_err("gone"), RecoverError::BelowFloor { end: acked, floor: tail });
}

#[test]
fn more_frames_than_the_ring_holds_are_too_many() {
    frames(&[(0, 0, 40)]).expect("exactly full");
    let position = |at| Position::new(at).expect("a multiple of 8");
    let error = frames(&[(0, 0, 0), (16, 0, 0), (32, 0, 0), (48, 0, 0)]).expect_err("64 of 56 bytes");
    assert_eq!(error, RecoverError::Overfull { at: position(48) });
}

#[test]
fn acks_that_decrease_or_are_no_positions_are_refused() {
    let position = |at| Position::new(at).expect("a multiple of 8");
    assert_eq!(
        frames(&[(0, 16, 0), (16, 8, 0)]).expect_err("less"),
        RecoverError::FrameAck { at: position(16) }
    );
    assert_eq!(frames(&[(0, 7, 0)]).expect_err("no position"), RecoverError::FrameAck { at: position(0) });
}

#[test]
fn a_file_that_is_none_is_refused_by_its_header() {
    assert!(matches!(found(&[]), Err(RecoverError::Header(HeaderError::TooShort { size: 0, .. }))));
    assert!(matches!(found(&[0; 8192]), Err(RecoverError::Header(HeaderError::Unfinished))));
    let kind_0 = {
        let header = image::header(Role::Client, 9, Geometry::new(64, 40).expect("a geometry"));
        let mut image = image::midway(&header, 0, 0, 1);
        image::set(&mut image, at::FRAMES, 16);
        found(&image).expect_err("kind 0 never stands in a ring")
    };
    assert!(matches!(kind_0, RecoverError::Frame { fault: FrameFault::Kind, .. }));
}
