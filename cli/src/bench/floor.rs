//! What cannot be undercut: a cache line that goes to the other core and back, or bare sockets.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tcpshm_driver::Carrier;
use tcpshm_support::cache_line::CacheLine;
use tcpshm_support::cores::Cores;
use tcpshm_support::course::Plan;
use tcpshm_support::mix::Mix;
use tcpshm_support::socket::{SocketClient, SocketEcho};

use crate::meter::Meter;

/// How long the floor is measured, once before and once after the subject.
const SHARE: Duration = Duration::from_millis(250);
/// Frames up to here fit the buffers of two sockets, however small the kernel makes them at first.
const LARGEST: usize = 16 * 1024;

/// What a floor is called in reports.
pub(super) fn name(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Tcp => "floor: bare TCP",
        Carrier::Shm => "floor: cache line",
    }
}

/// Measures the floor of a carrier for messages of `size` bytes, on two cores. It says nothing on one core
/// or of messages that no two sockets hold at once; then nothing is added.
pub(super) fn measure(carrier: Carrier, size: usize, cores: Cores, into: &mut Meter) -> io::Result<()> {
    if cores.is_one() {
        return Ok(());
    }
    match carrier {
        Carrier::Shm => cache_line(cores, into),
        Carrier::Tcp if Mix::frame(size) <= LARGEST => sockets(size, cores, into)?,
        Carrier::Tcp => {}
    }
    Ok(())
}

fn cache_line(cores: Cores, into: &mut Meter) {
    let mut line = CacheLine::start(cores.far);
    let began = Instant::now();
    while began.elapsed() < SHARE {
        line.run(Plan { warm_up: 1000, trips: 10_000, singly: true });
    }
    into.add(line.course().singles());
}

fn sockets(size: usize, cores: Cores, into: &mut Meter) -> io::Result<()> {
    let mut echo = SocketEcho::bind()?;
    let address = echo.address()?;
    let echoing = thread::spawn(move || -> io::Result<()> {
        Cores::pin(cores.far)?;
        while echo.run()? {}
        Ok(())
    });
    let mut client = SocketClient::connect(address, Mix::of(size))?;
    let began = Instant::now();
    while began.elapsed() < SHARE {
        client.run(Plan { warm_up: 10, trips: 500, singly: true })?;
    }
    into.add(client.course().singles());
    drop(client);
    echoing.join().expect("it does not panic")
}
