//! What happens on a connection: it begins, bytes come and go, and it ends.

use std::time::Instant;

use tcpshm_protocol::login::Outcome;
use tcpshm_protocol::{InboundFault, ProtocolError, Role};

use super::act::Done;
use super::client::Said;
use super::event::Line;
use super::judge;
use super::rules::Rules;
use super::side::{App, Heard};
use super::state::{ClientEnd, Link, ServerEnd, State};
use crate::violation::{Invariant, violate};

/// How much of a frame a carrier takes that does not take it whole: word 0 and a half of word 1.
const PART: usize = 12;

impl State {
    pub(super) fn dial(&mut self, rules: &Rules) -> bool {
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

    pub(super) fn notice(&mut self, role: Role) -> bool {
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

    pub(super) fn cut(&mut self) -> bool {
        let (Some(left), Some(link)) = (self.left.cuts.checked_sub(1), self.dialled()) else { return false };
        self.left.cuts = left;
        self.leave(Role::Client, link);
        self.leave(Role::Server, link);
        self.sweep();
        true
    }

    /// One side leaves the newest connection.
    pub(super) fn part(&mut self, role: Role) -> bool {
        let (Some(left), Some(link)) = (self.left.cuts.checked_sub(1), self.dialled()) else { return false };
        if role == Role::Server && matches!(self.links[link].server, ServerEnd::Gone) {
            return false;
        }
        self.left.cuts = left;
        self.leave(role, link);
        self.sweep();
        true
    }

    pub(super) fn say(&mut self, role: Role, most: usize, now: Instant) -> bool {
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

    pub(super) fn say_part(&mut self, role: Role, now: Instant) -> bool {
        let Some(left) = self.left.splits.checked_sub(1) else { return false };
        if !self.say(role, PART, now) {
            return false;
        }
        self.left.splits = left;
        true
    }

    pub(super) fn hear(&mut self, rules: &Rules, role: Role, line: Line, app: App, now: Instant) -> Done {
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
                judge::client_login(client, &before, said, self.history);
                match said {
                    Said::Nothing => {}
                    Said::Accepted(_) => {
                        link.client = ClientEnd::Stream;
                        if client.truth.session != session {
                            self.history.begin(Role::Client);
                        }
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
                    Said::Accepted(outcome) => {
                        if outcome != Outcome::Resumed {
                            self.history.begin(Role::Server);
                        }
                        self.accepted(index);
                    }
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
    pub(super) fn after(&mut self, role: Role, index: usize, heard: Result<Heard, ProtocolError>) -> Done {
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
}
