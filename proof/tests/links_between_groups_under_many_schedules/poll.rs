//! What the loops of the model sleep in, and the connection that wakes them.

use shuttle::sync::{Arc, Condvar, Mutex};

use crate::mailbox::Wake;

/// A loop's poll: whether there is an event, and who sleeps until there is. Whoever sleeps for ever while all others
/// do, too, is a deadlock, which shuttle reports.
#[derive(Debug, Default)]
pub(crate) struct Poll {
    event: Mutex<bool>,
    sleeper: Condvar,
}

impl Poll {
    pub(crate) fn notify(&self) {
        *self.event.lock().expect("no panic") = true;
        self.sleeper.notify_one();
    }

    pub(crate) fn sleep(&self) {
        let mut event = self.event.lock().expect("no panic");
        while !*event {
            event = self.sleeper.wait(event).expect("no panic");
        }
        *event = false;
    }
}

#[derive(Debug)]
pub(crate) struct Waker(pub(crate) Arc<Poll>);

impl Wake for Waker {
    fn wake(&self) {
        self.0.notify();
    }
}

/// A connection: it is cut at some time, and then makes an event in the poll that it is registered with.
#[derive(Debug, Default)]
pub(crate) struct Wire(Mutex<(bool, Option<Arc<Poll>>)>);

impl Wire {
    pub(crate) fn register(&self, poll: &Arc<Poll>) {
        let mut wire = self.0.lock().expect("no panic");
        assert!(wire.1.replace(Arc::clone(poll)).is_none(), "registered with two polls");
    }

    pub(crate) fn deregister(&self) {
        self.0.lock().expect("no panic").1 = None;
    }

    /// An edge: whoever registers later is not told. So a loop looks when a link comes.
    pub(crate) fn cut(&self) {
        let mut wire = self.0.lock().expect("no panic");
        wire.0 = true;
        if let Some(poll) = &wire.1 {
            poll.notify();
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.0.lock().expect("no panic").0
    }
}
