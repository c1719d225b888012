//! One end of a peer's connection: what round trips and streams are made over.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a connection is for, since some peers want other queues for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// One message in flight.
    RoundTrips,
    /// As many as there is room for, each of so many bytes at most.
    Stream(usize),
}

impl Use {
    /// The longest message.
    pub(crate) fn longest(self) -> usize {
        match self {
            Use::RoundTrips => benches::Mix::LONGEST,
            Use::Stream(payload) => payload,
        }
    }
}

/// One of two ends that are in different processes, each with a core of its own. A message has at least one
/// byte, and is sent and received as such, however the peer moves bytes.
pub(crate) trait End: Sized {
    /// Waits for the other end. `home` is a directory of this connection alone; `tell` is called once with
    /// what [`connect`](End::connect) has to know, when it may be called.
    fn listen(home: &Path, used: Use, tell: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self>;

    /// Connects to an end that listens.
    fn connect(home: &Path, used: Use, address: &str) -> io::Result<Self>;

    /// Sends a message, and waits for room first if there is none.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Waits for a message, and lets `look` see it where it is.
    fn receive<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> io::Result<T>;

    /// Waits for a message, and sends the same back.
    fn echo(&mut self) -> io::Result<()>;

    /// Waits for so many messages, and lets `look` see each.
    fn take(&mut self, count: u64, mut look: impl FnMut(&[u8])) -> io::Result<()> {
        (0..count).try_for_each(|_| self.receive(&mut look))
    }
}

/// How long an end waits for the other one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Tries again until there is something, without a pause. Looks at the clock so rarely that it costs nothing.
#[inline]
pub(crate) fn spin<T>(mut attempt: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
    const LOOKS: u32 = 1 << 16;
    let mut deadline = None;
    loop {
        for _ in 0..LOOKS {
            if let Some(found) = attempt()? {
                return Ok(found);
            }
        }
        let now = Instant::now();
        if now > *deadline.get_or_insert(now + PATIENCE) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// Both ends in one process, for tests of each peer.
#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc;
    use std::thread;

    use benches::{Mix, Plan, home};

    use super::*;
    use crate::near::Asking;

    /// Runs `near` with one end here and `far` with the other in a thread.
    fn between<E: End, T: Send>(
        used: Use,
        near: impl FnOnce(E) -> io::Result<()>,
        far: impl FnOnce(&mut E) -> io::Result<T> + Send,
    ) -> T {
        let home = home().unwrap();
        thread::scope(|scope| {
            let (say, said) = mpsc::channel();
            let (over, is_over) = mpsc::channel::<()>();
            let tell = move |address: &str| say.send(address.to_owned()).map_err(io::Error::other);
            let path = home.path();
            let other = scope.spawn(move || {
                let mut end = E::listen(path, used, tell)?;
                let found = far(&mut end);
                // What it sent last may go with it.
                let _ = is_over.recv();
                found
            });
            near(E::connect(path, used, &said.recv().unwrap()).unwrap()).unwrap();
            drop(over);
            other.join().unwrap().unwrap()
        })
    }

    /// Several batches, as in a run.
    pub(crate) fn short_batches_come_back<E: End>() {
        let near = |end: E| {
            let mut asking = Asking::new(end, Mix::new(1));
            for batch in 1..=3 {
                asking.run(Plan { warm_up: 1, trips: 99, singly: true })?;
                assert_eq!(asking.course().singles().len(), 99 * batch);
            }
            Ok(())
        };
        between(Use::RoundTrips, near, |end: &mut E| (0..300).try_for_each(|_| end.echo()));
    }

    /// More than any queue holds, so that the sender has to wait for room.
    pub(crate) fn a_stream_arrives_whole_and_in_order<E: End>() {
        const COUNT: u64 = 200_000;
        let payload = |number: u64| [number; 3].map(u64::to_le_bytes);
        let near = |mut end: E| {
            (0..COUNT).try_for_each(|number| end.send(payload(number).as_flattened()))?;
            end.receive(|last| assert_eq!(last, b"done"))
        };
        let far = |end: &mut E| {
            let mut number = 0;
            end.take(COUNT, |message| {
                assert_eq!(message, payload(number).as_flattened(), "message {number}");
                number += 1;
            })?;
            end.send(b"done")
        };
        between(Use::Stream(24), near, far);
    }

    #[test]
    fn nothing_is_waited_for_that_is_there() {
        let mut tries = 0;
        let found = spin(|| {
            tries += 1;
            Ok((tries == 3).then_some(tries))
        });
        assert_eq!(found.unwrap(), 3);
    }
}
