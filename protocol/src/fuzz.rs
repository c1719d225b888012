//! Bodies of the fuzz targets: from any bytes to nothing, or to a panic that is a bug. Compiled for
//! tests and fuzzing only.
//!
//! Where plain bytes would hardly get past a checksum or a mark, the input says what to build, and now
//! and then leaves it wrong.

mod header;
mod reader;
mod recover;
mod session;

use crate::frame::{ACK, FrameHeader, FrameRule};
use crate::geometry::Geometry;
use crate::id::{Role, SessionId};
use crate::inbound::{Frame, Inbound};
use crate::name::Name;
use crate::position::Position;

pub use crate::login::fuzz::{login, machines};
pub use header::header;
pub use reader::reader;
pub use recover::recover;
pub use session::session_input;

/// Takes numbers and stretches off the front of an input that may end at any time; then come zeros.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn word(&mut self) -> u64 {
        let mut word = [0; 8];
        let taken = self.take(8);
        word[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(word)
    }

    /// Up to `len` bytes.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A ring of 64, 128, 256 or 512 bytes for messages of any size that fits it.
fn geometry(bytes: &mut Bytes<'_>) -> Geometry {
    let capacity = 64 << (bytes.byte() % 4);
    let most = capacity - 24;
    let largest = u64::from(bytes.byte()) * most / 255;
    Geometry::new(capacity, u32::try_from(largest).expect("at most 488")).expect("it fits")
}

/// Parses a stream that starts at a position from the input: each frame is within its limits, takes bytes, and
/// is written again as exactly those; a fault repeats itself.
pub fn frame(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let geometry = geometry(&mut bytes);
    let start = Position::new(bytes.word() & !7).expect("a multiple of 8");
    let sender = if bytes.byte().is_multiple_of(2) { Role::Client } else { Role::Server };
    let session = SessionId::new(1 << 120 | u128::from(bytes.word())).expect("not 0");
    let rule = FrameRule::new(session, sender, geometry.largest());
    let mut stream = bytes.0.to_vec();
    if stream.len() >= 8 && stream[7].is_multiple_of(2) {
        // The right mark, so that more than the first word is looked at.
        let word = u64::from_le_bytes(*stream.first_chunk().expect("8 bytes"));
        let kind = crate::id::Kind::new(FrameHeader::from_word(word).kind);
        let mark = kind.map_or(1, |kind| rule.header(start, kind, 0).mark);
        stream[6..8].copy_from_slice(&mark.to_le_bytes());
    }
    let mut inbound = Inbound::new(session, sender, geometry, start);
    let mut input = &stream[..];
    loop {
        let before = input;
        match inbound.take(&mut input, start, start) {
            Ok(None) => return assert_eq!(input, before, "an incomplete frame stays"),
            Ok(Some(frame)) => {
                let taken = &before[..before.len() - input.len()];
                assert!(taken.len() >= 16, "each frame takes at least its header");
                check_limits(&frame, geometry);
                assert_eq!(written(&frame, &rule), taken, "{frame:?}");
            }
            Err(fault) => {
                assert_eq!(input, before, "a fault takes nothing");
                let again = inbound.take(&mut input, start, start).expect_err("a fault repeats itself");
                return assert_eq!(again, fault);
            }
        }
    }
}

/// The bytes of a frame. Its acknowledgement may be no position: that is not the parser's business.
fn written(frame: &Frame<'_>, rule: &FrameRule) -> Vec<u8> {
    let (mut bytes, ack) = match frame {
        Frame::Message { start, kind, ack, payload, .. } => {
            let header = rule.header(*start, *kind, u32::try_from(payload.len()).expect("short"));
            let mut bytes = header.word().to_le_bytes().to_vec();
            bytes.resize(header.payload().start, 0);
            bytes.extend_from_slice(payload);
            bytes.resize(header.padding().end, 0);
            (bytes, ack)
        }
        Frame::Control { control, ack } => {
            let (bytes, len) = control.encode(Position::ZERO);
            (bytes[..len].to_vec(), ack)
        }
    };
    bytes[ACK..ACK + 8].copy_from_slice(&ack.to_le_bytes());
    bytes
}

fn check_limits(frame: &Frame<'_>, geometry: Geometry) {
    if let Frame::Message { start, end, payload, .. } = frame {
        assert!(payload.len() <= geometry.largest() as usize);
        assert_eq!(
            end.since(*start),
            crate::frame::padded_size(u32::try_from(payload.len()).expect("short"))
        );
    }
}

/// A name is exactly its bytes, or it is refused; nothing is repaired.
pub fn names(bytes: &[u8]) {
    if let Ok(name) = Name::from_bytes(bytes) {
        assert_eq!(name.as_str().as_bytes(), bytes);
        assert_eq!(name.as_str().parse::<Name>(), Ok(name));
        assert!((1..=Name::MAX).contains(&bytes.len()) && bytes[0] != b'.');
        assert!(bytes.iter().all(|byte| byte.is_ascii_graphic() && !b"/~\\:*?\"<>|".contains(byte)));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A target and its body.
    struct Target(&'static str, fn(&[u8]));

    const TARGETS: [Target; 8] = [
        Target("frame", frame),
        Target("header", header),
        Target("login", login),
        Target("machines", machines),
        Target("names", names),
        Target("reader", reader),
        Target("recover", recover),
        Target("session_input", session_input),
    ];

    #[test]
    fn every_input_of_the_corpora_is_handled() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        if !fuzz.exists() {
            // The published package does not hold the corpora.
            return;
        }
        for Target(target, body) in TARGETS {
            let inputs =
                std::fs::read_dir(fuzz.join("corpus").join(target)).expect("each target has a corpus");
            let mut count = 0;
            for input in inputs {
                body(&std::fs::read(input.expect("readable").path()).expect("readable"));
                count += 1;
            }
            assert!(count > 0, "an empty corpus for {target}");
        }
    }

    #[test]
    fn seeded_inputs_are_handled() {
        for seed in 0..4_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let len = random.usize(..400);
            let mut input: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(len).collect();
            // Small numbers come close to what is meant more often than large ones.
            if random.bool() {
                input.iter_mut().for_each(|byte| *byte &= random.u8(..) & 0x1f);
            }
            for Target(_, body) in TARGETS {
                body(&input);
            }
        }
    }
}
