//! The peer's link file, for reading.

use std::path::PathBuf;

use tcpshm_protocol::{AttachmentId, Geometry, Header, Name, Nonce, Role, SessionId, ViewFault, prove};

use crate::directory::LinkDirectory;
use crate::error::FileError;
use crate::folder::{Access, FileIdentity};
use crate::image;
use crate::mapping::ReadOnly;
use crate::names::{LinkName, Place};

/// The link file of a session's peer, mapped for reading, which has proved to be the memory that the peer
/// writes. What the peer publishes there is read through [`MappedSession`](crate::MappedSession) only.
#[derive(Debug)]
pub struct PeerFile {
    pub(crate) memory: ReadOnly,
    identity: FileIdentity,
    session: SessionId,
    owner: Role,
    outgoing: Geometry,
    /// Of the login that it was proved for.
    nonce: Nonce,
}

impl PeerFile {
    /// Whether it is the file that the peer of `ours` writes.
    pub(crate) fn is_of(&self, ours: &Header) -> bool {
        self.session == ours.session && self.owner == ours.role.other() && self.outgoing == ours.incoming
    }

    /// Whether it was proved for the login in which the peer told this nonce.
    pub(crate) fn is_for(&self, nonce: Nonce) -> bool {
        self.nonce == nonce
    }

    /// Whether the peer has stored this nonce there.
    pub(crate) fn shows(&self, ours: &Header, nonce: Nonce) -> bool {
        prove(&self.memory, ours, nonce).is_ok()
    }
}

impl LinkDirectory {
    /// Maps the file of the peer of the session that `ours` describes, if it is here and holds `nonce`: the one
    /// that the peer told in this login. Nothing is made or changed.
    ///
    /// The peer's file is in this directory if the peer runs in it too, and then both may still be on
    /// cloned machines or in containers that share names and not memory; the nonce tells.
    pub fn view(&self, ours: &Header, nonce: Nonce) -> Result<PeerFile, ViewError> {
        let mut found = None;
        // A fresh file is shown before it takes its place.
        for place in [Place::Main, Place::Proposed(ours.session)] {
            let name = self.peer_name(&ours.peer, place);
            match self.view_file(&name, ours, nonce) {
                Ok(file) => return Ok(file),
                Err(ViewError::Missing { .. }) => {}
                Err(error) => found = found.or(Some(error)),
            }
        }
        Err(found.unwrap_or_else(|| ViewError::Missing { path: self.path_of_peer(&ours.peer) }))
    }

    /// Whether the peer's file is still where it was found, or where its owner has moved it since.
    pub fn is_peer_in_place(&self, peer: &Name, file: &PeerFile) -> Result<bool, FileError> {
        // In this order a switch in between goes unnoticed.
        for place in [Place::Proposed(file.session), Place::Main] {
            let found = self.folder.identity(&self.peer_name(peer, place).to_string())?;
            if found == Some(file.identity) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn view_file(&self, name: &LinkName, ours: &Header, nonce: Nonce) -> Result<PeerFile, ViewError> {
        let text = name.to_string();
        let path = || self.folder.path_of(&text);
        let Some(file) = self.folder.open_file(&text, Access::Read)? else {
            return Err(ViewError::Missing { path: path() });
        };
        // On a copy first: what is no link file is not mapped at all.
        image::header(&file).map_err(|error| self.image_error(name, error))?;
        let identity = self.folder.identity_of(&text, &file)?;
        let mapped = ReadOnly::of_peer(&file, ours, nonce);
        let mapped = mapped.map_err(|source| self.folder.io_error("mapping", &text, source))?;
        let memory = mapped.map_err(|source| ViewError::Fault { path: path(), source })?;
        let (session, owner, outgoing) = (ours.session, ours.role.other(), ours.incoming);
        Ok(PeerFile { memory, identity, session, owner, outgoing, nonce })
    }

    /// Where the link's own file stands.
    pub fn path_of_link(&self, peer: &Name) -> PathBuf {
        self.folder.path_of(&self.name(peer, Place::Main).to_string())
    }

    /// Where the peer's file of the link stands, if it is here.
    pub fn path_of_peer(&self, peer: &Name) -> PathBuf {
        self.folder.path_of(&self.peer_name(peer, Place::Main).to_string())
    }

    /// The name of one of the peer's files.
    fn peer_name(&self, peer: &Name, place: Place) -> LinkName {
        LinkName { role: self.role().other(), owner: peer.clone(), peer: self.owner().clone(), place }
    }
}

/// Why the peer's file cannot be read in place.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It is not here.
    #[error(
        "{}: not there: the peer runs on another host, in another container or with another directory; give both the same directory, or use TCP",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file that is here is not it.
    #[error("{}: {source}: the two sides do not share memory; give both the same directory on one machine, or use TCP", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ViewFault,
    },
    /// It cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ViewError {
    /// Whether it was the peer's file after all, which shows the attachment of this login, and the peer has
    /// left it since.
    pub fn shows(&self, attachment: AttachmentId) -> bool {
        let Self::Fault { source: ViewFault::OtherMemory { current }, .. } = self else {
            return false;
        };
        *current == Some(attachment)
    }
}
