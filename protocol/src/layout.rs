//! Where everything stands in a link file. Little-endian.
//!
//! ```text
//!      0  magic, version, geometry, session, names, checksum   written once, magic last
//!   1024  acked  floor  sent_floor  (synced)                   one 128-byte line
//!   1152  consumed  (consumed_synced)                          one 128-byte line
//!   1280  nonce  current  previous  boot  parked  previous_sent  sent_floor_of   one 128-byte line
//!   4096  frames: `capacity` bytes and an overhang of one largest frame
//! ```
//!
//! Names in parentheses have a place and no use yet: `synced` at 1048 and `consumed_synced` at 1160.
//! They are 0, and readers ignore them.

/// `tcpshm\0\1`: a link file whose header is whole. Written last.
pub(crate) const MAGIC_VALUE: u64 = u64::from_le_bytes(*b"tcpshm\0\x01");
/// The version of this layout.
pub(crate) const VERSION_VALUE: u32 = 1;

pub(crate) const MAGIC: usize = 0;
pub(crate) const VERSION: usize = 8;
/// 32 bits, all 0 today; a set bit that a reader does not know means that it cannot read the file.
pub(crate) const FLAGS: usize = 12;
pub(crate) const CAPACITY: usize = 16;
pub(crate) const LARGEST: usize = 24;
/// 1 client, 2 server: whose file this is.
pub(crate) const ROLE: usize = 28;
/// 128 bits.
pub(crate) const SESSION: usize = 32;
pub(crate) const INCOMING_CAPACITY: usize = 48;
pub(crate) const INCOMING_LARGEST: usize = 56;
pub(crate) const ASKED_LARGEST: usize = 60;
pub(crate) const ASKED_CAPACITY: usize = 64;
/// A byte of length and 64 bytes of name, zeros behind it; likewise the peer's.
pub(crate) const OWNER: usize = 72;
pub(crate) const PEER: usize = 144;
/// CRC-32 (ISO-HDLC, as in zlib and Ethernet) of the bytes from `VERSION` up to here.
pub(crate) const CHECKSUM: usize = 216;
pub(crate) const HEADER_END: usize = 224;

pub(crate) const ACKED: usize = 1024;
pub(crate) const FLOOR: usize = 1032;
pub(crate) const SENT_FLOOR: usize = 1040;
pub(crate) const CONSUMED: usize = 1152;
pub(crate) const NONCE: usize = 1280;
pub(crate) const CURRENT: usize = 1288;
pub(crate) const PREVIOUS: usize = 1296;
pub(crate) const BOOT: usize = 1304;
/// Whether the owner sleeps. On the line of the nonce, which a reader has at hand: see `parking.rs`.
pub(crate) const PARKED: usize = 1312;
pub(crate) const PREVIOUS_SENT: usize = 1320;
pub(crate) const SENT_FLOOR_OF: usize = 1328;

/// The first byte of the frame area.
pub(crate) const FRAMES: usize = 4096;

/// A cache line and its neighbour, which adjacent-line prefetch pulls in with it.
const LINE: usize = 128;

const _: () = {
    assert!(PEER - OWNER == 72 && CHECKSUM - PEER == 72 && HEADER_END <= ACKED);
    assert!(ACKED.is_multiple_of(LINE) && CONSUMED == ACKED + LINE && NONCE == CONSUMED + LINE);
    assert!(SENT_FLOOR < CONSUMED && SENT_FLOOR_OF < NONCE + LINE && NONCE + LINE <= FRAMES);
    assert!(SESSION.is_multiple_of(8) && CHECKSUM.is_multiple_of(8));
};
