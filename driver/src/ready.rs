//! What an event says of a socket.

use mio::event::Event;

/// Readiness as it was when the event came about: by now it may be over, or of an earlier socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The stream has ended or failed, in either direction. Which one is found by reading and writing.
    pub(crate) ended: bool,
}

impl Ready {
    pub(crate) fn of(event: &Event) -> Self {
        let ended = event.is_error() || event.is_read_closed() || event.is_write_closed();
        Self { readable: event.is_readable() || ended, writable: event.is_writable() || ended, ended }
    }
}
