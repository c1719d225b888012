//! Making a link file again that somebody removed while its owner runs.

use crate::directory::LinkDirectory;
use crate::error::FileError;
use crate::mapped_session::MappedSession;
use crate::names::Place;
use crate::settle::Proposal;

impl LinkDirectory {
    /// Gives a link without a connection its file back: writes what is mapped into a new one, and the session
    /// goes on there. A kill in between leaves a prepared file that
    /// [`settle`](LinkDirectory::settle) takes for what it is, the file of a session whose login was completed.
    ///
    /// Refused with [`FileError::Replaced`] if another file has its name: that one is somebody's, and a person
    /// has to say whose.
    pub fn restore(&self, session: &mut MappedSession) -> Result<(), FileError> {
        self.lock.check(&self.folder)?;
        let header = session.header().clone();
        let (peer, id) = (&header.peer, header.session);
        let main = self.name(peer, Place::Main).to_string();
        if session.is_attached() {
            return Err(FileError::Attached { path: self.folder.path_of(&main) });
        }
        if self.folder.identity(&main)?.is_some() {
            return Err(FileError::Replaced { path: self.folder.path_of(&main) });
        }
        let prepared = self.name(peer, Place::Proposed(id)).to_string();
        match self.proposal(peer, id)? {
            // The file of the session before this one, whose switch was interrupted.
            Some(Proposal::Replaced(old)) if !zoo!(RestoreOverReplaced) => {
                self.keep_aside(peer, id, old)?;
            }
            // What an attempt left that was killed: it may be older than the session by now.
            _ => {
                self.folder.remove(&prepared)?;
            }
        }
        let file = self.folder.create_file(&prepared)?;
        let copied = self.reserve_and_map(&prepared, file, header.outgoing).and_then(|(mapped, identity)| {
            session.move_to(mapped, identity, || self.folder.rename(&prepared, &main))
        });
        copied.inspect_err(|_| {
            // A copy that stays would be taken for the link's file, without what is committed from here on. The
            // error to report is the first one.
            let _ = if zoo!(FailedCopyStays) { Ok(()) } else { self.folder.remove(&prepared) };
        })
    }
}
