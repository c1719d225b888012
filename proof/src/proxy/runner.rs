//! The proxy's loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::connection::{Connection, State};
use super::fate::{Fate, Kind};
use super::replay::Replay;
use super::{Servers, Shared};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// Tokens of connections begin here.
const FIRST: usize = 2;

#[derive(Debug)]
pub(super) struct Runner {
    seed: u64,
    servers: Servers,
    shared: Arc<Shared>,
    poll: Poll,
    listener: TcpListener,
    /// By token.
    places: Vec<Option<Guest>>,
    /// How many connections there were.
    accepted: u64,
}

#[derive(Debug)]
enum Guest {
    Connection(Box<Connection>),
    Replay(Replay),
}

impl Runner {
    pub(super) fn new(seed: u64, servers: Servers, shared: Arc<Shared>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { seed, servers, shared, poll, listener, places: Vec::new(), accepted: 0 })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKER)
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut calm = false;
        loop {
            let now = Instant::now();
            let due = self.places.iter().flatten().filter_map(Guest::due).min();
            // Rounded up, or an epoll, which counts milliseconds, would spin.
            let wait = due.map(|due| due.saturating_duration_since(now).max(Duration::from_millis(1)));
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
                result => result?,
            }
            if self.shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if !calm && self.shared.calm.load(Ordering::Relaxed) {
                calm = true;
                self.end_all_but_plain();
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(now, calm)?,
                    WAKER => {}
                    Token(token) => self.pump(token - FIRST, now)?,
                }
            }
            for place in 0..self.places.len() {
                if self.places[place].as_ref().and_then(Guest::due).is_some_and(|due| due <= now) {
                    self.pump(place, now)?;
                }
            }
        }
    }

    fn accept(&mut self, now: Instant, calm: bool) -> io::Result<()> {
        loop {
            let near = match self.listener.accept() {
                Ok((near, _)) => near,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // It was gone before it was looked at.
                Err(_) => continue,
            };
            let mut fate = if calm { Fate::PLAIN } else { Fate::draw(self.seed, self.accepted) };
            self.accepted += 1;
            let server = match (fate.kind, self.servers.other) {
                (Kind::Astray, Some(other)) => other,
                (Kind::Astray, None) => {
                    fate = Fate::PLAIN;
                    self.servers.meant
                }
                _ => self.servers.meant,
            };
            let far = TcpStream::connect(server)?;
            for stream in [&near, &far] {
                // Pieces are to arrive apart. A connection that has failed already does not care.
                let _ = stream.set_nodelay(true);
            }
            let place = self.put(Guest::Connection(Box::new(Connection::new(near, far, fate))))?;
            self.pump(place, now)?;
        }
    }

    fn put(&mut self, mut guest: Guest) -> io::Result<usize> {
        let free = self.places.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        let both = Interest::READABLE | Interest::WRITABLE;
        for stream in guest.streams() {
            self.poll.registry().register(stream, Token(FIRST + place), both)?;
        }
        self.places[place] = Some(guest);
        Ok(place)
    }

    fn pump(&mut self, place: usize, now: Instant) -> io::Result<()> {
        let over = match &mut self.places[place] {
            None => return Ok(()),
            Some(Guest::Connection(connection)) => connection.pump(now, &self.shared) == State::Over,
            Some(Guest::Replay(replay)) => !replay.pump(now),
        };
        if !over {
            return Ok(());
        }
        match self.places[place].take() {
            Some(Guest::Connection(mut connection)) => {
                if let Some(words) = connection.take_record() {
                    let replay = Replay::new(words, self.servers.meant, now)?;
                    self.put(Guest::Replay(replay))?;
                }
            }
            Some(Guest::Replay(replay)) if replay.has_spoken() => self.shared.count(Kind::Replay),
            _ => {}
        }
        Ok(())
    }

    fn end_all_but_plain(&mut self) {
        for place in &mut self.places {
            let plain = |guest: &Guest| matches!(guest, Guest::Connection(connection) if connection.fate.kind == Kind::Plain);
            if place.as_ref().is_some_and(|guest| !plain(guest)) {
                *place = None;
            }
        }
    }
}

impl Guest {
    fn due(&self) -> Option<Instant> {
        match self {
            Guest::Connection(connection) => connection.due,
            Guest::Replay(replay) => Some(replay.until),
        }
    }

    fn streams(&mut self) -> Vec<&mut TcpStream> {
        match self {
            Guest::Connection(connection) => {
                connection.near.iter_mut().chain(connection.far.iter_mut()).collect()
            }
            Guest::Replay(replay) => vec![&mut replay.stream],
        }
    }
}
