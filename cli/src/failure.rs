//! Why a subcommand could not do what it was asked for.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tcpshm_driver::{FileError, SendError, SessionId, SetupError};

use crate::arguments::{BAD_ANSWER, FAILED, STOPPED, USAGE};

/// One line for a person, and an exit status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for what cannot be; clap did not notice.
    #[error("{0}")]
    Usage(&'static str),
    /// Messages that no link of this tool takes.
    #[error("messages of {size} bytes are too large: a link takes up to {largest}")]
    TooLarge {
        /// Bytes asked for.
        size: usize,
        /// Bytes of the largest payload.
        largest: u32,
    },
    /// Messages that have no room for what they must say.
    #[error("messages of {size} bytes are too small: {least} are needed")]
    TooSmall {
        /// Bytes asked for.
        size: usize,
        /// Bytes needed.
        least: usize,
    },
    /// Nothing came back.
    #[error("no answer from {address} for {waited:.1?}: {why}")]
    NoAnswer {
        /// Who should have answered.
        address: SocketAddr,
        /// For how long.
        waited: Duration,
        /// What was last heard of why.
        why: String,
    },
    /// A message that a link will never take.
    #[error("sending: {0}")]
    Send(#[source] SendError),
    /// A signal came before there was anything to say.
    #[error("stopped")]
    Stopped,
    /// An input is shorter than what of it was sent.
    #[error(
        "the input has {missing} bytes less than an interrupted run has sent of it: it was changed; --restart sends it from the start"
    )]
    InputShrank {
        /// How many.
        missing: u64,
    },
    /// A file that was being sent was replaced, or one that was not the last has grown.
    #[error(
        "an interrupted run had sent {bytes} bytes of {files}, and these are not what they were: nobody can tell where it stood; --restart sends all"
    )]
    InputChanged {
        /// Which.
        files: String,
        /// Up to where.
        bytes: u64,
    },
    /// The last run with these names was interrupted in another input.
    #[error(
        "a run that was interrupted had sent {bytes} bytes of {files}: send the rest of that first, or forget it with --restart"
    )]
    OtherInput {
        /// Which.
        files: String,
        /// Up to where.
        bytes: u64,
    },
    /// The link has another session than the one that the beginning of the input went to.
    #[error(
        "the link began anew (session {session}) when {bytes} bytes of the input were sent: the other side has consumed an unknown part of them; --restart sends all"
    )]
    BeganAnew {
        /// The session there is now.
        session: SessionId,
        /// Up to where the input was sent.
        bytes: u64,
    },
    /// An input that should be an export.
    #[error(
        "byte {byte} of the input begins no line of an export: {{\"kind\": 1 to 65535, \"hex\": \"...\"}} and more; {}",
        match sent {
            Some(messages) => format!("the {messages} messages before it are committed"),
            None => format!("nothing was sent; for what stands before it: head -c {byte} FILE | tcpshm replay ..."),
        }
    )]
    NotExported {
        /// Where the line begins.
        byte: u64,
        /// Messages that were committed.
        sent: Option<u64>,
    },
    /// An export that was cut, or put together wrong, before anything of it was sent.
    #[error(
        "the input says it has {promised} messages and has {messages}: nothing was sent; for what there is: cat FILE | tcpshm replay ..."
    )]
    Cut {
        /// By its first line.
        promised: u64,
        /// Found.
        messages: u64,
    },
    /// The link carried something else since the last run was interrupted.
    #[error(
        "a run that was interrupted had sent {bytes} bytes of {files}, and its link has carried other messages since: nobody can tell where it stood; --restart sends all"
    )]
    LinkMoved {
        /// Which files.
        files: String,
        /// Up to where.
        bytes: u64,
    },
    /// An export that was cut, or put together wrong.
    #[error(
        "the input says it has {promised} messages and has {messages}: it is not the whole export; all of it was sent and consumed"
    )]
    Incomplete {
        /// By its first line.
        promised: u64,
        /// Found.
        messages: u64,
    },
    /// Something that is no file.
    #[error("{}: not a regular file", path.display())]
    NotRegular {
        /// What.
        path: PathBuf,
    },
    /// A file with no header to go by.
    #[error("{line}")]
    NoLinkFile {
        /// Which, and why.
        line: String,
    },
    /// A server or a client could not be made.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A link file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
    /// A call failed that should not.
    #[error("{doing}: {source}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A call failed on a file.
    #[error("{}: {source}", path.display())]
    Path {
        /// Which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl Failure {
    /// For `map_err`.
    pub(crate) fn call(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Failure::Call { doing, source }
    }

    /// For `map_err`.
    pub(crate) fn path(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Failure::Path { path, source }
    }

    /// The reader of standard output has had enough: no failure of ours.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What the process ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::TooLarge { .. } | Failure::TooSmall { .. } => USAGE,
            Failure::Stopped => STOPPED,
            Failure::NoLinkFile { .. }
            | Failure::Incomplete { .. }
            | Failure::NotExported { .. }
            | Failure::Cut { .. } => BAD_ANSWER,
            _ => FAILED,
        }
    }
}
