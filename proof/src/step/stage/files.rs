//! What a side does with its files.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use tcpshm_protocol::{Name, Nonce, Role, SessionId};
use tcpshm_shm::{MappedSession, OpenLink};

use super::{Side, Stage};
use crate::world::image::{self, at};

/// What a process stores when it opens a file.
const OPENING: Nonce = Nonce::new(0x09e4);

impl Stage {
    /// Makes the whole file of the next session, or on the other side of the one that was made last.
    pub(super) fn create(&mut self, role: Role) {
        if role == Role::Client {
            self.sessions += 1;
        }
        let proposed = self.confirm.as_ref().and_then(|confirm| confirm.proposed);
        let id = match role {
            Role::Client => self.sessions,
            Role::Server => proposed.expect("a client that proposes").session.get(),
        };
        let header = image::header(role, id, self.setting.geometry);
        let side = self.side(role);
        let link = side.directory.create(&header, OPENING).expect("a file");
        side.fresh = Some(MappedSession::new(link));
    }

    pub(super) fn switch(&mut self, role: Role) {
        let side = self.side(role);
        let fresh = side.fresh.take().expect("a fresh file");
        side.directory.switch(fresh.peer(), fresh.id()).expect("a completed login");
        side.main = Some(fresh);
        side.sent = 0;
    }
}

impl Side {
    pub(super) fn peer_name(&self) -> Name {
        let geometry = tcpshm_protocol::Geometry::default();
        image::header(self.role, 1, geometry).peer
    }

    pub(super) fn exit(&mut self) {
        (self.main, self.fresh) = (None, None);
        self.lent.clear();
        self.inbox.clear();
    }

    pub(crate) fn open(&mut self) {
        let peer = self.peer_name();
        self.directory.settle(&peer).expect("whatever a kill leaves");
        let open = |link: Option<OpenLink>| link.map(MappedSession::new);
        self.main = open(self.directory.open_link(&peer, None, OPENING).expect("a sound file"));
        let proposed = self.directory.look_proposed(&peer).expect("sound files");
        assert!(proposed.len() <= 1, "one proposal at most: {proposed:?}");
        for survey in proposed {
            let id = survey.header().session;
            self.fresh = open(self.directory.open_proposed(&peer, id, OPENING).expect("a sound file"));
        }
    }

    /// What the file of an interrupted reply says: the frame is there, and the word not yet.
    pub(super) fn lag_consumed(&mut self) {
        let before = self.lagging.take().expect("a reply came before");
        let file = self.main_file();
        file.write_all_at(&before.to_le_bytes(), at::CONSUMED as u64).expect("a whole file");
    }

    fn main_file(&self) -> File {
        let path = self.directory.path_of_link(&self.peer_name());
        File::options().read(true).write(true).open(path).expect("the link's file")
    }

    pub(super) fn remove(&mut self) {
        fs::remove_file(self.directory.path_of_link(&self.peer_name())).expect("the link's file");
    }

    pub(super) fn restore(&mut self) {
        let main = self.main.as_mut().expect("a session");
        self.directory.restore(main).expect("nothing stands in its place");
    }

    pub(super) fn lose(&mut self) {
        self.exit();
        self.sent = 0;
        self.remove();
    }

    /// The session that is connected, or was last.
    pub(crate) fn session_id(&mut self) -> u128 {
        self.session().id().get()
    }

    pub(super) fn is_session(&self, session: SessionId) -> bool {
        self.main.as_ref().is_some_and(|main| main.id() == session)
    }
}
