//! What an act does.

use std::time::Instant;

use tcpshm_protocol::{InboundFault, ProtocolError, Role};

use super::client::Said;
use super::event::{Act, Line, Size};
use super::files::{Files, Slot};
use super::judge;
use super::rules::Rules;
use super::side::{App, Heard, Side};
use super::state::{ClientEnd, Copied, Link, ServerEnd, State};
use crate::violation::{Invariant, violate};
use crate::world::wire::frame_size;

/// What came of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was not possible, or there was nothing to do.
    Nothing,
    Something,
    /// An application was given a message.
    Message,
}

/// How much of a frame a carrier takes that does not take it whole: word 0 and a half of word 1.
const PART: usize = 12;

/// Messages that one history has, at most: the next one's have other tags.
const OTHER_HISTORY: u8 = 16;

/// Two sides, one to change and the other to look at.
fn both(state: &mut State, role: Role) -> (&mut Side, &mut Side) {
    let [client, server] = &mut state.sides;
    if role == Role::Client { (client, server) } else { (server, client) }
}

impl State {
    /// Does it, if it can be done now, at the time `now`.
    pub(crate) fn act(&mut self, rules: &Rules, act: Act, now: Instant) -> Done {
        let done = match act {
            Act::Dial => self.dial(rules),
            Act::Hear(role, line, app) => return self.hear(rules, role, line, app, now),
            Act::Say(role) => self.say(role, usize::MAX, now),
            Act::SayPart(role) => self.say_part(role, now),
            Act::Poll(role, app) => return self.poll(rules, role, app),
            Act::Observe(role) => self.observe(role),
            Act::Send(role, size) => self.send(rules, role, size),
            Act::Release(role, app) => self.release(rules, role, app),
            Act::Notice(role) => self.notice(role),
            Act::Cut => self.cut(),
            Act::Leave(role) => self.part(role),
            Act::Kill(role) => self.killed(role),
            Act::Start(role) => {
                let dead = !self.side(role).alive;
                if dead {
                    self.start(role);
                }
                dead
            }
            Act::Lose(role) => self.lose(role),
            Act::Copy(role) => self.copy(role),
            Act::Restore(role) => self.restore(role),
        };
        if done { Done::Something } else { Done::Nothing }
    }

    // ---- connections ----

    fn dial(&mut self, rules: &Rules) -> bool {
        let alive = self.sides.iter().all(|side| side.alive);
        if !alive || self.dialled().is_some() || self.links.len() > 1 {
            return false;
        }
        if !self.links.is_empty() {
            let Some(left) = self.left.takeovers.checked_sub(1) else { return false };
            self.left.takeovers = left;
        }
        self.links.push(Link::dialled(rules));
        true
    }

    fn notice(&mut self, role: Role) -> bool {
        let noticed = self.links.iter().position(|link| match role {
            Role::Client => {
                matches!(link.server, ServerEnd::Gone)
                    && !matches!(link.client, ClientEnd::Gone)
                    && link.down.is_empty()
            }
            Role::Server => {
                matches!(link.client, ClientEnd::Gone)
                    && !matches!(link.server, ServerEnd::Gone)
                    && link.up.is_empty()
            }
        });
        if let Some(link) = noticed {
            self.leave(role, link);
            self.sweep();
        }
        noticed.is_some()
    }

    fn cut(&mut self) -> bool {
        let (Some(left), Some(link)) = (self.left.cuts.checked_sub(1), self.dialled()) else { return false };
        self.left.cuts = left;
        self.leave(Role::Client, link);
        self.leave(Role::Server, link);
        self.sweep();
        true
    }

    /// One side leaves the newest connection.
    fn part(&mut self, role: Role) -> bool {
        let (Some(left), Some(link)) = (self.left.cuts.checked_sub(1), self.dialled()) else { return false };
        if role == Role::Server && matches!(self.links[link].server, ServerEnd::Gone) {
            return false;
        }
        self.left.cuts = left;
        self.leave(role, link);
        self.sweep();
        true
    }

    fn say(&mut self, role: Role, most: usize, now: Instant) -> bool {
        let Some(link) = self.carrier_of(role) else { return false };
        let link = &mut self.links[link];
        let (queue, heard) = match role {
            Role::Client => (&mut link.up, !matches!(link.server, ServerEnd::Gone)),
            Role::Server => (&mut link.down, !matches!(link.client, ClientEnd::Gone)),
        };
        let Some(session) = self.sides[role as usize].main.session_mut() else { return false };
        let mut said = 0;
        while said < most {
            let bytes = session.poll_transmit(now);
            let count = bytes.len().min(most - said);
            if count == 0 {
                break;
            }
            if heard {
                queue.extend_from_slice(&bytes[..count]);
            }
            session.handle_transmitted(now, count);
            said += count;
        }
        said > 0
    }

    fn say_part(&mut self, role: Role, now: Instant) -> bool {
        let Some(left) = self.left.splits.checked_sub(1) else { return false };
        if !self.say(role, PART, now) {
            return false;
        }
        self.left.splits = left;
        true
    }

    fn hear(&mut self, rules: &Rules, role: Role, line: Line, app: App, now: Instant) -> Done {
        let index = match (role, line) {
            (Role::Client, _) => self.dialled(),
            (Role::Server, line) => Some(line as usize),
        };
        let Some(index) = index.filter(|index| *index < self.links.len()) else { return Done::Nothing };
        let link = &mut self.links[index];
        let queue = if role == Role::Client { &mut link.down } else { &mut link.up };
        if queue.is_empty() {
            return Done::Nothing;
        }
        let bytes = std::mem::take(queue);
        let mut input = &bytes[..];
        let done = match role {
            Role::Client => self.client_hears(rules, index, &mut input, app, now),
            Role::Server => self.server_hears(rules, index, &mut input, app, now),
        };
        let rest = input.to_vec();
        if rest.len() == bytes.len() && done == Done::Nothing && !self.links[index].is_left_by(role.other()) {
            self.put_back(role, index, bytes);
            return Done::Nothing;
        }
        // Behind half a frame and the end of the connection nothing comes.
        let rest = if rest.len() == bytes.len() { Vec::new() } else { rest };
        self.put_back(role, index, rest);
        self.sweep();
        if done == Done::Message { done } else { Done::Something }
    }

    /// What was not taken is still there, unless its end has gone.
    fn put_back(&mut self, role: Role, index: usize, rest: Vec<u8>) {
        let link = &mut self.links[index];
        match role {
            Role::Client if !matches!(link.client, ClientEnd::Gone) => link.down = rest,
            Role::Server if !matches!(link.server, ServerEnd::Gone) => link.up = rest,
            _ => {}
        }
    }

    fn client_hears(
        &mut self,
        rules: &Rules,
        index: usize,
        input: &mut &[u8],
        app: App,
        now: Instant,
    ) -> Done {
        let link = &mut self.links[index];
        let [client, server] = &mut self.sides;
        match &mut link.client {
            ClientEnd::Login(login, confirmed) => {
                let session = client.truth.session;
                let before = client.files();
                let mut output = Vec::new();
                let said = client.hear_as_client(rules, &mut self.ids, server, login, input, &mut output);
                *confirmed |= !output.is_empty();
                if !matches!(link.server, ServerEnd::Gone) {
                    link.up.extend(output);
                }
                judge::client_login(client, &before, said, self.broken);
                match said {
                    Said::Nothing => {}
                    Said::Accepted(_) => {
                        link.client = ClientEnd::Stream;
                        // Both sides have a session that nothing was done to.
                        self.broken &= client.truth.session == session;
                    }
                    Said::Refused(_) | Said::Disputed | Said::Left => self.leave(Role::Client, index),
                }
                Done::Nothing
            }
            ClientEnd::Stream => {
                let heard = client.hear(rules, now, input, app, &server.truth);
                self.after(Role::Client, index, heard)
            }
            ClientEnd::Gone => Done::Nothing,
        }
    }

    fn server_hears(
        &mut self,
        rules: &Rules,
        index: usize,
        input: &mut &[u8],
        app: App,
        now: Instant,
    ) -> Done {
        let live = self.carrier_of(Role::Server).is_some();
        let last = self.links.iter().filter_map(Link::order).max();
        let link = &mut self.links[index];
        let [client, server] = &mut self.sides;
        match &mut link.server {
            ServerEnd::Login(visit) => {
                visit.order = visit.order.or(Some(last.map_or(0, |last| last + 1)));
                let before = server.files();
                let mut output = Vec::new();
                let said =
                    server.hear_as_server(rules, &mut self.ids, client, visit, live, input, &mut output);
                if !matches!(link.client, ClientEnd::Gone) {
                    link.down.extend(output);
                }
                judge::server_login(server, &before, said);
                match said {
                    Said::Nothing => {}
                    Said::Accepted(_) => self.accepted(index),
                    Said::Refused(_) | Said::Disputed | Said::Left => self.leave(Role::Server, index),
                }
                Done::Nothing
            }
            ServerEnd::Stream => {
                let heard = server.hear(rules, now, input, app, &client.truth);
                self.after(Role::Server, index, heard)
            }
            ServerEnd::Gone => Done::Nothing,
        }
    }

    /// The server's session belongs to this connection now: older ones are fenced, and what they still bring
    /// decides nothing.
    fn accepted(&mut self, index: usize) {
        let order = self.links[index].order();
        let others = self.links.iter_mut().enumerate().filter(|(other, _)| *other != index);
        for (_, link) in others {
            match &mut link.server {
                ServerEnd::Stream => {
                    link.server = ServerEnd::Gone;
                    link.up.clear();
                }
                ServerEnd::Login(visit) => visit.stale |= visit.order.is_some() && visit.order < order,
                ServerEnd::Gone => {}
            }
        }
        self.links[index].server = ServerEnd::Stream;
    }

    /// An honest peer is never at fault; that it has left the memory it shared ends the connection.
    fn after(&mut self, role: Role, index: usize, heard: Result<Heard, ProtocolError>) -> Done {
        match heard {
            Ok(Heard::Nothing) => Done::Nothing,
            Ok(Heard::Message) => Done::Message,
            Err(ProtocolError::Inbound(InboundFault::Left)) => {
                self.leave(role, index);
                Done::Something
            }
            Err(fault) => violate(Invariant::Decided, format_args!("an honest peer is faulted: {fault}")),
        }
    }

    // ---- shared memory ----

    fn poll(&mut self, rules: &Rules, role: Role, app: App) -> Done {
        let Some(index) = self.carrier_of(role) else { return Done::Nothing };
        let (side, peer) = both(self, role);
        let Some(view) = side.viewed(peer).cloned() else { return Done::Nothing };
        let heard = side.poll(rules, &view, app, &peer.truth);
        let before = heard == Ok(Heard::Nothing);
        let done = self.after(role, index, heard);
        self.sweep();
        // A look that finds nothing may have zeroed places ahead.
        if before { Done::Something } else { done }
    }

    fn observe(&mut self, role: Role) -> bool {
        let (side, peer) = both(self, role);
        let Some(view) = side.viewed(peer) else { return false };
        side.main.session_mut().is_some_and(|session| {
            session.observe(view);
            true
        })
    }

    // ---- applications ----

    fn send(&mut self, rules: &Rules, role: Role, size: Size) -> bool {
        let side = &mut self.sides[role as usize];
        let [small, large] = rules.sizes;
        let (count, payload) = match size {
            Size::Small => (1, small),
            Size::Large => (1, large),
            Size::Batch => {
                let bytes = frame_size(small) + frame_size(large) - 16;
                (2, usize::try_from(bytes).expect("small"))
            }
        };
        if !side.alive || side.sends < count || !side.has_room(payload) {
            return false;
        }
        match size {
            Size::Small | Size::Large => side.send(rules, size == Size::Large),
            Size::Batch => side.send_batch(rules),
        }
        true
    }

    fn release(&mut self, rules: &Rules, role: Role, app: App) -> bool {
        let side = &mut self.sides[role as usize];
        let held = !side.held.is_empty();
        if held {
            side.release(rules, app);
        }
        held
    }

    // ---- processes and files ----

    fn killed(&mut self, role: Role) -> bool {
        let Some(left) = self.left.crashes.checked_sub(1).filter(|_| self.side(role).alive) else {
            return false;
        };
        self.left.crashes = left;
        self.bury(role);
        true
    }

    fn copy(&mut self, role: Role) -> bool {
        let side = self.side(role);
        let files = side.files();
        if self.left.losses == 0 || self.copy.is_some() || files.main.is_none() {
            return false;
        }
        let truth = side.truth.clone();
        self.copy = Some(Copied { role, main: files.main, fresh: files.fresh, truth });
        true
    }

    fn lose(&mut self, role: Role) -> bool {
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

    fn restore(&mut self, role: Role) -> bool {
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
        self.broken = true;
    }
}
