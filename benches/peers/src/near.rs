//! The near side, which asks, takes the time, and has the process with the far side.

use std::io;
use std::time::Duration;

use benches::{Course, Helper, Mix, Plan};
use tempfile::TempDir;

use crate::end::{End, Use};
use crate::far::{Call, Order};
use crate::peer::Flow;
use crate::subject::Subject;

/// Asks and waits for the answer, over and over.
pub(crate) struct Asking<E> {
    end: E,
    mix: Mix,
    course: Course,
    payload: [u8; Mix::LONGEST],
    /// The request whose answer is awaited: what it begins with.
    number: u64,
}

impl<E: End> Asking<E> {
    pub(crate) fn new(end: E, mix: Mix) -> Self {
        Self { end, mix, course: Course::new(), payload: [7; Mix::LONGEST], number: 0 }
    }

    /// Makes one batch of round trips, and checks each answer.
    pub(crate) fn run(&mut self, plan: Plan) -> io::Result<()> {
        let Self { end, mix, course, payload, number } = self;
        let mut trouble = None;
        course.run(plan, || {
            if trouble.is_some() {
                return;
            }
            *number += 1;
            let size = mix.draw();
            payload[..8].copy_from_slice(&number.to_le_bytes());
            let back = end.send(&payload[..size]).and_then(|()| {
                end.receive(|answer| {
                    assert_eq!(answer.len(), size, "the size of answer {number}");
                    assert_eq!(answer[..8], number.to_le_bytes(), "the number of the answer");
                })
            });
            trouble = back.err();
        });
        trouble.map_or(Ok(()), Err)
    }

    pub(crate) fn course(&self) -> &Course {
        &self.course
    }
}

/// Round trips to another process.
pub(crate) struct RoundTrips<E> {
    /// Before the other fields, so that this end is gone before the other one is.
    asking: Asking<E>,
    far: Far,
}

impl<E: End> RoundTrips<E> {
    pub(crate) fn start(call: Call, mix: Mix) -> io::Result<Self> {
        let (far, end) = Far::start(call, Use::RoundTrips)?;
        Ok(Self { asking: Asking::new(end, mix), far })
    }
}

impl<E: End> Subject for RoundTrips<E> {
    fn run(&mut self, plan: Plan) -> io::Result<&Course> {
        self.far.order(Order::Echo(plan.warm_up + plan.trips))?;
        self.asking.run(plan)?;
        Ok(self.asking.course())
    }

    fn course(&self) -> &Course {
        self.asking.course()
    }
}

/// Sends a stream to another process. Returns the time from the arrival of the first
/// to that of the last.
pub(crate) fn stream<E: End>(call: Call, flow: Flow) -> io::Result<Duration> {
    let (mut far, mut end) = Far::start::<E>(call, Use::Stream(flow.payload))?;
    far.order(Order::Take(flow))?;
    let message = vec![1; flow.payload];
    for _ in 0..flow.count {
        end.send(&message)?;
    }
    // The end stays until all is taken.
    far.helper.hear().map(Duration::from_nanos)
}

/// The process with the far end, and the directory of the connection.
struct Far {
    helper: Helper,
    _home: TempDir,
}

impl Far {
    /// Starts the process, and connects to it.
    fn start<E: End>(call: Call, used: Use) -> io::Result<(Self, E)> {
        let home = benches::home()?;
        let mut helper = Helper::start(call.arguments(home.path(), used))?;
        let address: String = helper.hear()?;
        let end = E::connect(home.path(), used, &address)?;
        Ok((Self { helper, _home: home }, end))
    }

    fn order(&mut self, order: Order) -> io::Result<()> {
        let mut line = serde_json::to_vec(&order)?;
        line.push(b'\n');
        self.helper.say(&line)
    }
}

impl Drop for Far {
    /// Peers have files and segments of their own, which a process that is killed leaves behind.
    fn drop(&mut self) {
        if self.order(Order::End).is_ok() {
            let _: io::Result<()> = self.helper.hear();
        }
    }
}
