//! What must have come of what the two sides did, in messages and counts: no positions, bytes or stores.

use tcpshm_protocol::Role;
use tcpshm_protocol::login::Carrier;

use crate::step::act::{Act, Who};
use crate::step::case::Setting;
use crate::step::state::{FileState, LinkState, SideState};
use crate::world::message::Message;

/// Both sides of the link, as they must be.
#[derive(Clone, Debug)]
pub struct Plan {
    setting: Setting,
    client: Side,
    server: Side,
    /// How much of the server's stream the last Confirm said was consumed.
    shown: usize,
    sessions: u128,
    logins: u64,
    /// Files that were replaced or lost: what they held is still to be told apart.
    past: Vec<(Role, File)>,
}

#[derive(Clone, Debug, Default)]
struct Side {
    main: Option<File>,
    fresh: Option<File>,
    kept: Vec<(u128, u64)>,
    /// Somebody removed the link's file, which is still mapped.
    removed: bool,
    /// How many messages of the other side have come in all.
    arrived: usize,
    /// How much the other side has said that it consumed, whether it was heard or not.
    told: usize,
}

/// One side's file of one session.
#[derive(Clone, Debug)]
struct File {
    session: u128,
    attachment: u64,
    committed: Vec<Message>,
    freed: usize,
    consumed: usize,
}

impl Plan {
    /// A directory without a file.
    pub fn new(setting: Setting) -> Self {
        let [client, server] = Default::default();
        Self { setting, client, server, shown: 0, sessions: 0, logins: 0, past: Vec::new() }
    }

    /// One side does one thing. Returns each state that the two files pass through, one store after another.
    pub fn act(&mut self, who: Who, act: &Act) -> Vec<LinkState> {
        let role = self.setting.role_of(who);
        let mut passed = Vec::new();
        match act {
            Act::Send(len) => self.commit(role, &[*len], 0),
            Act::Reply(len) => self.commit(role, &[*len], 1),
            Act::Batch(lens, consuming) => self.commit(role, lens, *consuming),
            Act::Echo(len) => {
                self.take(role);
                self.commit(role, &[*len], 1);
            }
            Act::Consume => self.consume(role, 1),
            Act::ConsumeThrough(count) => self.consume(role, *count),
            Act::Take => {
                self.take(role);
                if self.setting.carrier == Carrier::Tcp {
                    self.learn(role);
                }
            }
            Act::Learn => self.learn(role),
            Act::LearnAndSend(len) => {
                self.learn(role);
                passed.push(self.state());
                self.commit(role, &[*len], 0);
            }
            Act::Transmit => self.transmit(role),
            Act::Show => self.shown = self.client.main.as_ref().map_or(0, |main| main.consumed),
            Act::Create => self.create(role),
            Act::Accept => {
                self.logins += 1;
                let heard = if self.server.fresh.is_some() { 0 } else { self.shown };
                self.attach(role, heard, &mut passed);
            }
            Act::Establish => {
                let heard = self.server.live().consumed;
                self.attach(role, heard, &mut passed);
            }
            Act::Switch => self.switch(role),
            Act::Open => self.settle(role),
            Act::Remove => self.side(role).removed = true,
            Act::Restore => self.side(role).removed = false,
            Act::Lose => self.lose(role),
            Act::Abandon(_)
            | Act::AbandonBatch(_)
            | Act::Look
            | Act::Detach
            | Act::Exit
            | Act::LagConsumed => {}
        }
        passed.push(self.state());
        passed
    }

    /// Everything that a side committed in its session: what positions are counted by.
    pub fn committed(&self, role: Role, session: u128) -> &[Message] {
        let side = if role == Role::Client { &self.client } else { &self.server };
        let past = self.past.iter().filter(|(owner, _)| *owner == role).map(|(_, file)| file);
        let mut files = side.fresh.iter().chain(&side.main).chain(past);
        files.find(|file| file.session == session).map_or(&[], |file| &file.committed)
    }

    /// What recovery must find if both processes are killed now.
    pub fn state(&self) -> LinkState {
        LinkState { client: self.client.recovered(Role::Client), server: self.server.recovered(Role::Server) }
    }

    fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    fn commit(&mut self, role: Role, lens: &[usize], consuming: usize) {
        let file = self.side(role).live_mut();
        for len in lens {
            let number = file.committed.len() as u64;
            file.committed.push(Message::numbered(role, number, *len));
        }
        file.consumed += consuming;
    }

    fn transmit(&mut self, role: Role) {
        if self.setting.carrier == Carrier::Tcp {
            let File { committed, consumed, .. } = self.side(role).live();
            let (arrived, told) = (committed.len(), *consumed);
            let other = self.side(role.other());
            (other.arrived, other.told) = (arrived, told);
        }
    }

    fn take(&mut self, role: Role) {
        if self.setting.carrier == Carrier::Shm {
            self.side(role).arrived = self.side(role.other()).live().committed.len();
        }
    }

    fn consume(&mut self, role: Role, count: usize) {
        let side = self.side(role);
        side.live_mut().consumed += count;
        assert!(side.live().consumed <= side.arrived, "consumed what never came");
    }

    fn learn(&mut self, role: Role) {
        if self.setting.carrier == Carrier::Shm {
            self.side(role).told = self.side(role.other()).live().consumed;
        }
        let side = self.side(role);
        let told = side.told;
        let file = side.live_mut();
        file.freed = file.freed.max(told);
    }

    fn create(&mut self, role: Role) {
        if role == Role::Client {
            self.sessions += 1;
        }
        let session = self.sessions;
        let fresh = File { session, attachment: 0, committed: Vec::new(), freed: 0, consumed: 0 };
        self.side(role).fresh = Some(fresh);
    }

    /// The attachment first, then what the login tells of the other side's consumption.
    fn attach(&mut self, role: Role, heard: usize, passed: &mut Vec<LinkState>) {
        let attachment = self.setting.attachment(self.logins);
        let side = self.side(role);
        let file = side.fresh.as_mut().or(side.main.as_mut()).expect("a session");
        file.attachment = attachment;
        passed.push(self.state());
        let file = self.side(role).live_mut();
        file.freed = file.freed.max(heard);
    }

    fn switch(&mut self, role: Role) {
        self.settle(role);
        let side = self.side(role);
        (side.arrived, side.told) = (0, 0);
    }

    fn settle(&mut self, role: Role) {
        let main = self.side(role).main.clone();
        self.past.extend(main.map(|main| (role, main)));
        self.side(role).settle(role);
    }

    fn lose(&mut self, role: Role) {
        let lost = std::mem::take(self.side(role));
        self.past.extend(lost.main.map(|main| (role, main)));
    }
}

impl Side {
    /// The session that is connected, or was last.
    fn live(&self) -> &File {
        let fresh = self.fresh.as_ref().filter(|fresh| fresh.attachment != 0);
        fresh.or(self.main.as_ref()).expect("a session")
    }

    fn live_mut(&mut self) -> &mut File {
        let fresh = self.fresh.as_mut().filter(|fresh| fresh.attachment != 0);
        fresh.or(self.main.as_mut()).expect("a session")
    }

    /// A fresh file whose login was completed takes the place of the old one, which is kept; one whose login
    /// was not is shown again by a client, and means nothing on a server.
    fn settle(&mut self, role: Role) {
        match self.fresh.take() {
            Some(fresh) if fresh.attachment != 0 => {
                let old = self.main.replace(fresh);
                self.kept.extend(old.map(|old| (old.session, old.pending().len() as u64)));
            }
            Some(fresh) if role == Role::Client => self.fresh = Some(fresh),
            _ => {}
        }
    }

    fn recovered(&self, role: Role) -> SideState {
        let mut side = self.clone();
        side.main = side.main.filter(|_| !side.removed);
        side.settle(role);
        SideState {
            main: side.main.as_ref().map(File::state),
            proposed: side.fresh.map(|fresh| fresh.session),
            kept: side.kept,
        }
    }
}

impl File {
    fn pending(&self) -> &[Message] {
        &self.committed[self.freed..]
    }

    fn state(&self) -> FileState {
        FileState {
            session: self.session,
            attachment: self.attachment,
            freed: self.freed,
            pending: self.pending().to_vec(),
            consumed: self.consumed,
        }
    }
}
