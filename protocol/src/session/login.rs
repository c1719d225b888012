//! A session at login: what it shows, and what it stores in which order.

use std::time::Instant;

use super::Session;
use super::carrier::{Attached, Start};
use crate::header::Header;
use crate::id::{AttachmentId, Nonce};
use crate::liveness::Timing;
use crate::login::{Carrier, Confirm, Holding, Outcome, Ready, Record, UserData};
use crate::position::{Position, Standing};
use crate::reader::Reader;
use crate::storage::Storage;

/// What a server adds to an accepted login.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Whether the session goes on or is new.
    pub outcome: Outcome,
    /// 64 fresh random bits.
    pub attachment: AttachmentId,
    /// 64 fresh random bits.
    pub nonce: Nonce,
    /// What carries the session from here on.
    pub carrier: Carrier,
    /// For the client's application.
    pub user_data: UserData,
    /// How the connection is timed.
    pub timing: Timing,
}

/// The two sides cannot be the two ends of one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginFault {
    /// One side has consumed what the other cannot have sent, or less than the other knows of.
    #[error("the positions of the two sides do not fit: mine {mine:?}, the peer's {yours:?}")]
    Positions {
        /// How far this side has come.
        mine: Standing,
        /// How far the peer says it has come.
        yours: Standing,
    },
    /// The login is about another session than this one.
    #[error("the login is about another session")]
    OtherSession,
    /// Shared memory was granted, and the caller has no view of the peer's file, or one of an earlier login.
    #[error(
        "shared memory was granted, and there is no view of the peer's link file that was proved for this login"
    )]
    NoView,
    /// This side was given messages that the peer cannot have sent.
    #[error("messages up to position {delivered} were delivered, and the peer says it sent up to {sent}")]
    Delivered {
        /// Up to where the peer's stream was delivered.
        delivered: Position,
        /// Up to where the peer can have sent.
        sent: Position,
    },
    /// The peer says it consumed up to the middle of a message.
    #[error("the peer says it consumed up to position {consumed}, which is not the end of a message")]
    InsideFrame {
        /// The position.
        consumed: Position,
    },
}

impl<S: Storage> Session<S> {
    /// What a server decides by. `shown` is how much of this side's stream the client says it has
    /// consumed, [`Position::ZERO`] if it shows an unconfirmed session.
    pub fn record(&self, shown: Position) -> Record {
        Record {
            session: self.id(),
            current: self.queue.current(),
            previous: self.queue.previous(),
            previous_sent: self.queue.previous_sent(),
            standing: self.standing(),
            delivered: self.lending.delivered,
            lands_on_frame: self.queue.lands_on_frame(shown),
        }
    }

    /// A client is about to show this session in a Confirm: stores whether it may sleep, and a fresh nonce, 64
    /// random bits, and returns what to show; `None` of an unconfirmed session.
    pub fn show(&mut self, nonce: Nonce) -> Option<Holding> {
        self.park_for_login();
        self.queue.store_nonce(nonce);
        self.told = self.queue.consumed();
        let attachment = self.queue.current()?;
        Some(Holding { session: self.id(), attachment, standing: self.standing() })
    }

    /// A server accepts `confirm` for this session, ends any older connection's hold on it, and attaches
    /// the new one.
    ///
    /// Stored, in this order: whether it may sleep, the nonce, the attachment that the client showed and what it can have seen at it,
    /// the new attachment, the acknowledgement in `confirm`. Killed anywhere in between, the next login of the same client
    /// resumes: it is still at the attachment it showed.
    pub fn accept(&mut self, now: Instant, confirm: &Confirm, grant: Grant) -> Result<Ready, LoginFault> {
        let shown = confirm.held.filter(|held| held.session == self.id());
        let proposed = confirm.proposed.filter(|proposed| proposed.session == self.id());
        if shown.is_none() && proposed.is_none() && !zoo!(OtherSessionAttached) {
            return Err(LoginFault::OtherSession);
        }
        let standing = shown.map_or(Standing::START, |held| held.standing);
        // What was sent before: what this connection is about to show is no proof of the past, nor is what went
        // out on one whose Ready the client never had.
        let mine =
            shown.map_or(self.standing(), |held| self.record(Position::ZERO).standing_at(held.attachment));
        self.check_standing(mine, &standing)?;
        self.attached = None;
        self.park_for_login();
        self.queue.store_nonce(grant.nonce);
        let shown = shown.map(|held| held.attachment);
        let previous = if zoo!(PreviousFromOldCurrent) { self.queue.current() } else { shown };
        if zoo!(AttachmentsInWrongOrder) {
            self.queue.store_attachment(grant.attachment);
        }
        self.queue.store_previous(previous, mine.sent);
        self.queue.store_attachment(grant.attachment);
        self.told = self.queue.consumed();
        let mapped = (grant.carrier == Carrier::Shm).then_some(confirm.nonce);
        self.attach(now, standing.consumed, &grant.timing, true, mapped);
        let mine = if zoo!(ReadyTellsTheFuture) { self.standing() } else { mine };
        Ok(Ready {
            outcome: grant.outcome,
            session: self.id(),
            standing: mine,
            attachment: grant.attachment,
            carrier: grant.carrier,
            nonce: grant.nonce,
            user_data: grant.user_data,
        })
    }

    /// A client's login was accepted: checks that the server's positions fit, stores the attachment and
    /// attaches the connection. On an error nothing was stored.
    ///
    /// It must be the answer to what [`Session::show`] gave last.
    pub fn establish(&mut self, now: Instant, ready: &Ready, timing: &Timing) -> Result<(), LoginFault> {
        if ready.session != self.id() && !zoo!(OtherSessionAttached) {
            return Err(LoginFault::OtherSession);
        }
        if zoo!(StoredBeforeChecked) {
            self.queue.store_attachment(ready.attachment);
        }
        self.check_standing(self.standing(), &ready.standing)?;
        self.queue.store_attachment(ready.attachment);
        let mapped = (ready.carrier == Carrier::Shm).then_some(ready.nonce);
        self.attach(now, ready.standing.consumed, timing, false, mapped);
        Ok(())
    }

    fn check_standing(&self, mine: Standing, yours: &Standing) -> Result<(), LoginFault> {
        if !mine.agrees_with(yours) {
            return Err(LoginFault::Positions { mine, yours: *yours });
        }
        // What was delivered is skipped when it is sent again, so it must be something that was sent.
        let (delivered, sent) = (self.lending.delivered, yours.sent);
        if delivered > sent && !zoo!(DeliveredNotCompared) {
            return Err(LoginFault::Delivered { delivered, sent });
        }
        if !self.queue.lands_on_frame(yours.consumed) {
            return Err(LoginFault::InsideFrame { consumed: yours.consumed });
        }
        Ok(())
    }

    /// The stream that follows counts from what each side was told the other has consumed, and that is
    /// an acknowledgement too. Over shared memory, where the peer's file holds the nonce `mapped`, the next
    /// message is the one behind the last that was delivered: those before may be gone already.
    fn attach(
        &mut self,
        now: Instant,
        peer_consumed: Position,
        timing: &Timing,
        unproven: bool,
        mapped: Option<Nonce>,
    ) {
        self.queue.stop_writing();
        if peer_consumed > self.queue.acked() {
            self.queue.acknowledge(peer_consumed);
        }
        match mapped {
            Some(_) => self.queue.show(),
            None => self.queue.set_writing(peer_consumed),
        }
        let Header { session, role, incoming, .. } = self.header;
        let delivered = if zoo!(ReaderStartsAtTold) { self.told } else { self.lending.delivered };
        let reader = mapped.map(|nonce| Reader::new(session, role.other(), incoming, delivered, nonce));
        // The client speaks first and at once: its frame ends the server's doubt about the attachment.
        let start = Start { peer_consumed, told: self.told, unproven, greet: !unproven, reader };
        self.attached = Some(Attached::new(now, &self.header, timing, start));
        self.logins += 1;
    }
}
