//! What a side of a link can do, as a value: the child does it with the real code, the plan says what must
//! have come of it.

/// Which of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The side whose every instruction is watched.
    Subject,
    /// The other one. It acts only before and after.
    Peer,
}

/// One thing that a side does. Lengths are those of payloads, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Commits a message.
    Send(usize),
    /// Claims room for a message, writes all of it, and gives it up.
    Abandon(usize),
    /// Adds messages to a batch, and gives it up.
    AbandonBatch(Vec<usize>),
    /// Commits a message, and consumes the oldest one in hand with it.
    Reply(usize),
    /// Commits messages, and consumes so many of those in hand, as one.
    Batch(Vec<usize>, usize),
    /// Consumes the oldest message in hand.
    Consume,
    /// Consumes so many messages at once.
    ConsumeThrough(usize),
    /// Takes one message as it arrives and answers it where it lies, in the handler.
    Echo(usize),
    /// Takes what has arrived, and keeps the messages in hand.
    Take,
    /// Finds out what the peer has consumed: from its bytes, or in its memory.
    Learn,
    /// The same, and commits a message at once behind it, in one function that the compiler sees whole.
    LearnAndSend(usize),
    /// Looks where nothing new is. Over shared memory the time is used to prepare the next commit.
    Look,
    /// Gives the carrier everything that waits. Over shared memory there is nothing to give.
    Transmit,
    /// A client shows what it has in a Confirm.
    Show,
    /// Makes the file of the next session.
    Create,
    /// A server accepts the Confirm.
    Accept,
    /// A client is accepted.
    Establish,
    /// Gives the fresh file the link's name, and keeps aside what had it.
    Switch,
    /// The connection ends.
    Detach,
    /// The process ends.
    Exit,
    /// Killed between the two stores of a reply, the file tells of the consumption by its last frame only.
    LagConsumed,
    /// The process starts, finishes what was interrupted, and opens its files.
    Open,
    /// Somebody removes the link's file under its owner.
    Remove,
    /// The owner makes its file again.
    Restore,
    /// Everything that the side had is gone.
    Lose,
}
