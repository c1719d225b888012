//! Aeron over shared memory (`aeron:ipc`), by way of its C client and its C media driver.
//!
//! A publication for each way, exclusive since there is one publisher; a sender claims and commits, as tcpshm
//! does; both sides spin on their image, as `ping_pong_ipc` of its Rust bindings does. The media driver is in
//! the far process. It is not on the way of a message: its one thread (`SHARED`) makes logs, clears them,
//! moves limits and notices who is gone. It shares a core with a side that spins, because there may be no
//! other, so it sleeps as long as it may: with its usual back-off it takes so much of the core that a round
//! trip takes twice as long.
//!
//! What it offers: messages in order from each publisher to any number of subscribers that keep up, over IPC,
//! UDP and multicast, with flow control and back pressure. A driver has to run. A subscriber begins where it
//! joins: one that was killed does not get what it had not consumed, and a log is gone with its publication.
//! (Keeping messages is the business of Aeron Archive, another process.)

use std::ffi::CStr;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusteron_client::{
    Aeron, AeronCError, AeronContext, AeronExclusivePublication, AeronImage, AeronOfferError,
    AeronSubscription, Handlers, IntoCString,
};
use rusteron_media_driver::bindings::aeron_threading_mode_enum::AERON_THREADING_MODE_SHARED;
use rusteron_media_driver::testing::EmbeddedDriver;

use crate::end::{End, PATIENCE, Use, spin};

/// A log has three terms, and a publisher may be half a term ahead of where the driver last saw its
/// subscribers.
const CHANNEL: &CStr = c"aeron:ipc?term-length=8m";
/// Nanoseconds that the driver sleeps: ten milliseconds, in which round trips do not get far.
const NOW_AND_THEN: &CStr = c"10000000";
/// A tenth of a millisecond, in which a stream gets no further than half a term: it would wait for the
/// driver.
const OFTEN: &CStr = c"100000";
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
    fn listen(_: &Path, used: Use, tell: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self> {
        let driver = EmbeddedDriver::launch_with(|context| {
            context.set_threading_mode(AERON_THREADING_MODE_SHARED)?;
            // What the driver is told of sleeping comes before that it shall.
            context.set_shared_idle_strategy_init_args(match used {
                Use::RoundTrips => NOW_AND_THEN,
                Use::Stream(_) => OFTEN,
            })?;
            context.set_shared_idle_strategy(c"sleeping").map(|_| ())
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
        let aeron = connect(directory).map_err(io::Error::other)?;
        let publication = aeron
            .async_add_exclusive_publication(CHANNEL, publish)
            .and_then(|adding| adding.poll_blocking(PATIENCE))
            .map_err(io::Error::other)?;
        let subscription = aeron
            .async_add_subscription(CHANNEL, subscribe, Handlers::NONE, Handlers::NONE)
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

/// A client whose memory is there before it is used.
fn connect(directory: &str) -> Result<Aeron, AeronCError> {
    let context = AeronContext::new()?;
    context.set_dir(&directory.into_c_string())?;
    context.set_pre_touch_mapped_memory(true)?;
    let aeron = Aeron::new(&context)?;
    aeron.start()?;
    Ok(aeron)
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
