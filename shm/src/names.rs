//! The names of the files in a link directory.
//!
//! ```text
//!   c~OWNER.lock                     s~OWNER.lock
//!   c~OWNER~PEER.link                s~OWNER~PEER.link
//!   c~OWNER~PEER.link.<SESSION>.new  s~OWNER~PEER.link.<SESSION>.kept      32 lower-case hex digits
//! ```
//!
//! Injective: the letter is the owner's side, names hold no `~`, and what follows the peer's name is read
//! from the right, where its length is known. So a peer may be called `a.link` and takes nobody's file.

use std::fmt;

use tcpshm_protocol::{Header, Name, Role, SessionId};

/// Which link file of its link a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The link's file.
    Main,
    /// A fresh session's file that is not the link's yet; or, after an interrupted switch, the old one.
    Proposed(SessionId),
    /// The file of an earlier session.
    Kept(SessionId),
}

/// The name of a link file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkName {
    /// The owner's side.
    pub role: Role,
    /// Who writes it.
    pub owner: Name,
    /// The other side.
    pub peer: Name,
    /// Which file of the link.
    pub place: Place,
}

impl LinkName {
    /// The name in these bytes, or `None` if they are no link file's name.
    pub fn parse(file_name: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(file_name).ok()?;
        let (letter, rest) = text.split_once(joint())?;
        let (owner, rest) = rest.split_once(joint())?;
        let role = match letter {
            "c" => Role::Client,
            "s" => Role::Server,
            _ => return None,
        };
        let (link, place) = if let Some(rest) = rest.strip_suffix(".new") {
            let (link, session) = split_session(rest)?;
            (link, Place::Proposed(session))
        } else if let Some(rest) = rest.strip_suffix(".kept") {
            let (link, session) = split_session(rest)?;
            (link, Place::Kept(session))
        } else {
            (rest, Place::Main)
        };
        let peer = link.strip_suffix(".link")?;
        Some(Self { role, owner: owner.parse().ok()?, peer: peer.parse().ok()?, place })
    }

    /// The link file of the other side, which is in the same directory where the two share one.
    #[must_use]
    pub fn other_side(&self) -> Self {
        let (owner, peer) = (self.peer.clone(), self.owner.clone());
        Self { role: self.role.other(), owner, peer, place: Place::Main }
    }

    /// Whether a file with this header is the one that the name promises.
    pub fn describes(&self, header: &Header) -> bool {
        let session = match self.place {
            Place::Main => header.session,
            Place::Proposed(session) | Place::Kept(session) => session,
        };
        self.describes_link(header) && header.session == session
    }

    /// Whether a file with this header belongs to the link that the name promises, whatever its session.
    pub fn describes_link(&self, header: &Header) -> bool {
        self.role == header.role && self.owner == header.owner && self.peer == header.peer
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joint = joint();
        write!(f, "{}{joint}{}{joint}{}.link", letter(self.role), self.owner, self.peer)?;
        match self.place {
            Place::Main => Ok(()),
            Place::Proposed(session) => write!(f, ".{session}.new"),
            Place::Kept(session) => write!(f, ".{session}.kept"),
        }
    }
}

/// The side and the name of the owner whose lock file this is, or `None` if these bytes are no lock file's name.
pub fn parse_lock_name(file_name: &[u8]) -> Option<(Role, Name)> {
    let text = std::str::from_utf8(file_name).ok()?.strip_suffix(".lock")?;
    let owner = text.split_once(joint())?.1.parse().ok()?;
    [Role::Client, Role::Server]
        .into_iter()
        .map(|role| (role, Name::clone(&owner)))
        .find(|(role, owner)| lock_name(*role, owner).as_bytes() == file_name)
}

/// The name of an owner's lock file. It has one `~`, a link file's has two.
pub(crate) fn lock_name(role: Role, owner: &Name) -> String {
    format!("{}~{owner}.lock", letter(role))
}

/// What the names of all link files of an owner begin with.
pub(crate) fn owner_prefix(role: Role, owner: &Name) -> String {
    format!("{}{owner}{}", role_prefix(role), joint())
}

/// What the names of all link files of one side begin with.
pub(crate) fn role_prefix(role: Role) -> String {
    format!("{}{}", letter(role), joint())
}

/// What no name holds.
fn joint() -> char {
    if zoo!(NamesJoinedByUnderscore) { '_' } else { '~' }
}

fn letter(role: Role) -> char {
    match role {
        Role::Client => 'c',
        Role::Server => 's',
    }
}

/// `LINK.<32 digits>` taken apart. Only the digits that [`SessionId`] prints: a second spelling of one
/// session would be a second file of it.
fn split_session(text: &str) -> Option<(&str, SessionId)> {
    let (link, digits) = text.rsplit_once('.')?;
    let canonical =
        digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let bits = u128::from_str_radix(digits, 16).ok().filter(|_| canonical)?;
    Some((link, SessionId::new(bits)?))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Names made of the pieces that file names are made of, to provoke collisions.
    fn any_name(random: &mut fastrand::Rng) -> Name {
        let digits = "0".repeat(31);
        let pieces = ["a", "b", "-", "_", "c", "s", ".link", ".new", ".kept", ".lock", ".", &digits, "1"];
        loop {
            let text: String =
                (0..random.usize(1..6)).map(|_| pieces[random.usize(..pieces.len())]).collect();
            if let Ok(name) = text.parse() {
                return name;
            }
        }
    }

    fn any_link_name(random: &mut fastrand::Rng) -> LinkName {
        let session = SessionId::new(random.u128(1..3)).unwrap();
        LinkName {
            role: if random.bool() { Role::Client } else { Role::Server },
            owner: any_name(random),
            peer: any_name(random),
            place: match random.u8(0..3) {
                0 => Place::Main,
                1 => Place::Proposed(session),
                _ => Place::Kept(session),
            },
        }
    }

    #[test]
    fn different_files_have_different_names_and_every_name_is_read_back() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut seen: HashMap<String, LinkName> = HashMap::new();
        for _ in 0..100_000 {
            let name = any_link_name(&mut random);
            let text = name.to_string();
            assert_eq!(LinkName::parse(text.as_bytes()), Some(name.clone()), "{text}");
            let lock = lock_name(name.role, &name.owner);
            assert_eq!(parse_lock_name(lock.as_bytes()), Some((name.role, name.owner.clone())), "{lock}");
            assert_eq!(parse_lock_name(text.as_bytes()), None, "{text}");
            assert_eq!(LinkName::parse(lock.as_bytes()), None, "{lock}");
            if let Some(other) = seen.insert(text, name.clone()) {
                assert_eq!(other, name);
            }
        }
    }

    #[test]
    fn whatever_is_read_as_a_name_is_written_the_same() {
        let mut random = fastrand::Rng::with_seed(8);
        let mut read = 0;
        for _ in 0..100_000 {
            let mut text = any_link_name(&mut random).to_string().into_bytes();
            let at = random.usize(..text.len());
            text[at] = *random.choice(b"~.AFaf0+cs/\0\xff").unwrap();
            if let Some(name) = LinkName::parse(&text) {
                assert_eq!(name.to_string().as_bytes(), text);
                read += 1;
            }
        }
        assert!(read > 1_000, "only {read} of the mutated names were names");
    }

    #[test]
    fn two_of_the_longest_names_fit_a_file_name() {
        const NAME_MAX: usize = 255;
        let longest: Name = "x".repeat(Name::MAX).parse().unwrap();
        let session = SessionId::new(u128::MAX).unwrap();
        for place in [Place::Main, Place::Proposed(session), Place::Kept(session)] {
            let name = LinkName { role: Role::Client, owner: longest.clone(), peer: longest.clone(), place };
            assert!(name.to_string().len() <= NAME_MAX, "{name}");
        }
        assert!(lock_name(Role::Server, &longest).len() <= NAME_MAX);
    }

    #[test]
    fn other_files_are_no_link_files() {
        let digits = "1".repeat(31);
        for other in [
            "".to_owned(),
            "c~a.link".to_owned(),
            "x~a~b.link".to_owned(),
            "c~a~b".to_owned(),
            "c~a~b~c.link".to_owned(),
            "c~a~.link".to_owned(),
            "c~.a~b.link".to_owned(),
            format!("c~a~b.link.{}.new", "0".repeat(32)),
            format!("c~a~b.link.{digits}.new"),
            format!("c~a~b.link.{digits}A.new"),
            format!("c~a~b.link.+{digits}.kept"),
            format!("c~a~b.link.0{digits}1.kept"),
            format!("c~a~b.{digits}1.new"),
        ] {
            assert_eq!(LinkName::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn golden_names() {
        let name = |place| LinkName {
            role: Role::Server,
            owner: "server".parse().unwrap(),
            peer: "client-1".parse().unwrap(),
            place,
        };
        let session = SessionId::new(0xabc).unwrap();
        assert_eq!(name(Place::Main).to_string(), "s~server~client-1.link");
        assert_eq!(
            name(Place::Proposed(session)).to_string(),
            "s~server~client-1.link.00000000000000000000000000000abc.new"
        );
        assert_eq!(
            name(Place::Kept(session)).to_string(),
            "s~server~client-1.link.00000000000000000000000000000abc.kept"
        );
        assert_eq!(lock_name(Role::Client, &"a".parse().unwrap()), "c~a.lock");
    }
}
