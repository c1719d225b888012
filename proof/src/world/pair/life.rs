//! The processes of a pair, and the files that they leave and find.

use std::collections::BTreeMap;

use tcpshm_protocol::Role;

use super::{ClientEnd, Pair};
use crate::world::disk::Directory;
use crate::world::endpoint::Endpoint;
use crate::world::ruling::Found;
use crate::world::truth::Truth;

/// One side's state at some moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    role: Role,
    directory: Directory,
    truths: BTreeMap<u128, Truth>,
}

impl Snapshot {
    /// Whose it is.
    pub fn role(&self) -> Role {
        self.role
    }
}

impl Pair {
    /// The client is killed; the server notices.
    pub fn kill_client(&mut self) {
        self.client.kill();
        self.cut();
    }

    /// The server is killed; the client notices.
    pub fn kill_server(&mut self) {
        self.server.kill();
        self.cut();
    }

    /// The client's host vanishes: the server hears nothing of it.
    pub fn vanish_client(&mut self) {
        self.client.kill();
        if let Some(connection) = self.connections.last_mut() {
            connection.client = ClientEnd::Gone;
        }
    }

    /// The client is killed and starts again.
    pub fn restart_client(&mut self) {
        self.kill_client();
        self.client.start();
    }

    /// The server is killed and starts again.
    pub fn restart_server(&mut self) {
        self.kill_server();
        self.server.start();
    }

    /// Over shared memory, both sides look up how much the other has consumed.
    pub fn observe(&mut self) {
        self.client.observe();
        self.server.observe();
    }

    /// A copy of one side's directory as it is now, and of what that side really did.
    pub fn snapshot(&self, role: Role) -> Snapshot {
        let endpoint: &Endpoint = if role == Role::Client { &self.client } else { &self.server };
        Snapshot { role, directory: endpoint.disk.content(), truths: endpoint.history.copy() }
    }

    /// A side is killed, its directory is replaced by a copy, and it starts again.
    pub fn restore(&mut self, snapshot: Snapshot) {
        let role = snapshot.role;
        self.kill(role);
        self.put_in_place(snapshot);
    }

    /// The same, with files that no other copy ever was of.
    pub fn exchange(&mut self, files: Snapshot) {
        let salt = self.endpoint_mut(files.role).salt;
        let role = files.role;
        self.restore(files);
        self.endpoint_mut(role).salt = salt;
    }

    /// A side is killed, and finds other files, whose sessions it knows.
    pub fn turn_to(&mut self, role: Role, directory: Directory) {
        self.kill(role);
        self.endpoint_mut(role).disk.replace(directory);
        match role {
            Role::Client => self.client.start(),
            Role::Server => self.server.start(),
        }
    }

    /// A side that is dead finds a copy of its directory, and starts.
    pub fn put_in_place(&mut self, snapshot: Snapshot) {
        let endpoint = self.endpoint_mut(snapshot.role);
        endpoint.disk.replace(snapshot.directory);
        endpoint.history.replace(snapshot.truths);
        // What a copy says is not what the original said.
        endpoint.salt += 1_000_000;
        match snapshot.role {
            Role::Client => self.client.start(),
            Role::Server => self.server.start(),
        }
    }

    /// A side is killed; the other notices.
    pub fn kill(&mut self, role: Role) {
        match role {
            Role::Client => self.kill_client(),
            Role::Server => self.kill_server(),
        }
    }

    fn endpoint_mut(&mut self, role: Role) -> &mut Endpoint {
        if role == Role::Client { &mut self.client } else { &mut self.server }
    }

    /// A side is killed, finds its file as `image`, which opens, and starts. What it did in that session is what the
    /// file says.
    pub fn suffer(&mut self, role: Role, image: &[u8]) {
        let mut found = self.snapshot(role);
        if let Some(main) = found.directory.main_mut() {
            *main = image.to_vec();
        }
        let session = Found::read(image).map_or(0, |found| found.session);
        found.truths.remove(&session);
        self.restore(found);
    }

    /// A side loses everything.
    pub fn lose(&mut self, role: Role) {
        let lost = Snapshot { directory: Directory::default(), ..self.snapshot(role) };
        self.restore(lost);
    }
}
