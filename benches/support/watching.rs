//! An application that does nothing but watch its link.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tcpshm_driver::{
    Carrier, Client, Connected, Disconnected, EventLoop, Handler, Link, LoginRefused, Name, Received,
    ViewError,
};

/// Notes when its link was connected, and whatever went wrong. What comes is left where it is.
#[derive(Debug, Default)]
pub struct Watching {
    /// Since when there is a connection.
    pub connected: Option<(Instant, Carrier)>,
    /// When the last one was lost.
    pub lost: Option<Instant>,
    /// What ended it, or was in the way of the next.
    pub ended: Option<String>,
    /// Logins that ended in a refusal.
    pub refused: u64,
    /// Attempts that led nowhere.
    pub unreachable: u64,
}

impl Watching {
    /// Runs a client until its link is connected.
    pub fn connect(&mut self, client: &mut EventLoop<Client>, patience: Duration) -> io::Result<Instant> {
        let deadline = Instant::now() + patience;
        loop {
            client.turn(self, Some(patience))?;
            if let Some((at, _)) = self.connected {
                return Ok(at);
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, self.ended.take().unwrap_or_default()));
            }
        }
    }
}

impl Handler for Watching {
    fn message(&mut self, _: &mut Link<'_>, _: Received<'_>) {}

    fn connected(&mut self, _: &mut Link<'_>, connected: &Connected) {
        self.connected = Some((Instant::now(), connected.carrier));
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.connected = None;
        self.lost = Some(Instant::now());
        self.ended = Some(reason.to_string());
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.refused += 1;
        self.ended = Some(refused.refusal.to_string());
    }

    fn unreachable(&mut self, _: SocketAddr, error: &io::Error) {
        self.unreachable += 1;
        self.ended = Some(error.to_string());
    }

    fn not_shared(&mut self, _: &Name, error: &ViewError) {
        self.ended = Some(error.to_string());
    }
}
