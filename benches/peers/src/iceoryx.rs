//! iceoryx2: publish and subscribe with slices, one service for each way.
//!
//! Set up for round trips as its own benchmark of them is: one publisher and one subscriber, a buffer of one
//! sample, and both sides spin on `receive`. A message is copied once, into a sample that was loaned, and
//! seen where it lies; so does tcpshm. (That benchmark loans the next sample while it waits, and writes
//! nothing into it. Here what is sent, and how long it is, is known when it is sent.) In a stream the buffer
//! has room for many, and a publisher waits instead of overwriting (`RetryUntilDelivered` without safe
//! overflow), since a stream of tcpshm loses nothing either.
//!
//! What it offers: many publishers and many subscribers that find each other by name, payloads of any size
//! without a copy, requests, events, and the cleaning up after processes that died. Samples are in order for
//! each publisher. A subscriber that comes later gets what its service's history holds, which is nothing
//! here. What was sent is gone with the processes of a service, and a subscriber that is killed with samples
//! in its buffer does not get them again.

use std::io;
use std::path::Path;

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;

use crate::end::{End, Use, spin};

/// Samples that a subscriber's buffer holds in a stream.
const STREAM_BUFFER: usize = 1024;

/// A publisher of one service and a subscriber of the other.
pub(crate) struct Iceoryx {
    publisher: Publisher<ipc::Service, [u8], ()>,
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    /// Or others would take this process for dead.
    _node: Node<ipc::Service>,
}

impl End for Iceoryx {
    fn listen(home: &Path, used: Use, tell: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self> {
        // The name of the directory is one of its own, and so are those of the services.
        let name = home.file_name().unwrap_or_default().to_string_lossy();
        let end = Self::new([&format!("{name}/back"), &format!("{name}/there")], used)?;
        tell(&name)?;
        Ok(end)
    }

    fn connect(_: &Path, used: Use, name: &str) -> io::Result<Self> {
        Self::new([&format!("{name}/there"), &format!("{name}/back")], used)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        // A publisher waits for room only when the subscriber has looked once. Before that it gives up at a
        // full buffer, and reaches nobody.
        spin(|| {
            let sample = self.publisher.loan_slice_uninit(message.len()).map_err(io::Error::other)?;
            let reached = sample.write_from_slice(message).send().map_err(io::Error::other)?;
            Ok((reached > 0).then_some(()))
        })
    }

    fn receive<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        Ok(look(self.wait()?.payload()))
    }

    fn echo(&mut self) -> io::Result<()> {
        let sample = self.wait()?;
        self.send(sample.payload())
    }
}

impl Iceoryx {
    /// Publishes in the first service, and subscribes to the second.
    fn new(names: [&str; 2], used: Use) -> io::Result<Self> {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new()
            // Ctrl-C ends the process, as with the other peers.
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<ipc::Service>()
            .map_err(io::Error::other)?;
        let (buffer, overflow) = match used {
            Use::RoundTrips => (1, true),
            Use::Stream(_) => (STREAM_BUFFER, false),
        };
        let service = |name: &str| {
            node.service_builder(&name.try_into().map_err(io::Error::other)?)
                .publish_subscribe::<[u8]>()
                .max_publishers(1)
                .max_subscribers(1)
                .history_size(0)
                .subscriber_max_buffer_size(buffer)
                .enable_safe_overflow(overflow)
                .open_or_create()
                .map_err(io::Error::other)
        };
        let [there, back] = names;
        let publisher = service(there)?
            .publisher_builder()
            .initial_max_slice_len(used.longest())
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .map_err(io::Error::other)?;
        let subscriber = service(back)?.subscriber_builder().create().map_err(io::Error::other)?;
        Ok(Self { publisher, subscriber, _node: node })
    }

    fn wait(&self) -> io::Result<Sample<ipc::Service, [u8], ()>> {
        spin(|| self.subscriber.receive().map_err(io::Error::other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::end::tests::{a_stream_arrives_whole_and_in_order, short_batches_come_back};

    #[test]
    fn round_trips_come_back() {
        short_batches_come_back::<Iceoryx>();
    }

    #[test]
    fn a_stream_arrives() {
        a_stream_arrives_whole_and_in_order::<Iceoryx>();
    }
}
