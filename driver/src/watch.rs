//! Whether the files of a running link are still where they belong. Off the hot path: a look now and then.

use tcpshm_shm::{FileError, LinkDirectory, MappedSession};

use crate::disconnected::Disconnected;
use crate::handler::Handler;

/// Looks whether the file of either side was removed or replaced. What is mapped stays mapped, so nothing is
/// lost by it, but the next process would not find it, nor would a peer.
pub(crate) fn missing(
    directory: &LinkDirectory,
    session: &MappedSession,
    app: &mut impl Handler,
) -> Option<Disconnected> {
    if zoo!(FilesNotWatched) {
        return None;
    }
    let peer = session.peer();
    match directory.is_in_place(peer, session.identity()) {
        Ok(true) => {}
        Ok(false) => return Some(Disconnected::FileGone { path: directory.path_of_link(peer) }),
        Err(error) => app.failed(peer, &error),
    }
    match directory.is_peer_in_place(peer, session.peer_file()?) {
        Ok(true) => {}
        Ok(false) => return Some(Disconnected::PeerFileGone { path: directory.path_of_peer(peer) }),
        Err(error) => app.failed(peer, &error),
    }
    None
}

/// Makes sure that a link that is not connected lies in the file that has its name: one that was removed is
/// made again, from what is mapped.
pub(crate) fn restore(directory: &LinkDirectory, session: &mut MappedSession) -> Result<(), FileError> {
    if directory.is_in_place(session.peer(), session.identity())? {
        return Ok(());
    }
    directory.restore(session)
}

/// A session is about to be closed, and its file is all that stays of it: one that was removed is made again.
/// Where that fails there is nobody left to tell.
pub(crate) fn leave(directory: &LinkDirectory, mut session: Box<MappedSession>) {
    if !zoo!(LostFileNotMadeAgain) {
        let _ = restore(directory, &mut session);
    }
}
