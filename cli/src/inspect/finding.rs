//! What a look at a link file came to.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tcpshm_driver::boot_id;
use tcpshm_driver::protocol::{FramePlace, Memory, Published, Role, Snapshot};
use tcpshm_driver::shm::LinkName;
use tcpshm_support::screen::grouped;

use crate::look::{Holder, LinkFile, Locks, LookError};
use crate::units::counted;

/// One file.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: PathBuf,
    pub(crate) verdict: Verdict,
    /// Why it is not sound.
    pub(crate) reason: Option<String>,
    pub(crate) holder: Holder,
    /// `None` where there is not even a header.
    pub(crate) seen: Option<Seen>,
}

/// What to think of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Sound,
    Damaged,
    /// Whoever made it was interrupted, or goes on.
    Unfinished,
    /// Nobody knows: it cannot be read.
    Unreadable,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verdict::Sound => "sound",
            Verdict::Damaged => "damaged",
            Verdict::Unfinished => "unfinished",
            Verdict::Unreadable => "unreadable",
        }
    }
}

/// What it holds.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) snapshot: Snapshot,
    copy: Memory,
}

/// When the machine was started that a file was last attached on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boot {
    This,
    Other,
    Unknown,
}

impl Finding {
    pub(crate) fn of(file: &LinkFile, (snapshot, copy): (Snapshot, Memory)) -> Self {
        let reason = match &snapshot.survey {
            Err(error) => Some(error.to_string()),
            Ok(_) => misplaced(file.path(), &snapshot),
        };
        let verdict = if reason.is_some() { Verdict::Damaged } else { Verdict::Sound };
        let path = file.path().to_owned();
        Self { path, verdict, reason, holder: holder(file), seen: Some(Seen { snapshot, copy }) }
    }

    /// Of a file without a header.
    pub(crate) fn nothing(file: &LinkFile, error: &LookError) -> Self {
        let prepared = file.path().extension().is_some_and(|extension| extension == "new");
        let verdict = if error.is_unfinished(prepared) { Verdict::Unfinished } else { Verdict::Damaged };
        let reason = Some(error.to_string());
        Self { path: file.path().to_owned(), verdict, reason, holder: holder(file), seen: None }
    }

    /// Of a file that cannot be read.
    pub(crate) fn unreadable(path: &Path, reason: String) -> Self {
        let (verdict, holder) = (Verdict::Unreadable, Holder::Unknown);
        Self { path: path.to_owned(), verdict, reason: Some(reason), holder, seen: None }
    }

    /// The verdict.
    pub(crate) fn in_one_line(&self) -> String {
        let (path, verdict) = (self.path.display(), self.verdict.name());
        match (&self.reason, &self.seen) {
            (Some(reason), _) => format!("{path}: {verdict}: {reason}"),
            (None, Some(seen)) => {
                let waiting = counted(seen.snapshot.frames.len() as u64, "message");
                format!("{path}: {verdict}, {waiting} not delivered")
            }
            (None, None) => format!("{path}: {verdict}"),
        }
    }
}

impl Seen {
    #[cfg(any(test, fuzzing))]
    pub(crate) fn new(snapshot: Snapshot, copy: Memory) -> Self {
        Self { snapshot, copy }
    }

    pub(crate) fn payload(&self, frame: &FramePlace) -> &[u8] {
        self.copy.bytes(frame.payload.start, frame.payload.len())
    }

    /// Where the last frame ends that is known.
    pub(crate) fn committed(&self) -> u64 {
        let last = self.snapshot.frames.last().map(|frame| {
            frame.position.get().saturating_add((frame.payload.len() as u64 + 16).next_multiple_of(8))
        });
        last.unwrap_or(self.snapshot.words.acked)
    }

    /// Bytes of frames that are not known to have been consumed.
    pub(crate) fn undelivered_bytes(&self) -> u64 {
        self.committed().saturating_sub(self.snapshot.words.acked)
    }

    /// Whether `other` is the file of the other side of this very session.
    pub(crate) fn is_faced_by(&self, other: &Seen) -> bool {
        let [own, other] = [&self.snapshot.header, &other.snapshot.header];
        own.session == other.session && own.role != other.role
    }

    /// Messages and bytes of frames that the other side has not consumed, by its own file if that is here: over shared
    /// memory an owner looks it up only when it has to.
    pub(crate) fn waiting(&self, other: Option<&Seen>) -> (u64, u64) {
        let told = other.filter(|other| self.is_faced_by(other)).map_or(0, Seen::consumed);
        let from = told.max(self.snapshot.words.acked).min(self.committed());
        let messages = self.snapshot.frames.iter().filter(|frame| frame.position.get() >= from).count();
        (messages as u64, self.committed() - from)
    }

    /// How much of the peer's stream the owner has consumed.
    pub(crate) fn consumed(&self) -> u64 {
        let told = self.snapshot.survey.as_ref().map(|survey| survey.standing().consumed.get());
        told.unwrap_or(self.snapshot.words.consumed)
    }

    pub(crate) fn boot(&self) -> Boot {
        match (boot_id(), self.snapshot.words.boot) {
            (_, 0) | (None, _) => Boot::Unknown,
            (Some(this), noted) if this.get() == noted => Boot::This,
            _ => Boot::Other,
        }
    }

    /// `client desk, to server exchange`.
    pub(crate) fn link(&self) -> String {
        let header = &self.snapshot.header;
        let [own, other] = match header.role {
            Role::Client => ["client", "server"],
            Role::Server => ["server", "client"],
        };
        format!("{own} {}, to {other} {}", header.owner, header.peer)
    }

    /// The frames as text, `limit` of them.
    pub(crate) fn progress(&self) -> String {
        let words = &self.snapshot.words;
        format!(
            "{} bytes of frames, of which {} are acknowledged",
            grouped(self.committed()),
            grouped(words.acked)
        )
    }
}

fn holder(file: &LinkFile) -> Holder {
    file.identity().map_or(Holder::Unknown, |identity| Locks::read().holder(identity))
}

/// Whether it has the name of another link's file. Names that are none of a link file say nothing.
fn misplaced(path: &Path, snapshot: &Snapshot) -> Option<String> {
    let name = LinkName::parse(path.file_name()?.as_bytes())?;
    let header = &snapshot.header;
    let other = !name.describes_link(header);
    other.then(|| {
        format!("it belongs to the link of {} with {}, under another name", header.owner, header.peer)
    })
}
