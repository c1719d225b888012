//! Looking at link files and opening them.

use std::fs::File;

use tcpshm_protocol::{Geometry, Name, Nonce, Session, SessionId, Survey};

use crate::directory::LinkDirectory;
use crate::error::FileError;
use crate::folder::{Access, FileIdentity};
use crate::image::ImageError;
use crate::lock::Writer;
use crate::mapping::Mapped;
use crate::names::{LinkName, Place};
use crate::settle::Proposal;

/// A session, and which file it lies in.
#[derive(Debug)]
pub struct OpenLink {
    /// The session over the mapped file.
    pub session: Session<Mapped>,
    /// For [`LinkDirectory::is_in_place`]; valid as long as `session` lives.
    pub identity: FileIdentity,
}

impl LinkDirectory {
    /// What the link's file holds; `None` if there is none. Changes nothing, and may be called while a
    /// session has the file open.
    pub fn look(&self, peer: &Name) -> Result<Option<Survey>, FileError> {
        let name = self.name(peer, Place::Main);
        match self.folder.open_file(&name.to_string(), Access::Read)? {
            Some(file) => {
                if zoo!(LookingLocks) {
                    self.writer(&name.to_string(), file.try_clone().expect("a descriptor is free"))?;
                }
                self.survey(&name, &file).map(Some)
            }
            None => Ok(None),
        }
    }

    /// What the prepared files hold whose login was not completed, sorted by session. Changes nothing.
    ///
    /// There is one at most as long as its owner discards one before it prepares the next. Should there be
    /// several, none holds a message, but the peer may have accepted any of them, so none is chosen or
    /// dropped here: show one at each login until one is resumed, and discard those that are refused.
    pub fn look_proposed(&self, peer: &Name) -> Result<Vec<Survey>, FileError> {
        let mut proposed = Vec::new();
        for session in self.prepared(peer)? {
            if let Some(Proposal::Unconfirmed(survey)) = self.proposal(peer, session)? {
                proposed.push(*survey);
            }
        }
        Ok(proposed)
    }

    /// Opens the link's file; `None` if there is none.
    ///
    /// The sizes come from the file. With `configured`, a file that was made for other wishes is an error
    /// that carries both; without, it is taken as it is. Whatever does not check leaves the file untouched.
    pub fn open_link(
        &self,
        peer: &Name,
        configured: Option<Geometry>,
        nonce: Nonce,
    ) -> Result<Option<OpenLink>, FileError> {
        self.open_name(&self.name(peer, Place::Main), configured, nonce)
    }

    /// Opens the prepared file of `session`; `None` if there is none.
    pub fn open_proposed(
        &self,
        peer: &Name,
        session: SessionId,
        nonce: Nonce,
    ) -> Result<Option<OpenLink>, FileError> {
        self.open_name(&self.name(peer, Place::Proposed(session)), None, nonce)
    }

    /// Everything is checked on a copy, before there is a mapping that could be written.
    fn open_name(
        &self,
        name: &LinkName,
        configured: Option<Geometry>,
        nonce: Nonce,
    ) -> Result<Option<OpenLink>, FileError> {
        self.lock.check(&self.folder)?;
        let text = name.to_string();
        let Some(file) = self.folder.open_file(&text, Access::Write)? else { return Ok(None) };
        if zoo!(LockAfterReading) {
            self.survey(name, &file)?;
        }
        let writer = self.writer(&text, file)?;
        let survey = self.survey(name, writer.file())?;
        let header = survey.header();
        let differs = |configured: &Geometry| *configured != header.asked && !zoo!(GeometryNotCompared);
        if let Some(configured) = configured.filter(differs) {
            let path = self.folder.path_of(&text);
            return Err(FileError::Geometry { path, file: header.asked, configured });
        }
        // A copy or a restored backup may have holes, and a store into a hole of a full disk is fatal.
        self.fill_holes(&text, &writer, header.outgoing)?;
        let (mapped, identity) = self.map(&text, writer)?;
        self.open_session(name, mapped, identity, nonce).map(Some)
    }

    /// The right to write a file that was just opened.
    pub(crate) fn writer(&self, name: &str, file: File) -> Result<Writer, FileError> {
        match Writer::take(file) {
            Ok(Some(writer)) => Ok(writer),
            Ok(None) => Err(FileError::InUse { path: self.folder.path_of(name) }),
            Err(source) => Err(self.folder.io_error("locking", name, source)),
        }
    }

    pub(crate) fn map(&self, name: &str, writer: Writer) -> Result<(Mapped, FileIdentity), FileError> {
        let identity = self.folder.identity_of(name, writer.file())?;
        let mapped = self.folder.step().map_err(Into::into).and_then(|()| Mapped::new(writer));
        let mapped = mapped.map_err(|source| self.folder.io_error("mapping", name, source))?;
        Ok((mapped, identity))
    }

    pub(crate) fn open_session(
        &self,
        name: &LinkName,
        mapped: Mapped,
        identity: FileIdentity,
        nonce: Nonce,
    ) -> Result<OpenLink, FileError> {
        let session = Session::open(mapped, nonce)
            .map_err(|error| self.image_error(name, ImageError::Damaged(error)))?;
        Ok(OpenLink { session, identity })
    }
}
