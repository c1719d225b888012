//! The subject: a client of the driver that sends its next request when the answer to the last one comes.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tcpshm_driver::{
    Carrier, CarrierWish, Client, ClientConfig, Connected, Disconnected, EventLoop, Handler, IdleStrategy,
    Link, Received, SendError, ViewError,
};

use crate::course::{Course, Plan};
use crate::echo::{END, REQUEST, geometry, kind, name_of};
use crate::mix::Mix;

/// How long a connection may take, and a batch.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client over one carrier. Everything goes through the public interface of the driver.
#[derive(Debug)]
pub struct LinkClient {
    client: EventLoop<Client>,
    carrier: Carrier,
    /// Whether it sleeps until something comes.
    waits: bool,
    app: Asking,
}

impl LinkClient {
    /// A client that connects in its first batch.
    pub fn new(home: &Path, carrier: Carrier, address: SocketAddr, ring: u64, mix: Mix) -> io::Result<Self> {
        let mut config = ClientConfig::new(Self::name(carrier).parse().expect("it is a name"), home, address);
        config.server = Some(name_of(carrier).parse().expect("it is a name"));
        config.carrier = wish(carrier);
        config.link.limits.send = geometry(ring);
        config.link.limits.accept = geometry(ring);
        let client = Client::new(config).map_err(io::Error::other)?;
        let client = EventLoop::new(client, Instant::now)?.with_idle(IdleStrategy::Spin);
        Ok(Self { client, carrier, waits: false, app: Asking::new(mix) })
    }

    /// Sleeps in the poll until something comes, in place of spinning.
    #[must_use]
    pub fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// One name for each, since a process owns its name in a directory.
    fn name(carrier: Carrier) -> &'static str {
        match carrier {
            Carrier::Tcp => "tcp-client",
            Carrier::Shm => "shm-client",
        }
    }

    /// Makes one batch of round trips.
    pub fn run(&mut self, plan: Plan) -> io::Result<&Course> {
        self.turn_until(|app| app.carrier.is_some())?;
        assert_eq!(self.app.carrier, Some(self.carrier), "another carrier was granted");
        self.app.running = true;
        self.app.course.begin(plan);
        let now = self.client.now();
        let mut link = self.client.driver().link(now).expect("it is connected");
        self.app.ask(&mut link, None).expect("the ring is empty");
        drop(link);
        self.turn_until(|app| !app.running)?;
        Ok(&self.app.course)
    }

    /// What was measured.
    pub fn course(&self) -> &Course {
        &self.app.course
    }

    fn turn_until(&mut self, done: impl Fn(&Asking) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for turn in 0_u64.. {
            if done(&self.app) {
                break;
            }
            match self.carrier {
                Carrier::Tcp if !self.waits => self.client.spin_turn(&mut self.app)?,
                Carrier::Tcp | Carrier::Shm => self.client.turn(&mut self.app, Some(PATIENCE))?,
            }
            if let Some(reason) = self.app.trouble.take() {
                return Err(io::Error::other(reason));
            }
            // Now and then: reading the clock takes a part of a turn.
            if turn % 1024 == 0 && Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }
}

/// The application: asks, checks the answer, asks again.
#[derive(Debug)]
struct Asking {
    mix: Mix,
    course: Course,
    /// The granted carrier, while there is a connection.
    carrier: Option<Carrier>,
    running: bool,
    trouble: Option<String>,
    payload: [u8; Mix::LONGEST],
    /// The request whose answer is awaited: its number, which it begins with, and its size.
    number: u64,
    size: usize,
}

impl Asking {
    fn new(mix: Mix) -> Self {
        Self {
            mix,
            course: Course::new(),
            carrier: None,
            running: false,
            trouble: None,
            payload: [7; Mix::LONGEST],
            number: 0,
            size: 0,
        }
    }

    /// Sends the next request, and consumes the answer to the last one in the same store.
    fn ask(&mut self, link: &mut Link<'_>, answer: Option<Received<'_>>) -> Result<(), SendError> {
        self.number += 1;
        self.size = self.mix.draw();
        self.payload[..8].copy_from_slice(&self.number.to_le_bytes());
        let mut slot = link.claim(kind(REQUEST), self.size)?;
        slot.copy_from_slice(&self.payload[..self.size]);
        match answer {
            Some(answer) => _ = slot.commit_consuming(answer).expect("it is the oldest"),
            None => _ = slot.commit(),
        }
        Ok(())
    }
}

impl Handler for Asking {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let answer = received.payload();
        assert_eq!(answer.len(), self.size, "the size of answer {}", self.number);
        assert_eq!(answer[..8], self.number.to_le_bytes(), "the number of the answer");
        if self.course.tick() {
            return self.ask(link, Some(received)).expect("one is in flight");
        }
        self.running = false;
        let slot = link.claim(kind(END), 0).expect("one is in flight");
        slot.commit_consuming(received).expect("it is the oldest");
    }

    fn connected(&mut self, _: &mut Link<'_>, connected: &Connected) {
        self.carrier = Some(connected.carrier);
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.trouble = Some(reason.to_string());
    }

    fn not_shared(&mut self, _: &tcpshm_driver::Name, error: &ViewError) {
        self.trouble = Some(error.to_string());
    }
}

/// This carrier and no other.
pub(crate) fn wish(carrier: Carrier) -> CarrierWish {
    match carrier {
        Carrier::Tcp => CarrierWish::Tcp,
        Carrier::Shm => CarrierWish::Shm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::LinkEcho;
    use crate::peer::home;

    #[test]
    fn batches_come_back_over_both_carriers() {
        for carrier in [Carrier::Tcp, Carrier::Shm] {
            let home = home().unwrap();
            let mut echo = LinkEcho::bind(home.path(), carrier, 4096).unwrap();
            let address = echo.address().unwrap();
            let echoing = std::thread::spawn(move || {
                (0..3).for_each(|_| assert!(echo.run().unwrap()));
                echo
            });
            let mut client = LinkClient::new(home.path(), carrier, address, 4096, Mix::new(1)).unwrap();
            for _ in 0..3 {
                // Several laps of the ring, over all batches.
                client.run(Plan { warm_up: 1, trips: 99, singly: true }).unwrap();
            }
            assert_eq!(client.course().singles().len(), 297, "{carrier:?}");
            let mut echo = echoing.join().unwrap();
            drop(client);
            assert!(!echo.run().unwrap(), "{carrier:?}");
        }
    }
}
