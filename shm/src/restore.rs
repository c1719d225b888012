//! Making a link file again that somebody removed while its owner runs.

use tcpshm_protocol::SessionId;

use crate::directory::LinkDirectory;
use crate::error::FileError;
use crate::mapped_session::MappedSession;
use crate::names::Place;

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
        let (peer, id): (_, SessionId) = (&header.peer, header.session);
        let main = self.name(peer, Place::Main).to_string();
        if self.folder.identity(&main)?.is_some() {
            return Err(FileError::Replaced { path: self.folder.path_of(&main) });
        }
        // What an earlier attempt left: a whole copy, which may be older than the session by now.
        let prepared = self.name(peer, Place::Proposed(id)).to_string();
        self.folder.remove(&prepared)?;
        let file = self.folder.create_file(&prepared)?;
        let (mapped, identity) = self.reserve_and_map(&prepared, file, header.outgoing)?;
        session.move_to(mapped, identity, || self.folder.rename(&prepared, &main))
    }
}
