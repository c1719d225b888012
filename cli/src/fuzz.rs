//! What is fuzzed: any file, looked at.

use std::path::PathBuf;

use tcpshm_driver::protocol::{Header, Kind, Memory, Nonce, Role, Session, SessionId, Storage, snapshot};
use tcpshm_driver::{Geometry, protocol::RecoverError};

use crate::inspect::finding::{Finding, Seen, Verdict};
use crate::inspect::show::{self, Extent};
use crate::look::Holder;

/// Where `current` stands: a file is written to only once it is attached. See `WIRE.md`.
const CURRENT: usize = 1288;

/// Two copies of a file that may hold anything, the second one as its owner may have left it meanwhile: whatever they
/// are, a look ends, and what it found can be shown, written as a document and exported.
///
/// The first byte says what follows: with 0 the file itself, otherwise changes to a sound one, of two bytes of place and
/// one of value each. Changes behind one to the place 0xffff are of the second copy only.
pub fn any_file(bytes: &[u8]) {
    let Some((manner, rest)) = bytes.split_first() else { return };
    let (first, second) = match manner {
        0 => (rest.to_vec(), rest.to_vec()),
        _ => changed(sound(), rest),
    };
    let [first, second] = [first, second].map(Memory::from_image);
    let found = match snapshot(&first, &second) {
        Ok(found) => found,
        Err(RecoverError::Header(_)) => return,
        Err(other) => panic!("{other} is no error of a header"),
    };
    let reason = found.survey.as_ref().err().map(ToString::to_string);
    let verdict = if reason.is_some() { Verdict::Damaged } else { Verdict::Sound };
    if let Ok(survey) = &found.survey {
        assert_eq!(survey.undelivered().messages, found.frames.len() as u64, "what is sound is shown whole");
    }
    let seen = Some(Seen::new(found, second));
    let finding = Finding { path: PathBuf::from("any"), verdict, reason, holder: Holder::Nobody, seen };
    let extent = Extent { messages: usize::MAX, hex: true };
    assert!(show::text(&finding, extent).len() > 10);
    assert_eq!(show::text(&finding, Extent { messages: 1, hex: false })[0], "any");
    let document = show::document(&finding, extent);
    let messages = document["messages"].as_array().map_or(0, Vec::len);
    assert_eq!(document["undelivered"], messages);
    assert!(!finding.in_one_line().contains('\n'));
}

fn changed(mut first: Vec<u8>, changes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut second = None;
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        if at == 0xffff && second.is_none() {
            second = Some(first.clone());
        }
        let image = second.as_mut().unwrap_or(&mut first);
        if let Some(byte) = image.get_mut(at) {
            *byte = change[2];
        }
    }
    let second = second.unwrap_or_else(|| first.clone());
    (first, second)
}

/// A file with three messages.
pub(crate) fn sound() -> Vec<u8> {
    let geometry = Geometry::new(256, 40).expect("a small ring");
    let header = Header {
        role: Role::Client,
        session: SessionId::new(7).expect("not 0"),
        owner: "a".parse().expect("a name"),
        peer: "b".parse().expect("a name"),
        outgoing: geometry,
        incoming: geometry,
        asked: geometry,
    };
    let mut file = Memory::zeroed(Header::file_size(geometry).expect("a small file"));
    header.format(&mut file, Nonce::new(1));
    file.store(CURRENT, 9);
    let mut session = Session::open(Shared(&mut file), Nonce::new(2)).expect("a sound file");
    for payload in [&b"one"[..], b"the second one", b""] {
        session.send(Kind::new(1).expect("not 0"), payload).expect("there is room");
    }
    drop(session);
    file.image().to_vec()
}

/// A file that is there when its session is gone.
struct Shared<'m>(&'m mut Memory);

impl tcpshm_driver::protocol::Published for Shared<'_> {
    fn size(&self) -> usize {
        self.0.size()
    }

    fn load(&self, at: usize) -> u64 {
        self.0.load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.0.bytes(at, len)
    }
}

impl Storage for Shared<'_> {
    fn store(&mut self, at: usize, value: u64) {
        self.0.store(at, value);
    }

    fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        self.0.bytes_mut(at, len)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_sound_file_is_sound_and_a_changed_one_is_looked_at_all_the_same() {
        any_file(&[1]);
        let image = sound();
        any_file(&[&[0], &image[..]].concat());
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..3_000 {
            let mut input = vec![1];
            for _ in 0..random.usize(1..12) {
                let at = match random.u8(0..4) {
                    0 => random.u16(0..224),
                    1 => random.u16(1024..1336),
                    2 => random.u16(4096..4096 + 320),
                    _ => 0xffff,
                };
                input.extend(at.to_le_bytes());
                input.push(random.u8(..));
            }
            any_file(&input);
        }
    }

    #[test]
    fn every_input_of_the_corpus_is_looked_at() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/cli");
        let mut count = 0;
        for entry in fs::read_dir(corpus).unwrap() {
            any_file(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count >= 5, "{count} inputs");
    }
}
