//! Which states are the same.
//!
//! Ids of logins, nonces and tokens are only ever compared. So two states that differ in nothing but which
//! numbers were drawn, with equal ones in the same places, have the same future, and are one: each id counts as
//! its place in the order in which they are met. Ids of sessions stand in frames and are left as they are; few
//! are drawn. Over TCP nobody compares nonces, and they are left out.

use std::hash::Hash;

use tcpshm_protocol::Published;
use tcpshm_protocol::login::{Carrier, LoginMessage};

use super::files::Slot;
use super::image::Image;
use super::mix::Mix;
use super::rules::Rules;
use super::side::Side;
use super::state::{ClientEnd, Copied, Link, ServerEnd, State};
use crate::world::image::at;

/// 128 bits: among 10^8 states two that are taken for one have a chance of one in 10^22.
pub(crate) type Digest = u128;

impl State {
    /// What tells this state from others, as far as it makes a difference.
    pub(crate) fn digest(&self, rules: &Rules) -> Digest {
        let mut digester =
            Digester { ids: Vec::new(), nonces: rules.carrier == Carrier::Shm, mix: Mix::new() };
        digester.state(self);
        digester.mix.finish128()
    }
}

struct Digester {
    /// The ids met so far.
    ids: Vec<u128>,
    nonces: bool,
    mix: Mix,
}

impl Digester {
    fn state(&mut self, state: &State) {
        let State { sides, links, ids: _, left, copy, history } = state;
        (left, history).hash(&mut self.mix);
        sides.iter().for_each(|side| self.side(side));
        links.len().hash(&mut self.mix);
        links.iter().for_each(|link| self.link(link));
        copy.is_some().hash(&mut self.mix);
        copy.iter().for_each(|copy| self.copy(copy));
    }

    fn side(&mut self, side: &Side) {
        let Side { role: _, lenient: _, alive, main, fresh, truth, salt, sends, holds, held, .. } = side;
        let Side { view, token, disputed, dead, .. } = side;
        (alive, truth, salt, sends, holds, held, disputed, dead).hash(&mut self.mix);
        for slot in [main, fresh] {
            match slot {
                Slot::Empty => 0_u8.hash(&mut self.mix),
                Slot::Closed(_) => 1_u8.hash(&mut self.mix),
                Slot::Open(session) => (2_u8, session).hash(&mut self.mix),
            }
            slot.image().into_iter().for_each(|image| self.image(image));
        }
        if let Some((file, nonce)) = view {
            self.file(*file);
            self.nonce(nonce.get());
        }
        view.is_some().hash(&mut self.mix);
        self.id(token.map_or(0, |token| token.get()));
    }

    fn image(&mut self, image: &Image) {
        image.digest(&mut self.mix);
        self.file(image.file);
        self.id(image.load(at::CURRENT).into());
        self.id(image.load(at::PREVIOUS).into());
        self.id(image.load(at::SENT_FLOOR_OF).into());
        self.nonce(image.load(at::NONCE));
    }

    fn copy(&mut self, copy: &Copied) {
        let Copied { role, main, fresh, truth } = copy;
        (role, truth, main.is_some(), fresh.is_some()).hash(&mut self.mix);
        [main, fresh].into_iter().flatten().for_each(|image| self.image(image));
    }

    fn link(&mut self, link: &Link) {
        let Link { up, down, client, server } = link;
        // What a login machine remembers of its Confirm follows from the files until it is answered.
        match client {
            ClientEnd::Login(_, confirmed) => (0_u8, confirmed).hash(&mut self.mix),
            ClientEnd::Stream => 1_u8.hash(&mut self.mix),
            ClientEnd::Gone => 2_u8.hash(&mut self.mix),
        }
        match server {
            ServerEnd::Login(visit) => (0_u8, visit.order, visit.stale).hash(&mut self.mix),
            ServerEnd::Stream => 1_u8.hash(&mut self.mix),
            ServerEnd::Gone => 2_u8.hash(&mut self.mix),
        }
        self.bytes(up);
        self.bytes(down);
    }

    /// Bytes on their way: messages of a login first, with ids in them.
    fn bytes(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Ok(Some(message)) = LoginMessage::decode(&mut rest) {
            self.message(&message);
        }
        rest.hash(&mut self.mix);
    }

    fn message(&mut self, message: &LoginMessage) {
        message.message_type().hash(&mut self.mix);
        match message {
            LoginMessage::Hello(_) | LoginMessage::Welcome(_) => {}
            // Its challenge is that of its connection, since everybody here speaks for himself.
            LoginMessage::Confirm(confirm, _) => {
                let session = confirm.held.map(|held| held.session);
                (session, confirm.proposed.map(|proposed| proposed.session)).hash(&mut self.mix);
                if let Some(held) = confirm.held {
                    let at = held.standing;
                    (at.acked, at.sent, at.consumed).hash(&mut self.mix);
                    self.id(held.attachment.get().into());
                }
                let owed = confirm.undelivered.map(|owed| owed.messages);
                (confirm.disputed, owed).hash(&mut self.mix);
                self.id(confirm.token.map_or(0, |token| token.get()));
                self.nonce(confirm.nonce.get());
            }
            LoginMessage::Ready(ready) => {
                let at = ready.standing;
                (ready.outcome as u8, ready.session, at.acked, at.sent, at.consumed).hash(&mut self.mix);
                self.id(ready.attachment.get().into());
                self.nonce(ready.nonce.get());
            }
            LoginMessage::Refusal(refusal) => {
                refusal.code.hash(&mut self.mix);
                refusal.undelivered.map(|owed| owed.messages).hash(&mut self.mix);
                self.id(refusal.token.map_or(0, |token| token.get()));
            }
        }
    }

    fn id(&mut self, id: u128) {
        let number = self.ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.ids.push(id);
            self.ids.len() - 1
        });
        let number = if id == 0 { u8::MAX } else { u8::try_from(number).expect("few ids") };
        number.hash(&mut self.mix);
    }

    /// Files are told apart as ids are.
    fn file(&mut self, file: u8) {
        self.id(u128::MAX - u128::from(file));
    }

    fn nonce(&mut self, nonce: u64) {
        if self.nonces {
            self.id(nonce.into());
        }
    }
}
