//! From one session's file to the next, and what a kill in between leaves behind.
//!
//! A switch is one exchange of names and one renaming, each of them a single step of the file system:
//!
//! ```text
//!                     LINK     LINK.new-id.new     LINK.old-id.kept
//!   before            old      new
//!   exchanged         new      old                                     the link has its new file
//!   kept aside        new                          old
//! ```
//!
//! What stands in between is told by the headers alone: a `.new` file that names another session than its
//! name does is the old file of a finished exchange. So every state leads on, and none back.

use tcpshm_protocol::{Name, Role, SessionId, Survey};

use crate::directory::LinkDirectory;
use crate::error::FileError;
use crate::folder::Access;
use crate::image;
use crate::keep::Kept;
use crate::names::{LinkName, Place};

/// What [`LinkDirectory::settle`] found to do. All empty if nothing was interrupted.
#[derive(Debug, Default)]
pub struct Settled {
    /// Prepared files that nobody can have relied on; they held nothing, and were removed.
    pub removed: Vec<SessionId>,
    /// Sessions whose login was completed and whose file is now the link's.
    pub switched: Vec<SessionId>,
    /// Files of earlier sessions that were kept aside.
    pub kept: Vec<Kept>,
}

impl Settled {
    /// Whether nothing was interrupted.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.switched.is_empty() && self.kept.is_empty()
    }
}

/// What a `.new` file is.
#[derive(Debug)]
pub(crate) enum Proposal {
    /// Its making was interrupted.
    Unfinished,
    /// The old file of a finished exchange, of this session.
    Replaced(SessionId),
    /// A fresh session whose login was completed on this side.
    Confirmed,
    /// A fresh session whose login was not.
    Unconfirmed(Box<Survey>),
}

impl LinkDirectory {
    /// Makes the prepared file of `session`, whose login was completed, the link's file. The file it
    /// replaces is kept aside and returned, never overwritten or removed.
    ///
    /// A failure before the exchange changes nothing. After one behind it, calling this again or
    /// [`settle`](LinkDirectory::settle) finishes the job.
    pub fn switch(&self, peer: &Name, session: SessionId) -> Result<Option<Kept>, FileError> {
        self.lock.check(&self.folder)?;
        let path = || self.folder.path_of(&self.name(peer, Place::Proposed(session)).to_string());
        match self.proposal(peer, session)? {
            None => Err(FileError::Missing { path: path() }),
            Some(Proposal::Unfinished | Proposal::Unconfirmed(_)) => {
                Err(FileError::Unconfirmed { path: path() })
            }
            Some(Proposal::Replaced(old)) => self.keep_aside(peer, session, old).map(Some),
            Some(Proposal::Confirmed) => self.promote(peer, session),
        }
    }

    /// Finishes what a kill interrupted in the files of this link. Call it before looking at the link, and
    /// not while a session has one of its prepared files open.
    ///
    /// Called again, also after being interrupted itself, it goes on where it stopped; once it has
    /// succeeded there is nothing left to do.
    pub fn settle(&self, peer: &Name) -> Result<Settled, FileError> {
        self.lock.check(&self.folder)?;
        let mut settled = Settled::default();
        for session in self.prepared(peer)? {
            self.settle_one(peer, session, &mut settled)?;
        }
        Ok(settled)
    }

    fn settle_one(&self, peer: &Name, session: SessionId, settled: &mut Settled) -> Result<(), FileError> {
        let remove = |settled: &mut Settled| {
            self.folder.remove(&self.name(peer, Place::Proposed(session)).to_string())?;
            settled.removed.push(session);
            Ok(())
        };
        match self.proposal(peer, session)? {
            // Killed in `create`. Nobody was told of a session whose file was not whole, and nothing can be
            // in it.
            Some(Proposal::Unfinished) => remove(settled),
            Some(Proposal::Replaced(_)) if zoo!(SwitchLeftUnfinished) => Ok(()),
            // Killed between the two steps of a switch.
            Some(Proposal::Replaced(old)) => {
                settled.kept.push(self.keep_aside(peer, session, old)?);
                Ok(())
            }
            // Killed before a switch. This side stored the attachment, so the peer may rely on the session:
            // a server answers, and a client transmits, only after that store.
            Some(Proposal::Confirmed) => {
                settled.kept.extend(self.promote(peer, session)?);
                settled.switched.push(session);
                Ok(())
            }
            // A server makes a file only once it has accepted a login, and stores the attachment before it
            // answers. Without one no answer has left, and the client still has its own file to show.
            Some(Proposal::Unconfirmed(_)) if self.role() == Role::Server => remove(settled),
            // A client's is the session it may have proposed, and that a server may have accepted with an
            // answer that was lost. It is shown again at the next login, which decides.
            Some(Proposal::Unconfirmed(_)) | None => Ok(()),
        }
    }

    /// What the `.new` file for `session` is; `None` if there is none.
    pub(crate) fn proposal(&self, peer: &Name, session: SessionId) -> Result<Option<Proposal>, FileError> {
        let name = self.name(peer, Place::Proposed(session));
        let text = name.to_string();
        if self.folder.is_empty_file(&text)? {
            return Ok(Some(Proposal::Unfinished));
        }
        let Some(file) = self.folder.open_file(&text, Access::Read)? else { return Ok(None) };
        let header = match image::header(&file) {
            Ok(header) => header,
            Err(error) if error.is_unfinished() => return Ok(Some(Proposal::Unfinished)),
            Err(error) => return Err(self.image_error(&name, error)),
        };
        if !name.describes_link(&header) {
            return Err(self.foreign(&name, &header));
        }
        if header.session != session {
            return Ok(Some(Proposal::Replaced(header.session)));
        }
        let survey = self.survey(&name, &file)?;
        Ok(Some(match survey.current() {
            Some(_) => Proposal::Confirmed,
            None => Proposal::Unconfirmed(Box::new(survey)),
        }))
    }

    /// The sessions that there is a `.new` file for.
    pub(crate) fn prepared(&self, peer: &Name) -> Result<Vec<SessionId>, FileError> {
        let main = self.name(peer, Place::Main).to_string();
        let session = |name: LinkName| match name.place {
            Place::Proposed(session) if name.peer == *peer => Some(session),
            _ => None,
        };
        Ok(self.folder.link_names(&main)?.into_iter().filter_map(session).collect())
    }

    /// Gives a confirmed file the link's name, and keeps the file that has it now.
    fn promote(&self, peer: &Name, session: SessionId) -> Result<Option<Kept>, FileError> {
        let main = self.name(peer, Place::Main);
        let proposed = self.name(peer, Place::Proposed(session)).to_string();
        let Some(old) = self.header(&main)? else {
            self.folder.rename(&proposed, &main.to_string())?;
            return Ok(None);
        };
        if old.session == session {
            return Err(FileError::SameSession { path: self.folder.path_of(&proposed) });
        }
        // Looked for before the exchange, so that a switch that cannot be finished is not begun.
        let kept = self.name(peer, Place::Kept(old.session)).to_string();
        if self.folder.identity(&kept)?.is_some() && !zoo!(KeptFileOverwritten) {
            return Err(FileError::KeptExists { path: self.folder.path_of(&kept) });
        }
        self.folder.exchange(&proposed, &main.to_string())?;
        self.keep_aside(peer, session, old.session).map(Some)
    }

    /// Gives the old file of a finished exchange, now at the `.new` name of `session`, its kept name.
    pub(crate) fn keep_aside(
        &self,
        peer: &Name,
        session: SessionId,
        old: SessionId,
    ) -> Result<Kept, FileError> {
        let proposed = self.name(peer, Place::Proposed(session)).to_string();
        let kept = self.name(peer, Place::Kept(old));
        match self.folder.rename(&proposed, &kept.to_string()) {
            Err(FileError::Exists { path }) => Err(FileError::KeptExists { path }),
            renamed => renamed.map(|()| self.kept_file(peer, old)),
        }
    }
}
