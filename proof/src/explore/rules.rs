//! What a search goes through: the two sides, what can happen to them, and how often.

use std::time::Instant;

use tcpshm_protocol::login::{Carrier, CarrierWish, Carriers, Hello, Silence, Streams, UserData, Welcome};
use tcpshm_protocol::{Challenge, Geometry, Header, Kind, Limits, Role, SessionId, Timing};

use super::truth::Message;
use crate::world::clock::Clock;
use crate::world::host::Policy;
use crate::world::image::{self, at};
use crate::world::wire::{self, Stream, frame_size};

/// How often something may happen on one path, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Messages that each side commits.
    pub sends: [u8; 2],
    /// Connections that end under way, for both sides or for one.
    pub cuts: u8,
    /// Kills, between two operations or after any store of one.
    pub crashes: u8,
    /// Logins while the server still believes in the connection before.
    pub takeovers: u8,
    /// Files that are lost, or replaced by an earlier copy.
    pub losses: u8,
    /// Writes that the carrier takes only in part.
    pub splits: u8,
    /// Messages that are held for a while.
    pub holds: u8,
}

/// One search.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What it is called.
    pub name: &'static str,
    /// What carries the link.
    pub carrier: Carrier,
    /// Bytes of each ring.
    pub capacity: u64,
    /// Where the streams stand at first; `None` if the two never met.
    pub start: Option<u64>,
    /// Payload bytes of a small and of a large message.
    pub sizes: [usize; 2],
    /// What can happen.
    pub budget: Budget,
    /// Whether messages are committed in batches too.
    pub batches: bool,
    /// Whether requests are consumed by replies too.
    pub replies: bool,
    /// Whether a kill may leave half of what was written and not published.
    pub torn: bool,
    /// Whether the peer looks at the file between two stores.
    pub peeks: bool,
    /// What each side makes of a peer with another history.
    pub policies: [Policy; 2],
    /// What time it is. It stands still, but for the end of a path.
    pub now: Instant,
}

/// Both sides, in the order of their numbers.
pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];

impl Rules {
    /// A link over `carrier` with a history, to which nothing can happen.
    pub fn quiet(name: &'static str, carrier: Carrier) -> Self {
        let budget =
            Budget { sends: [0; 2], cuts: 0, crashes: 0, takeovers: 0, losses: 0, splits: 0, holds: 0 };
        Self {
            name,
            carrier,
            capacity: 64,
            // The second message of a path stands over the end of the ring.
            start: Some(40),
            sizes: [0, 8],
            budget,
            batches: false,
            replies: false,
            torn: true,
            peeks: carrier == Carrier::Shm,
            policies: [Policy::Fresh; 2],
            now: Clock::new().now(),
        }
    }

    // ---- messages ----

    /// Bytes of a message's frame.
    pub(crate) fn frame(&self, message: Message) -> u64 {
        frame_size(self.len(message))
    }

    /// Bytes of a message's payload.
    pub(crate) fn len(&self, message: Message) -> usize {
        self.sizes[usize::from(message.large)]
    }

    /// What a message says that starts at `start`. Its payload looks like frames that belong where its words
    /// stand, a lap later: whoever takes old bytes for a frame finds one that is in order.
    pub(crate) fn content(
        &self,
        sender: Role,
        session: SessionId,
        start: u64,
        message: Message,
    ) -> (Kind, Vec<u8>) {
        let kind = Kind::new(u16::from(message.tag) + 1).expect("not 0");
        let stream = Stream { session, sender };
        let mut payload = Vec::new();
        while payload.len() < self.len(message) {
            let later = start + 16 + payload.len() as u64 + self.capacity;
            payload.extend(wire::word(16, kind.get(), stream.mark(later)).to_le_bytes());
        }
        payload.truncate(self.len(message));
        (kind, payload)
    }

    /// Where a frame at `position` stands in a link file.
    pub(crate) fn place(&self, position: u64) -> usize {
        at::FRAMES + usize::try_from(position % self.capacity).expect("small")
    }

    // ---- sessions ----

    /// The `number`th session: ids that differ in every bit, as random ones would.
    pub(crate) fn session(number: u64) -> SessionId {
        let bits = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        SessionId::new(bits).expect("not 0")
    }

    /// Where both streams of a session begin: the first one goes on with a history.
    pub(crate) fn start_of(&self, session: SessionId) -> u64 {
        if session == Self::session(1) { self.start.unwrap_or(0) } else { 0 }
    }

    pub(crate) fn header(&self, role: Role, session: SessionId) -> Header {
        image::header(role, session.get(), self.geometry())
    }

    pub(crate) fn streams(&self) -> Streams {
        Streams { client: self.geometry(), server: self.geometry() }
    }

    fn geometry(&self) -> Geometry {
        let largest = self.sizes.into_iter().max().unwrap_or(0);
        Geometry::new(self.capacity, u32::try_from(largest).expect("small")).expect("a geometry")
    }

    fn limits(&self) -> Limits {
        Limits { send: self.geometry(), accept: self.geometry() }
    }

    // ---- logins ----

    pub(crate) fn hello(&self) -> Hello {
        let header = self.header(Role::Client, Self::session(1));
        let wish = match self.carrier {
            Carrier::Tcp => CarrierWish::Tcp,
            Carrier::Shm => CarrierWish::Shm,
        };
        Hello {
            client: header.owner,
            server: Some(header.peer),
            limits: self.limits(),
            wish,
            silence: Silence::default(),
            user_data: UserData::default(),
        }
    }

    pub(crate) fn welcome(&self, challenge: Challenge) -> Welcome {
        Welcome {
            server: self.header(Role::Server, Self::session(1)).owner,
            limits: self.limits(),
            carriers: Carriers::BOTH,
            silence: Silence::default(),
            challenge,
        }
    }

    pub(crate) fn timing(&self) -> Timing {
        Timing::new(Silence::default(), Silence::default())
    }
}
