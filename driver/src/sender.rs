//! Sending from other threads.

use std::fmt;
use std::time::{Duration, Instant};

use tcpshm_protocol::{Committed, Kind, Name};

use crate::mailbox::{Mailbox, NotAccepted, SendOutcome, TrySendError, deadline_in};
use crate::sync::{Arc, current, park_timeout};

/// Sends on one link from any thread. Clones share the link's mailbox.
///
/// A message goes into a mailbox in memory; the loop that owns the link moves it into the link file, in its own
/// turns, and wakes up for it if it sleeps. What one thread sends, over however many clones, keeps its order; what
/// different threads send, and what the owner sends itself, is interleaved.
///
/// * **Back-pressure.** The mailbox is bounded, see [`LinkConfig`](crate::LinkConfig). While the ring is full, or the link
///   is not established yet, messages wait there; once it is full, [`Sender::try_send`] says so with numbers.
/// * **Every accepted message has one outcome**, [`SendOutcome`], whether or not anybody waits for it: it is in the link
///   file, or it is known not to be.
/// * **A kill.** If the process is killed, a message whose outcome was [`SendOutcome::Committed`] is in the link file; of
///   one that had no outcome yet nobody knows.
/// * **Connections come and go**, and carriers change, without a sender noticing. While there is no connection, messages
///   are committed to the file, and go out with the next one.
/// * **A reset** gives up the messages of a session. What still waits in the mailbox is of no session yet: it goes into
///   the one that is current when it is committed, and [`Committed::session`] says which that was.
/// * **The end.** A driver that is shut down or dropped commits what its open sessions have room for. What is left is
///   [`NotAccepted::Ended`], and so is whatever is sent later.
///
/// ```
/// use std::time::Duration;
/// use tcpshm_driver::{Kind, SendOutcome, Sender, TrySendError};
///
/// fn quote(sender: &Sender, price: u64) -> Result<(), TrySendError> {
///     let ticket = sender.try_send(Kind::new(7).expect("not 0"), &price.to_le_bytes())?;
///     // It may be dropped: the message is sent all the same.
///     if let Some(SendOutcome::Committed(committed)) = ticket.try_outcome() {
///         let _ = committed.position();
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Sender {
    mailbox: Arc<Mailbox>,
}

impl Sender {
    pub(crate) fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self { mailbox: Arc::clone(mailbox) }
    }

    /// The other side of the link.
    pub fn peer(&self) -> &Name {
        self.mailbox.peer()
    }

    /// Leaves a message for the link's owner, or says at once why not. An error has changed nothing.
    pub fn try_send(&self, kind: Kind, payload: &[u8]) -> Result<Ticket, TrySendError> {
        Ok(self.ticket(self.mailbox.accept(kind, payload)?))
    }

    /// Leaves a message for the link's owner and waits until it is in the link file: for room in the mailbox, then for
    /// the outcome, both together no longer than `timeout`.
    ///
    /// Not for the thread that owns the link: it would wait for itself. It has [`Link::send`](crate::Link::send).
    pub fn send(&self, kind: Kind, payload: &[u8], timeout: Duration) -> Result<Committed, SendFailure> {
        let deadline = deadline_in(timeout);
        let slot = self.mailbox.accept_until(kind, payload, deadline).map_err(SendFailure::NotTaken)?;
        let mut ticket = self.ticket(slot);
        match ticket.wait_until(deadline) {
            Some(SendOutcome::Committed(committed)) => Ok(committed),
            Some(SendOutcome::NotAccepted(reason)) => Err(SendFailure::NotAccepted(reason)),
            None => Err(SendFailure::Pending(ticket)),
        }
    }

    fn ticket(&self, slot: usize) -> Ticket {
        Ticket { mailbox: Arc::clone(&self.mailbox), slot }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("peer", self.peer()).finish_non_exhaustive()
    }
}

/// Stands for one message that was accepted, until its outcome is of no more interest. Dropping it changes nothing
/// for the message.
pub struct Ticket {
    mailbox: Arc<Mailbox>,
    slot: usize,
}

impl Ticket {
    /// What became of the message, if that is known.
    pub fn try_outcome(&self) -> Option<SendOutcome> {
        self.mailbox.outcome(self.slot)
    }

    /// Waits until that is known, no longer than `timeout`. Not for the thread that owns the link.
    pub fn wait(&mut self, timeout: Duration) -> Option<SendOutcome> {
        self.wait_until(deadline_in(timeout))
    }

    // A ticket has one waiter at a time: hence `&mut`.
    fn wait_until(&mut self, deadline: Instant) -> Option<SendOutcome> {
        let mut outcome = self.mailbox.outcome_or_wake(self.slot, current());
        while outcome.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.mailbox.stop_waiting(self.slot);
            }
            // It may end for no reason, or for somebody else's.
            park_timeout(left);
            outcome = self.mailbox.outcome(self.slot);
        }
        outcome
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.try_outcome();
        f.debug_struct("Ticket").field("peer", self.mailbox.peer()).field("outcome", &outcome).finish()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.mailbox.release(self.slot);
    }
}

/// Why [`Sender::send`] did not return a position.
#[derive(Debug, thiserror::Error)]
pub enum SendFailure {
    /// It was not taken: too large, or there was no room until the time was over, or the sender has ended.
    #[error(transparent)]
    NotTaken(TrySendError),
    /// It was taken, and will not be in the link file.
    #[error(transparent)]
    NotAccepted(NotAccepted),
    /// It was taken, and when the time was over there was no outcome yet. The ticket still gets one.
    #[error("the message was taken and not committed in time")]
    Pending(Ticket),
}
