//! Files of earlier sessions, kept aside until the application is done with them.

use std::path::PathBuf;

use tcpshm_protocol::{Name, SessionId, Undelivered};

use crate::directory::LinkDirectory;
use crate::error::FileError;
use crate::folder::Access;
use crate::image;
use crate::names::{LinkName, Place, owner_prefix, role_prefix};

/// A file of an earlier session. It stays, and is listed again at every start, until it is released.
#[derive(Debug)]
pub struct Kept {
    /// Whose link it was.
    pub peer: Name,
    /// The session it holds.
    pub session: SessionId,
    /// Where it is.
    pub path: PathBuf,
    /// What the peer is not known to have consumed, or why that cannot be told.
    pub undelivered: Result<Undelivered, FileError>,
}

/// A link file of another owner name in the same directory. Perhaps this owner had that name once.
#[derive(Debug)]
pub struct OtherFile {
    /// Whose file it is.
    pub owner: Name,
    /// Whose link it is.
    pub peer: Name,
    /// Where it is.
    pub path: PathBuf,
    /// What the peer is not known to have consumed, or why that cannot be told.
    pub undelivered: Result<Undelivered, FileError>,
}

impl LinkDirectory {
    /// The files kept aside, of one peer or of all, sorted by name.
    pub fn kept(&self, peer: Option<&Name>) -> Result<Vec<Kept>, FileError> {
        let prefix = match peer {
            Some(peer) => self.name(peer, Place::Main).to_string(),
            None => owner_prefix(self.role(), self.owner()),
        };
        let kept = |name: LinkName| match name.place {
            Place::Kept(session) if peer.is_none_or(|peer| name.peer == *peer) => {
                Some(self.kept_file(&name.peer, session))
            }
            _ => None,
        };
        Ok(self.folder.link_names(&prefix)?.into_iter().filter_map(kept).collect())
    }

    /// How many files of one peer are kept aside. Reads their names only.
    pub fn kept_count(&self, peer: &Name) -> Result<usize, FileError> {
        let names = self.folder.link_names(&self.name(peer, Place::Main).to_string())?;
        let kept = |name: &&LinkName| matches!(name.place, Place::Kept(_)) && name.peer == *peer;
        Ok(names.iter().filter(kept).count())
    }

    /// Removes a file kept aside: the application is done with what is in it. A second time is harmless.
    pub fn release(&self, kept: &Kept) -> Result<(), FileError> {
        self.lock.check(&self.folder)?;
        self.folder.remove(&self.name(&kept.peer, Place::Kept(kept.session)).to_string())
    }

    /// The link files of the same side that have another owner, sorted by name: a server that comes back
    /// under another name has other links, and says here what the old ones still hold.
    ///
    /// Nothing is written or locked. If such an owner is running, its count is that of a moment.
    pub fn others(&self) -> Result<Vec<OtherFile>, FileError> {
        let mut others = Vec::new();
        for name in self.folder.link_names(&role_prefix(self.role()))? {
            if name.owner != *self.owner() {
                others.extend(self.other_file(name));
            }
        }
        Ok(others)
    }

    /// `None` if the file is unfinished, or gone by now.
    fn other_file(&self, name: LinkName) -> Option<OtherFile> {
        let path = self.folder.path_of(&name.to_string());
        let undelivered = self.other_undelivered(&name).transpose()?;
        Some(OtherFile { owner: name.owner, peer: name.peer, path, undelivered })
    }

    fn other_undelivered(&self, name: &LinkName) -> Result<Option<Undelivered>, FileError> {
        /// A running owner may replace a frame while it is being read, which looks like damage. Damage that
        /// was seen so many times in a row is taken for damage.
        const LOOKS: usize = 3;
        let text = name.to_string();
        if self.folder.is_empty_file(&text)? {
            return Ok(None);
        }
        let Some(file) = self.folder.open_file(&text, Access::Read)? else { return Ok(None) };
        let looked =
            (1..LOOKS).fold(image::survey(&file), |looked, _| looked.or_else(|_| image::survey(&file)));
        match looked {
            // Whatever session a prepared file says: it may be the old one of an interrupted switch.
            Ok(survey) if name.describes_link(survey.header()) => Ok(Some(survey.undelivered())),
            Ok(survey) => Err(self.foreign(name, survey.header())),
            Err(error) if error.is_unfinished() => Ok(None),
            Err(error) => Err(self.image_error(name, error)),
        }
    }

    pub(crate) fn kept_file(&self, peer: &Name, session: SessionId) -> Kept {
        let name = self.name(peer, Place::Kept(session));
        Kept {
            peer: peer.clone(),
            session,
            path: self.folder.path_of(&name.to_string()),
            undelivered: self.undelivered(&name),
        }
    }

    fn undelivered(&self, name: &LinkName) -> Result<Undelivered, FileError> {
        let text = name.to_string();
        match self.folder.open_file(&text, Access::Read)? {
            Some(file) => self.survey(name, &file).map(|survey| survey.undelivered()),
            None => Err(FileError::Missing { path: self.folder.path_of(&text) }),
        }
    }
}
