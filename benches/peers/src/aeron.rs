//! Aeron over shared memory (`aeron:ipc`), by way of its C client and its C media driver.
//!
//! A publication for each way, exclusive since there is one publisher; a sender claims and commits, as tcpshm does; both
//! sides spin on their image. A round trip is set up as `ping_pong_ipc` of its Rust bindings is. The media driver is in the
//! far process. It is not on the way of a message: its one thread (`SHARED`) makes logs, moves limits and notices who
//! is gone, and sleeps up to a millisecond in between, as it does by default; so do the clients' own threads. They
//! share the cores with the sides, because there may be no others.
//!
//! What it offers: messages in order from each publisher to any number of subscribers that keep up, over IPC, UDP and
//! multicast, with flow control and back pressure. A driver has to run. A subscriber begins where it joins: one that
//! was killed does not get what it had not consumed, and a log is gone with its publication. (Keeping
//! messages is the business of Aeron Archive, another process.)

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusteron_client::{
    AERON_IPC_STREAM, Aeron, AeronExclusivePublication, AeronImage, AeronOfferError, AeronSubscription,
    Handlers,
};
use rusteron_media_driver::aeron_threading_mode_enum::AERON_THREADING_MODE_SHARED;
use rusteron_media_driver::testing::EmbeddedDriver;

use crate::end::{End, PATIENCE, Use, spin};

const THERE: i32 = 1;
const BACK: i32 = 2;
/// Messages that are taken at once.
const AT_ONCE: usize = 10;

/// A publication for one way, and the image of the other side's.
pub(crate) struct AeronIpc {
    publication: AeronExclusivePublication,
    image: AeronImage,
    /// What the image belongs to.
    _subscription: AeronSubscription,
    /// In the far process; behind the client, which goes first.
    _driver: Option<EmbeddedDriver>,
}

impl End for AeronIpc {
    fn listen(_: &Path, _: Use, tell: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self> {
        let driver = EmbeddedDriver::launch_with(|context| {
            context.set_threading_mode(AERON_THREADING_MODE_SHARED).map(|_| ())
        });
        let driver = driver.map_err(io::Error::other)?;
        let directory = driver.dir().to_owned();
        Self::new(&directory, BACK, THERE, Some(driver), || tell(&directory))
    }

    fn connect(_: &Path, _: Use, directory: &str) -> io::Result<Self> {
        Self::new(directory, THERE, BACK, None, || Ok(()))
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        send(&self.publication, message)
    }

    fn receive<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let mut look = Some(look);
        spin(|| {
            let mut found = None;
            let see = |message: &[u8], _| found = look.take().map(|look| look(message));
            self.image.poll_fn(see, 1).map_err(io::Error::other)?;
            Ok(found)
        })
    }

    fn echo(&mut self) -> io::Result<()> {
        let publication = self.publication.clone();
        self.receive(|message| send(&publication, message))?
    }

    fn take(&mut self, count: u64, mut look: impl FnMut(&[u8])) -> io::Result<()> {
        let mut taken = 0;
        while taken < count {
            taken += spin(|| {
                let polled = self.image.poll_fn(|message, _| look(message), AT_ONCE);
                let polled = u64::try_from(polled.map_err(io::Error::other)?).unwrap_or(0);
                Ok((polled > 0).then_some(polled))
            })?;
        }
        Ok(())
    }
}

impl AeronIpc {
    fn new(
        directory: &str,
        publish: i32,
        subscribe: i32,
        driver: Option<EmbeddedDriver>,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Self> {
        let aeron = Aeron::connect_dir(directory).map_err(io::Error::other)?;
        let publication = aeron
            .async_add_exclusive_publication(AERON_IPC_STREAM, publish)
            .and_then(|adding| adding.poll_blocking(PATIENCE))
            .map_err(io::Error::other)?;
        let subscription = aeron
            .async_add_subscription(AERON_IPC_STREAM, subscribe, Handlers::NONE, Handlers::NONE)
            .and_then(|adding| adding.poll_blocking(PATIENCE))
            .map_err(io::Error::other)?;
        ready()?;
        let deadline = Instant::now() + PATIENCE;
        let image = loop {
            match subscription.image_at_index(0) {
                Some(image) if publication.is_connected() => break image,
                _ if Instant::now() > deadline => return Err(io::ErrorKind::TimedOut.into()),
                _ => sleep(Duration::from_millis(1)),
            }
        };
        Ok(Self { publication, image, _subscription: subscription, _driver: driver })
    }
}

fn send(publication: &AeronExclusivePublication, message: &[u8]) -> io::Result<()> {
    let mut claim = spin(|| match publication.try_claim_owned(message.len()) {
        Ok(claim) => Ok(Some(claim)),
        Err(AeronOfferError::BackPressured | AeronOfferError::AdminAction) => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    })?;
    claim.data().copy_from_slice(message);
    claim.commit().map_err(io::Error::other)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::end::tests::{a_stream_arrives_whole_and_in_order, short_batches_come_back};

    #[test]
    fn round_trips_come_back() {
        short_batches_come_back::<AeronIpc>();
    }

    #[test]
    fn a_stream_arrives() {
        a_stream_arrives_whole_and_in_order::<AeronIpc>();
    }
}
