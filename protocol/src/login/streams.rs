//! The sizes of both streams, as the limits of both sides leave them.

use crate::geometry::{Geometry, GeometryError, Limits};

/// The geometry of each direction of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    /// What the client sends.
    pub client: Geometry,
    /// What the server sends.
    pub server: Geometry,
}

/// The streams of a session that begins now: what each side would send, limited to what the other takes.
///
/// Both sides compute it from the same two messages. A session that goes on keeps the streams it began
/// with, and a [`Proposal`](super::Proposal) those it was made with.
pub fn limits_agreed(hello: &Limits, welcome: &Limits) -> Result<Streams, GeometryError> {
    Ok(Streams {
        client: hello.send.limited_to(welcome.accept)?,
        server: welcome.send.limited_to(hello.accept)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(capacity: u64, largest: u32) -> Geometry {
        Geometry::new(capacity, largest).unwrap()
    }

    #[test]
    fn each_stream_is_limited_by_the_side_that_takes_it() {
        let hello = Limits { send: geometry(1024, 200), accept: geometry(256, 128) };
        let welcome = Limits { send: geometry(4096, 64), accept: geometry(512, 300) };
        let streams = limits_agreed(&hello, &welcome).unwrap();
        assert_eq!(streams, Streams { client: geometry(512, 200), server: geometry(256, 64) });
    }

    #[test]
    fn any_two_limits_agree_on_something() {
        let geometries: Vec<_> = [(64, 0), (64, 40), (128, 104), (1 << 40, 1 << 30)]
            .map(|(capacity, largest)| geometry(capacity, largest))
            .to_vec();
        for &send in &geometries {
            for &accept in &geometries {
                let limits = Limits { send, accept };
                let streams = limits_agreed(&limits, &limits).unwrap();
                assert!(streams.client.fits(accept) && streams.client.fits(send));
                assert_eq!(streams.server, streams.client);
            }
        }
    }
}
