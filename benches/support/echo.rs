//! The process that answers: three echoes, one of which runs at a time.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use tcpshm_driver::{
    Carrier, Disconnected, EventLoop, Geometry, Handler, IdleStrategy, Kind, Link, Received, Server,
    ServerConfig,
};

use crate::cores::Cores;
use crate::helper::say_line;
use crate::peer::{Addresses, Station};
use crate::socket::SocketEcho;

/// The kind of a request.
pub(crate) const REQUEST: u16 = 1;
/// The kind of the message that ends a batch.
pub(crate) const END: u16 = 2;
/// The longest message of the links here. A ring of 4 KiB still holds three.
pub(crate) const LARGEST: u32 = 1024;

/// The whole life of a [`Peer`](crate::Peer): says where its echoes are, then runs the one whose code comes
/// on standard input, for one batch. It ends with its input.
pub fn serve(home: &Path, ring: u64, core: usize) -> io::Result<()> {
    Cores::pin(core)?;
    let mut socket = SocketEcho::bind()?;
    let mut tcp = LinkEcho::bind(home, Carrier::Tcp, ring)?;
    let mut shm = LinkEcho::bind(home, Carrier::Shm, ring)?;
    let addresses = Addresses { socket: socket.address()?, tcp: tcp.address()?, shm: shm.address()? };
    say_line(&addresses)?;
    let mut code = [0];
    while io::stdin().read(&mut code)? > 0 {
        let alive = match Station::of_code(code[0]) {
            Some(Station::Socket) => socket.run()?,
            Some(Station::Tcp) => tcp.run()?,
            Some(Station::Shm) => shm.run()?,
            None => false,
        };
        if !alive {
            break;
        }
    }
    Ok(())
}

/// A server of the driver, spinning.
pub(crate) struct LinkEcho {
    server: EventLoop<Server>,
    carrier: Carrier,
    app: Echo,
}

impl LinkEcho {
    /// For shared memory both sides use one directory; the names keep their files apart.
    pub(crate) fn bind(home: &Path, carrier: Carrier, ring: u64) -> io::Result<Self> {
        let name = name_of(carrier).parse().map_err(io::Error::other)?;
        let mut config = ServerConfig::new(name, home, SocketAddr::from(([127, 0, 0, 1], 0)));
        config.link.limits.send = geometry(ring);
        config.link.limits.accept = geometry(ring);
        let server = Server::bind(config).map_err(io::Error::other)?;
        let server = EventLoop::new(server, Instant::now)?.with_idle(IdleStrategy::Spin);
        Ok(Self { server, carrier, app: Echo::default() })
    }

    pub(crate) fn address(&mut self) -> io::Result<SocketAddr> {
        self.server.driver().local_addresses()?.first().copied().ok_or(io::ErrorKind::NotFound.into())
    }

    /// Answers one batch. Returns whether another one can follow.
    pub(crate) fn run(&mut self) -> io::Result<bool> {
        while self.app.ended == 0 && !self.app.gone {
            match self.carrier {
                Carrier::Tcp => self.server.spin_turn(&mut self.app)?,
                Carrier::Shm => self.server.turn(&mut self.app, None)?,
            }
        }
        self.app.ended = self.app.ended.saturating_sub(1);
        Ok(!self.app.gone)
    }
}

/// The application: answers, and takes notice of the end of a batch.
#[derive(Default)]
pub(crate) struct Echo {
    /// Batches that are over. A short one can be over in the turn in which the one before it ended.
    ended: u64,
    gone: bool,
}

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if received.kind().get() == END {
            link.consume(received).expect("it is the oldest");
            self.ended += 1;
            return;
        }
        let mut slot = link.claim(received.kind(), received.payload().len()).expect("one is in flight");
        slot.copy_from_slice(received.payload());
        slot.commit_consuming(received).expect("it is the oldest");
    }

    fn disconnected(&mut self, _: &mut Link<'_>, _: &Disconnected) {
        self.gone = true;
    }
}

/// The name of a carrier's server.
pub(crate) fn name_of(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Tcp => "tcp-echo",
        Carrier::Shm => "shm-echo",
    }
}

/// A ring of so many bytes.
pub(crate) fn geometry(ring: u64) -> Geometry {
    Geometry::new(ring, LARGEST).expect("the ring is a power of two from 4 KiB")
}

/// A kind that is not 0.
pub(crate) fn kind(number: u16) -> Kind {
    Kind::new(number).expect("it is not 0")
}
