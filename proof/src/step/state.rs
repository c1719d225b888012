//! What recovery finds of a link: the same words for what must be there and for what is.

use std::fmt;

use crate::world::message::Message;

/// Both sides' directories after recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The client's files.
    pub client: SideState,
    /// The server's files.
    pub server: SideState,
}

/// What one side finds when it starts.
#[derive(Clone, PartialEq, Eq)]
pub struct SideState {
    /// The link's own file.
    pub main: Option<FileState>,
    /// A session that was never confirmed, to be shown again.
    pub proposed: Option<u128>,
    /// Sessions kept aside, and how many messages each still owes.
    pub kept: Vec<(u128, u64)>,
}

/// What a link file holds.
#[derive(Clone, PartialEq, Eq)]
pub struct FileState {
    /// Of which session.
    pub session: u128,
    /// The last login.
    pub attachment: u64,
    /// How many messages its owner has sent and forgotten.
    pub freed: usize,
    /// The messages that it keeps.
    pub pending: Vec<Message>,
    /// How many of the peer's messages its owner has consumed.
    pub consumed: usize,
}

impl fmt::Debug for SideState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[main {:?}, proposed {:?}, kept {:?}]", self.main, self.proposed, self.kept)
    }
}

impl fmt::Debug for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, attachment, freed, pending, consumed } = self;
        write!(f, "session {session} at {attachment:#x}: {freed} freed, {pending:?}, {consumed} consumed")
    }
}
