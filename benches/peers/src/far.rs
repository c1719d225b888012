//! The far side: a process that answers or takes what it is told to, and sleeps between two orders.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benches::{Cores, say_line};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::end::{End, Use};
use crate::peer::{Flow, Peer};

/// What a far side does next: a line on its standard input.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Sends so many messages back.
    Echo(u64),
    /// Takes so many messages, and says how many nanoseconds there were between the first and the last.
    Take(Flow),
    /// Closes its end and says so.
    End,
}

/// Who is run, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) peer: Peer,
    pub(crate) cores: Cores,
}

/// How a process is told that it is a far side.
#[derive(Debug, Args)]
pub(crate) struct FarArguments {
    /// Be the other process of a peer
    #[arg(long, hide = true, value_name = "PEER", requires_all = ["home", "core"])]
    pub(crate) far: Option<Peer>,
    #[arg(long, hide = true)]
    home: Option<PathBuf>,
    #[arg(long, hide = true)]
    core: Option<usize>,
    /// Bytes of the longest message of a stream; round trips without it
    #[arg(long, hide = true)]
    stream: Option<usize>,
}

impl Call {
    /// What leads this program to [`FarArguments`].
    pub(crate) fn arguments(self, home: &Path, used: Use) -> Vec<String> {
        let (name, home) = (self.peer.name(), home.to_string_lossy());
        let mut arguments: Vec<String> =
            ["--far", name, "--home", &home, "--core", &self.cores.far.to_string()].map(str::to_owned).into();
        if let Use::Stream(payload) = used {
            arguments.extend(["--stream".to_owned(), payload.to_string()]);
        }
        arguments
    }
}

impl FarArguments {
    /// The whole life of a far side, if that is what this process is.
    pub(crate) fn run(&self) -> Option<io::Result<()>> {
        let (peer, home, core) = (self.far?, self.home.as_deref()?, self.core?);
        let used = self.stream.map_or(Use::RoundTrips, Use::Stream);
        let ways = peer.ways().map_err(io::Error::other);
        Some(ways.and_then(|ways| (ways.serve)(home, used, core)))
    }
}

/// Obeys until it is told to end, or its input ends with the near process.
pub(crate) fn obey<E: End>(home: &Path, used: Use, core: usize) -> io::Result<()> {
    Cores::pin(core)?;
    let mut end = E::listen(home, used, |address| say_line(&address))?;
    for line in io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Order::Echo(count) => (0..count).try_for_each(|_| end.echo())?,
            Order::Take(flow) => say_line(&take(&mut end, flow)?)?,
            Order::End => {
                drop(end);
                return say_line(&());
            }
        }
    }
    Ok(())
}

fn take(end: &mut impl End, flow: Flow) -> io::Result<u64> {
    let mut started = None;
    end.take(flow.count, |message| {
        started.get_or_insert_with(Instant::now);
        assert_eq!(message.len(), flow.payload, "a message of another size");
    })?;
    let took = started.map_or(Duration::ZERO, |started| started.elapsed());
    u64::try_from(took.as_nanos()).map_err(io::Error::other)
}
