//! A client and a server with everything between them.

use tcpshm_protocol::Role;
use tcpshm_protocol::login::{Carrier, CarrierWish, ClientLogin};

use crate::violation::{Invariant, ensure, violate};
use crate::world::client::{Client, Next};
use crate::world::clock::Clock;
use crate::world::disk::{Directory, Disk};
use crate::world::endpoint::{Configuration, Note};
use crate::world::pipe::{Chunks, Pipe};
use crate::world::ruling::{Ruling, Shown};
use crate::world::server::{Server, Visit};

mod carry;
mod cut;
mod judge;
mod life;
mod time;

pub use life::Snapshot;

/// How a pair is made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The client's configuration and the server's.
    pub configurations: [Configuration; 2],
    /// What their directories hold at first.
    pub directories: [Directory; 2],
    /// Decides every random number there is.
    pub seed: u64,
    /// What a read and a write move at once.
    pub chunks: Chunks,
    /// How many bytes can be on their way in one direction.
    pub room: Option<usize>,
    /// What the client wants its connections to be carried by.
    pub carrier: Carrier,
}

impl Setup {
    /// The default, over `carrier`.
    pub fn over(carrier: Carrier) -> Self {
        Self { carrier, ..Self::default() }
    }
}

impl Default for Setup {
    /// Rings of 256 bytes, messages of up to 64, empty directories, bytes moved whole, TCP.
    fn default() -> Self {
        Self {
            configurations: std::array::from_fn(|_| Configuration::new(256, 64)),
            directories: Default::default(),
            seed: 1,
            chunks: Chunks::Whole,
            room: None,
            carrier: Carrier::Tcp,
        }
    }
}

/// Where the next connection will be cut: after so many bytes arrived in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Towards the server.
    Up(u64),
    /// Towards the client.
    Down(u64),
}

/// Two processes, the connections between them, and the time.
///
/// Nothing happens by itself: a test sends, connects, cuts and kills, and [`Pair::settle`] lets
/// everything happen that follows from it without time passing.
#[derive(Debug)]
pub struct Pair {
    /// The side that dials.
    pub client: Client,
    /// The side that accepts.
    pub server: Server,
    /// What time it is for both.
    pub clock: Clock,
    /// What a read and a write move at once.
    pub chunks: Chunks,
    /// How many bytes can be on their way in one direction of a new connection.
    pub room: Option<usize>,
    /// Where the next connection will be cut.
    pub next_cut: Option<Cut>,
    /// What the client wants the next connection to be carried by.
    pub carrier: Carrier,
    /// What the next one wishes for instead.
    pub wish: Option<CarrierWish>,
    /// What the server decided about each login since somebody looked.
    pub rulings: Vec<Ruling>,
    /// Rare things that happened to connections since somebody looked.
    pub sights: Vec<&'static str>,
    connections: Vec<Connection>,
}

/// A connection that is up, or half of one.
#[derive(Debug)]
pub struct Connection {
    /// Bytes to the server.
    pub up: Pipe,
    /// Bytes to the client.
    pub down: Pipe,
    client: ClientEnd,
    server: ServerEnd,
    client_inbox: Vec<u8>,
    server_inbox: Vec<u8>,
    /// What the client's Confirm says.
    shown: Option<Shown>,
    /// Where in each direction the stream began, behind the login.
    stream: [Option<u64>; 2],
    /// Where the first message of each direction starts.
    first: [u64; 2],
    /// Nothing arrives for now.
    frozen: bool,
}

#[derive(Debug)]
enum ClientEnd {
    Login(ClientLogin),
    Stream,
    Gone,
}

#[derive(Debug)]
enum ServerEnd {
    Login(Visit),
    /// The bytes of Ready may still be on their way out.
    Stream(Visit),
    /// Refused: what is left to say is said, and no more is read.
    Leaving(Visit),
    Gone,
}

impl Connection {
    /// What the client's Confirm says, once it is written.
    pub fn shown(&self) -> Option<Shown> {
        self.shown.clone()
    }
}

impl Pair {
    /// Two running processes that are not connected.
    pub fn new(setup: Setup) -> Self {
        let [client, server] = setup.configurations;
        let [client_files, server_files] = setup.directories;
        let mut pair = Self {
            client: Client::new(Disk::new(client_files, setup.seed), client, setup.seed),
            server: Server::new(Disk::new(server_files, !setup.seed), server, setup.seed),
            clock: Clock::new(),
            chunks: setup.chunks,
            room: setup.room,
            next_cut: None,
            carrier: setup.carrier,
            wish: None,
            rulings: Vec::new(),
            sights: Vec::new(),
            connections: Vec::new(),
        };
        pair.client.neighbour = Some(pair.server.disk.clone());
        pair.server.neighbour = Some(pair.client.disk.clone());
        pair.client.peer_history = pair.server.history.clone();
        pair.server.peer_history = pair.client.history.clone();
        pair.client.start();
        pair.server.start();
        pair
    }

    /// A pair that is connected.
    pub fn connected(setup: Setup) -> Self {
        let mut pair = Self::new(setup);
        pair.login();
        pair
    }

    // ---- connections ----

    /// The client forgets the connection it has and dials again. Nothing is carried yet.
    pub fn connect(&mut self) {
        self.abandon();
        let cut = self.next_cut.take();
        let (up, down) = match cut {
            Some(Cut::Up(bytes)) => (Some(bytes), None),
            Some(Cut::Down(bytes)) => (None, Some(bytes)),
            None => (None, None),
        };
        let wish = self.wish.take().unwrap_or(match self.carrier {
            Carrier::Tcp => CarrierWish::Tcp,
            Carrier::Shm => CarrierWish::Shm,
        });
        self.connections.push(Connection {
            up: Pipe::new(up, self.room, true),
            down: Pipe::new(down, self.room, true),
            client: ClientEnd::Login(self.client.dial(wish)),
            server: ServerEnd::Login(Visit::new(self.client.history.past())),
            client_inbox: Vec::new(),
            server_inbox: Vec::new(),
            shown: None,
            stream: [None; 2],
            first: [0; 2],
            frozen: false,
        });
    }

    /// Dials until a login succeeds, and lets everything happen that follows. Returns how many
    /// connections it took; a few are allowed.
    #[track_caller]
    pub fn login(&mut self) -> usize {
        for attempt in 1..=5 {
            self.connect();
            self.settle();
            if self.is_connected() {
                return attempt;
            }
        }
        violate(
            Invariant::Live,
            format!("no login succeeds: client {:?}, server {:?}", self.client.notes, self.server.notes),
        );
    }

    /// Whether both sides are attached.
    pub fn is_connected(&self) -> bool {
        self.client.is_attached() && self.server.is_attached()
    }

    /// The connection breaks, and both sides notice.
    pub fn cut(&mut self) {
        for index in 0..self.connections.len() {
            self.hang_up(index);
        }
        self.connections.clear();
    }

    /// The newest connection breaks, and both sides notice; older ones stay as they are.
    pub fn cut_newest(&mut self) {
        if let Some(newest) = self.connections.len().checked_sub(1) {
            self.hang_up(newest);
            self.connections.pop();
        }
    }

    /// The client forgets the connection; the server hears nothing of it, and what is on its way to it
    /// still arrives.
    pub fn abandon(&mut self) {
        if let Some(connection) = self.connections.last_mut() {
            if matches!(connection.client, ClientEnd::Stream) {
                self.client.disconnected();
            }
            connection.client = ClientEnd::Gone;
        }
    }

    /// Nothing arrives on the connections there are until they thaw; nobody notices.
    pub fn freeze(&mut self) {
        self.connections.iter_mut().for_each(|connection| connection.frozen = true);
    }

    /// What is on its way arrives after all.
    pub fn thaw(&mut self) {
        self.connections.iter_mut().for_each(|connection| connection.frozen = false);
    }

    /// Dials, and goes on until the client's Confirm is on its way and has not arrived.
    pub fn connect_up_to_confirm(&mut self) {
        self.connect();
        let newest = self.connections.len() - 1;
        self.client_writes(newest);
        self.server_reads(newest);
        self.server_writes(newest);
        self.client_reads(newest);
        self.client_writes(newest);
    }

    /// Goes on from there until the server has accepted, and its Ready is on its way.
    pub fn up_to_ready(&mut self) {
        let newest = self.connections.len() - 1;
        self.server_reads(newest);
        self.server_writes(newest);
    }

    /// The bytes that a client once sent arrive again on a connection of their own. What is answered,
    /// nobody reads.
    pub fn replay(&mut self, bytes: &[u8], shown: Option<Shown>) {
        let mut up = Pipe::new(None, None, true);
        up.inject(bytes);
        // In front: the newest connection is the client's.
        self.connections.insert(
            0,
            Connection {
                up,
                down: Pipe::new(None, None, false),
                client: ClientEnd::Gone,
                server: ServerEnd::Login(Visit::new(self.client.history.past())),
                client_inbox: Vec::new(),
                server_inbox: Vec::new(),
                shown,
                stream: [None; 2],
                first: [0; 2],
                frozen: false,
            },
        );
    }

    /// The connections there are, oldest first.
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Bytes that nobody sent arrive at a side, on the newest connection.
    pub fn inject(&mut self, to: Role, bytes: &[u8]) {
        let Some(connection) = self.connections.last_mut() else { return };
        match to {
            Role::Client => connection.down.inject(bytes),
            Role::Server => connection.up.inject(bytes),
        }
    }

    /// One side reads or writes one chunk on the newest connection.
    pub fn step_newest(&mut self, role: Role, reads: bool) {
        self.step(role, reads, self.connections.len().saturating_sub(1));
    }

    /// The newest connection.
    #[track_caller]
    pub fn connection(&mut self) -> &mut Connection {
        self.connections.last_mut().expect("there is a connection")
    }

    // ---- what happens ----

    /// Lets everything happen that can without time passing.
    #[track_caller]
    pub fn settle(&mut self) {
        let mut turns = 0;
        while self.turn() || self.linger() {
            turns += 1;
            ensure(turns < 100_000, Invariant::Live, || "no end of it: something spins".into());
        }
    }

    /// Over shared memory a side may wait a few looks before it tells of room.
    fn linger(&mut self) -> bool {
        let shared = self.client.is_shared() || self.server.is_shared();
        shared && (0..100).any(|_| self.server_polls() | self.client_polls())
    }

    /// One side reads or writes one chunk on one connection, and looks into the other's file.
    pub fn step(&mut self, role: Role, reads: bool, index: usize) {
        let index = index % self.connections.len().max(1);
        let frozen = self.connections.get(index).is_some_and(|connection| connection.frozen);
        match (role, reads && !frozen) {
            (Role::Client, true) => self.client_polls() | self.client_reads(index),
            (Role::Server, true) => self.server_polls() | self.server_reads(index),
            (Role::Client, false) => self.client_writes(index),
            (Role::Server, false) => self.server_writes(index),
        };
        self.bury();
    }

    /// One chunk of bytes out and in, everywhere, and one look at each side into the other's file; whether
    /// anything moved.
    pub fn turn(&mut self) -> bool {
        let mut moved = self.server_polls() | self.client_polls();
        let mut index = 0;
        while index < self.connections.len() {
            moved |= self.client_writes(index) | self.server_writes(index);
            if !self.connections.get(index).is_some_and(|connection| connection.frozen) {
                moved |= self.server_reads(index);
                moved |= self.client_reads(index);
            }
            self.bury();
            if let Some(cut) = self.connections.get(index).filter(|connection| connection.is_cut()) {
                self.sights.extend(cut.place_of_cut());
                self.hang_up(index);
                moved = true;
            }
            index += 1;
        }
        self.connections.retain(|connection| !connection.is_over());
        moved
    }

    /// Processes whose disk has died are dead.
    pub fn bury(&mut self) {
        // A side that notices the end of the other's connection may die of what it stores then.
        while self.client.is_dying() || self.server.is_dying() {
            if self.client.is_dying() {
                self.kill_client();
            }
            if self.server.is_dying() {
                self.kill_server();
            }
        }
    }
}
