//! A stretch of network between clients and a server: what passes can be counted, held back and cut.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

/// A listening near end, and one wire for each connection that came to it.
pub(crate) struct Cable {
    listener: TcpListener,
    /// Where new wires lead.
    pub(crate) target: SocketAddr,
    pub(crate) wires: Vec<Wire>,
    /// How many bytes a new wire carries towards the client before it stops.
    pub(crate) down: usize,
    /// How many bytes a new wire carries towards the server before it stops.
    pub(crate) up: usize,
    /// Whether new wires keep what they carry.
    pub(crate) records: bool,
}

/// Two connections whose bytes are carried over.
pub(crate) struct Wire {
    pub(crate) to_client: Lane,
    pub(crate) to_server: Lane,
    client: Option<TcpStream>,
    server: Option<TcpStream>,
    /// What was carried, in order, if it is kept.
    pub(crate) record: Option<Vec<Piece>>,
}

/// Bytes that were carried at once.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) to_server: bool,
    pub(crate) bytes: Vec<u8>,
}

/// One direction.
pub(crate) struct Lane {
    buffer: Vec<u8>,
    /// Everything that was carried.
    pub(crate) carried: usize,
    /// How much may still be carried.
    pub(crate) allowed: usize,
    ended: bool,
    /// What was carried last.
    last: Vec<u8>,
}

impl Cable {
    pub(crate) fn new(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Cable { listener, target, wires: Vec::new(), down: usize::MAX, up: usize::MAX, records: false }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Carries what there is. Returns whether anything moved.
    pub(crate) fn turn(&mut self) -> bool {
        let mut moved = false;
        while let Ok((client, _)) = self.listener.accept() {
            moved = true;
            let mut wire = Wire::new(client, self.target, self.up, self.down);
            wire.record = self.records.then(Vec::new);
            self.wires.push(wire);
        }
        for wire in &mut self.wires {
            moved |= wire.turn();
        }
        moved
    }

    /// The wire of the latest connection.
    pub(crate) fn last(&mut self) -> &mut Wire {
        self.wires.last_mut().expect("a connection came")
    }
}

impl Wire {
    fn new(client: TcpStream, target: SocketAddr, up: usize, down: usize) -> Self {
        client.set_nonblocking(true).unwrap();
        let server = TcpStream::connect(target).ok();
        if let Some(server) = &server {
            server.set_nonblocking(true).unwrap();
        }
        let client = server.is_some().then_some(client);
        Wire { to_client: Lane::new(down), to_server: Lane::new(up), client, server, record: None }
    }

    /// The client's end is cut; the server is not told.
    pub(crate) fn cut_client(&mut self) {
        self.client = None;
    }

    /// Both ends are cut.
    pub(crate) fn cut(&mut self) {
        (self.client, self.server) = (None, None);
    }

    /// Whether the server has closed its end, or it was cut.
    pub(crate) fn is_over(&self) -> bool {
        self.to_client.ended || self.server.is_none()
    }

    fn turn(&mut self) -> bool {
        let (Some(client), Some(server)) = (&mut self.client, &mut self.server) else {
            // Half open: what the server says goes nowhere, but is taken.
            return self.server.as_mut().is_some_and(|server| self.to_client.drain(server));
        };
        let up = self.to_server.carry(client, server);
        let down = self.to_client.carry(server, client);
        if let Some(record) = &mut self.record {
            for (to_server, lane) in [(true, &mut self.to_server), (false, &mut self.to_client)] {
                let bytes = std::mem::take(&mut lane.last);
                record.extend((!bytes.is_empty()).then_some(Piece { to_server, bytes }));
            }
        }
        match (up, down) {
            (Ok(up), Ok(down)) => up || down,
            _ => {
                self.cut();
                true
            }
        }
    }
}

impl Lane {
    fn new(allowed: usize) -> Self {
        Lane { buffer: Vec::new(), carried: 0, allowed, ended: false, last: Vec::new() }
    }

    fn carry(&mut self, from: &mut TcpStream, to: &mut TcpStream) -> io::Result<bool> {
        let mut moved = self.read(from)?;
        let count = self.buffer.len().min(self.allowed);
        let written = match to.write(&self.buffer[..count]) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.last = self.buffer.drain(..written).collect();
        self.carried += written;
        self.allowed = self.allowed.saturating_sub(written);
        moved |= written > 0;
        if self.ended && self.buffer.is_empty() {
            let _ = to.shutdown(Shutdown::Write);
        }
        Ok(moved)
    }

    fn read(&mut self, from: &mut TcpStream) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        if self.ended || self.allowed == 0 {
            return Ok(false);
        }
        match from.read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn drain(&mut self, from: &mut TcpStream) -> bool {
        let moved = self.read(from).unwrap_or_else(|_| {
            self.ended = true;
            true
        });
        self.buffer.clear();
        moved
    }
}
