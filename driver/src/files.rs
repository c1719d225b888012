//! The link files of a driver, to look at and to clear away.

use std::path::Path;

use tcpshm_protocol::{Name, Survey};
use tcpshm_shm::{FileError, Kept, LinkDirectory, OtherFile};

/// What a host may do with the link files of its server or client. What would get in the way of the
/// sessions that use them is left out.
#[derive(Clone, Copy, Debug)]
pub struct Files<'d> {
    directory: &'d LinkDirectory,
}

impl<'d> Files<'d> {
    pub(crate) fn new(directory: &'d LinkDirectory) -> Self {
        Self { directory }
    }

    /// The directory, as it was named.
    pub fn path(&self) -> &'d Path {
        self.directory.path()
    }

    /// The peers that there is a link file for, sorted.
    pub fn links(&self) -> Result<Vec<Name>, FileError> {
        self.directory.links()
    }

    /// What the link's file holds; `None` if there is none. Changes nothing.
    pub fn look(&self, peer: &Name) -> Result<Option<Survey>, FileError> {
        self.directory.look(peer)
    }

    /// The files kept aside by resets, of one peer or of all, sorted by name.
    pub fn kept(&self, peer: Option<&Name>) -> Result<Vec<Kept>, FileError> {
        self.directory.kept(peer)
    }

    /// Removes a file kept aside: the application is done with what is in it.
    pub fn release(&self, kept: &Kept) -> Result<(), FileError> {
        self.directory.release(kept)
    }

    /// The link files of the same side under other names than this one: what an earlier name left.
    pub fn others(&self) -> Result<Vec<OtherFile>, FileError> {
        self.directory.others()
    }
}
