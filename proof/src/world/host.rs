//! How a process behaves, and what it is told.

use tcpshm_protocol::login::{Outcome, RefusalCode, Silence};
use tcpshm_protocol::{
    CloseReason, Geometry, InboundFault, Limits, LoginFault, ProtocolError, Stalled, TimedOut, Undelivered,
    ViewFault,
};

/// What an application does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// Consumes it.
    Consume,
    /// Sends it back and consumes it, in one.
    Echo,
    /// Keeps it for later.
    Hold,
    /// Forgets it.
    Drop,
    /// Dies over it, before it is consumed.
    Die,
}

/// What a side makes of a peer with another history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Begin anew, keeping the old file aside.
    Fresh,
    /// Refuse.
    Strict,
}

/// Something that an application would be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A login was completed.
    Connected(Outcome),
    /// A login was refused, by either side.
    Refused(RefusalCode),
    /// What the server said does not fit this side's link file.
    Misfit(LoginFault),
    /// The peer's file is not the memory that the peer writes; `None` if there is no such file.
    NotShared(Option<ViewFault>),
    /// The login's bytes were none.
    BadLogin(String),
    /// The peer broke the protocol.
    Fault(ProtocolError),
    /// The peer ended the connection on purpose.
    Closed(CloseReason),
    /// The connection is gone.
    Disconnected,
    /// A newer login took over.
    Replaced,
    /// Nothing was heard for too long.
    TimedOut(TimedOut),
    /// Both sides wait for each other.
    Stalled(Stalled),
    /// There is room again.
    Writable,
    /// The link was reset; what this side's stream still owed, and the peer's as far as it is told.
    Reset {
        /// This side's; `None` if it had nothing.
        mine: Option<Undelivered>,
        /// The peer's.
        theirs: Option<Undelivered>,
    },
}

impl Note {
    /// Whether a login or a stream went wrong. That the peer has left the memory it shared is no more than
    /// the end of a connection.
    pub fn is_trouble(&self) -> bool {
        match self {
            Note::Fault(fault) => *fault != ProtocolError::Inbound(InboundFault::Left),
            Note::Refused(_)
            | Note::Misfit(_)
            | Note::NotShared(_)
            | Note::BadLogin(_)
            | Note::Reset { .. } => true,
            _ => false,
        }
    }
}

/// How a side is configured.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What it sends and takes.
    pub limits: Limits,
    /// How long it waits.
    pub silence: Silence,
    /// What it makes of a peer with another history.
    pub policy: Policy,
    /// Whether it sleeps on shared memory when nothing comes, and then looks at nothing until it is woken.
    pub sleeps: bool,
}

impl Configuration {
    /// Rings of `capacity` bytes both ways, messages of up to `largest`.
    pub fn new(capacity: u64, largest: u32) -> Self {
        let geometry = Geometry::new(capacity, largest).expect("a geometry");
        let limits = Limits { send: geometry, accept: geometry };
        Self { limits, silence: Silence::default(), policy: Policy::Fresh, sleeps: false }
    }
}
