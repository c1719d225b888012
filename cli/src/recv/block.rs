//! What has come and is not written.

use serde_json::json;
use tcpshm_driver::{Delivered, Link, Name, Received, SessionId};

use crate::hex;
use crate::pipe::app::Taker;
use crate::pipe::{END, PIECE};

/// Messages that are written together and then consumed in one store.
#[derive(Debug)]
pub(super) struct Block {
    /// Whose they are.
    pub(super) peer: Name,
    pub(super) bytes: Vec<u8>,
    pub(super) messages: u64,
    /// Where the link's consumption stands before them.
    pub(super) from: u64,
    /// Where the last of them ends.
    pub(super) upto: Delivered,
}

/// Takes messages until it is the end. They stay unconsumed, so the peer's ring is the bound of what is here.
#[derive(Debug)]
pub(super) struct Taking {
    /// Messages to take at most.
    count: Option<u64>,
    forever: bool,
    json: bool,
    taken: u64,
    /// Something that was not taken came behind the last that was.
    followed: bool,
    ended: bool,
    stopped: bool,
    block: Option<Block>,
    /// Where the last block that was handed on ends.
    handed: Option<Delivered>,
}

impl Taker for Taking {
    fn take(&mut self, link: &Link<'_>, received: &Received<'_>) -> bool {
        let is_end = received.kind() == END && received.payload().is_empty();
        if self.is_ending() {
            // What comes now is for the next run. But an end right behind the last message that was asked for is the end of
            // what was taken, and whoever said it waits for it.
            let ends = is_end && self.ended_by_count() && !self.forever;
            if !ends || self.ended || self.stopped || std::mem::replace(&mut self.followed, true) {
                self.followed = true;
                return false;
            }
        }
        let upto = received.position();
        let from = match self.handed.filter(|handed| handed.session() == upto.session()) {
            Some(handed) => handed.position().get(),
            None => link.consumed().position().get(),
        };
        let new = || Block { peer: link.peer().clone(), bytes: Vec::new(), messages: 0, from, upto };
        // Of another session: it cannot be consumed with these.
        let block = match self.block.take().filter(|block| block.upto.session() == upto.session()) {
            Some(block) => self.block.insert(block),
            None => self.block.insert(new()),
        };
        block.upto = upto;
        let (kind, payload) = (received.kind(), received.payload());
        if is_end {
            self.ended |= !self.forever;
            return false;
        }
        if self.json {
            let mut document =
                json!({"position": upto.position().get(), "kind": kind.get(), "bytes": payload.len()});
            match str::from_utf8(payload) {
                Ok(text) => document["text"] = json!(text),
                Err(_) => document["hex"] = json!(hex::text(payload)),
            }
            block.bytes.extend(document.to_string().into_bytes());
        } else {
            block.bytes.extend(payload);
        }
        if self.json || kind != PIECE {
            block.bytes.push(b'\n');
        }
        block.messages += 1;
        self.taken += 1;
        false
    }
}

impl Taking {
    pub(super) fn new(count: Option<u64>, forever: bool, json: bool) -> Self {
        Self {
            count,
            forever,
            json,
            taken: 0,
            followed: false,
            ended: false,
            stopped: false,
            block: None,
            handed: None,
        }
    }

    /// Takes no more.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// What is to be written next.
    pub(super) fn take_block(&mut self) -> Option<Block> {
        let block = self.block.take()?;
        self.handed = Some(block.upto);
        Some(block)
    }

    /// A session has ended.
    pub(super) fn forget(&mut self, session: Option<SessionId>) {
        self.block = self.block.take().filter(|block| Some(block.upto.session()) != session);
    }

    fn is_ending(&self) -> bool {
        self.ended || self.stopped || self.ended_by_count()
    }

    pub(super) fn ended_by_count(&self) -> bool {
        self.count.is_some_and(|count| self.taken >= count)
    }

    /// Whether nothing more is taken, and everything was handed on.
    pub(super) fn is_complete(&self) -> bool {
        self.is_ending() && self.block.is_none()
    }
}
