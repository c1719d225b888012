//! How bytes get from one side to the other.

use tcpshm_protocol::Role;

use super::judge::{client_untouched, server_untouched};
use super::{ClientEnd, Connection, Next, Note, Pair, ServerEnd};

impl Connection {
    pub(super) fn is_over(&self) -> bool {
        matches!((&self.client, &self.server), (ClientEnd::Gone, ServerEnd::Gone))
    }

    pub(super) fn leave_server(&mut self) {
        if matches!(self.server, ServerEnd::Stream(_)) {
            self.server = ServerEnd::Gone;
        }
    }
}

impl Pair {
    /// Both ends of a connection are told that it is gone.
    pub(super) fn hang_up(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if matches!(std::mem::replace(&mut connection.client, ClientEnd::Gone), ClientEnd::Stream) {
            self.client.disconnected();
            self.client.notes.push(Note::Disconnected);
        }
        if matches!(std::mem::replace(&mut connection.server, ServerEnd::Gone), ServerEnd::Stream(_)) {
            self.server.disconnected();
            self.server.notes.push(Note::Disconnected);
        }
    }

    pub(super) fn client_writes(&mut self, index: usize) -> bool {
        let now = self.clock.now();
        let most = self.chunks.next();
        let Some(connection) = self.connections.get_mut(index) else { return false };
        match &mut connection.client {
            ClientEnd::Login(login) => {
                let written = connection.up.write(login.poll_transmit(), most);
                login.handle_transmitted(written);
                written > 0
            }
            ClientEnd::Stream => {
                self.client.rouse();
                let Some(session) = &mut self.client.session else { return false };
                let written = connection.up.write(session.poll_transmit(now), most);
                session.handle_transmitted(now, written);
                written > 0
            }
            ClientEnd::Gone => false,
        }
    }

    pub(super) fn server_writes(&mut self, index: usize) -> bool {
        let now = self.clock.now();
        let most = self.chunks.next();
        let Some(connection) = self.connections.get_mut(index) else { return false };
        match &mut connection.server {
            ServerEnd::Login(visit) | ServerEnd::Leaving(visit) => {
                let written = connection.down.write(visit.login.poll_transmit(), most);
                visit.login.handle_transmitted(written);
                written > 0
            }
            ServerEnd::Stream(visit) if !visit.login.poll_transmit().is_empty() => {
                let written = connection.down.write(visit.login.poll_transmit(), most);
                visit.login.handle_transmitted(written);
                written > 0
            }
            ServerEnd::Stream(_) => {
                self.server.rouse();
                let Some(session) = &mut self.server.session else { return false };
                let written = connection.down.write(session.poll_transmit(now), most);
                session.handle_transmitted(now, written);
                written > 0
            }
            ServerEnd::Gone => false,
        }
    }

    pub(super) fn client_reads(&mut self, index: usize) -> bool {
        let now = self.clock.now();
        let most = self.chunks.next();
        let Some(connection) = self.connections.get_mut(index) else { return false };
        let mut moved = false;
        // Whoever has left reads nothing.
        if !matches!(connection.client, ClientEnd::Gone) {
            moved = connection.down.read(&mut connection.client_inbox, most) > 0;
        }
        let next = match &mut connection.client {
            ClientEnd::Login(login) => {
                let before = self.client.disk.content();
                let (next, stepped) = self.client.handle_login(now, login, &mut connection.client_inbox);
                moved |= stepped;
                connection.shown = self.client.shown.take().or(connection.shown.take());
                if next != Next::Stream {
                    client_untouched(&before, &self.client);
                }
                next
            }
            ClientEnd::Stream => match self.client.handle_stream(now, &mut connection.client_inbox) {
                Ok(stepped) => {
                    moved |= stepped;
                    let learned = self.client.learned().filter(|_| !self.client.is_shared());
                    let behind = learned.is_some_and(|acked| connection.is_behind(Role::Client, acked));
                    self.sights.extend(behind.then_some("ack: ahead of the cursor"));
                    Next::Stream
                }
                Err(fault) => {
                    self.client.notes.push(Note::Fault(fault));
                    moved = true;
                    Next::Close
                }
            },
            ClientEnd::Gone => return moved,
        };
        match next {
            Next::Login => {}
            Next::Stream if matches!(connection.client, ClientEnd::Login(_)) => {
                connection.client = ClientEnd::Stream;
                connection.first[0] = self.client.learned().unwrap_or(0);
                connection.stream[1] = Some(connection.down.arrived() - connection.client_inbox.len() as u64);
            }
            Next::Stream => {}
            Next::Close => self.hang_up(index),
        }
        self.bury();
        moved
    }

    pub(super) fn server_reads(&mut self, index: usize) -> bool {
        let now = self.clock.now();
        let most = self.chunks.next();
        let live =
            self.connections.iter().any(|connection| matches!(connection.server, ServerEnd::Stream(_)));
        let Some(connection) = self.connections.get_mut(index) else { return false };
        let mut moved = false;
        if !matches!(connection.server, ServerEnd::Gone) {
            moved = connection.up.read(&mut connection.server_inbox, most) > 0;
        }
        match &mut connection.server {
            ServerEnd::Login(visit) => {
                let before = self.server.disk.content();
                let (next, stepped) =
                    self.server.handle_login(now, visit, live, &mut connection.server_inbox);
                moved |= stepped;
                let shown = connection.shown.clone();
                if next != Next::Stream {
                    server_untouched(&before, &self.server);
                }
                self.note_ruling(shown);
                self.server_moves_on(index, next);
            }
            ServerEnd::Stream(_) => match self.server.handle_stream(now, &mut connection.server_inbox) {
                Ok(stepped) => {
                    moved |= stepped;
                    let learned = self.server.learned().filter(|_| !self.server.is_shared());
                    let behind = learned.is_some_and(|acked| connection.is_behind(Role::Server, acked));
                    self.sights.extend(behind.then_some("ack: ahead of the cursor"));
                }
                Err(fault) => {
                    self.server.notes.push(Note::Fault(fault));
                    moved = true;
                    self.hang_up(index);
                }
            },
            ServerEnd::Leaving(visit)
                if visit.login.poll_transmit().is_empty() && connection.down.is_empty() =>
            {
                self.hang_up(index);
                moved = true;
            }
            ServerEnd::Leaving(_) | ServerEnd::Gone => {}
        }
        self.bury();
        moved
    }

    pub(super) fn client_polls(&mut self) -> bool {
        let polled = self.client.poll();
        let moved = polled.unwrap_or_else(|fault| {
            self.client.notes.push(Note::Fault(fault));
            let ours = |connection: &Connection| matches!(connection.client, ClientEnd::Stream);
            let index = self.connections.iter().position(ours).expect("it is attached to one");
            self.hang_up(index);
            true
        });
        self.bury();
        moved
    }

    pub(super) fn server_polls(&mut self) -> bool {
        let polled = self.server.poll();
        let moved = polled.unwrap_or_else(|fault| {
            self.server.notes.push(Note::Fault(fault));
            let ours = |connection: &Connection| matches!(connection.server, ServerEnd::Stream(_));
            let index = self.connections.iter().position(ours).expect("it is attached to one");
            self.hang_up(index);
            true
        });
        self.bury();
        moved
    }

    fn server_moves_on(&mut self, index: usize, next: Next) {
        if next == Next::Stream {
            // The session belongs to this connection now; an older one is fenced.
            for older in &mut self.connections {
                if matches!(older.server, ServerEnd::Stream(_)) {
                    older.server = ServerEnd::Gone;
                    let in_flight = !older.up.is_empty() || !older.down.is_empty();
                    self.sights.extend(in_flight.then_some("takeover: with bytes in flight"));
                }
            }
            let connection = &mut self.connections[index];
            connection.first[1] = self.server.learned().unwrap_or(0);
            connection.stream[0] = Some(connection.up.arrived() - connection.server_inbox.len() as u64);
        }
        let server = &mut self.connections[index].server;
        *server = match (std::mem::replace(server, ServerEnd::Gone), next) {
            (ServerEnd::Login(visit), Next::Stream) => ServerEnd::Stream(visit),
            (ServerEnd::Login(visit), Next::Close) => ServerEnd::Leaving(visit),
            (server, _) => server,
        };
    }
}
