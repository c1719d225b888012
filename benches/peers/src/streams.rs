//! One-way messages, round by round, each peer beside its floor.

use std::fmt;
use std::io;

use benches::{CacheLine, Cores, Mix, Plan, Spread, block_stream};
use serde::Serialize;

use crate::far::Call;
use crate::peer::{Floor, Flow, Peer};

/// Bytes of payload.
const SIZES: [usize; 2] = [16, 1024];

/// One peer and one size.
pub(crate) struct Row {
    peer: Peer,
    flow: Flow,
    rates: Vec<f64>,
    floors: Vec<f64>,
    ratios: Vec<f64>,
}

/// What was found of it.
#[derive(Serialize)]
pub(crate) struct Found {
    name: &'static str,
    payload: usize,
    messages: u64,
    /// Million messages a second.
    rate: Spread,
    /// Beside sockets million bytes a second; beside the cache line nanoseconds.
    floor: Spread,
    /// Beside sockets the speed over the floor's; beside the cache line how many messages pass in its time.
    ratio: Spread,
}

impl Row {
    /// A peer with each of the sizes, and a part of the usual number of messages.
    pub(crate) fn of(peer: Peer, scale: u64) -> impl Iterator<Item = Self> {
        SIZES.into_iter().map(move |payload| {
            let count = match (peer.floor(), payload) {
                (Floor::CacheLine, ..64) => 4_000_000,
                (Floor::CacheLine, _) => 500_000,
                (Floor::Socket, ..64) => 2_000_000,
                (Floor::Socket, _) => 200_000,
            };
            let flow = Flow { payload, count: count / scale };
            Self { peer, flow, rates: Vec::new(), floors: Vec::new(), ratios: Vec::new() }
        })
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The floor and a stream. Each is new, and gone afterwards.
    pub(crate) fn round(&mut self, cores: Cores) -> io::Result<()> {
        let ways = self.peer.ways().map_err(io::Error::other)?;
        // What tcpshm puts on a connection, for everybody.
        let bytes = Mix::frame(self.flow.payload) as u64 * self.flow.count;
        let floor = match self.peer.floor() {
            Floor::CacheLine => {
                let plan = Plan { warm_up: 1_000, trips: 50_000, singly: false };
                CacheLine::start(cores.far).run(plan).mean()
            }
            Floor::Socket => bytes as f64 / block_stream(bytes, true, cores)?.as_secs_f64() / 1e6,
        };
        let call = Call { peer: self.peer, cores };
        let seconds = (ways.stream)(call, self.flow)?.as_secs_f64();
        let rate = self.flow.count as f64 / seconds / 1e6;
        self.rates.push(rate);
        self.floors.push(floor);
        self.ratios.push(match self.peer.floor() {
            // Messages in a nanosecond, times nanoseconds.
            Floor::CacheLine => rate / 1e3 * floor,
            Floor::Socket => bytes as f64 / seconds / 1e6 / floor,
        });
        Ok(())
    }

    pub(crate) fn found(self) -> Found {
        Found {
            name: self.peer.name(),
            payload: self.flow.payload,
            messages: self.flow.count,
            rate: Spread::of(self.rates),
            floor: Spread::of(self.floors),
            ratio: Spread::of(self.ratios),
        }
    }
}

impl Found {
    pub(crate) const HEADING: &'static str =
        "one-way                 payload   messages  M msg/s    ratio     floor";
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, payload, messages, rate, floor, ratio } = self;
        write!(
            f,
            "{name:<20} {payload:>10} {messages:>10} {:>8.2} {:>8.2} {:>9.0}",
            rate.p50, ratio.p50, floor.p50
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_as_wide_as_its_heading() {
        for row in Row::of(Peer::TcpshmShm, 1) {
            let row = Row { rates: vec![3.5], floors: vec![97.0], ratios: vec![0.34], ..row };
            assert_eq!(row.found().to_string().len(), Found::HEADING.len());
        }
    }
}
