//! The part of a link file that is written once: what it is, whose, and how large.

use crate::geometry::{Geometry, GeometryError};
use crate::id::{Nonce, Role, SessionId};
use crate::layout;
use crate::name::{Name, NameError};
use crate::storage::{Published, Storage};

/// The identity and the sizes of one side's link file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which side the owner is.
    pub role: Role,
    /// The session this file belongs to.
    pub session: SessionId,
    /// Who writes this file.
    pub owner: Name,
    /// Who reads what it holds.
    pub peer: Name,
    /// The owner's stream, which this file holds.
    pub outgoing: Geometry,
    /// The peer's stream, as the owner promised to take it.
    pub incoming: Geometry,
    /// What the owner's configuration asked for; `outgoing` is what the peer's limits left of it.
    pub asked: Geometry,
}

impl Header {
    /// Bytes of the whole file: the header page, the ring, an overhang of one largest frame.
    ///
    /// `None` where that is more than this machine can address.
    pub fn file_size(outgoing: Geometry) -> Option<usize> {
        let frames = usize::try_from(outgoing.capacity() + outgoing.largest_frame()).ok()?;
        frames.checked_add(layout::FRAMES)
    }

    /// Writes a whole, empty, unconfirmed link file into `storage`, which is zero; the magic comes last,
    /// so that a file whose making was interrupted reads as unfinished.
    pub fn format<S: Storage>(&self, storage: &mut S, nonce: Nonce) {
        let image = self.encode();
        if zoo!(MagicFirst) {
            storage.store(layout::MAGIC, layout::MAGIC_VALUE);
        }
        storage.store(layout::NONCE, nonce.get());
        storage
            .bytes_mut(layout::VERSION, image.len() - layout::VERSION)
            .copy_from_slice(&image[layout::VERSION..]);
        storage.store(layout::MAGIC, layout::MAGIC_VALUE);
    }

    fn encode(&self) -> [u8; layout::HEADER_END] {
        let mut image = [0; layout::HEADER_END];
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(layout::MAGIC, &layout::MAGIC_VALUE.to_le_bytes());
        put(layout::VERSION, &layout::VERSION_VALUE.to_le_bytes());
        put(layout::CAPACITY, &self.outgoing.capacity().to_le_bytes());
        put(layout::LARGEST, &self.outgoing.largest().to_le_bytes());
        put(layout::ROLE, &role_number(self.role).to_le_bytes());
        put(layout::SESSION, &self.session.get().to_le_bytes());
        put(layout::INCOMING_CAPACITY, &self.incoming.capacity().to_le_bytes());
        put(layout::INCOMING_LARGEST, &self.incoming.largest().to_le_bytes());
        put(layout::ASKED_CAPACITY, &self.asked.capacity().to_le_bytes());
        put(layout::ASKED_LARGEST, &self.asked.largest().to_le_bytes());
        for (at, name) in [(layout::OWNER, &self.owner), (layout::PEER, &self.peer)] {
            let bytes = name.as_str().as_bytes();
            put(at, &[u8::try_from(bytes.len()).expect("a name has at most 64 bytes")]);
            put(at + 1, bytes);
        }
        let checksum = crc32fast::hash(&image[layout::VERSION..layout::CHECKSUM]);
        image[layout::CHECKSUM..][..4].copy_from_slice(&checksum.to_le_bytes());
        image
    }

    /// Reads and checks the header of a file that may hold anything.
    pub fn parse<P: Published>(file: &P) -> Result<Header, HeaderError> {
        if file.size() < layout::FRAMES {
            return Err(HeaderError::TooShort { size: file.size(), least: layout::FRAMES });
        }
        match file.load(layout::MAGIC) {
            layout::MAGIC_VALUE => {}
            0 => return Err(HeaderError::Unfinished),
            found => return Err(HeaderError::NotALinkFile { found }),
        }
        let image: &[u8; layout::HEADER_END] =
            file.bytes(0, layout::HEADER_END).try_into().expect("as long as asked for");
        let header = Self::decode(image)?;
        let expected = Self::file_size(header.outgoing).ok_or(HeaderError::TooLarge)?;
        if file.size() != expected {
            return Err(HeaderError::Size { size: file.size(), expected });
        }
        Ok(header)
    }

    fn decode(image: &[u8; layout::HEADER_END]) -> Result<Header, HeaderError> {
        // The version first: nothing else can be read without it.
        let version = u32_at(image, layout::VERSION);
        if version != layout::VERSION_VALUE {
            return Err(HeaderError::Version { found: version, known: layout::VERSION_VALUE });
        }
        let stored = u32_at(image, layout::CHECKSUM);
        let computed = crc32fast::hash(&image[layout::VERSION..layout::CHECKSUM]);
        if stored != computed {
            return Err(HeaderError::Checksum { stored, computed });
        }
        let flags = u32_at(image, layout::FLAGS);
        if flags != 0 {
            return Err(HeaderError::Flags { found: flags });
        }
        let role = match u32_at(image, layout::ROLE) {
            1 => Role::Client,
            2 => Role::Server,
            found => return Err(HeaderError::Role { found }),
        };
        let session =
            u128::from_le_bytes(*image[layout::SESSION..].first_chunk().expect("within the header"));
        Ok(Header {
            role,
            session: SessionId::new(session).ok_or(HeaderError::NoSession)?,
            owner: name_at(image, layout::OWNER)?,
            peer: name_at(image, layout::PEER)?,
            outgoing: geometry_at(image, layout::CAPACITY, layout::LARGEST)?,
            incoming: geometry_at(image, layout::INCOMING_CAPACITY, layout::INCOMING_LARGEST)?,
            asked: geometry_at(image, layout::ASKED_CAPACITY, layout::ASKED_LARGEST)?,
        })
    }
}

fn role_number(role: Role) -> u32 {
    match role {
        Role::Client => 1,
        Role::Server => 2,
    }
}

fn u32_at(image: &[u8; layout::HEADER_END], at: usize) -> u32 {
    u32::from_le_bytes(*image[at..].first_chunk().expect("within the header"))
}

fn u64_at(image: &[u8; layout::HEADER_END], at: usize) -> u64 {
    u64::from_le_bytes(*image[at..].first_chunk().expect("within the header"))
}

fn geometry_at(
    image: &[u8; layout::HEADER_END],
    capacity: usize,
    largest: usize,
) -> Result<Geometry, HeaderError> {
    Ok(Geometry::new(u64_at(image, capacity), u32_at(image, largest))?)
}

fn name_at(image: &[u8; layout::HEADER_END], at: usize) -> Result<Name, HeaderError> {
    let len = usize::from(image[at]);
    if len > Name::MAX {
        return Err(NameError::TooLong { len, max: Name::MAX }.into());
    }
    Ok(Name::from_bytes(&image[at + 1..at + 1 + len])?)
}

/// Why some bytes are not the header of a link file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is not even a header page.
    #[error(
        "{size} bytes are too few for a link file, which has at least {least}; it was cut off or is no link file"
    )]
    TooShort {
        /// Bytes there are.
        size: usize,
        /// Bytes of the header page.
        least: usize,
    },
    /// The magic is missing: whoever made it was interrupted.
    #[error("the link file was never finished")]
    Unfinished,
    /// It starts with something else.
    #[error("not a link file (it starts with {found:#018x})")]
    NotALinkFile {
        /// The first 8 bytes.
        found: u64,
    },
    /// Another version wrote it.
    #[error(
        "link file format {found}, this program reads format {known}: use the version that wrote it to drain it"
    )]
    Version {
        /// The version found.
        found: u32,
        /// The version this code reads.
        known: u32,
    },
    /// The header was damaged.
    #[error("the header's checksum is {stored:#010x}, its bytes give {computed:#010x}: the file is damaged")]
    Checksum {
        /// The checksum stored.
        stored: u32,
        /// The checksum of what is there.
        computed: u32,
    },
    /// It uses a feature this version does not know.
    #[error("unknown format flags {found:#x}: use the version that wrote the file")]
    Flags {
        /// The flags found.
        found: u32,
    },
    /// The owner's side is neither client nor server.
    #[error("{found} is neither a client nor a server")]
    Role {
        /// The number found.
        found: u32,
    },
    /// The session id is 0.
    #[error("the header names no session")]
    NoSession,
    /// A name in it is none.
    #[error("a name in the header: {0}")]
    Name(#[from] NameError),
    /// A size in it cannot be.
    #[error("a size in the header: {0}")]
    Geometry(#[from] GeometryError),
    /// The file is longer or shorter than its header says.
    #[error("{size} bytes where the header says {expected}: the file was cut off or extended")]
    Size {
        /// Bytes there are.
        size: usize,
        /// Bytes there should be.
        expected: usize,
    },
    /// It is larger than this machine can address.
    #[error("the file is larger than this machine can address")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Memory;

    fn header() -> Header {
        Header {
            role: Role::Server,
            session: SessionId::new(0xfeed << 64 | 0xbeef).unwrap(),
            owner: "server".parse().unwrap(),
            peer: "client-1".parse().unwrap(),
            outgoing: Geometry::new(256, 64).unwrap(),
            incoming: Geometry::new(128, 32).unwrap(),
            asked: Geometry::new(512, 64).unwrap(),
        }
    }

    fn formatted() -> Memory {
        let mut memory = Memory::zeroed(Header::file_size(header().outgoing).unwrap());
        header().format(&mut memory, Nonce::new(9));
        memory
    }

    /// A file whose header was edited and whose checksum was put right.
    fn edited(edit: impl FnOnce(&mut [u8])) -> Memory {
        let mut image = formatted().image().to_vec();
        edit(&mut image);
        let checksum = crc32fast::hash(&image[layout::VERSION..layout::CHECKSUM]);
        image[layout::CHECKSUM..][..4].copy_from_slice(&checksum.to_le_bytes());
        Memory::from_image(image)
    }

    #[test]
    fn a_file_without_its_last_store_is_unfinished() {
        let mut memory = formatted();
        memory.store(layout::MAGIC, 0);
        assert_eq!(Header::parse(&memory), Err(HeaderError::Unfinished));
    }

    #[test]
    fn every_wrong_field_has_its_error() {
        let parse = |edit: fn(&mut [u8])| Header::parse(&edited(edit)).unwrap_err();
        assert_eq!(parse(|f| f[0] = b'T'), HeaderError::NotALinkFile { found: 0x0100_6d68_7370_6354 });
        assert_eq!(parse(|f| f[layout::VERSION] = 9), HeaderError::Version { found: 9, known: 1 });
        assert_eq!(parse(|f| f[layout::FLAGS] = 2), HeaderError::Flags { found: 2 });
        assert_eq!(parse(|f| f[layout::ROLE] = 3), HeaderError::Role { found: 3 });
        assert_eq!(parse(|f| f[layout::SESSION..][..16].fill(0)), HeaderError::NoSession);
        assert_eq!(parse(|f| f[layout::PEER] = 0), HeaderError::Name(NameError::Empty));
        assert_eq!(
            parse(|f| f[layout::OWNER] = 255),
            HeaderError::Name(NameError::TooLong { len: 255, max: 64 })
        );
        assert_eq!(
            parse(|f| f[layout::CAPACITY] = 3),
            HeaderError::Geometry(GeometryError::Capacity { capacity: 259 })
        );
        assert!(matches!(parse(|f| f[layout::LARGEST + 1] = 1), HeaderError::Geometry(_)));
        assert!(matches!(parse(|f| f[layout::LARGEST] = 72), HeaderError::Size { .. }));
    }

    #[test]
    fn every_single_flipped_bit_of_the_header_is_noticed() {
        let image = formatted().image().to_vec();
        for bit in 0..(layout::CHECKSUM + 4) * 8 {
            let mut damaged = image.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::parse(&Memory::from_image(damaged)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_file_of_another_length_is_refused_with_both() {
        let image = formatted().image().to_vec();
        let expected = image.len();
        for size in [layout::FRAMES, expected - 1, expected + 1] {
            let mut other = image.clone();
            other.resize(size, 0);
            let error = Header::parse(&Memory::from_image(other)).unwrap_err();
            assert_eq!(error, HeaderError::Size { size, expected });
        }
        let short = Memory::from_image(image[..4095].to_vec());
        assert_eq!(Header::parse(&short), Err(HeaderError::TooShort { size: 4095, least: 4096 }));
    }

    #[test]
    fn golden_bytes() {
        let memory = formatted();
        assert_eq!(&memory.image()[..8], b"tcpshm\0\x01");
        assert_eq!(
            &memory.image()[8..32],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 2, 0, 0, 0]
        );
        assert_eq!(&memory.image()[32..48], &[0xef, 0xbe, 0, 0, 0, 0, 0, 0, 0xed, 0xfe, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            &memory.image()[48..72],
            &[128, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 64, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(&memory.image()[72..79], b"\x06server");
        assert_eq!(&memory.image()[144..153], b"\x08client-1");
    }

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        assert_eq!(Header::parse(&formatted()), Ok(header()));
    }
}
