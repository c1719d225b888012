//! How a thread that has put something into a mailbox makes itself heard.

use std::fmt::Debug;

use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError, TRIES, TryLockError};

/// Ends the sleep of an owner, or the next one if it does not sleep.
pub(crate) trait Wake: Debug + Send + Sync {
    fn wake(&self);
}

/// The owner's end of all the mailboxes that one loop empties.
///
/// ```text
///   sender:  note the mailbox, set `rung`  ──>  swap `on_its_way`  ──> wake, if it was not set
///   owner:   clear `on_its_way`            ──>  look at `rung`     ──> take the notes
/// ```
///
/// Of the two swaps one comes first, and the other sees it: either the owner sees the note, or the sender sees that it
/// has to wake. Until the owner has answered it is woken once, however many ring.
#[derive(Debug)]
pub(crate) struct Bell {
    /// The mailboxes that have got something since they were last looked at, by the numbers that the owner gave
    /// them.
    notes: Mutex<Vec<usize>>,
    /// Whether there are notes. Written under the lock, looked at without: for an owner that spins this is all that
    /// mailboxes cost while nothing comes.
    rung: AtomicBool,
    /// Whether a wake-up was sent that the owner has not answered.
    on_its_way: AtomicBool,
    wake: Box<dyn Wake>,
}

impl Bell {
    pub(crate) fn new(wake: Box<dyn Wake>) -> Self {
        Self {
            notes: Mutex::new(Vec::new()),
            rung: AtomicBool::new(false),
            on_its_way: AtomicBool::new(false),
            wake,
        }
    }

    /// Mailbox `number` has something.
    pub(crate) fn ring(&self, number: usize) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(number);
        self.rung.store(true, Ordering::Release);
        drop(notes);
        // Pairs with the swap in `answer`: if that comes later, it makes the note visible to the owner.
        if !self.on_its_way.swap(true, Ordering::AcqRel) && !zoo!(SenderDoesNotWake) {
            self.wake.wake();
        }
    }

    /// Whether any mailbox has something that the owner has not taken note of. One load.
    #[inline]
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
    }

    /// The owner is awake: whatever rings from here on wakes it again. To be called before it looks, or what comes
    /// in between is slept through.
    pub(crate) fn answer(&self) {
        // A load first: the owner asks in every turn, and mostly nobody has rung.
        if self.on_its_way.load(Ordering::Relaxed) {
            self.on_its_way.swap(false, Ordering::AcqRel);
        }
    }

    /// Moves the notes to `into`, unless a sender is writing there: then they are still there next time.
    pub(crate) fn take_notes(&self, into: &mut Vec<usize>) {
        if let Some(mut notes) = patiently(&self.notes) {
            into.append(&mut notes);
            self.rung.store(false, Ordering::Relaxed);
        }
    }
}

/// Tries for a lock for about as long as somebody who runs keeps it. An owner's loop waits for no other thread:
/// one that keeps a lock may have been put to sleep with it.
pub(crate) fn patiently<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..TRIES {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}
