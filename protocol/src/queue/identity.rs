//! The words that say which login a file has come to, who may be at an older one, and who sleeps.

use super::Queue;
use crate::id::{AttachmentId, BootId, Nonce};
use crate::layout;
use crate::parking::Parked;
use crate::position::Position;
use crate::storage::Storage;

impl<S: Storage> Queue<S> {
    pub(crate) fn store_nonce(&mut self, nonce: Nonce) {
        self.storage.store(layout::NONCE, nonce.get());
    }

    /// Records a login. The floor of the attachment before ends with this store.
    pub(crate) fn store_attachment(&mut self, attachment: AttachmentId) {
        if zoo!(SentFloorClearedEarly) {
            self.storage.store(layout::SENT_FLOOR_OF, 0);
        }
        self.storage.store(layout::CURRENT, attachment.get());
        self.current = Some(attachment);
        self.set_limit();
    }

    /// Records which attachment the peer may still be at, `None` while it has never shown one, and how much
    /// it can have seen of this stream if it is.
    pub(crate) fn store_previous(&mut self, attachment: Option<AttachmentId>, sent: Position) {
        self.storage.store(layout::PREVIOUS_SENT, sent.get());
        self.storage.store(layout::PREVIOUS, attachment.map_or(0, AttachmentId::get));
    }

    pub(crate) fn parked(&self) -> Parked {
        Parked::new(self.storage.load(layout::PARKED))
    }

    pub(crate) fn store_parked(&mut self, parked: Parked) {
        self.storage.store(layout::PARKED, parked.get());
    }

    pub(crate) fn full_fence(&self) {
        self.storage.full_fence();
    }

    pub(crate) fn boot(&self) -> Option<BootId> {
        BootId::new(self.storage.load(layout::BOOT))
    }

    pub(crate) fn store_boot(&mut self, boot: BootId) {
        self.storage.store(layout::BOOT, boot.get());
    }

    /// The client has stored the current attachment, so it can no longer be at the one before.
    pub(crate) fn end_doubt(&mut self) {
        self.storage.store(layout::PREVIOUS, self.current.map_or(0, AttachmentId::get));
    }

    pub(crate) fn previous(&self) -> Option<AttachmentId> {
        AttachmentId::new(self.storage.load(layout::PREVIOUS))
    }

    /// What a peer that is still at the previous attachment can have seen. The survey found a position.
    pub(crate) fn previous_sent(&self) -> Position {
        Position::new(self.storage.load(layout::PREVIOUS_SENT)).unwrap_or(Position::ZERO)
    }
}
