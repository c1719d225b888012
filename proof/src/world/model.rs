//! What must be true, in the plainest terms: lists of messages and counts. It knows nothing of rings,
//! positions, frames or stores.

use std::fmt;

use crate::world::message::Message;

/// One direction of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Every message its sender committed.
    pub committed: Vec<Message>,
    /// How many of them the sender knows to be consumed, and has forgotten.
    pub freed: usize,
    /// How many of them the receiver has consumed.
    pub consumed: usize,
}

/// A link as one of its sides knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// What this side sends.
    pub outgoing: Stream,
    /// What it receives.
    pub incoming: Stream,
}

/// What a link file shows when it is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct View {
    /// How many messages its owner has sent and forgotten.
    pub freed: usize,
    /// The messages that it keeps.
    pub pending: Vec<Message>,
    /// How many of the peer's messages its owner has consumed.
    pub consumed: usize,
}

impl Model {
    /// This side committed messages and consumed some of the peer's, all in one.
    pub fn commit(&mut self, messages: impl IntoIterator<Item = Message>, consuming: usize) {
        self.outgoing.committed.extend(messages);
        self.consume(consuming);
    }

    /// This side consumed some of the peer's messages.
    pub fn consume(&mut self, messages: usize) {
        self.incoming.consumed += messages;
        assert!(self.incoming.consumed <= self.incoming.committed.len(), "consumed what was never sent");
    }

    /// The peer sent a message.
    pub fn receive(&mut self, message: Message) {
        self.incoming.committed.push(message);
    }

    /// This side learned that the peer has consumed `consumed` messages in all.
    pub fn learn(&mut self, consumed: usize) {
        assert!(consumed <= self.outgoing.committed.len(), "the peer consumed what was never sent");
        self.outgoing.consumed = self.outgoing.consumed.max(consumed);
        self.outgoing.freed = self.outgoing.freed.max(consumed);
    }

    /// What this side's link file must show.
    pub fn view(&self) -> View {
        View {
            freed: self.outgoing.freed,
            pending: self.outgoing.committed[self.outgoing.freed..].to_vec(),
            consumed: self.incoming.consumed,
        }
    }
}

/// Whether an image found after a kill is one that the operation under way may leave: the state before
/// it or the state after it, and nothing between.
pub fn judge(before: &Model, after: &Model, found: &View) -> Result<Seen, String> {
    if *found == before.view() {
        Ok(Seen::Before)
    } else if *found == after.view() {
        Ok(Seen::After)
    } else {
        Err(format!("found {found:?}\nbefore {:?}\nafter {:?}", before.view(), after.view()))
    }
}

/// Which of the two it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// As if the operation had not begun.
    Before,
    /// As if it had ended.
    After,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} freed, {:?} pending, {} consumed", self.freed, self.pending, self.consumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tcpshm_protocol::Role;

    fn message(number: u64) -> Message {
        Message::numbered(Role::Client, number, 8)
    }

    #[test]
    fn half_an_operation_is_refused() {
        let mut before = Model::default();
        before.receive(message(7));
        before.commit([message(0)], 0);
        let mut after = before.clone();
        after.commit([message(1), message(2)], 1);
        assert_eq!(judge(&before, &after, &before.view()), Ok(Seen::Before));
        assert_eq!(judge(&before, &after, &after.view()), Ok(Seen::After));
        let half = View { pending: after.view().pending[..2].to_vec(), ..after.view() };
        let no_reply = View { consumed: 1, ..before.view() };
        let no_consumption = View { consumed: 0, ..after.view() };
        let forgotten = View { freed: 1, pending: Vec::new(), ..before.view() };
        for found in [half, no_reply, no_consumption, forgotten] {
            assert!(judge(&before, &after, &found).is_err(), "{found:?}");
        }
    }
}
