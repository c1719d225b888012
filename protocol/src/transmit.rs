//! What goes out on a connection next.

use crate::control::{Control, LONGEST};
use crate::position::Position;
use crate::queue::Queue;
use crate::storage::Storage;

/// The cursor of one connection in the owner's stream, and a control frame on its way.
///
/// A cursor inside a frame is (frame start, bytes done), since only frame starts may be masked. A
/// control frame goes out only where no frame is half written.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone, Hash))]
pub(crate) struct Transmit {
    start: Position,
    done: u64,
    control: Option<Outgoing>,
    /// Whether messages go another way.
    control_only: bool,
}

/// A control frame being written.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone, Hash))]
struct Outgoing {
    bytes: [u8; LONGEST],
    len: usize,
    done: usize,
}

impl Transmit {
    /// A connection whose peer has consumed up to `start`.
    pub(crate) fn new(start: Position) -> Self {
        Self { start, done: 0, control: None, control_only: false }
    }

    /// A connection that carries control frames and no messages.
    pub(crate) fn control_only(start: Position) -> Self {
        Self { control_only: true, ..Self::new(start) }
    }

    /// Whether a control frame can be put in now.
    pub(crate) fn takes_control(&self) -> bool {
        (self.done == 0 || zoo!(ControlInsideFrame)) && self.control.is_none()
    }

    /// Puts a control frame in front of the next frame. Only when [`Transmit::takes_control`] says so.
    pub(crate) fn put_control(&mut self, control: Control, ack: Position) {
        debug_assert!(self.takes_control());
        let (bytes, len) = control.encode(ack);
        self.control = Some(Outgoing { bytes, len, done: 0 });
    }

    /// Whether a control frame is on its way.
    pub(crate) fn has_control(&self) -> bool {
        self.control.is_some()
    }

    /// What is left of the frame that is half written: all that may go out before a control frame.
    pub(crate) fn rest_of_frame<'a, S: Storage>(&self, queue: &'a Queue<S>) -> &'a [u8] {
        let left = queue.header_at(self.start).size() - self.done;
        let unsent = queue.unsent(self.start, self.done);
        &unsent[..usize::try_from(left).expect("less than a frame")]
    }

    /// The bytes to write next; none when everything is out.
    pub(crate) fn pending<'a, S: Storage>(&'a self, queue: &'a Queue<S>) -> &'a [u8] {
        match &self.control {
            Some(control) => &control.bytes[control.done..control.len],
            None if self.control_only => &[],
            None => queue.unsent(self.start, self.done),
        }
    }

    /// Bytes that went out: at most what [`Transmit::pending`] gave, the rest is ignored.
    pub(crate) fn advance<S: Storage>(&mut self, bytes: usize, queue: &mut Queue<S>) {
        if let Some(control) = &mut self.control {
            control.done = control.len.min(control.done + bytes);
            if control.done == control.len {
                self.control = None;
            }
            return;
        }
        if self.control_only {
            return;
        }
        let end = queue.run_end(self.start);
        let done = (self.done + bytes as u64).min(end.since(self.start));
        if done == end.since(self.start) {
            (self.start, self.done) = (end, 0);
        } else {
            self.walk(done, queue);
        }
        queue.set_writing(self.start);
    }

    /// Finds the frame in which a partial write ended.
    fn walk<S: Storage>(&mut self, mut done: u64, queue: &Queue<S>) {
        loop {
            let size = queue.header_at(self.start).size();
            if done < size {
                self.done = done;
                return;
            }
            done -= size;
            self.start = self.start.checked_add(size).expect("a frame that was committed");
        }
    }

    /// Whether frames up to `tail` are out.
    pub(crate) fn is_at(&self, tail: Position) -> bool {
        self.start == tail
    }
}
