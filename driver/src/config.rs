//! What a host can set, each default with its reason.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tcpshm_protocol::login::{CarrierWish, Carriers, Silence, UserData};
use tcpshm_protocol::{Limits, Name, Timing};

use crate::back_off::BackOff;
use crate::mailbox::Bounds;

/// What both sides of a link can set.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// The name of this process. With the peer's name it identifies a link.
    pub name: Name,
    /// Where link files are kept. Made, readable by this user only, if it is missing. For shared memory both
    /// sides need the same one; tmpfs, such as a directory in `/dev/shm`, is the place for it.
    pub directory: PathBuf,
    /// Ring and message sizes sent and taken. They are fixed when a session begins; what a file has
    /// and what is set here must be the same, unless `adopt_geometry` says otherwise.
    pub limits: Limits,
    /// Use an existing link file with the sizes it has, even if `limits` differ. Off by default, so
    /// that a configuration that has no effect is noticed.
    pub adopt_geometry: bool,
    /// How long to wait for any sign of life before a connection is given up.
    pub silence: Silence,
    /// How long a consumption may wait for a message to carry its acknowledgement.
    pub ack_delay: Duration,
    /// How long both sides may wait for each other before `stalled` is called.
    pub stall: Duration,
    /// How long a connection may take to log in.
    pub login_deadline: Duration,
    /// How many link files may be kept aside for one link. A reset that would exceed it is refused
    /// until the application releases one.
    pub max_kept: usize,
    /// Bytes read from one connection before the others have their turn.
    pub read_budget: usize,
    /// Messages of a link's [`Sender`](crate::Sender)s that may wait for the loop that owns it.
    pub mailbox_messages: usize,
    /// Bytes of payload that may wait there. One message that the link takes always may.
    pub mailbox_bytes: usize,
    /// Socket options.
    pub socket: SocketConfig,
}

impl LinkConfig {
    /// The defaults, for this name and directory.
    pub fn new(name: Name, directory: impl Into<PathBuf>) -> Self {
        Self {
            name,
            directory: directory.into(),
            limits: Limits::default(),
            adopt_geometry: false,
            silence: Silence::default(),
            ack_delay: Timing::DEFAULT_ACK_DELAY,
            stall: Timing::DEFAULT_STALL,
            // Four short messages; only a dead or hostile peer needs longer.
            login_deadline: Duration::from_secs(5),
            // Someone should have looked long before; at the default size these are 4 MiB.
            max_kept: 16,
            // A few full reads: amortises the turn without letting one peer hold it.
            read_budget: 1024 * 1024,
            // What waits there is in no file yet, so no more than it takes to keep the loop busy: some sixteen of its turns.
            mailbox_messages: 1024,
            // As much as a ring of the default size: a second one, to go on with while the first is full.
            mailbox_bytes: 256 * 1024,
            socket: SocketConfig::default(),
        }
    }

    /// How often to look whether the link's files are still there: twice before silence would be noticed.
    pub(crate) fn check_every(&self) -> Duration {
        self.silence.duration() / 2
    }

    pub(crate) fn mailbox(&self) -> Bounds {
        Bounds { messages: self.mailbox_messages, bytes: self.mailbox_bytes }
    }

    pub(crate) fn timing(&self, peer_silence: Silence) -> Timing {
        Timing { silence: self.silence, peer_silence, ack_delay: self.ack_delay, stall: self.stall }
    }
}

/// Socket options of every connection.
#[derive(Clone, Debug)]
pub struct SocketConfig {
    /// Send small writes at once. On: the driver writes whole batches itself.
    pub no_delay: bool,
    /// The kernel's send buffer in bytes; `None` leaves its automatic sizing.
    pub send_buffer: Option<usize>,
    /// The kernel's receive buffer in bytes; `None` leaves its automatic sizing.
    pub receive_buffer: Option<usize>,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self { no_delay: true, send_buffer: None, receive_buffer: None }
    }
}

/// What a server can set.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What it shares with clients.
    pub link: LinkConfig,
    /// Where it listens; port 0 takes a free one. An IPv6 address takes IPv6 only, so that listening
    /// on both wildcards is possible.
    pub listen: Vec<SocketAddr>,
    /// Connections that the kernel completes before they are accepted.
    pub backlog: i32,
    /// Links that may be live at once.
    pub max_links: usize,
    /// Connections that may be logging in at once; when one more comes, the oldest gives way, unless it is younger
    /// than `login_grace`: then the new one is closed, and its client tries again.
    pub max_pending: usize,
    /// Of these, how many may come from one IP address.
    pub max_pending_per_address: usize,
    /// How long a connection may go on logging in, whatever comes meanwhile.
    pub login_grace: Duration,
    /// Sessions without a connection that are kept open: first those without held messages are closed,
    /// then the oldest, of which the handler is told. What they hold stays in their link files. At least 1.
    pub max_detached: usize,
    /// Connections accepted before the others have their turn.
    pub accept_budget: usize,
    /// What may carry links. Both: shared memory is granted only to a client that wishes it and has proved
    /// to use the same directory, so as the same user on the same machine.
    pub carriers: Carriers,
}

impl ServerConfig {
    /// The defaults, for this name, directory and address.
    pub fn new(name: Name, directory: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            link: LinkConfig::new(name, directory),
            listen: vec![listen],
            // What Linux allows without tuning (net.core.somaxconn): a reconnect of all clients at once.
            backlog: 4096,
            max_links: 16 * 1024,
            // A login takes milliseconds, a place a few hundred bytes.
            max_pending: 1024,
            // Many clients may share an address; a flood from one must leave places for the others.
            max_pending_per_address: 512,
            // Time enough for two round trips on the same continent. Without it a crowd that comes back at once drives
            // out those that are about to be done; a flood can shut the door for as long, and no longer.
            login_grace: Duration::from_millis(100),
            max_detached: 256,
            accept_budget: 64,
            carriers: Carriers::BOTH,
        }
    }
}

/// What a client can set.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What it shares with servers.
    pub link: LinkConfig,
    /// Where the server may be reached, tried in this order.
    pub addresses: Vec<SocketAddr>,
    /// The server it means to reach; `None` takes any, each as a link of its own.
    pub server: Option<Name>,
    /// For the server's `login` hook.
    pub user_data: UserData,
    /// What shall carry the link. TCP unless you say so: shared memory is polled, and a host that waits for
    /// nothing else has to want that.
    pub carrier: CarrierWish,
    /// How long a connection may take to be made.
    pub connect_deadline: Duration,
    /// How long to wait between rounds of attempts.
    pub back_off: BackOff,
}

impl ClientConfig {
    /// The defaults, for this name, directory and address.
    pub fn new(name: Name, directory: impl Into<PathBuf>, address: SocketAddr) -> Self {
        Self {
            link: LinkConfig::new(name, directory),
            addresses: vec![address],
            server: None,
            user_data: UserData::default(),
            carrier: CarrierWish::Tcp,
            // Two retransmissions of a lost first packet (1 s and 2 s, RFC 6298) and their answer.
            connect_deadline: Duration::from_secs(4),
            back_off: BackOff::default(),
        }
    }
}
