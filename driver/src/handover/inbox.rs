//! Where other loops leave messages for one loop.

use std::collections::VecDeque;

use crate::mailbox::Wake;
use crate::mailbox::bell::patiently;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// A queue that many fill and one loop empties, with the bell of its own that a
/// [mailbox](crate::mailbox::Bell) shares: the same two swaps, so that no wake-up is lost.
///
/// It has no bound of its own: what is in it is links, of which there is a bounded number, and words about them.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    /// Whether anything is in it. Written under the lock, looked at without: all that an inbox costs a loop while
    /// nothing comes.
    rung: AtomicBool,
    /// Whether a wake-up was sent that the owner has not answered.
    on_its_way: AtomicBool,
    wake: Box<dyn Wake>,
}

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    /// The owner is gone, or about to be: nothing is taken any more.
    is_closed: bool,
}

impl<T> Inbox<T> {
    pub(crate) fn new(wake: Box<dyn Wake>) -> Self {
        Self {
            state: Mutex::new(State { messages: VecDeque::new(), is_closed: false }),
            rung: AtomicBool::new(false),
            on_its_way: AtomicBool::new(false),
            wake,
        }
    }

    /// Leaves a message, or gives it back if the inbox is closed.
    pub(crate) fn push(&self, message: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(message);
        }
        state.messages.push_back(message);
        self.rung.store(true, Ordering::Release);
        drop(state);
        // Pairs with the swap in `answer`: if that comes later, it makes the message visible to the owner.
        if !self.on_its_way.swap(true, Ordering::AcqRel) {
            self.wake.wake();
        }
        Ok(())
    }

    // ---- the owner ----

    /// Whether there is anything. One load.
    #[inline]
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
    }

    /// The owner is awake: whatever comes from here on wakes it again. To be called before it looks.
    pub(crate) fn answer(&self) {
        if self.on_its_way.load(Ordering::Relaxed) {
            self.on_its_way.swap(false, Ordering::AcqRel);
        }
    }

    /// Moves what there is behind what is in `into`, unless somebody is just writing: then it is there next time.
    pub(crate) fn take(&self, into: &mut VecDeque<T>) {
        if let Some(mut state) = patiently(&self.state) {
            into.append(&mut state.messages);
            self.rung.store(false, Ordering::Relaxed);
        }
    }

    /// Takes nothing more. Returns what is left: whatever was ever taken is there or came before.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut state = self.lock();
        state.is_closed = true;
        self.rung.store(false, Ordering::Relaxed);
        std::mem::take(&mut state.messages)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic is done under the lock half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
