//! The link files of tcpshm on disk: mapped, locked, created, switched and kept aside.
//!
//! ```text
//!   <directory>, 0700, held open                        every file 0600
//!   ├── s~OWNER.lock                     one owner: a kernel lock, held for life, never removed
//!   ├── s~OWNER~PEER.link                the link's file, mapped by its session
//!   ├── s~OWNER~PEER.link.SESSION.new    a fresh session being prepared ──── switch ──┐
//!   └── s~OWNER~PEER.link.SESSION.kept   an earlier session, kept aside  <────────────┘
//! ```
//!
//! [`LinkDirectory::open`] takes the lock of one owner; everything else is a method of it. A process that
//! is killed between any two system calls leaves a directory that [`LinkDirectory::settle`] brings to the
//! state before or after the interrupted operation. Nothing is flushed to a disk: that covers killed
//! processes, not a loss of power or a crash of the kernel.
//!
//! The place for shared-memory links is tmpfs, such as `/dev/shm`: on a disk file system write-back makes
//! clean pages read-only again, and the next store takes a fault. Network file systems are refused where
//! they can be told. An overlay is not refused: files made here lie in its upper layer, where locks and
//! mappings mean what they should; a directory that stands in a lower layer is not covered.
//!
//! ```
//! use tcpshm_protocol::{Geometry, Header, Nonce, Role, SessionId};
//! use tcpshm_shm::LinkDirectory;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let path = place.path().join("links");
//! // Made with mode 0700, locked for this owner until it is dropped.
//! let directory = LinkDirectory::open(&path, Role::Client, &"alice".parse()?)?;
//! assert!(LinkDirectory::open(&path, Role::Client, &"alice".parse()?).is_err(), "alice runs here");
//!
//! // A fresh session's file: whole, its space reserved, and not yet in the place of the link's file.
//! let (session, ring) = (SessionId::new(7).expect("not 0"), Geometry::new(4096, 512)?);
//! let (owner, peer) = ("alice".parse()?, "bob".parse()?);
//! let header =
//!     Header { role: Role::Client, session, owner, peer, outgoing: ring, incoming: ring, asked: ring };
//! let link = directory.create(&header, Nonce::new(1))?;
//! assert_eq!(link.session.space(), 4088);
//! assert!(directory.look(&header.peer)?.is_none(), "its login is not complete");
//! assert_eq!(directory.look_proposed(&header.peer)?[0].header().session, session);
//! # Ok(())
//! # }
//! ```
//!
//! Removing a link file is harmless to whoever has mapped it, and is noticed
//! ([`LinkDirectory::is_in_place`]). Truncating one is outside the trust: the next access kills the
//! process, and no check can win that race.
//!
//! # The second carrier
//!
//! ```text
//!   our session ── commit ──> [ our file ] <── read-only ── the peer's session
//!   our session ── read-only ──> [ the peer's file ] <── commit ── the peer's session
//! ```
//!
//! Two processes that have the same directory can read each other's files in place of sending them:
//! [`LinkDirectory::view`] maps the peer's file once it has proved to be the same memory, a
//! [`MappedSession`] reads from it, and [`Rings`] is the driver that polls any number of them. No system call,
//! no lock, no clock, no allocation; a connection beside it serves login, liveness and the end.
//!
//! A peer is a process of the same user. Whatever it stores in the words of its file, in headers and lengths,
//! is checked before it is used and ends its own connection at worst. One that rewrites the bytes of
//! messages that it has published, while they are read, is outside the trust.
#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", target_endian = "little")))]
compile_error!("link files are mapped as they are: only 64-bit little-endian Linux is supported");

/// Whether a known defect was put back, see `tcpshm_protocol::zoo`. Never without the feature `zoo`.
#[cfg(not(feature = "zoo"))]
macro_rules! zoo {
    ($($bug:ident)|+) => {
        false
    };
}
#[cfg(feature = "zoo")]
macro_rules! zoo {
    ($($bug:ident)|+) => {
        $(tcpshm_protocol::zoo::is_released(tcpshm_protocol::zoo::Bug::$bug))||+
    };
}

mod access;
mod directory;
mod error;
mod filesystem;
mod folder;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod image;
#[cfg(test)]
mod interrupted;
mod keep;
mod lock;
mod mapped_session;
#[expect(unsafe_code, reason = "memory shared with another process: all of it is here")]
mod mapping;
mod names;
mod peer;
mod prepare;
mod restore;
mod rings;
mod settle;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod unseen;

pub use access::OpenLink;
pub use directory::LinkDirectory;
pub use error::{DirectoryError, FileError};
pub use filesystem::refused as refused_file_system;
pub use folder::FileIdentity;
pub use keep::{Kept, OtherFile};
pub use mapped_session::{MappedSession, Outbox, Polled};
pub use mapping::Mapped;
pub use names::{LinkName, Place, parse_lock_name};
pub use peer::{PeerFile, ViewError};
pub use rings::Rings;
pub use settle::Settled;
