//! One-way messages over a link, one side sending and the other consuming.

use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tcpshm_driver::{
    Carrier, Client, ClientConfig, Connected, Disconnected, Driver, EventLoop, Geometry, Handler,
    IdleStrategy, Link, Received, SendError, Server, ServerConfig, Silence, ViewError,
};

use crate::cores::Cores;
use crate::echo::{LARGEST, REQUEST, kind};
use crate::link_client::wish;
use crate::peer::home;

/// How long a stream may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a side that has nothing to do sees whether the other one has ended.
const LOOK_UP: Duration = Duration::from_millis(100);

/// What is sent, and how.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// What carries the link.
    pub carrier: Carrier,
    /// Bytes of each message.
    pub payload: usize,
    /// How many messages.
    pub count: u64,
    /// How many are committed together; from 1, which is a commit of each alone.
    pub batch: u64,
    /// Bytes of the ring.
    pub ring: u64,
    /// Whether the sender copies each message from memory of its own and the receiver looks at every line of
    /// it, as with large ones somebody has to; or only the link is at work.
    pub touch: bool,
    /// Whether both sides go on reading where nothing comes over TCP, and do not sleep in their polls.
    pub spin: bool,
}

impl Stream {
    /// Sizes that the messages fit.
    fn geometry(self) -> Geometry {
        let largest =
            u32::try_from(self.payload).map_or(Geometry::MAX_MESSAGE, |payload| payload.max(LARGEST));
        Geometry::new(self.ring, largest).expect("the ring is a power of two, and a message fits")
    }

    /// Sends all of it from this thread to one on the far core, over a link of its own, through the public
    /// interface of the driver. Returns the time from the arrival of the first message to the consumption
    /// of the last.
    ///
    /// The sides are two threads of one process that share no memory but the link files.
    pub fn run(self, cores: Cores) -> io::Result<Duration> {
        let home = home()?;
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let receiving = scope.spawn(|| self.receive(home.path(), cores.far, tell));
            if let Ok(address) = told.recv() {
                let mut client = self.client(home.path(), address)?;
                let mut source = Source::new(self);
                let deadline = Instant::now() + PATIENCE;
                while !receiving.is_finished() && Instant::now() < deadline {
                    self.turn(&mut client, &mut source)?;
                    if let Some(trouble) = source.trouble.take_if(|_| source.left > 0) {
                        return Err(io::Error::other(trouble));
                    }
                }
            }
            receiving.join().expect("the sink does not panic")
        })
    }

    fn turn(self, side: &mut EventLoop<impl Driver>, app: &mut impl Handler) -> io::Result<()> {
        if self.spin { side.spin_turn(app) } else { side.turn(app, Some(LOOK_UP)) }
    }

    fn client(self, home: &Path, address: SocketAddr) -> io::Result<EventLoop<Client>> {
        let mut config = ClientConfig::new("source".parse().expect("it is a name"), home, address);
        config.carrier = wish(self.carrier);
        config.link.limits.send = self.geometry();
        config.link.silence = silence();
        let client = Client::new(config).map_err(io::Error::other)?;
        Ok(EventLoop::new(client, Instant::now)?.with_idle(IdleStrategy::Spin))
    }

    fn receive(self, home: &Path, core: usize, tell: Sender<SocketAddr>) -> io::Result<Duration> {
        Cores::pin(core)?;
        let name = "sink".parse().expect("it is a name");
        let mut config = ServerConfig::new(name, home, SocketAddr::from(([127, 0, 0, 1], 0)));
        config.link.limits.accept = self.geometry();
        config.link.silence = silence();
        let server = Server::bind(config).map_err(io::Error::other)?;
        let _ = tell.send(server.local_addresses()?[0]);
        drop(tell);
        let mut server = EventLoop::new(server, Instant::now)?.with_idle(IdleStrategy::Spin);
        let mut sink = Sink { stream: self, consumed: 0, first: None, took: None, gone: None };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.turn(&mut server, &mut sink)?;
            if let Some(took) = sink.took {
                server.shut_down(&mut sink);
                return Ok(took);
            }
            if let Some(reason) = sink.gone.take() {
                return Err(io::Error::other(reason));
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Over shared memory the source is in one call of its handler for as long as the sink keeps up, and says
/// nothing over the connection meanwhile.
fn silence() -> Silence {
    Silence::new(PATIENCE).expect("it is less than an hour")
}

/// Sends as long as there is room.
struct Source {
    stream: Stream,
    left: u64,
    trouble: Option<String>,
    /// What is copied, if the memory is to be touched.
    bytes: Vec<u8>,
}

impl Source {
    fn new(stream: Stream) -> Self {
        let bytes = if stream.touch { vec![1; stream.payload] } else { Vec::new() };
        Self { stream, left: stream.count, trouble: None, bytes }
    }

    fn fill(&mut self, link: &mut Link<'_>) {
        while self.left > 0 {
            let sent = if self.stream.batch == 1 { self.send(link) } else { self.send_batch(link) };
            match sent {
                Ok(()) => {}
                // `writable` comes when there is room again.
                Err(SendError::Full { .. }) => return,
                Err(error) => {
                    self.trouble = Some(error.to_string());
                    return;
                }
            }
        }
    }

    fn send(&mut self, link: &mut Link<'_>) -> Result<(), SendError> {
        let mut slot = link.claim(kind(REQUEST), self.stream.payload)?;
        if self.stream.touch {
            slot.copy_from_slice(&self.bytes);
        } else {
            slot.fill(1);
        }
        slot.commit();
        self.left -= 1;
        Ok(())
    }

    /// What fits of a batch goes; an error if that is nothing.
    fn send_batch(&mut self, link: &mut Link<'_>) -> Result<(), SendError> {
        let mut batch = link.batch();
        let mut taken = 0;
        while taken < self.stream.batch.min(self.left) {
            match batch.claim(kind(REQUEST), self.stream.payload) {
                Ok(payload) => payload.fill(1),
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            }
            taken += 1;
        }
        batch.commit();
        self.left -= taken;
        Ok(())
    }
}

impl Handler for Source {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        link.consume(received).expect("it is the oldest");
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        if connected.carrier == self.stream.carrier {
            self.fill(link);
        } else {
            self.trouble = Some(format!("{:?} was granted", connected.carrier));
        }
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.fill(link);
    }

    fn not_shared(&mut self, _: &tcpshm_driver::Name, error: &ViewError) {
        self.trouble = Some(error.to_string());
    }
}

/// Consumes each message, and takes the time.
struct Sink {
    stream: Stream,
    consumed: u64,
    first: Option<Instant>,
    took: Option<Duration>,
    gone: Option<String>,
}

impl Handler for Sink {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let first = *self.first.get_or_insert_with(Instant::now);
        assert_eq!(received.payload().len(), self.stream.payload, "a message of another size");
        if self.stream.touch {
            let lines = received.payload().iter().step_by(64);
            black_box(lines.map(|byte| u64::from(*byte)).sum::<u64>());
        }
        link.consume(received).expect("it is the oldest");
        self.consumed += 1;
        if self.consumed == self.stream.count {
            self.took = Some(first.elapsed());
        }
    }

    fn disconnected(&mut self, _: &mut Link<'_>, reason: &Disconnected) {
        self.gone = Some(reason.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_over_both_carriers() {
        let cores = Cores::find().unwrap();
        for carrier in [Carrier::Tcp, Carrier::Shm] {
            for batch in [1, 32] {
                // More than the ring holds, so that the source has to wait for room.
                let touch = batch == 1;
                for spin in [false, true] {
                    let stream = Stream { carrier, payload: 64, count: 1000, batch, ring: 4096, touch, spin };
                    assert!(stream.run(cores).unwrap() > Duration::ZERO, "{stream:?}");
                }
            }
        }
    }
}
