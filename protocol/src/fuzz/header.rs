//! The header page of a link file that may hold anything.

use super::Bytes;
use crate::geometry::Geometry;
use crate::header::{Header, HeaderError};
use crate::id::{Nonce, Role, SessionId};
use crate::layout;
use crate::storage::{Memory, Published};

/// A header is refused, or means one thing: written again it is the same, and the file has the size that it
/// says. Its names and sizes are within their bounds, whatever was stored.
pub fn header(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let page = page(&mut bytes);
    let claimed = Claimed { size: size(&page, &mut bytes), page: Memory::from_image(page) };
    match Header::parse(&claimed) {
        Ok(header) => {
            assert_eq!(Header::file_size(header.outgoing), Some(claimed.size));
            for geometry in [header.outgoing, header.incoming, header.asked] {
                assert_eq!(Geometry::new(geometry.capacity(), geometry.largest()), Ok(geometry));
            }
            assert_eq!(Header::parse(&written(&header, claimed.size)), Ok(header));
        }
        Err(HeaderError::TooShort { .. }) => assert!(claimed.size < layout::FRAMES),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A sound header with some bytes changed, or any bytes; the version and the checksum are put right now and then.
fn page(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let how = bytes.byte();
    let mut page = written(&sound(), layout::FRAMES).page.image().to_vec();
    if how & 1 == 0 {
        let any = bytes.take(layout::HEADER_END);
        page[..any.len()].copy_from_slice(any);
    } else {
        for _ in 0..how >> 4 {
            let at = usize::from(bytes.byte()) % layout::HEADER_END;
            page[at] = bytes.byte();
        }
    }
    if how & 2 == 0 {
        page[layout::MAGIC..][..8].copy_from_slice(&layout::MAGIC_VALUE.to_le_bytes());
        page[layout::VERSION..][..4].copy_from_slice(&layout::VERSION_VALUE.to_le_bytes());
    }
    if how & 4 == 0 {
        let checksum = crc32fast::hash(&page[layout::VERSION..layout::CHECKSUM]);
        page[layout::CHECKSUM..][..4].copy_from_slice(&checksum.to_le_bytes());
    }
    page
}

/// The size that the header claims, or another.
fn size(page: &[u8], bytes: &mut Bytes<'_>) -> usize {
    if bytes.byte() == 1 {
        return usize::try_from(bytes.word()).expect("64 bits");
    }
    let capacity = u64::from_le_bytes(*page[layout::CAPACITY..].first_chunk().expect("8 bytes"));
    let largest = u32::from_le_bytes(*page[layout::LARGEST..].first_chunk().expect("4 bytes"));
    let geometry = Geometry::new(capacity, largest).ok();
    geometry.and_then(Header::file_size).unwrap_or(layout::FRAMES)
}

fn sound() -> Header {
    let geometry = Geometry::new(256, 64).expect("it fits");
    Header {
        role: Role::Client,
        session: SessionId::new(7).expect("not 0"),
        owner: "owner".parse().expect("a name"),
        peer: "peer".parse().expect("a name"),
        outgoing: geometry,
        incoming: geometry,
        asked: geometry,
    }
}

fn written(header: &Header, size: usize) -> Claimed {
    let mut page = Memory::zeroed(layout::FRAMES);
    header.format(&mut page, Nonce::new(1));
    Claimed { size, page }
}

/// A header page of a file that says it is larger: nothing behind the page may be looked at.
struct Claimed {
    size: usize,
    page: Memory,
}

impl Published for Claimed {
    fn size(&self) -> usize {
        self.size
    }

    fn load(&self, at: usize) -> u64 {
        self.page.load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.page.bytes(at, len)
    }
}
