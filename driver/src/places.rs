//! The connections of a server or a group, each at the place that its token names.

use std::net::SocketAddr;
use std::time::Instant;

use tcpshm_protocol::Name;
use tcpshm_protocol::login::{Confirm, Hello, ServerLogin, UserData};
use tcpshm_shm::PeerFile;

use crate::connection::Connection;
use crate::disconnected::Disconnected;
use crate::handshake::Handshake;

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Place {
    Pending(Box<Pending>),
    Live(Box<Live>),
    /// A link of a group, here to be decided about. Nothing is read or written meanwhile.
    Lent(Box<Live>),
    /// Only until the peer has seen why, or a deadline.
    Farewell(Box<Handshake>),
}

/// A connection that is logging in.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) handshake: Handshake,
    pub(crate) login: ServerLogin,
    pub(crate) arrival: u64,
    /// The name it has said, let in or not.
    pub(crate) said: Option<Name>,
    pub(crate) admitted: Option<Admitted>,
    /// What it has shown, while it waits for a link that is in a group.
    pub(crate) waiting: Option<Confirm>,
}

/// A Hello that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) hello: Hello,
    /// When its Hello was read, compared with others.
    pub(crate) order: u64,
    pub(crate) address: SocketAddr,
    /// What its application is told.
    pub(crate) user_data: UserData,
    /// Whether shared memory is to carry the link, once that was found out.
    pub(crate) view: Option<Option<PeerFile>>,
}

/// A link's connection. Its session stands at the same place among the hall's links.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) connection: Connection,
    /// Whether a visit without an event is already arranged.
    pub(crate) queued: bool,
    /// Why the connection is over, found while there was no time to end it.
    pub(crate) ended: Option<Disconnected>,
    /// When to see again whether the link's files are still there.
    pub(crate) next_check: Instant,
}

/// Places are reused, the one freed last first. An event for an earlier connection at the same place
/// can only cause a look at a socket that has nothing, since every look may find that.
#[derive(Debug, Default)]
pub(crate) struct Places {
    places: Vec<Option<Place>>,
    free: Vec<usize>,
}

impl Places {
    /// An index that is taken from here on; [`Places::put`] fills it, [`Places::vacate`] frees it.
    pub(crate) fn reserve(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        })
    }

    pub(crate) fn put(&mut self, index: usize, place: Place) {
        self.places[index] = Some(place);
    }

    /// What stands there, to be put back or vacated.
    pub(crate) fn take(&mut self, index: usize) -> Option<Place> {
        self.places.get_mut(index)?.take()
    }

    /// The link that is live there, out of its place.
    pub(crate) fn take_live(&mut self, index: usize) -> Option<Box<Live>> {
        match self.take(index)? {
            Place::Live(live) => Some(live),
            other => {
                self.put(index, other);
                None
            }
        }
    }

    /// The link that is lent there, out of its place.
    pub(crate) fn take_lent(&mut self, index: usize) -> Option<Box<Live>> {
        match self.take(index)? {
            Place::Lent(live) => Some(live),
            other => {
                self.put(index, other);
                None
            }
        }
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Place> {
        self.places.get_mut(index)?.as_mut()
    }

    pub(crate) fn vacate(&mut self, index: usize) {
        self.places[index] = None;
        self.free.push(index);
    }

    /// One more than the highest index there ever was.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}
