//! Numbers that a process would draw at random.

use tcpshm_protocol::{AttachmentId, Challenge, Nonce, ResetToken, SessionId};

use super::rules::Rules;

/// Where random numbers come from: none comes twice. That is all the code under test relies on, so two states
/// that differ in nothing but which numbers were drawn are one, see [`digest`](super::digest).
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    drawn: u64,
    sessions: u64,
    files: u8,
}

impl Ids {
    /// The first session and files 0 and 1 are there already.
    pub(crate) fn new() -> Self {
        Self { drawn: 0x1d00, sessions: 1, files: 1 }
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    pub(crate) fn nonce(&mut self) -> Nonce {
        Nonce::new(self.draw())
    }

    pub(crate) fn attachment(&mut self) -> AttachmentId {
        AttachmentId::new(self.draw()).expect("not 0")
    }

    pub(crate) fn challenge(&mut self) -> Challenge {
        Challenge::new(self.draw())
    }

    pub(crate) fn token(&mut self) -> ResetToken {
        ResetToken::new(self.draw().into()).expect("not 0")
    }

    pub(crate) fn session(&mut self) -> SessionId {
        self.sessions += 1;
        Rules::session(self.sessions)
    }

    /// So many sessions are there already.
    pub(crate) fn sessions_from(&mut self, known: u64) {
        self.sessions = known;
    }

    /// A file that nobody has mapped.
    pub(crate) fn file(&mut self) -> u8 {
        self.files += 1;
        self.files
    }
}
