//! How a program is asked to stop, as tokens of its event loop: nothing is polled for.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use signal_hook::low_level::pipe;
use tcpshm_driver::mio::{self, Interest, Registry, Token};

use crate::ends;

/// A signal came.
const SIGNAL: Token = Token(0);
/// The parent closed our standard input, or died.
const PARENT: Token = Token(1);

/// The places from which a program is asked to stop. They must live as long as its event loop.
#[derive(Debug)]
pub struct Stop {
    _signals: mio::net::UnixStream,
    _parent: Option<mio::net::UnixStream>,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One of [`ends::signals`].
    BySignal,
    /// The process that started this one.
    ByParent,
}

impl Stop {
    /// Listens for [`ends::signals`] and, if this process is the `child` of a supervisor, for the end of
    /// standard input: that comes even if the supervisor is killed, so no child outlives it.
    pub fn register(registry: &Registry, child: bool) -> io::Result<Self> {
        let (signals, told) = UnixStream::pair()?;
        for signal in ends::signals() {
            pipe::register(signal, told.try_clone()?)?;
        }
        let signals = watched(registry, signals, SIGNAL)?;
        let parent = child.then(|| {
            let input = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
            watched(registry, input, PARENT)
        });
        Ok(Self { _signals: signals, _parent: parent.transpose()? })
    }

    /// Whether one of the tokens that fired is a request to stop.
    pub fn asked(&self, fired: &[Token]) -> Option<Asked> {
        fired.iter().find_map(|token| match *token {
            SIGNAL => Some(Asked::BySignal),
            PARENT => Some(Asked::ByParent),
            _ => None,
        })
    }
}

fn watched(registry: &Registry, stream: UnixStream, token: Token) -> io::Result<mio::net::UnixStream> {
    stream.set_nonblocking(true)?;
    let mut stream = mio::net::UnixStream::from_std(stream);
    registry.register(&mut stream, token, Interest::READABLE)?;
    Ok(stream)
}
