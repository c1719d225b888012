//! A link file that may hold anything.

use super::session::{Shared, word};
use super::{Bytes, geometry};
use crate::frame::{FrameHeader, FrameRule};
use crate::geometry::Geometry;
use crate::header::Header;
use crate::id::{Nonce, Role, SessionId};
use crate::layout;
use crate::position::Position;
use crate::recover::{RecoverError, survey};
use crate::session::Session;
use crate::storage::{Memory, Published};

/// How many lengths of frames an input can put right.
const MARKS: usize = 12;

/// A file ends in a typed error and is left as it was, or in a state that satisfies what every file must.
/// Opening it twice is opening it once, changes no frame, and takes a number of steps that follows from the
/// size of the ring.
pub fn recover(bytes: &[u8]) {
    let image = image(&mut Bytes(bytes));
    let memory = Memory::from_image(image.clone());
    let surveyed = survey(&memory);
    assert_eq!(memory.image(), image, "looking changes nothing");
    let file = Shared::of(memory);
    match (surveyed, open(&file, Nonce::new(1))) {
        (Err(surveyed), Err(opened)) => {
            assert_eq!(surveyed, opened);
            assert_eq!(file.stores(), 0, "{opened} after a store");
            assert_eq!(file.image(), image, "{opened}, and the file is another one");
        }
        (Ok(survey), Ok(session)) => {
            assert_eq!(survey.standing(), session.standing());
            assert_eq!(survey.undelivered(), session.undelivered());
            check(&session, &image);
            check_change(&image, &file.image(), &OPENED);
            check_again(&session, &file.image());
        }
        (surveyed, opened) => panic!("surveyed {surveyed:?}, opened {opened:?}"),
    }
}

/// What the first opening of a file may change, and what any other may.
const OPENED: [usize; 4] = [layout::CONSUMED, layout::SENT_FLOOR, layout::SENT_FLOOR_OF, layout::NONCE];
const OPENED_AGAIN: [usize; 1] = [layout::NONCE];

/// Opens a file in a number of steps that follows from its size, with a store for each word that may change.
fn open(file: &Shared, nonce: Nonce) -> Result<Session<Shared>, RecoverError> {
    let opened = Session::open(file.clone(), nonce);
    let most = match &opened {
        Ok(session) => session.header().outgoing.capacity(),
        Err(_) => file.size().saturating_sub(layout::FRAMES) as u64,
    };
    assert!(file.loads() <= 64 + most / 4, "{} words were read of {most} bytes of frames", file.loads());
    assert!(file.stores() <= OPENED.len() as u64, "{} stores", file.stores());
    opened
}

/// A process that is killed here leaves `image`, and the next one finds what this one found.
fn check_again(session: &Session<Shared>, image: &[u8]) {
    let file = Shared::of(Memory::from_image(image));
    let again = open(&file, Nonce::new(2)).expect("what was opened opens again");
    assert_eq!(again.standing(), session.standing());
    assert_eq!(again.undelivered(), session.undelivered());
    check_change(image, &file.image(), &OPENED_AGAIN);
}

/// Nothing but these words differs.
fn check_change(before: &[u8], after: &[u8], words: &[usize]) {
    let mut expected = before.to_vec();
    for at in words {
        expected[*at..at + 8].copy_from_slice(&after[*at..at + 8]);
    }
    assert_eq!(after, expected);
}

/// What is true of every file that opens.
fn check(session: &Session<Shared>, image: &[u8]) {
    let standing = session.standing();
    let owed = session.undelivered();
    let capacity = session.header().outgoing.capacity();
    assert_eq!(owed.from, standing.acked);
    assert!(standing.acked <= standing.sent && standing.sent <= owed.upto);
    assert!(owed.upto.since(owed.from) + 8 <= capacity, "more than the ring holds");
    assert!(owed.messages * 16 <= owed.upto.since(owed.from), "no frame is shorter than its header");
    assert!(standing.consumed.get() >= word(image, layout::CONSUMED));
    assert!(owed.upto.get() >= word(image, layout::FLOOR));
    assert!(session.space() < capacity);
}

fn image(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let how = bytes.byte();
    if how & 1 == 0 {
        // Anything at all, its checksum put right half of the time.
        let mut image = bytes.0.to_vec();
        if how & 2 == 0 && image.len() >= layout::HEADER_END {
            seal(&mut image);
        }
        if how & 4 == 0 {
            image.resize(layout::FRAMES + 64 + 56, 0);
        }
        return image;
    }
    let outgoing = geometry(bytes);
    let header = header(outgoing, how);
    let mut memory = Memory::zeroed(Header::file_size(outgoing).expect("small"));
    header.format(&mut memory, Nonce::new(9));
    let mut image = memory.image().to_vec();
    let acked = bytes.word() & if how & 4 == 0 { 0x7f8 } else { u64::MAX };
    for (at, offset) in
        [(layout::ACKED, 0), (layout::FLOOR, bytes.byte()), (layout::SENT_FLOOR, bytes.byte())]
    {
        let value = acked.wrapping_add(u64::from(offset));
        image[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    for at in [layout::CONSUMED, layout::CURRENT, layout::PREVIOUS] {
        image[at..at + 8].copy_from_slice(&bytes.word().to_le_bytes());
    }
    if how & 64 == 0 {
        image.copy_within(layout::CURRENT..layout::CURRENT + 8, layout::SENT_FLOOR_OF);
    }
    let lens: Vec<_> = (0..MARKS).map(|_| bytes.byte()).collect();
    let frames = bytes.take(image.len() - layout::FRAMES);
    image[layout::FRAMES..layout::FRAMES + frames.len()].copy_from_slice(frames);
    if how & 8 == 0 {
        lay_frames(&mut image, &header, acked, &lens);
    }
    // Up to one bit that is not as it should be.
    let flip = usize::from(bytes.byte()) * 256 + usize::from(bytes.byte());
    if how & 16 == 0 {
        let bit = flip % (image.len() * 8);
        image[bit / 8] ^= 1 << (bit % 8);
    }
    image
}

/// Puts sound first words where a walk from `acked` comes by, over whatever stands there.
fn lay_frames(image: &mut [u8], header: &Header, acked: u64, lens: &[u8]) {
    let capacity = header.outgoing.capacity();
    let rule = FrameRule::new(header.session, header.role, header.outgoing.largest());
    let mut at = acked & !7;
    for (number, len) in lens.iter().enumerate() {
        let place = layout::FRAMES + usize::try_from(at & (capacity - 1)).expect("small");
        let kind = crate::id::Kind::new(7).expect("not 0");
        let payload = u32::from(*len) * header.outgoing.largest() / 255;
        let Some(position) = Position::new(at) else { return };
        // Every fourth length or so ends the walk.
        let frame = rule.header(position, kind, payload);
        let (first, size) = if *len == 0 && number > 0 { (0, 8) } else { (frame.word(), frame.size()) };
        image[place..place + 8].copy_from_slice(&first.to_le_bytes());
        let padding = FrameHeader::from_word(first).padding();
        if first != 0 && place + padding.end <= image.len() {
            image[place + padding.start..place + padding.end].fill(0);
        }
        let Some(next) = at.checked_add(size) else { return };
        at = next;
    }
}

fn header(outgoing: Geometry, how: u8) -> Header {
    Header {
        role: if how & 32 == 0 { Role::Client } else { Role::Server },
        session: SessionId::new(0xf00d << 100 | 1).expect("not 0"),
        owner: "owner".parse().expect("a name"),
        peer: "peer".parse().expect("a name"),
        outgoing,
        incoming: outgoing,
        asked: outgoing,
    }
}

/// Puts the magic, the version and the checksum right.
fn seal(image: &mut [u8]) {
    image[..8].copy_from_slice(&layout::MAGIC_VALUE.to_le_bytes());
    image[layout::VERSION..][..4].copy_from_slice(&layout::VERSION_VALUE.to_le_bytes());
    let checksum = crc32fast::hash(&image[layout::VERSION..layout::CHECKSUM]);
    image[layout::CHECKSUM..][..4].copy_from_slice(&checksum.to_le_bytes());
}
