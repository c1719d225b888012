//! What goes wrong with a process and its files.

use tcpshm_protocol::Role;

use super::files::{Files, Slot};
use super::state::{Copied, History, State};

/// Messages that one history has, at most: the next one's have other tags.
const OTHER_HISTORY: u8 = 16;

impl State {
    pub(super) fn killed(&mut self, role: Role) -> bool {
        let Some(left) = self.left.crashes.checked_sub(1).filter(|_| self.side(role).alive) else {
            return false;
        };
        self.left.crashes = left;
        self.bury(role);
        true
    }

    pub(super) fn copy(&mut self, role: Role) -> bool {
        let side = self.side(role);
        let files = side.files();
        if self.left.losses == 0 || self.copy.is_some() || files.main.is_none() {
            return false;
        }
        let truth = side.truth.clone();
        self.copy = Some(Copied { role, main: files.main, fresh: files.fresh, truth });
        true
    }

    pub(super) fn lose(&mut self, role: Role) -> bool {
        let Some(left) = self.left.losses.checked_sub(1) else { return false };
        let side = self.side(role);
        if self.copy.is_some() || side.main.image().or(side.fresh.image()).is_none() {
            return false;
        }
        self.left.losses = left;
        self.replace(role);
        let side = &mut self.sides[role as usize];
        (side.main, side.fresh) = (Slot::Empty, Slot::Empty);
        true
    }

    pub(super) fn restore(&mut self, role: Role) -> bool {
        let Some(left) = self.left.losses.checked_sub(1) else { return false };
        let Some(mut copy) = self.copy.take_if(|copy| copy.role == role) else { return false };
        self.left.losses = left;
        self.replace(role);
        let side = &mut self.sides[role as usize];
        if left > 0 {
            // What the original did meanwhile may come back in its turn.
            let truth = side.truth.clone();
            let Files { main, fresh } = side.files();
            self.copy = Some(Copied { role, main, fresh, truth });
        }
        for file in [&mut copy.main, &mut copy.fresh].into_iter().flatten() {
            file.file = self.ids.file();
        }
        (side.main, side.fresh) = (copy.main.into(), copy.fresh.into());
        side.truth = copy.truth;
        side.salt += OTHER_HISTORY;
        true
    }

    /// A process is killed to change its files. Its peer notices: what it may still have mapped is no longer the
    /// file, and a connection to a dead process brings nothing that a cut does not.
    fn replace(&mut self, role: Role) {
        self.bury(role);
        while !self.links.is_empty() {
            self.leave(role.other(), 0);
            self.sweep();
        }
        self.history = History::Broken;
    }
}
