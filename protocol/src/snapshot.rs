//! A link file from outside, while its owner may be writing it.
//!
//! Whoever looks has neither a lock nor a mapping: it reads two copies, of each the frames first and then the header
//! page, and the owner goes on meanwhile.
//!
//! ```text
//!   first    frames, then page    the walk from its `acked` ends at T: every frame before T was published by now
//!   second   frames               the bytes of frames are taken from here
//!            then page            `acked` is A: no frame behind A was freed by now
//! ```
//!
//! An owner never writes to a frame between its publication and its release. So whatever it did, and in whatever order
//! the bytes of a copy were read, the frames from A to T stand in the second copy as they were committed. What was
//! published behind T is for the next look.
//!
//! The walk over the first copy may meet bytes of two moments behind a frame that was just published, and takes its end
//! for T. If that is damage, it stands in the second copy too.

use std::ops::Range;

use crate::frame::{self, FrameHeader, FrameRule};
use crate::header::{Header, HeaderError};
use crate::id::Kind;
use crate::layout;
use crate::position::Position;
use crate::recover::{RecoverError, Survey, survey};
use crate::ring::Ring;
use crate::storage::Published;

/// The control words of a link file as they stand, unchecked. `WIRE.md` says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of WIRE.md")]
pub struct Words {
    pub acked: u64,
    pub floor: u64,
    pub sent_floor: u64,
    pub consumed: u64,
    pub nonce: u64,
    pub current: u64,
    pub previous: u64,
    pub boot: u64,
    pub parked: u64,
    pub previous_sent: u64,
    pub sent_floor_of: u64,
}

impl Words {
    /// Of a file that has at least its header page.
    pub fn read(file: &impl Published) -> Self {
        Self {
            acked: file.load(layout::ACKED),
            floor: file.load(layout::FLOOR),
            sent_floor: file.load(layout::SENT_FLOOR),
            consumed: file.load(layout::CONSUMED),
            nonce: file.load(layout::NONCE),
            current: file.load(layout::CURRENT),
            previous: file.load(layout::PREVIOUS),
            boot: file.load(layout::BOOT),
            parked: file.load(layout::PARKED),
            previous_sent: file.load(layout::PREVIOUS_SENT),
            sent_floor_of: file.load(layout::SENT_FLOOR_OF),
        }
    }

    /// Every word with its name and its offset, in the order of the file.
    pub fn named(&self) -> [(&'static str, usize, u64); 11] {
        [
            ("acked", layout::ACKED, self.acked),
            ("floor", layout::FLOOR, self.floor),
            ("sent_floor", layout::SENT_FLOOR, self.sent_floor),
            ("consumed", layout::CONSUMED, self.consumed),
            ("nonce", layout::NONCE, self.nonce),
            ("current", layout::CURRENT, self.current),
            ("previous", layout::PREVIOUS, self.previous),
            ("boot", layout::BOOT, self.boot),
            ("parked", layout::PARKED, self.parked),
            ("previous_sent", layout::PREVIOUS_SENT, self.previous_sent),
            ("sent_floor_of", layout::SENT_FLOOR_OF, self.sent_floor_of),
        ]
    }
}

/// A frame that is published and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramePlace {
    /// Where it starts in its stream.
    pub position: Position,
    /// The application's kind.
    pub kind: Kind,
    /// The consumption that it tells, unchecked.
    pub ack: u64,
    /// Where its payload stands in the file.
    pub payload: Range<usize>,
}

/// What three copies of a link file show.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Identity and sizes.
    pub header: Header,
    /// The control words, of the last copy.
    pub words: Words,
    /// The frames from `acked` on, up to the end or to what is wrong.
    pub frames: Vec<FramePlace>,
    /// What a survey finds. Damage that is found while the owner writes may be none: look again.
    pub survey: Result<Survey, RecoverError>,
    /// Whether a word changed between the copies.
    pub moved: bool,
}

/// Puts together what is known of a file from two copies, made one after the other, each with its frames first and its
/// header page last. An error is one of the header: then they are of no link file, or of no finished one.
pub fn snapshot(first: &impl Published, second: &impl Published) -> Result<Snapshot, RecoverError> {
    let header = Header::parse(second)?;
    if Header::parse(first)? != header {
        // Made anew in between, under the same name.
        return Err(HeaderError::Unfinished.into());
    }
    let (before, words) = (Words::read(first), Words::read(second));
    let moved = before != words;
    let ring = Ring::new(header.outgoing);
    let rule = FrameRule::new(header.session, header.role, header.outgoing.largest());
    let aligned = |word| Position::new(word).unwrap_or(Position::ZERO);
    let acked = aligned(words.acked);
    let (seen, whole) = walk(first, &ring, &rule, aligned(before.acked), |_| ());
    let end = seen.max(acked);
    // What the first copy has nothing sound behind, and the second neither, is not hidden.
    let is_damage = !whole && end == seen && walk(second, &ring, &rule, seen, |_| ()) == (seen, false);
    let composed = Composed { second, end: (!is_damage).then(|| (ring.place(end), end)), moved };
    let mut frames = Vec::new();
    walk(&composed, &ring, &rule, acked, |frame| frames.push(frame));
    Ok(Snapshot { survey: survey(&composed), header, words, frames, moved })
}

/// Walks over frames from `from` on, one lap at most. Returns where it ended, and whether at a zero.
fn walk(
    file: &impl Published,
    ring: &Ring,
    rule: &FrameRule,
    from: Position,
    mut found: impl FnMut(FramePlace),
) -> (Position, bool) {
    let mut start = from;
    loop {
        let place = ring.place(start);
        let word = file.load(place);
        if word == 0 {
            return (start, true);
        }
        let Ok((header, kind)) = rule.check(start, word) else { return (start, false) };
        let Some(end) = start.checked_add(FrameHeader::size(header)) else { return (start, false) };
        if end.since(from) + frame::ALIGNMENT > ring.capacity() {
            return (start, false);
        }
        let payload = header.payload();
        found(FramePlace {
            position: start,
            kind,
            ack: file.load(place + frame::ACK),
            payload: place + payload.start..place + payload.end,
        });
        start = end;
    }
}

/// The second copy, and nothing behind the end that the first one showed.
struct Composed<'c, S> {
    second: &'c S,
    end: Option<(usize, Position)>,
    moved: bool,
}

impl<S: Published> Published for Composed<'_, S> {
    fn size(&self) -> usize {
        self.second.size()
    }

    fn load(&self, at: usize) -> u64 {
        let word = self.second.load(at);
        match self.end {
            Some((place, _)) if place == at => 0,
            // These may have come to speak of frames behind the end, since the first copy was made.
            Some((_, end)) if self.moved && [layout::FLOOR, layout::SENT_FLOOR].contains(&at) => {
                word.min(end.get())
            }
            _ => word,
        }
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.second.bytes(at, len)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::rc::Rc;

    use super::*;
    use crate::geometry::Geometry;
    use crate::id::{AttachmentId, Nonce, Role, SessionId};
    use crate::queue::Queue;
    use crate::storage::{Memory, Storage};

    fn header() -> Header {
        let geometry = Geometry::new(512, 90).unwrap();
        Header {
            role: Role::Client,
            session: SessionId::new(7).unwrap(),
            owner: "a".parse().unwrap(),
            peer: "b".parse().unwrap(),
            outgoing: geometry,
            incoming: geometry,
            asked: geometry,
        }
    }

    /// A file that remembers what it held before each store.
    struct Film {
        memory: Memory,
        images: Rc<RefCell<Vec<Vec<u8>>>>,
    }

    impl Published for Film {
        fn size(&self) -> usize {
            self.memory.size()
        }

        fn load(&self, at: usize) -> u64 {
            self.memory.load(at)
        }

        fn bytes(&self, at: usize, len: usize) -> &[u8] {
            self.memory.bytes(at, len)
        }
    }

    impl Storage for Film {
        fn store(&mut self, at: usize, value: u64) {
            self.images.borrow_mut().push(self.memory.image().to_vec());
            self.memory.store(at, value);
        }

        fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
            self.memory.bytes_mut(at, len)
        }
    }

    /// What an owner does, picture by picture, and what it committed where.
    fn film(random: &mut fastrand::Rng, steps: usize) -> (Vec<Vec<u8>>, HashMap<u64, Vec<u8>>) {
        let header = header();
        let mut memory = Memory::zeroed(Header::file_size(header.outgoing).unwrap());
        header.format(&mut memory, Nonce::new(1));
        memory.store(layout::CURRENT, 9);
        let images = Rc::new(RefCell::new(Vec::new()));
        let film = Film { memory, images: Rc::clone(&images) };
        let mut queue = Queue::open(film, Nonce::new(2)).unwrap().1;
        queue.store_attachment(AttachmentId::new(10).unwrap());
        let (mut committed, mut ends) = (HashMap::new(), Vec::new());
        for _ in 0..steps {
            let len = random.usize(0..=90);
            let start = queue.tail();
            match queue.reserve(start, Kind::new(1).unwrap(), len) {
                Ok((frame, end)) if random.u8(0..3) > 0 => {
                    let payload: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
                    let ahead = queue.take_zeroed();
                    queue.payload_mut(start, frame).copy_from_slice(&payload);
                    queue.finish(start, Position::ZERO);
                    queue.publish(frame, end, Position::ZERO, ahead);
                    committed.insert(start.get(), payload);
                    ends.push(end);
                }
                _ if !ends.is_empty() => {
                    let upto = random.usize(0..ends.len());
                    queue.acknowledge(ends.drain(..=upto).next_back().unwrap());
                }
                _ => {}
            }
        }
        drop(queue);
        (Rc::try_unwrap(images).unwrap().into_inner(), committed)
    }

    /// A copy whose words are from any moments between pictures `from` and `upto`, the page from behind `page`.
    fn copy(images: &[Vec<u8>], random: &mut fastrand::Rng, [from, page, upto]: [usize; 3]) -> Memory {
        let mut image = vec![0; images[0].len()];
        for (at, word) in image.chunks_mut(8).enumerate() {
            let moment =
                if at * 8 < layout::FRAMES { random.usize(page..=upto) } else { random.usize(from..=page) };
            word.copy_from_slice(&images[moment][at * 8..][..word.len()]);
        }
        Memory::from_image(image)
    }

    #[test]
    fn whatever_the_owner_does_meanwhile_every_frame_that_is_shown_is_one_that_was_committed() {
        let mut random = fastrand::Rng::with_seed(11);
        let (mut shown, mut missed, mut looks) = (0, 0, 0);
        for _ in 0..40 {
            let (images, committed) = film(&mut random, 120);
            for _ in 0..200 {
                let mut moments = [0; 5].map(|_| random.usize(0..images.len()));
                // Most looks are short.
                if random.bool() {
                    moments = moments.map(|moment| (moments[0] + moment % 12).min(images.len() - 1));
                }
                moments.sort_unstable();
                let [from, page, middle, second, upto] = moments;
                let copies = [[from, page, middle], [middle, second, upto]];
                let [one, two] = copies.map(|moments| copy(&images, &mut random, moments));
                let found = snapshot(&one, &two).unwrap();
                for frame in &found.frames {
                    let payload = committed.get(&frame.position.get()).map(|payload| &payload[..]);
                    assert_eq!(
                        payload,
                        Some(two.bytes(frame.payload.start, frame.payload.len())),
                        "{frame:?}"
                    );
                }
                looks += 1;
                shown += found.frames.len();
                missed += usize::from(found.survey.is_err());
            }
        }
        // The rest has to be looked at again.
        assert!(
            missed * 20 < looks && shown * 3 > looks,
            "{missed} of {looks} looks found damage, {shown} frames"
        );
    }

    #[test]
    fn of_a_file_at_rest_everything_is_shown_and_damage_is_damage() {
        let mut random = fastrand::Rng::with_seed(12);
        for _ in 0..200 {
            let (images, _) = film(&mut random, 60);
            let mut memory = Memory::from_image(images[images.len() - 1].clone());
            let surveyed = survey(&memory).unwrap();
            let found = snapshot(&memory, &memory.clone()).unwrap();
            assert_eq!(found.frames.len() as u64, surveyed.undelivered().messages);
            assert_eq!(found.survey.unwrap().undelivered(), surveyed.undelivered());
            assert!(!found.moved);
            let Some(frame) = found.frames.last() else { continue };
            let place = Ring::new(header().outgoing).place(frame.position);
            let word = memory.load(place);
            memory.store(place, word ^ 1 << 50);
            let found = snapshot(&memory, &memory.clone()).unwrap();
            assert_eq!(found.survey.err(), survey(&memory).err());
            assert!(survey(&memory).is_err());
        }
    }
}
