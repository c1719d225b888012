//! A link's mailbox: where other threads leave messages for the one that owns the link's session.
//!
//! ```text
//!   any thread                       mailbox                            the owner's loop
//!   try_send ── copy, under a lock ──> [ incoming ] ── swap, one lock ──> [ taken ] ── send ──> link file
//!      └── if it was empty: ring ─────────────> bell ──> wakes the loop       │
//!   ticket  <── outcome ──────────── [ slots ] <───── one lock for many ──────┘
//! ```
//!
//! This directory names threads and locks through `crate::sync` only, so that a model can run it under every
//! interleaving.

mod batch;
pub(crate) mod bell;
mod delivery;
mod outcome;
mod slots;

use std::time::{Duration, Instant};

use tcpshm_protocol::{Kind, Name};

use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Thread};
use batch::Batch;
use slots::Slots;

pub(crate) use bell::{Bell, Wake};
pub(crate) use delivery::{Delivery, Sink, Standing};
pub use outcome::{Ended, NotAccepted, SendOutcome, TrySendError};

/// How much may wait for the owner of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// Shared by the senders of one link, their tickets and the owner of the link.
#[derive(Debug)]
pub(crate) struct Mailbox {
    peer: Name,
    bounds: Bounds,
    state: Mutex<State>,
    /// Told when there is room again, if somebody waits for it.
    room: Condvar,
}

/// Invariants, whenever the lock is free:
/// * `messages` and `bytes` count what was accepted and has no outcome, taken by the owner or not;
/// * what is in `incoming` was accepted behind all that the owner has taken;
/// * where `incoming` holds anything, the owner has been told, or `is_awaited` says that it will look anyway.
#[derive(Debug)]
struct State {
    incoming: Batch,
    slots: Slots,
    messages: usize,
    bytes: usize,
    /// Bytes of the largest payload that the link takes, as far as is known.
    largest: u32,
    /// Threads that wait for room.
    waiting: usize,
    /// Whether the owner will look of its own accord: it was told, or it has not got through what it has taken.
    is_awaited: bool,
    /// Whom to tell, and under which number.
    owner: Option<(Arc<Bell>, usize)>,
    ended: Option<Ended>,
}

/// An outcome that its ticket has not been told.
#[derive(Clone, Copy, Debug)]
struct Settled {
    slot: usize,
    len: usize,
    outcome: SendOutcome,
}

impl Mailbox {
    pub(crate) fn new(peer: Name, bounds: Bounds, largest: u32) -> Self {
        let state = State {
            incoming: Batch::default(),
            slots: Slots::default(),
            messages: 0,
            bytes: 0,
            largest,
            waiting: 0,
            is_awaited: false,
            owner: None,
            ended: None,
        };
        Self { peer, bounds, state: Mutex::new(state), room: Condvar::new() }
    }

    /// The other side of the link.
    pub(crate) fn peer(&self) -> &Name {
        &self.peer
    }

    // ---- senders ----

    /// Takes a message, or says why not. Returns the slot that its ticket stands for.
    pub(crate) fn accept(&self, kind: Kind, payload: &[u8]) -> Result<usize, TrySendError> {
        let state = self.lock();
        state.check(self.bounds, payload.len())?;
        Ok(Self::put(state, kind, payload))
    }

    /// The same, with a wait for room until `deadline`.
    pub(crate) fn accept_until(
        &self,
        kind: Kind,
        payload: &[u8],
        deadline: Instant,
    ) -> Result<usize, TrySendError> {
        let mut state = self.lock();
        while let Err(refused) = state.check(self.bounds, payload.len()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !matches!(refused, TrySendError::Full { .. }) {
                return Err(refused);
            }
            state.waiting += 1;
            state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        Ok(Self::put(state, kind, payload))
    }

    /// The lock is given up before the owner is told: it may be somebody's wake-up, which is a system call.
    fn put(mut state: MutexGuard<'_, State>, kind: Kind, payload: &[u8]) -> usize {
        let slot = state.slots.open();
        state.incoming.push(kind, payload, slot);
        state.messages += 1;
        state.bytes += payload.len();
        let told = std::mem::replace(&mut state.is_awaited, true);
        let owner = if told { None } else { state.owner.clone() };
        drop(state);
        if let Some((bell, number)) = owner {
            bell.ring(number);
        }
        slot
    }

    pub(crate) fn outcome(&self, slot: usize) -> Option<SendOutcome> {
        self.lock().slots.outcome(slot)
    }

    /// The outcome, or `waiter` is woken when there is one.
    pub(crate) fn outcome_or_wake(&self, slot: usize, waiter: Thread) -> Option<SendOutcome> {
        let mut state = self.lock();
        let outcome = state.slots.outcome(slot);
        state.slots.set_waiter(slot, Some(waiter).filter(|_| outcome.is_none()));
        outcome
    }

    /// Nobody waits any more. Returns what has come meanwhile.
    pub(crate) fn stop_waiting(&self, slot: usize) -> Option<SendOutcome> {
        let mut state = self.lock();
        state.slots.set_waiter(slot, None);
        state.slots.outcome(slot)
    }

    pub(crate) fn release(&self, slot: usize) {
        self.lock().slots.release(slot);
    }

    // ---- the owner ----

    /// From here on `bell` is told, under `number`, of this mailbox: at once, if something waits. One call moves a
    /// mailbox to another loop.
    pub(crate) fn point_to(&self, bell: &Arc<Bell>, number: usize) {
        let mut state = self.lock();
        if state.ended.is_some() {
            return;
        }
        state.owner = Some((Arc::clone(bell), number));
        let waits = state.is_awaited;
        drop(state);
        if waits {
            bell.ring(number);
        }
    }

    /// Whether something was accepted that has no outcome.
    pub(crate) fn holds_anything(&self) -> bool {
        self.lock().messages > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic is done under the lock half way, and what is left then is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a message of `len` bytes is taken now. An empty mailbox takes whatever the link takes, so that no
    /// choice of bounds makes a message impossible.
    fn check(&self, bounds: Bounds, len: usize) -> Result<(), TrySendError> {
        if let Some(ended) = self.ended {
            return Err(ended.into());
        }
        if u32::try_from(len).map_or(true, |len| len > self.largest) {
            return Err(TrySendError::TooLarge { len, most: self.largest });
        }
        let fits = self.messages < bounds.messages && len <= bounds.bytes.saturating_sub(self.bytes);
        if fits || self.messages == 0 {
            return Ok(());
        }
        Err(TrySendError::Full {
            messages: self.messages,
            most_messages: bounds.messages,
            bytes: self.bytes,
            most_bytes: bounds.bytes,
            len,
        })
    }

    fn settle(&mut self, settled: &Settled) -> Option<Thread> {
        self.messages -= 1;
        self.bytes -= settled.len;
        self.slots.settle(settled.slot, settled.outcome)
    }
}

/// What is left of `timeout` counts from now; one that has no end in sight has none.
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    let now = Instant::now();
    // A century, where the sum is not representable.
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400))
}
