//! A session on shared memory whose host sleeps when nothing comes, and one whose peer does.
//!
//! Nothing in shared memory can be waited for, so whoever writes something there wakes the other side through
//! the connection, and only if it sleeps. That it does it says in its own file:
//!
//! ```text
//!   going to sleep                          writing a message (or consuming one)
//!     1. store parked, an odd number          a. store word 0 of the message (or consumed)
//!     2. full fence                           b. full fence
//!     3. look into the ring (at consumed)     c. load the other's parked: if it is odd, send a frame
//! ```
//!
//! The two fences stand in one order. If 2 comes first, c finds what 1 stored, and the frame ends the sleep; if
//! b comes first, 3 finds what a stored, and there is none. Without either fence both may look into the past:
//! a store may wait in its core while the load behind it is done, and the message lies there until somebody
//! says something else. Many stores may be followed by one fence and one look, as long as every way of storing
//! ends with them before its process sleeps: [`Session::rouse`] is called behind each burst, and
//! [`Session::park`] begins with it.

use super::Session;
use super::carrier::{Attached, Closing};
use crate::layout;
use crate::parking::Parked;
use crate::storage::{Published, Storage};

impl<S: Storage> Session<S> {
    /// Whether this side may sleep, from the next login on: the peer learns it there. A side that says so and
    /// never calls [`Session::park`] costs its peer a fence for every burst of messages, and nothing else.
    pub fn set_may_sleep(&mut self, may_sleep: bool) {
        self.may_sleep = may_sleep;
    }

    /// The host has nothing to do and wants to sleep until its poll has something or a timer is due. Returns
    /// whether it may: whatever comes into `view`, the peer's file, from here on makes the peer say something
    /// on the connection. On `false` there may be something to poll or to write, or this side did not say at the login
    /// that it may sleep.
    ///
    /// The sleep ends with the next [`Session::receive`], with bytes on the connection, and with the connection.
    pub fn park<V: Published>(&mut self, view: &V) -> bool {
        if self.rouse(view) || !self.can_park() {
            return false;
        }
        let wanted = self.queue.is_wanted();
        self.store_parked(self.parked.asleep(wanted));
        if !zoo!(ParkedNotFenced) {
            // Between the mark and the look: pairs with the fence in `rouse`.
            self.queue.full_fence();
        }
        if self.finds_something(view, wanted) && !zoo!(LookAgainForgotten) {
            self.unpark();
            return false;
        }
        true
    }

    /// Whether the host may go on sleeping, for all that was done since [`Session::park`].
    pub fn is_parked(&self) -> bool {
        // A claim that was refused meanwhile waits for room, and the peer does not know.
        self.attached.is_some()
            && self.parked.is_asleep()
            && (self.parked.waits_for_room() || !self.queue.is_wanted())
    }

    /// Whether the peer sleeps and there is something for it, committed or consumed since the last look. Then
    /// [`Session::poll_transmit`] has a frame to wake it, which has to be written.
    ///
    /// Call it behind every burst of messages and whatever else may have committed or consumed something. It
    /// costs a comparison if nothing was, or if the peer never sleeps; otherwise a fence and a load.
    #[inline]
    pub fn rouse<V: Published>(&mut self, view: &V) -> bool {
        let progress = (self.queue.tail(), self.queue.consumed());
        let on_memory = |attached: &&mut Attached| attached.reader.is_some();
        match self.attached.as_mut().filter(on_memory) {
            Some(attached) if attached.sleeper.is_due(progress) => {}
            _ => return false,
        }
        self.look_whether_it_sleeps(view)
    }

    fn look_whether_it_sleeps<V: Published>(&mut self, view: &V) -> bool {
        let Some(attached) = &mut self.attached else {
            return false;
        };
        if !zoo!(PublishedNotFenced) {
            // Between what was stored and the look: pairs with the fence in `park`.
            self.queue.full_fence();
        }
        let word = Parked::new(view.load(layout::PARKED));
        let wake = attached.sleeper.look((self.queue.tail(), self.queue.consumed()), word);
        attached.greet |= wake;
        wake
    }

    fn can_park(&self) -> bool {
        self.parked.may_sleep()
            && self.attached.as_ref().is_some_and(|attached| {
                attached.reader.is_some() && attached.fault.is_none() && attached.closing == Closing::No
            })
    }

    /// Whether there is anything for which there would have been no sleep.
    fn finds_something<V: Published>(&mut self, view: &V, wanted: bool) -> bool {
        let unproven = self.attached.as_ref().is_some_and(|attached| attached.unproven);
        if unproven && !self.ends_doubt(view) {
            // Nothing of the client's counts yet; its first frame on the connection ends that.
            return false;
        }
        let reader = self.attached.as_ref().and_then(|attached| attached.reader.as_ref());
        if reader.is_some_and(|reader| reader.has_more(view)) {
            return true;
        }
        if !wanted {
            return false;
        }
        let learned = self.load_ack(view);
        if let (Err(fault), Some(attached)) = (learned, &mut self.attached) {
            attached.fault.get_or_insert(fault);
        }
        learned.is_err() || self.queue.would_fit()
    }

    /// The end of a sleep, if there is one. Without a connection there is none, whatever an earlier process left.
    #[inline]
    pub(super) fn unpark(&mut self) {
        if self.parked.is_asleep() && self.attached.is_some() {
            self.store_parked(self.parked.awake());
        }
    }

    /// What the peer of the next attachment finds, whoever left the file how. Before the nonce by which it
    /// knows the file.
    pub(super) fn park_for_login(&mut self) {
        let parked = self.parked.at_login(self.may_sleep);
        if parked != self.parked {
            self.store_parked(parked);
        }
    }

    fn store_parked(&mut self, parked: Parked) {
        self.queue.store_parked(parked);
        self.parked = parked;
    }
}
