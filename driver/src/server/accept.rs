//! Taking new connections from the listeners.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::logins::{Bounds, Room};
use super::{Server, pending};
use crate::hall::Keeper;
use crate::handler::Handler;
use crate::handshake::Handshake;
use crate::socket;

/// How long to leave the listeners alone when the process or the system has no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

impl Server {
    pub(super) fn accept(&mut self, now: Instant, index: usize, app: &mut impl Handler) {
        let mut budget = self.config.accept_budget;
        while self.accepting[index] && budget > 0 && self.accept_after.is_none() {
            budget -= 1;
            match self.listeners[index].accept() {
                Ok((stream, address)) => self.admit(now, stream, address, app),
                Err(error) if socket::would_block(&error) => self.accepting[index] = false,
                // The connection was gone before we came to it, or a signal came: the next one.
                Err(error) if socket::is_transient(&error) => {}
                // No descriptors or no memory: trying again at once would only burn time.
                Err(_) => {
                    let pause = now + PAUSE;
                    self.accept_after = Some(pause).filter(|_| !zoo!(AcceptSpins));
                }
            }
        }
    }

    fn admit(&mut self, now: Instant, stream: TcpStream, address: SocketAddr, app: &mut impl Handler) {
        let bounds = Bounds {
            most: self.config.max_pending,
            most_per_address: self.config.max_pending_per_address,
            grace: self.config.login_grace,
        };
        match self.logins.room(now, address.ip(), bounds) {
            Room::Free => {}
            Room::InPlaceOf(oldest) => self.drop_place(oldest),
            // The peer sees a closed connection and comes back.
            Room::Nowhere => return,
        }
        let index = self.hall.places.reserve();
        let deadline = now + self.config.link.login_deadline;
        let mut handshake = Handshake::new(stream, address, deadline);
        let registered = self.hall.register_stream(&mut handshake.stream, index);
        if registered.and_then(|()| socket::configure(&handshake.stream, &self.config.link.socket)).is_err() {
            // Likewise.
            self.hall.places.vacate(index);
            return;
        }
        let arrival = self.logins.arrive(now, index, address.ip());
        self.hall.timers.schedule(index, deadline);
        self.hall.places.put(index, pending::place(handshake, arrival));
        self.visit(now, index, app);
    }
}
