//! The body of a fuzz target: from any bytes to nothing, or to a panic that is a bug. Compiled for tests and
//! fuzzing only.

use tcpshm_protocol::{Name, Role, SessionId};

use crate::names::{LinkName, Place, lock_name};

/// Two links have the same file if they are the same link, and what is read as a file's name is written the
/// same.
pub fn names(bytes: &[u8]) {
    if let Some(name) = LinkName::parse(bytes) {
        assert_eq!(name.to_string().as_bytes(), bytes);
    }
    // Two files, in parts that a byte which no name holds keeps apart.
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let files: Vec<LinkName> = parts.chunks_exact(3).filter_map(link_name).collect();
    for (at, file) in files.iter().enumerate() {
        let text = file.to_string();
        assert_eq!(LinkName::parse(text.as_bytes()).as_ref(), Some(file));
        assert!(text.len() <= 255 && !text.contains('/'), "{text}");
        for other in &files[..at] {
            assert_eq!(text == other.to_string(), file == other, "{text}");
            assert_ne!(text, lock_name(other.role, &other.owner));
        }
    }
}

/// The owner's name, the peer's, and the rest: side, place and session.
fn link_name(parts: &[&[u8]]) -> Option<LinkName> {
    let [owner, peer, rest] = parts else { return None };
    let how = rest.first().copied().unwrap_or(0);
    let mut session = [1; 16];
    let digits = rest.get(1..).unwrap_or_default();
    let len = digits.len().min(session.len());
    session[..len].copy_from_slice(&digits[..len]);
    let session = SessionId::new(u128::from_le_bytes(session))?;
    Some(LinkName {
        role: if how & 1 == 0 { Role::Client } else { Role::Server },
        owner: Name::from_bytes(owner).ok()?,
        peer: Name::from_bytes(peer).ok()?,
        place: match how % 3 {
            0 => Place::Main,
            1 => Place::Proposed(session),
            _ => Place::Kept(session),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_input_of_the_corpus_of_names_is_handled() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/names");
        if !corpus.exists() {
            // The published package does not hold the corpora.
            return;
        }
        let mut count = 0;
        for input in std::fs::read_dir(corpus).expect("readable") {
            names(&std::fs::read(input.expect("readable").path()).expect("readable"));
            count += 1;
        }
        assert!(count > 0, "an empty corpus");
    }

    #[test]
    fn names_of_a_few_letters_never_share_a_file() {
        let mut random = fastrand::Rng::with_seed(9);
        for _ in 0..20_000 {
            let len = random.usize(..40);
            let letters = b"ab~.-\0\0\x01\x02linkew";
            let input: Vec<u8> = (0..len).map(|_| letters[random.usize(..letters.len())]).collect();
            names(&input);
        }
    }
}
