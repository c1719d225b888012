//! What one side really did in a session, kept where no crash reaches, and what its file must therefore hold.
//! Lists and counts: it knows positions only as the sum of what was sent.

use tcpshm_protocol::{Published, Role, SessionId};

use super::image::Image;
use super::rules::Rules;
use crate::world::image::at;
use crate::world::wire::Stream;

/// A message, as far as two of them differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    /// No other message of its sender in the session has it, and none of another history.
    pub(crate) tag: u8,
    pub(crate) large: bool,
}

/// A message that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sent {
    pub(crate) message: Message,
    /// How many of the peer's messages were consumed when it was committed, with it included.
    pub(crate) told: u8,
}

/// What one side did in one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Truth {
    pub(crate) session: u128,
    pub(crate) sent: Vec<Sent>,
    pub(crate) consumed: Vec<Message>,
}

/// What an image holds, in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// How many of the owner's are known to be consumed.
    pub(crate) freed: usize,
    /// How many it has committed.
    pub(crate) committed: usize,
    /// How many of the peer's it has consumed.
    pub(crate) consumed: usize,
    /// The same as the word says, which may lag behind the last frame.
    pub(crate) word: usize,
}

impl Truth {
    /// A session in which nothing was done.
    pub(crate) fn new(session: SessionId) -> Self {
        Self { session: session.get(), sent: Vec::new(), consumed: Vec::new() }
    }

    /// Takes back what is beyond these counts: a kill undid it.
    pub(crate) fn truncate(&mut self, committed: usize, consumed: usize) {
        self.sent.truncate(committed);
        self.consumed.truncate(consumed);
    }

    /// Whether the peer's last messages could be what this side consumed: without gap, byte for byte.
    pub(crate) fn consumed_a_prefix_of(&self, peer: &Truth) -> bool {
        self.consumed.len() <= peer.sent.len()
            && self.consumed.iter().zip(&peer.sent).all(|(consumed, sent)| *consumed == sent.message)
    }

    /// What the file of `owner` holds, checked word for word against what was done. `peer` is what the other
    /// side did, for the sizes of what was consumed.
    pub(crate) fn find(&self, rules: &Rules, owner: Role, image: &Image) -> Result<Found, String> {
        let session = SessionId::new(self.session).ok_or("no session")?;
        let start = rules.start_of(session);
        let mut end = start;
        let mut ends = vec![start];
        ends.extend(self.sent.iter().map(|sent| {
            end += rules.frame(sent.message);
            end
        }));
        let count = |word: &str, position| {
            ends.iter().position(|end| *end == position).ok_or(format!("{word} {position} ends no message"))
        };
        let freed = count("acked", image.load(at::ACKED))?;
        let stream = Stream { session, sender: owner };
        let mut told = None;
        let mut committed = freed;
        loop {
            let place = rules.place(ends[committed]);
            let word = image.load(place);
            if word == 0 {
                break;
            }
            let Some(sent) = self.sent.get(committed) else {
                return Err(format!("a frame {word:#x} behind the last that was committed"));
            };
            let (kind, payload) = rules.content(owner, session, ends[committed], sent.message);
            let expected = stream.word(ends[committed], kind, payload.len());
            if word != expected || image.bytes(place + 16, payload.len()) != payload {
                return Err(format!("message {committed} is not what was committed"));
            }
            told = Some(self.position(rules, session, image.load(place + 8))?);
            if told != Some(usize::from(sent.told)) {
                return Err(format!(
                    "message {committed} tells a consumption of {told:?}, not {}",
                    sent.told
                ));
            }
            committed += 1;
        }
        let word = self.position(rules, session, image.load(at::CONSUMED))?;
        Ok(Found { freed, committed, consumed: word.max(told.unwrap_or(0)), word })
    }

    /// How many of the peer's messages end at or before `position`, which one of them does.
    fn position(&self, rules: &Rules, session: SessionId, position: u64) -> Result<usize, String> {
        let mut end = rules.start_of(session);
        for count in 0..=self.consumed.len() {
            if end == position {
                return Ok(count);
            }
            end += self.consumed.get(count).map_or(0, |message| rules.frame(*message));
        }
        Err(format!("{position} ends no message that was consumed, {:?}", self.consumed))
    }
}
