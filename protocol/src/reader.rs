//! The peer's stream as it stands in the peer's own link file, mapped for reading.

use crate::frame::{self, FrameFault, FrameHeader, FrameRule};
use crate::geometry::Geometry;
use crate::header::{Header, HeaderError};
use crate::id::{AttachmentId, Kind, Nonce, Role, SessionId};
use crate::inbound::InboundFault;
use crate::layout;
use crate::position::Position;
use crate::ring::Ring;
use crate::storage::Published;

/// Checks that `view` is the file of the peer of the session that `ours` describes, with the sizes that the
/// session has, and that it is the very memory the peer writes: it holds the nonce that the peer stored
/// for this login and told over the connection.
///
/// Names and numbers alone prove nothing: a cloned machine has the same.
pub fn prove<V: Published>(view: &V, ours: &Header, nonce: Nonce) -> Result<(), ViewFault> {
    let theirs = Header::parse(view)?;
    let is_peer = theirs.role == ours.role.other()
        && theirs.session == ours.session
        && theirs.owner == ours.peer
        && theirs.peer == ours.owner;
    if !is_peer {
        return Err(ViewFault::OtherLink);
    }
    if theirs.outgoing != ours.incoming {
        return Err(ViewFault::Geometry { found: theirs.outgoing, promised: ours.incoming });
    }
    if view.load(layout::NONCE) != nonce.get() && !zoo!(NonceNotCompared) {
        return Err(ViewFault::OtherMemory { current: AttachmentId::new(view.load(layout::CURRENT)) });
    }
    Ok(())
}

/// Why a file is not the one that a session can be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewFault {
    /// It is no link file.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It belongs to another link or another session.
    #[error("it is the file of another link or session")]
    OtherLink,
    /// It has another size than this session was promised.
    #[error("it has {found:?}, and this session was promised {promised:?}")]
    Geometry {
        /// What the file has.
        found: Geometry,
        /// What the two sides agreed.
        promised: Geometry,
    },
    /// It lacks the nonce of this login.
    #[error("it is not the memory that the peer writes: a copy, or a file on another machine")]
    OtherMemory {
        /// The attachment that it shows. If that is the one of this login, it is the peer's file after all, and
        /// the peer has left it since: no copy can have it.
        current: Option<AttachmentId>,
    },
}

/// A place in the peer's ring.
///
/// Every word is read once, and checked before it is used. The order is that of the owner's stores,
/// backwards: word 0 is loaded with acquire, which pairs with the release that published the frame; so the
/// nonce loaded after it is at least as new as the frame, and so is everything in the frame. A nonce that
/// has changed says that the owner has left, and what stands here may belong to its next connection.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub(crate) struct Reader {
    rule: FrameRule,
    ring: Ring,
    /// Where the next frame starts.
    expected: Position,
    /// How much of the stream can be unconsumed: what the ring holds.
    window: u64,
    nonce: Nonce,
}

/// Which nonce it is makes a difference only by being the one that the peer's file holds or not.
#[cfg(feature = "explore")]
impl std::hash::Hash for Reader {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.expected.hash(state);
    }
}

/// One message, in place.
#[derive(Debug)]
pub(crate) struct Message<'v> {
    pub(crate) start: Position,
    pub(crate) end: Position,
    pub(crate) kind: Kind,
    pub(crate) payload: &'v [u8],
}

impl Reader {
    /// The stream of `sender` from `start`, as long as its file holds `nonce`.
    pub(crate) fn new(
        session: SessionId,
        sender: Role,
        geometry: Geometry,
        start: Position,
        nonce: Nonce,
    ) -> Self {
        Self {
            rule: FrameRule::new(session, sender, geometry.largest()),
            ring: Ring::new(geometry),
            expected: start,
            window: geometry.capacity() - frame::ALIGNMENT,
            nonce,
        }
    }

    /// Whether what was loaded before this is of this connection.
    pub(crate) fn is_present<V: Published>(&self, view: &V) -> bool {
        view.load(layout::NONCE) == self.nonce.get() || zoo!(OldMappingRead)
    }

    /// Whether something stands where the next message is expected. Whether it is one, and of this connection,
    /// [`Reader::take`] finds out.
    pub(crate) fn has_more<V: Published>(&self, view: &V) -> bool {
        let word = view.load(self.ring.place(self.expected));
        word != 0 && !self.rule.is_of_another_place(self.expected, word)
    }

    /// The next message, if it has come. `consumed` is how much of the stream the application has consumed.
    #[inline(always)]
    pub(crate) fn take<'v, V: Published>(
        &mut self,
        view: &'v V,
        consumed: Position,
    ) -> Result<Option<Message<'v>>, InboundFault> {
        let start = self.expected;
        let place = self.ring.place(start);
        let word = view.load(place);
        if word == 0 || self.rule.is_of_another_place(start, word) {
            return Ok(None);
        }
        if !self.is_present(view) {
            return Err(InboundFault::Left);
        }
        let at_fault = |fault| InboundFault::Frame { at: start, fault };
        let (header, kind) = self.rule.check(start, word).map_err(at_fault)?;
        let header = if zoo!(WordReadTwice) { FrameHeader::from_word(view.load(place)) } else { header };
        let end = start.checked_add(header.size()).filter(|end| end.since(consumed) <= self.window);
        let end = end.ok_or(InboundFault::Overrun { at: start, window: self.window })?;
        let padding = header.padding();
        // The last word of the frame, shifted until nothing of the payload is left.
        if !padding.is_empty() && view.load(place + padding.end - 8) >> (8 * (padding.start % 8)) != 0 {
            return Err(at_fault(FrameFault::Padding));
        }
        let payload = header.payload();
        self.expected = end;
        Ok(Some(Message { start, end, kind, payload: view.bytes(place + payload.start, payload.len()) }))
    }
}
