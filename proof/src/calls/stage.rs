//! A server and a client in one thread, each with the ready-made loop, and a clock of their own.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_driver::{
    Client, ClientConfig, Driver, EventLoop, FileError, Geometry, IdleStrategy, Limits, LinkConfig, Name,
    Server, ServerConfig,
};
use tcpshm_protocol::Role;

use super::app::App;
use super::clock;
use super::record::{Entry, Record};

/// How often both loops may turn before something that must come has not come.
const TURNS: u32 = 6000;
/// How often what fails may be tried again.
const ATTEMPTS: u32 = 12;
/// Turns in which nothing happens before the clock moves.
const QUIET: u32 = 4;
/// How far it moves at most, and if nobody says when to come back.
const STRIDE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(20);

/// What did not happen, although there was time enough.
#[derive(Debug)]
pub(crate) struct Stuck(pub(crate) String);

/// Both sides, on one link directory.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: PathBuf,
    address: SocketAddr,
    /// What carries the link from the next start of the client.
    pub(crate) wish: CarrierWish,
    pub(crate) record: Record,
    server: Option<EventLoop<Server>>,
    client: Option<EventLoop<Client>>,
    pub(crate) at_server: App,
    pub(crate) at_client: App,
    /// Bytes of each ring: enough for all that is ever in flight.
    capacity: u64,
    quiet: u32,
}

/// The names of the two sides.
pub(crate) fn name(side: Role) -> Name {
    let text = if side == Role::Client { "client" } else { "server" };
    text.parse().expect("a valid name")
}

impl Stage {
    /// Nobody is there yet. The link files are to lie in `directory`, with rings of `capacity` bytes.
    pub(crate) fn new(directory: &Path, capacity: u64, at_client: App, at_server: App) -> Self {
        // An address that no other process of its kind has: nobody else takes a port of it while the
        // server is away.
        let [_, high, middle, low] = process::id().to_be_bytes();
        let ip = IpAddr::V4(Ipv4Addr::new(127, high.wrapping_add(64), middle, low));
        Stage {
            directory: directory.to_owned(),
            address: SocketAddr::new(ip, 0),
            wish: CarrierWish::Tcp,
            record: at_client.record.clone(),
            capacity,
            server: None,
            client: None,
            at_server,
            at_client,
            quiet: 0,
        }
    }

    // ---- coming and going ----

    /// Starts the server. What fails is tried again: no failure may keep it from working later.
    pub(crate) fn start_server(&mut self) -> Result<(), Stuck> {
        self.attempt("a server", |stage| {
            let mut config = ServerConfig::new(name(Role::Server), &stage.directory, stage.address);
            sizes(&mut config.link, stage.capacity);
            let driver = Server::bind(config).map_err(|error| ("bind", error.to_string()))?;
            let addresses = driver.local_addresses();
            let addresses = addresses.map_err(|error| ("local_addresses", error.to_string()))?;
            let events = EventLoop::new(driver, clock::now);
            let events = events.map_err(|error| ("EventLoop::new", error.to_string()))?;
            stage.address = addresses[0];
            stage.server = Some(events.with_idle(IdleStrategy::Spin));
            Ok(())
        })
    }

    /// Starts the client.
    pub(crate) fn start_client(&mut self) -> Result<(), Stuck> {
        self.attempt("a client", |stage| {
            let mut config = ClientConfig::new(name(Role::Client), &stage.directory, stage.address);
            sizes(&mut config.link, stage.capacity);
            config.carrier = stage.wish;
            let driver = Client::new(config).map_err(|error| ("Client::new", error.to_string()))?;
            let events = EventLoop::new(driver, clock::now);
            let events = events.map_err(|error| ("EventLoop::new", error.to_string()))?;
            stage.client = Some(events.with_idle(IdleStrategy::Spin));
            Ok(())
        })
    }

    /// The server says farewell and is gone.
    pub(crate) fn stop_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.shut_down(&mut self.at_server);
        }
    }

    /// The client says farewell and is gone.
    pub(crate) fn stop_client(&mut self) {
        if let Some(mut client) = self.client.take() {
            client.shut_down(&mut self.at_client);
        }
    }

    /// Where the link file of one side is.
    pub(crate) fn file_of(&self, side: Role) -> PathBuf {
        let file = match side {
            Role::Client => "c~client~server.link",
            Role::Server => "s~server~client.link",
        };
        self.directory.join(file)
    }

    /// Removes the link file of one side, as a cleaner would.
    pub(crate) fn remove_file(&mut self, side: Role) {
        self.record.write(&Entry::Removes(side));
        if let Err(error) = fs::remove_file(self.file_of(side)) {
            self.record.trouble("remove_file", error);
        }
    }

    // ---- using the link ----

    /// What the client does with its link.
    pub(crate) fn with_client(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut App, &mut tcpshm_driver::Link<'_>),
    ) -> Result<(), Stuck> {
        let now = clock::now();
        let link = self.client.as_mut().and_then(|client| client.driver().link(now));
        let mut link = link.ok_or_else(|| Stuck(format!("{what}: the client has no link")))?;
        act(&mut self.at_client, &mut link);
        Ok(())
    }

    /// What the server does with its link, which it opens from the file if need be.
    pub(crate) fn with_server(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut App, &mut tcpshm_driver::Link<'_>),
    ) -> Result<(), Stuck> {
        self.attempt(what, |stage| {
            let now = clock::now();
            let server = stage.server.as_mut().ok_or(("open_link", "no server".to_owned()))?;
            match server.driver().open_link(now, &name(Role::Client)) {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(("open_link", "no link".into())),
                Err(error) => Err(("open_link", error.to_string())),
            }
        })?;
        let now = clock::now();
        let link = self.server.as_mut().and_then(|server| server.driver().link(now, &name(Role::Client)));
        let mut link = link.ok_or_else(|| Stuck(format!("{what}: the server has no link")))?;
        act(&mut self.at_server, &mut link);
        Ok(())
    }

    /// Moves the link to another carrier.
    pub(crate) fn change_carrier(&mut self, wish: CarrierWish) {
        self.wish = wish;
        if let Some(client) = &mut self.client {
            client.driver().change_carrier(clock::now(), wish, &mut self.at_client);
        }
    }

    /// Writes down what is kept aside on either side, and lets go of it.
    pub(crate) fn release_kept(&mut self) -> Result<(), Stuck> {
        self.attempt("the files kept aside", |stage| {
            let record = stage.record.clone();
            let failed = |error: FileError| ("kept", error.to_string());
            let files = [
                (Role::Server, stage.server.as_mut().map(|server| server.driver().files())),
                (Role::Client, stage.client.as_mut().map(|client| client.driver().files())),
            ];
            for (side, files) in files {
                let Some(files) = files else { continue };
                for kept in files.kept(None).map_err(failed)? {
                    let lost = kept.undelivered.as_ref().map_err(|error| ("kept", error.to_string()))?;
                    let session = kept.session.to_string();
                    record.write(&Entry::Kept(side, session, lost.from.get(), lost.upto.get()));
                    files.release(&kept).map_err(|error| ("release", error.to_string()))?;
                }
            }
            Ok(())
        })
    }

    // ---- time ----

    /// Turns both loops until `done`.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) -> Result<(), Stuck> {
        for _ in 0..TURNS {
            if done(self) {
                return Ok(());
            }
            self.turn();
        }
        Err(Stuck(what.into()))
    }

    /// Until the client has a connection.
    pub(crate) fn connected(&mut self) -> Result<(), Stuck> {
        self.until("a connection", Self::is_connected)
    }

    /// Whether the client has a connection.
    pub(crate) fn is_connected(&mut self) -> bool {
        self.client.as_mut().is_some_and(|client| client.driver().is_connected())
    }

    /// Until both sides are connected and each knows that the other has consumed everything.
    pub(crate) fn drained(&mut self) -> Result<(), Stuck> {
        self.until("the end of all messages", |stage| {
            let now = clock::now();
            let (Some(server), Some(client)) = (&mut stage.server, &mut stage.client) else {
                return false;
            };
            let links = [server.driver().link(now, &name(Role::Client)), client.driver().link(now)];
            links
                .into_iter()
                .all(|link| link.is_some_and(|link| link.is_connected() && link.undelivered().messages == 0))
        })
    }

    /// Turns both loops once.
    pub(crate) fn turn(&mut self) {
        let before = self.activity();
        if let Some(server) = &mut self.server
            && let Err(error) = server.turn(&mut self.at_server, Some(Duration::ZERO))
        {
            self.record.trouble("turn", format!("Server: {error}"));
        }
        if let Some(client) = &mut self.client
            && let Err(error) = client.turn(&mut self.at_client, Some(Duration::ZERO))
        {
            self.record.trouble("turn", format!("Client: {error}"));
        }
        if self.activity() != before {
            self.quiet = 0;
            return;
        }
        self.quiet += 1;
        // What one side has sent may not have reached the other yet.
        thread::yield_now();
        if self.quiet >= QUIET {
            self.quiet = 0;
            clock::pass(self.pause());
        }
    }

    /// How long until something is due.
    fn pause(&mut self) -> Duration {
        let now = clock::now();
        let server = self.server.as_mut().and_then(|server| server.driver().deadline());
        let client = self.client.as_mut().and_then(|client| client.driver().deadline());
        let next = server.into_iter().chain(client).min();
        let pause = next.map_or(STEP, |next| next.saturating_duration_since(now));
        if pause.is_zero() { STEP } else { pause.min(STRIDE) }
    }

    fn activity(&self) -> u64 {
        self.at_client.activity + self.at_server.activity
    }

    /// Tries until it succeeds, and writes down each failure.
    fn attempt(
        &mut self,
        what: &str,
        mut act: impl FnMut(&mut Self) -> Result<(), (&'static str, String)>,
    ) -> Result<(), Stuck> {
        for _ in 0..ATTEMPTS {
            match act(self) {
                Ok(()) => return Ok(()),
                Err((method, text)) => self.record.trouble(method, text),
            }
            clock::pass(STEP);
        }
        Err(Stuck(what.into()))
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn sizes(link: &mut LinkConfig, capacity: u64) {
    let geometry = Geometry::new(capacity, 512).expect("a sane geometry");
    link.limits = Limits { send: geometry, accept: geometry };
}
