//! A link in the model: a file, a connection, a mailbox.

use proof::image;
use shuttle::sync::{Arc, Mutex};
use tcpshm_protocol::{Committed, Geometry, Kind, Memory, Name, Nonce, Role, SendError, Session};

use crate::handover::{Cargo, Peer};
use crate::mailbox::{Delivery, Sink};
use crate::poll::Wire;

pub(crate) fn peer() -> Name {
    "peer".parse().expect("a name")
}

/// What there is of the link outside all loops: its file, which only one may have open, and what is in it.
#[derive(Debug, Default)]
pub(crate) struct Disk(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    is_open: bool,
    messages: Vec<u8>,
}

impl Disk {
    pub(crate) fn messages(&self) -> Vec<u8> {
        self.0.lock().expect("no panic").messages.clone()
    }
}

/// The file, open.
pub(crate) struct File {
    disk: Arc<Disk>,
    session: Session<Memory>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("File")
    }
}

impl File {
    pub(crate) fn open(disk: &Arc<Disk>) -> Self {
        let was_open = std::mem::replace(&mut disk.0.lock().expect("no panic").is_open, true);
        assert!(!was_open, "the file is open in two places");
        let header = image::header(Role::Server, 0x5e_5510, Geometry::new(256, 8).expect("a geometry"));
        let storage = Memory::from_image(image::midway(&header, 0, 0, 0xa));
        let session = Session::open(storage, Nonce::new(1)).expect("a sound file");
        Self { disk: Arc::clone(disk), session }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Ok(mut content) = self.disk.0.lock() {
            content.is_open = false;
        }
    }
}

impl Sink for File {
    fn is_waiting_for_room(&self) -> bool {
        false
    }

    fn largest(&self) -> Option<u32> {
        Some(8)
    }

    fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<Committed, SendError> {
        self.disk.0.lock().expect("no panic").messages.push(payload[0]);
        self.session.send(kind, payload)
    }
}

/// A link with a connection.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) file: File,
    pub(crate) wire: Arc<Wire>,
    /// Which of its connections this is.
    pub(crate) connection: u32,
    pub(crate) mail: Option<Box<Post>>,
}

/// One that has lost it.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) file: File,
    pub(crate) mail: Option<Box<Post>>,
}

/// Its mailbox.
#[derive(Debug)]
pub(crate) struct Post(pub(crate) Delivery);

/// What the model hands over.
#[derive(Debug)]
pub(crate) struct Model;

impl Cargo for Model {
    type Link = Box<Live>;
    type Session = Parted;
    type Mail = Box<Post>;
    /// The number of the connection.
    type News = u32;
}

static PEER: std::sync::OnceLock<Name> = std::sync::OnceLock::new();

fn the_peer() -> &'static Name {
    PEER.get_or_init(peer)
}

impl Peer for Box<Live> {
    fn peer(&self) -> &Name {
        the_peer()
    }
}

impl Peer for Parted {
    fn peer(&self) -> &Name {
        the_peer()
    }
}

impl Peer for Box<Post> {
    fn peer(&self) -> &Name {
        the_peer()
    }
}
