//! tcpshm itself, over both carriers, through its public interface.
//!
//! The sides are those of `cargo bench --bench rtt`: the client answers each answer with a request that
//! consumes it, in one store; the server does the same; both spin. Over a stream the sides are two threads
//! that share nothing but the link files, as in `cargo bench --bench stream`.
//!
//! What it offers: a message that was committed is kept until the other side has consumed it, however often
//! either process or both are killed, and comes once and in order; both sides find each other again, and a
//! link can change its carrier. It is always between two named sides: there is no publishing to many. What is
//! in the link files is safe from the end of processes, not from that of the machine.

use std::io;
use std::path::Path;
use std::time::Duration;

use benches::{Cores, Course, LinkClient, Mix, Plan, SocketClient, Station, Stream};
use tcpshm_driver::Carrier;
use tempfile::TempDir;

use crate::end::Use;
use crate::far::Call;
use crate::peer::{Flow, Peer, Ways};
use crate::subject::Subject;

/// Bytes of a link's ring, and of the rings that others are given.
pub(crate) const RING: usize = 256 * 1024;

/// Round trips over a link.
pub(crate) struct LinkTrips {
    client: LinkClient,
    far: benches::Peer,
    station: Station,
    _home: TempDir,
}

impl LinkTrips {
    pub(crate) fn start(call: Call, carrier: Carrier, mix: Mix) -> io::Result<Self> {
        let home = benches::home()?;
        let far = start(call, &home)?;
        let (station, address) = match carrier {
            Carrier::Tcp => (Station::Tcp, far.addresses.tcp),
            Carrier::Shm => (Station::Shm, far.addresses.shm),
        };
        let client = LinkClient::new(home.path(), carrier, address, RING as u64, mix)?;
        Ok(Self { client, far, station, _home: home })
    }
}

impl Subject for LinkTrips {
    fn run(&mut self, plan: Plan) -> io::Result<&Course> {
        self.far.run(self.station)?;
        self.client.run(plan)
    }

    fn course(&self) -> &Course {
        self.client.course()
    }
}

/// The floor of sockets: bare TCP that spins and sends the same byte counts back. Its echo is in a process
/// like that of the links.
pub(crate) struct SocketFloor {
    client: SocketClient,
    far: benches::Peer,
    _home: TempDir,
}

impl SocketFloor {
    pub(crate) fn start(cores: Cores, mix: Mix) -> io::Result<Self> {
        let home = benches::home()?;
        let far = start(Call { peer: Peer::TcpshmTcp, cores }, &home)?;
        Ok(Self { client: SocketClient::connect(far.addresses.socket, mix)?, far, _home: home })
    }
}

impl Subject for SocketFloor {
    fn run(&mut self, plan: Plan) -> io::Result<&Course> {
        self.far.run(Station::Socket)?;
        self.client.run(plan)
    }

    fn course(&self) -> &Course {
        self.client.course()
    }
}

fn start(call: Call, home: &TempDir) -> io::Result<benches::Peer> {
    let arguments = call.arguments(home.path(), Use::RoundTrips);
    benches::Peer::start(arguments.iter().map(|argument| &argument[..]))
}

/// How it is run over one carrier.
pub(crate) fn ways(carrier: Carrier) -> Ways {
    let serve = |home: &Path, _: Use, core| benches::serve(home, RING as u64, core);
    match carrier {
        Carrier::Tcp => Ways {
            round_trips: |call, mix| Ok(Box::new(LinkTrips::start(call, Carrier::Tcp, mix)?)),
            stream: |call, flow| stream(call, flow, Carrier::Tcp),
            serve,
        },
        Carrier::Shm => Ways {
            round_trips: |call, mix| Ok(Box::new(LinkTrips::start(call, Carrier::Shm, mix)?)),
            stream: |call, flow| stream(call, flow, Carrier::Shm),
            serve,
        },
    }
}

/// Sends a stream over a link of its own.
fn stream(call: Call, flow: Flow, carrier: Carrier) -> io::Result<Duration> {
    let Flow { payload, count } = flow;
    let spin = carrier == Carrier::Tcp;
    Stream { carrier, payload, count, batch: 1, ring: RING as u64, touch: false, spin }.run(call.cores)
}
