//! All the clients of one process, in one loop: a host that embeds several drivers.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use tcpshm_driver::{CarrierWish, Client, Driver, Idle, IdleStrategy, Pause};

use super::worker::Worker;

/// Polls of shared memory between two visits to the sockets.
const POLLS: u32 = 64;

/// Clients, the tokens of each twice its index and the next.
#[derive(Debug)]
pub(super) struct Fleet {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    idle: Idle,
}

impl Fleet {
    /// Puts these into one loop.
    pub(super) fn new(mut clients: Vec<Client>) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| error.to_string())?;
        for (token, client) in clients.iter_mut().enumerate() {
            client.register(poll.registry(), 2 * token..2 * token + 2).map_err(|error| error.to_string())?;
            client.set_may_sleep(IdleStrategy::default().may_sleep());
        }
        Ok(Self { poll, events: Events::with_capacity(256), clients, idle: Idle::default() })
    }

    /// Waits for something to do, at most that long, and does it.
    pub(super) fn turn(&mut self, worker: &mut Worker, wait: Duration) -> Result<(), String> {
        let pause = self.poll_memory(worker);
        let now = Instant::now();
        let wait = self.clients.iter().filter_map(|client| client.timeout(now)).fold(wait, Duration::min);
        // A client on shared memory that is not parked never lets its host sleep; how much it does is for the idle
        // strategy to say.
        let wait = pause.unwrap_or(wait);
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.to_string()),
            _ => {}
        }
        let now = Instant::now();
        for event in &self.events {
            let index = event.token().0 / 2;
            if let Some(client) = self.clients.get_mut(index) {
                worker.turn_of(link(index));
                client.handle_event(now, event, worker).map_err(|error: io::Error| error.to_string())?;
            }
        }
        for (index, client) in self.clients.iter_mut().enumerate() {
            worker.turn_of(link(index));
            client.handle_timeout(now, worker);
        }
        Ok(())
    }

    /// Polls the links on shared memory, if there are any, and says how long to wait then; `None` if the drivers
    /// know.
    fn poll_memory(&mut self, worker: &mut Worker) -> Option<Duration> {
        if !self.clients.iter().any(Client::is_polling) {
            return None;
        }
        for _ in 0..POLLS {
            let mut found = false;
            for (index, client) in self.clients.iter_mut().enumerate() {
                worker.turn_of(link(index));
                found |= client.poll(worker);
            }
            match self.idle.after(found) {
                Pause::None => {}
                Pause::Yield => {
                    thread::yield_now();
                    break;
                }
                Pause::Park => {
                    // Where one does not, its timeout is zero.
                    self.clients.iter_mut().all(Client::park);
                    return None;
                }
                Pause::Sleep(pause) => {
                    // Less than an epoll can wait for.
                    thread::sleep(pause.min(Duration::from_micros(500)));
                    break;
                }
            }
        }
        Some(Duration::ZERO)
    }

    /// Lets the application work on each link.
    pub(super) fn step(&mut self, worker: &mut Worker) {
        let now = Instant::now();
        for (index, client) in self.clients.iter_mut().enumerate() {
            worker.turn_of(link(index));
            if let Some(mut link) = client.link(now) {
                worker.step(&mut link);
            }
        }
    }

    /// Asks for another carrier on one link.
    pub(super) fn change_carrier(&mut self, index: u16, wish: CarrierWish, worker: &mut Worker) {
        worker.turn_of(index);
        self.clients[usize::from(index)].change_carrier(Instant::now(), wish, worker);
    }
}

fn link(index: usize) -> u16 {
    u16::try_from(index).expect("links are numbered in 16 bits")
}
