//! Round trips, round by round, each peer beside its floor.

use std::io;

use benches::{CacheLine, Cores, Line, Mix, Plan, Ratio, ratios};

use crate::far::Call;
use crate::peer::{Floor, Peer};
use crate::subject::Subject;
use crate::tcpshm::SocketFloor;

/// All that is measured in a run. Between its batches everything sleeps.
pub(crate) struct Trips {
    cores: Cores,
    floors: Vec<(Floor, Measured)>,
    rows: Vec<Row>,
}

/// A peer, and of each round the mean of the floor beside it.
struct Row {
    peer: Peer,
    measured: Measured,
    floors: Vec<f64>,
}

/// Something that makes round trips, and the mean of each of its batches, in nanoseconds.
struct Measured {
    subject: Box<dyn Subject>,
    means: Vec<f64>,
}

impl Trips {
    pub(crate) fn new(cores: Cores) -> Self {
        Self { cores, floors: Vec::new(), rows: Vec::new() }
    }

    /// Starts a peer, and its floor if that is not there yet.
    pub(crate) fn add(&mut self, peer: Peer, mix: &Mix) -> io::Result<()> {
        let ways = peer.ways().map_err(io::Error::other)?;
        let call = Call { peer, cores: self.cores };
        let subject = (ways.round_trips)(call, mix.clone())?;
        if self.floors.iter().all(|(floor, _)| *floor != peer.floor()) {
            self.floors.push((peer.floor(), Measured::new(start(peer.floor(), self.cores, mix)?)));
        }
        self.rows.push(Row { peer, measured: Measured::new(subject), floors: Vec::new() });
        Ok(())
    }

    /// For each peer a batch of its floor and one of its own that are timed as wholes, and the same with
    /// every round trip timed.
    pub(crate) fn round(&mut self) -> io::Result<()> {
        for row in &mut self.rows {
            let wanted = row.peer.floor();
            let floor = self.floors.iter_mut().find(|(floor, _)| *floor == wanted);
            let (_, floor) = floor.expect("it was started with the peer");
            let [batch, singly] = plans(wanted, self.cores);
            let named = |error| io::Error::other(format!("{}: {error}", row.peer.name()));
            row.floors.push(floor.batch(batch)?);
            row.measured.batch(batch).map_err(named)?;
            floor.subject.run(singly)?;
            row.measured.subject.run(singly).map_err(named)?;
        }
        Ok(())
    }

    /// Of every floor and every peer what it took, and of every peer the ratio.
    pub(crate) fn found(self) -> (Vec<Line>, Vec<Ratio>) {
        let ratio = |row: &Row| Ratio::new(row.peer.name(), ratios(&row.measured.means, &row.floors));
        let ratios = self.rows.iter().map(ratio).collect();
        let floors = self.floors.into_iter().map(|(floor, measured)| measured.line(floor.name()));
        let rows = self.rows.into_iter().map(|row| row.measured.line(row.peer.name()));
        (floors.chain(rows).collect(), ratios)
    }
}

impl Measured {
    fn new(subject: Box<dyn Subject>) -> Self {
        Self { subject, means: Vec::new() }
    }

    fn batch(&mut self, plan: Plan) -> io::Result<f64> {
        let mean = self.subject.run(plan)?.mean();
        self.means.push(mean);
        Ok(mean)
    }

    fn line(self, name: &'static str) -> Line {
        Line::new(name, self.means, self.subject.course().singles())
    }
}

fn start(floor: Floor, cores: Cores, mix: &Mix) -> io::Result<Box<dyn Subject>> {
    Ok(match floor {
        Floor::CacheLine => Box::new(CacheLine::start(cores.far)),
        Floor::Socket => Box::new(SocketFloor::start(cores, mix.clone())?),
    })
}

/// As many as in `cargo bench --bench rtt`, so that the ratios of tcpshm can be compared.
fn plans(floor: Floor, cores: Cores) -> [Plan; 2] {
    let (warm_up, trips) = match floor {
        // On one core a round trip takes two turns of the scheduler, so milliseconds.
        _ if cores.is_one() => (1, 2),
        Floor::CacheLine => (500, 2000),
        Floor::Socket => (50, 200),
    };
    [false, true].map(|singly| Plan { warm_up, trips, singly })
}
